"""Pictures that are no clothes: eight sets of 28x28 to judge a detector of Fashion-MNIST by, none used to build it."""

import numpy as np

COUNT = 1_000  # of each set


def eight(clothes: np.ndarray, digits: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    """Each set uint8 (COUNT, 1, 28, 28), from test clothes and MNIST's test digits (n, 1, 28, 28)."""
    rng = np.random.default_rng(seed)
    chosen = clothes[rng.choice(len(clothes), COUNT, replace=False)]
    shades = rng.integers(0, 256, (COUNT, 1, 1, 1))
    return {
        "MNIST": digits[rng.choice(len(digits), COUNT, replace=False)],
        "8x8 digits": small_digits(rng),
        "rendered digits": rendered("0123456789", rng),
        "rendered letters": rendered("ABCDEFGHIJKLMNOPQRSTUVWXYZ", rng),
        "noise": rng.integers(0, 256, (COUNT, 1, 28, 28)).astype(np.uint8),
        "constant": np.broadcast_to(shades, (COUNT, 1, 28, 28)).astype(np.uint8),
        "upside-down clothes": chosen[:, :, ::-1].copy(),
        "inverted clothes": 255 - chosen,
    }


def small_digits(rng: np.random.Generator) -> np.ndarray:
    """scikit-learn's 8x8 digits, enlarged to 28x28."""
    from PIL import Image
    from sklearn.datasets import load_digits

    found = (load_digits().images / 16 * 255).astype(np.uint8)
    found = found[rng.choice(len(found), COUNT, replace=False)]
    return np.stack([np.asarray(Image.fromarray(x).resize((28, 28), Image.Resampling.BICUBIC)) for x in found])[:, None]


def rendered(characters: str, rng: np.random.Generator) -> np.ndarray:
    """Characters in Pillow's own font, white on black, of random size, weight, place and slant."""
    from PIL import Image, ImageDraw, ImageFont

    made = []
    for _ in range(COUNT):
        sheet = Image.new("L", (56, 56))
        font = ImageFont.load_default(size=int(rng.integers(28, 50)))
        place = tuple(28 + rng.integers(-4, 5, 2))
        letter = characters[rng.integers(len(characters))]
        ImageDraw.Draw(sheet).text(
            place, letter, fill=255, font=font, anchor="mm", stroke_width=int(rng.integers(0, 3))
        )
        turned = sheet.rotate(float(rng.uniform(-20, 20)), Image.Resampling.BILINEAR)
        made.append(np.asarray(turned.resize((28, 28), Image.Resampling.BOX)))
    return np.stack(made)[:, None]

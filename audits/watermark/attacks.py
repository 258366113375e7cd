"""Thirty things that happen to a picture on its way: uint8 (h, w, 3) in, uint8 out, each without randomness.

Names say what is done: `jpeg50` is quality 50, `crop50` keeps the middle half of each side, `+back` restores the size
afterwards, `screenshot` is nine tenths of the size and a JPEG of quality 80, `combo` crops, restores, darkens and
compresses.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np


def _picture(pixels: np.ndarray):
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(pixels))


def compress(pixels: np.ndarray, form: str, quality: int) -> np.ndarray:
    """Saved as JPEG or WEBP of that quality and opened again."""
    from PIL import Image

    file = io.BytesIO()
    _picture(pixels).save(file, form, quality=quality)
    with Image.open(file, formats=[form]) as image:
        return np.asarray(image.convert("RGB"))


def resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Another size, bicubic."""
    from PIL import Image

    return np.asarray(_picture(pixels).resize((max(1, width), max(1, height)), Image.Resampling.BICUBIC))


def scale(pixels: np.ndarray, factor: float, *, back: bool = False) -> np.ndarray:
    """Both sides times `factor`; with `back`, to the old size again."""
    height, width = pixels.shape[:2]
    small = resize(pixels, round(height * factor), round(width * factor))
    return resize(small, height, width) if back else small


def crop(pixels: np.ndarray, share: float, *, back: bool = False) -> np.ndarray:
    """The middle `share` of each side; with `back`, enlarged to the old size."""
    height, width = pixels.shape[:2]
    h, w = round(height * share), round(width * share)
    top, left = (height - h) // 2, (width - w) // 2
    kept = pixels[top : top + h, left : left + w]
    return resize(kept, height, width) if back else kept.copy()


def turn(pixels: np.ndarray, degrees: float) -> np.ndarray:
    """Turned anticlockwise in its frame, corners black."""
    from PIL import Image

    return np.asarray(_picture(pixels).rotate(degrees, Image.Resampling.BICUBIC))


def add_noise(pixels: np.ndarray, deviation: float, *, seed: int = 1) -> np.ndarray:
    """Gaussian noise; `deviation` is a share of the range."""
    noise = np.random.default_rng(seed).normal(0, 255 * deviation, pixels.shape)
    return np.clip(np.round(pixels + noise), 0, 255).astype(np.uint8)


def blur(pixels: np.ndarray, radius: float) -> np.ndarray:
    """Gaussian blur; `radius` is its deviation in pixels."""
    from PIL import ImageFilter

    return np.asarray(_picture(pixels).filter(ImageFilter.GaussianBlur(radius)))


def enhance(pixels: np.ndarray, what: str, factor: float) -> np.ndarray:
    """Pillow's Brightness, Contrast or Color, times `factor`."""
    from PIL import ImageEnhance

    return np.asarray(getattr(ImageEnhance, what)(_picture(pixels)).enhance(factor))


def reduce_colours(pixels: np.ndarray, colours: int) -> np.ndarray:
    """A palette of so many colours, dithered."""
    from PIL import Image

    return np.asarray(_picture(pixels).quantize(colours, dither=Image.Dither.FLOYDSTEINBERG).convert("RGB"))


def _combo(pixels: np.ndarray) -> np.ndarray:
    return compress(enhance(crop(pixels, 0.8, back=True), "Brightness", 0.8), "JPEG", 60)


ATTACKS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "jpeg90": lambda p: compress(p, "JPEG", 90),
    "jpeg70": lambda p: compress(p, "JPEG", 70),
    "jpeg50": lambda p: compress(p, "JPEG", 50),
    "jpeg30": lambda p: compress(p, "JPEG", 30),
    "webp50": lambda p: compress(p, "WEBP", 50),
    "resize0.5+back": lambda p: scale(p, 0.5, back=True),
    "crop80": lambda p: crop(p, 0.8),
    "crop50": lambda p: crop(p, 0.5),
    "crop80+back": lambda p: crop(p, 0.8, back=True),
    "crop50+back": lambda p: crop(p, 0.5, back=True),
    "rot5": lambda p: turn(p, 5),
    "rot15": lambda p: turn(p, 15),
    "rot90": lambda p: np.rot90(p).copy(),
    "hflip": lambda p: p[:, ::-1].copy(),
    "noise.02": lambda p: add_noise(p, 0.02),
    "noise.05": lambda p: add_noise(p, 0.05),
    "blur1": lambda p: blur(p, 1),
    "blur2": lambda p: blur(p, 2),
    "bright0.5": lambda p: enhance(p, "Brightness", 0.5),
    "bright1.5": lambda p: enhance(p, "Brightness", 1.5),
    "contrast0.5": lambda p: enhance(p, "Contrast", 0.5),
    "contrast1.5": lambda p: enhance(p, "Contrast", 1.5),
    "satur0.5": lambda p: enhance(p, "Color", 0.5),
    "satur1.5": lambda p: enhance(p, "Color", 1.5),
    "grayscale": lambda p: enhance(p, "Color", 0),
    "palette256": lambda p: reduce_colours(p, 256),
    "palette32": lambda p: reduce_colours(p, 32),
    "screenshot": lambda p: compress(scale(p, 0.9), "JPEG", 80),
    "shift3px": lambda p: p[3:, 3:].copy(),
    "combo": _combo,
}

"""Which tone of the Monk scale is read off skin under other lights? `python benchmarks/skin_tone.py`.

Written to benchmarks/results/skin_tone.json. Three scenes a tone: the flat swatch; a shaded, grainy ball saved as JPEG
with a little texture, as a face from the front; and drawn portraits with that skin. Lights are the CIE's tables of
illuminants as scikit-image has them, and an uncorrected camera adapts by CAT02: neither is what the audit uses to
imagine lights. Within D50 (warm) to D75 (cool) and 0.3 stop the tone should be found; beyond, it cannot be told, which
is asked with and without a grey card of 18 % in the picture.
"""

import argparse
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from serving import machine

from audits.bias.skin_tone import MONK, TO_XYZ, SkinTone, face_region, skin_tone
from genlab.data import portraits

RESULTS = Path(__file__).resolve().parent / "results" / "skin_tone.json"
SWATCHES = np.array([[int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)] for code in MONK])
USUAL = [(light, stops) for light in ("D65", "D50", "D75") for stops in (-0.3, 0.0, 0.3)]
BEYOND = [("A", 0.0), ("A", -0.3), ("A", 0.3), ("D65", -1.0), ("D65", 1.0), ("D50", -1.0), ("D75", 1.0)]
CAT02 = np.array([[0.7328, 0.4296, -0.1624], [-0.7036, 1.6975, 0.0061], [0.0030, 0.0136, 0.9834]])
GREY = 0.18
FACES, DRAWN, SIDE = 10, 10, 128  # pictures a tone of each scene, and their side
DRAWN_FACE = face_region(SIDE, SIDE, centre=(0.51, 0.55), axes=(0.15, 0.12))


def lit(colours: np.ndarray, light: str, stops: float) -> np.ndarray:
    """sRGB (..., 3) under an illuminant of the CIE, `stops` brighter, as 8 bits hold it."""
    from skimage.color import xyz_tristimulus_values

    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    white = np.array(xyz_tristimulus_values(illuminant=light, observer="2"))
    gains = np.diag((CAT02 @ white) / (CAT02 @ TO_XYZ.sum(1)))
    seen = np.clip(linear @ (np.linalg.inv(CAT02 @ TO_XYZ) @ gains @ CAT02 @ TO_XYZ).T * 2.0**stops, 0, 1)
    return np.round(np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055) * 255) / 255


def swatch(tone: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The flat colour as a picture (h, w, 3), and where to look (h, w)."""
    yield np.broadcast_to(SWATCHES[tone], (4, 4, 3)), np.ones((4, 4), bool)


def face(tone: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """A ball lit from the camera on a grey wall; reflectance and grain vary a little over it."""
    rng, region = np.random.default_rng(tone), face_region(SIDE, SIDE)
    grid = (np.arange(SIDE) + 0.5) / SIDE - 0.5
    away = np.sqrt(grid[:, None] ** 2 + grid[None] ** 2) / 0.42
    shade = 0.6 + 0.4 * np.sqrt(np.clip(1 - away**2, 0, 1))  # half of the light comes from everywhere
    for _ in range(FACES):
        texture = 1 + 0.05 * rng.standard_normal((SIDE // 8, SIDE // 8, 1)).repeat(8, 0).repeat(8, 1)
        skin = SWATCHES[tone] * (shade[..., None] * texture) ** (1 / 2.2)
        picture = np.where((away < 1)[..., None], skin, 0.5) + 0.02 * rng.standard_normal((SIDE, SIDE, 3))
        yield np.clip(picture, 0, 1), region


def portrait(tone: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Drawn portraits with this skin: hair, beards, glasses and the lines of the face are in the region."""
    for seed in range(3_000_000, 3_000_000 + DRAWN):
        skin = portraits.SKIN["open-peeps"]
        _, groups = portraits.options(seed, [{"share": 1.0}])
        drawing, _ = portraits.svg(seed, [{"share": 1.0}])
        colour = skin[portraits.ATTRIBUTES["tone"].index(groups["tone"])]
        picture = portraits.raster(drawing.replace(colour, f"#{MONK[tone]}"), SIDE).transpose(1, 2, 0) / 255
        yield picture, DRAWN_FACE


def jpeg(picture: np.ndarray) -> np.ndarray:
    """The picture as JPEG of quality 85 gives it back."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.round(picture * 255).astype(np.uint8)).save(file, "JPEG", quality=85)
    return np.asarray(Image.open(file)) / 255


def read(picture: np.ndarray, region: np.ndarray, light: str, stops: float, *, card: bool) -> SkinTone:
    """The tone read off a scene under a light."""
    seen = jpeg(lit(picture, light, stops)) if len(picture) > 8 else lit(picture, light, stops)
    grey = np.full((1, 3), 1.055 * GREY ** (1 / 2.4) - 0.055)
    return skin_tone(seen[region], card=lit(grey, light, stops) if card else None, reflectance=GREY)


def measured(scene, light: str, stops: float, *, card: bool) -> dict:
    """Of all pictures of a scene: how many are within one step, cannot be told, are off; tones within a step, of 10."""
    found = [[read(*picture, light, stops, card=card) for picture in scene(tone)] for tone in range(10)]
    near = [[t.tone is not None and abs(t.tone - i) <= 1 for t in row] for i, row in enumerate(found, 1)]
    untold = [[t.tone is None for t in row] for row in found]
    total = sum(len(row) for row in found)
    within, none = sum(map(sum, near)), sum(map(sum, untold))
    widths = [t.high - t.low + 1 for row in found for t in row if t.tone is not None]
    return {
        "scene": scene.__name__, "light": light, "stops": stops, "card": card, "n": total, "within one step": within,
        "cannot tell": none, "off by more": total - within - none,
        "tones of 10": sum(2 * sum(row) > len(row) for row in near),
        "tones that fit": round(float(np.mean(widths)), 2) if widths else None,
    }  # fmt: skip


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    body = {"command": "python benchmarks/skin_tone.py", "machine": machine()}
    for name, lights in (("usual", USUAL), ("beyond", BEYOND)):
        body[name] = []
        for scene in (swatch, face, portrait):
            for card in (False, True):
                for light, stops in lights:
                    body[name].append(measured(scene, light, stops, card=card))
                    print(name, body[name][-1], flush=True)
    RESULTS.write_text(json.dumps(body, indent=1) + "\n")


if __name__ == "__main__":
    main()

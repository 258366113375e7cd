"""Skin tone from pixels: a tone of the Monk scale and an individual typology angle, or "cannot tell".

The skin is found by geometry and never by colour: the colour gates in use elsewhere reject the darkest tones. The
colour of a patch alone does not separate a tone from the light on it (tone 1 under warm light has the colour of
tone 3 under daylight), so a tone is compared by its looks under every light from 4,500 to 9,000 K and 0.3 stop
either way, and all tones that fit are reported. Light beyond that looks like another tone, and only something of known
grey in the same picture can show it: with a grey card the light is measured, allowed for, and refused where it is too
far off. The scale: Monk (2022), ten swatches in sRGB.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from audits.report import Finding, Report, figure

MONK = (
    "f6ede4", "f3e7db", "f7ead0", "eadaba", "d7bd96", "a07e56", "825c43", "604134", "3a312a", "292420",
)  # fmt: skip
FITTED = 2.0  # CIEDE2000 at which a look fits about as well as the eye can tell
STRANGE = 12.0  # CIEDE2000 from every look of every tone: beyond it the colour is not one of skin under usual light
UNEVEN = 20.0  # CIEDE2000 between the median and the typical pixel: beyond it the region is not one surface
BETWEEN = 4  # tones tried from one swatch to the next
KELVIN, STOPS = (4500.0, 9000.0), 0.3
SLACK = 0.05  # of the stops, and of the mired range: how exactly a card in a picture can be read
TINTED = 0.012  # distance in CIE 1976 u'v' from daylight: beyond it the light is coloured
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]
)
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


@dataclass(frozen=True)
class SkinTone:
    """`tone` 1 (lightest) to 10, and the `low` to `high` that fit too; None where it cannot be told, `why` says so.

    `ita` is the individual typology angle in degrees, atan2(L - 50, b), of the colour as it is, light included.
    """

    tone: int | None
    low: int | None
    high: int | None
    ita: float
    lab: tuple[float, float, float]
    why: str = ""


def skin_tone(pixels, *, farthest: float = STRANGE, card=None, reflectance: float = 0.18) -> SkinTone:
    """The tone of skin pixels (n, 3), sRGB in [0, 1]: the median of the Monk tones that fit their median colour.

    "Cannot tell" when the pixels are blown out, black or uneven, or when their colour is more than `farthest` (in
    CIEDE2000) from every tone under usual light. Human skin is redder than the swatches, hence the wide default;
    6 refuses most swatches under a lamp of 2,850 K. `card` are pixels (m, 3) of something neutral of this
    `reflectance` in the same picture: "cannot tell" too when they show light beyond 4,500 to 9,000 K or 0.3 stop,
    and otherwise tones are compared by their looks under that light alone. ValueError unless pixels are sRGB.
    """
    pixels = _srgb(pixels, "Skin")
    from skimage.color import deltaE_ciede2000, rgb2lab

    every = rgb2lab(pixels[None])[0]
    lab = np.median(every, axis=0)
    ita = math.degrees(math.atan2(lab[0] - 50, lab[2]))
    found = functools.partial(SkinTone, ita=ita, lab=tuple(map(float, lab)))
    middle = np.median(pixels, axis=0)
    if middle.min() >= 0.995 or middle.max() <= 0.03:
        return found(None, None, None, why="the region is blown out or black")
    if float(np.median(deltaE_ciede2000(every, lab[None]))) > UNEVEN:
        return found(None, None, None, why="the region is not one surface")
    if card is None:
        looks, tones = appearances()
    else:
        white, why = _light(np.median(_srgb(card, "Card"), axis=0), reflectance)
        if why:
            return found(None, None, None, why=why)
        tones, surfaces = _path()
        looks = rgb2lab(_adapted(surfaces, white)[None])[0]
    differences = deltaE_ciede2000(lab[None], looks)
    nearest = float(differences.min())
    if nearest > farthest:
        return found(None, None, None, why=f"the colour is {nearest:.0f} away from every tone under usual light")
    width = max(FITTED, nearest / 2)  # a colour off the scale fits its neighbours less sharply
    weights = np.exp(-(differences**2 - nearest**2) / (2 * width**2))
    order = np.argsort(tones, kind="stable")
    mass = np.cumsum(weights[order]) / weights.sum()
    low, tone, high = (round(float(tones[order][np.searchsorted(mass, q)])) for q in (0.025, 0.5, 0.975))
    return found(tone, low, high)


def face_region(height: int, width: int, *, centre=(0.5, 0.5), axes=(0.22, 0.18)) -> np.ndarray:
    """A mask (height, width) of an ellipse: `centre` and half-`axes` are (down, across) as shares of the picture."""
    if not (height > 0 and width > 0 and min(axes) > 0):
        raise ValueError("A region needs a picture with pixels and axes above 0.")
    down = (np.arange(height) + 0.5) / height - centre[0]
    across = (np.arange(width) + 0.5) / width - centre[1]
    mask = (down[:, None] / axes[0]) ** 2 + (across[None] / axes[1]) ** 2 <= 1
    if not mask.any():
        raise ValueError("The region holds no pixel: make its axes larger.")
    return mask


def skin_tones(
    images, *, region: np.ndarray | None = None, card: np.ndarray | None = None, reflectance: float = 0.18
) -> list[SkinTone]:  # fmt: skip
    """The tone of every picture in `images` (n, h, w, 3), sRGB in [0, 1], in `region` (h, w) or the middle ellipse.

    `card` is a mask (h, w) of where something neutral of that `reflectance` is, where there is any.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[-1] != 3:
        raise ValueError(f"Pictures have the shape (n, h, w, 3), not {images.shape}.")
    mask = face_region(*images.shape[1:3]) if region is None else np.asarray(region, dtype=bool)
    if mask.shape != images.shape[1:3] or not mask.any():
        raise ValueError(f"The region must be a mask of {images.shape[1:3]} with at least one pixel.")
    if card is not None and (np.shape(card) != mask.shape or not np.any(card)):
        raise ValueError(f"The card must be a mask of {images.shape[1:3]} with at least one pixel.")
    cards = [None] * len(images) if card is None else [image[np.asarray(card, dtype=bool)] for image in images]
    return [skin_tone(i[mask], card=c, reflectance=reflectance) for i, c in zip(images, cards, strict=True)]


def tone_names(tones: list[SkinTone]) -> list[str]:
    """Group names for `representation`: "tone 1" to "tone 10" and "cannot tell"."""
    return ["cannot tell" if t.tone is None else f"tone {t.tone}" for t in tones]


def skin_tone_report(tones: list[SkinTone]) -> Report:
    """How many pictures show each tone, how many cannot be told, and how wide a tone is on average."""
    if not tones:
        raise ValueError("There is no picture to read a tone from.")
    from audits.bias.intervals import wilson

    names, n, findings = tone_names(tones), len(tones), []
    for name in [*(f"tone {i}" for i in range(1, 11)), "cannot tell"]:
        count = names.count(name)
        value, low, high = wilson(count, n)
        reading = f"{count:,} of {n:,} pictures: {name}."
        findings.append(Finding(f"share.{name}", value, low, high, count, "share", None, "", reading))
    told = [t for t in tones if t.tone is not None]
    if told:
        width = float(np.mean([t.high - t.low + 1 for t in told]))
        reading = f"On average {figure(width)} neighbouring tones fit a picture: the light on it is not known."
        findings.append(Finding("tones that fit", width, width, width, len(told), "tones", 1.0, "", reading))
    caveats = (
        "A tone of pixels is not a person's: make-up, light, camera and drawing style change it.",
        "Exposure more than 0.3 stop off looks like another tone and skin alone cannot show it: a grey card does.",
    )
    return Report("Skin tones", tuple(findings), caveats)


@functools.cache
def _path() -> tuple[np.ndarray, np.ndarray]:
    """Tones (m,) from 1 to 10 in quarters, and their surfaces (m, 3) in sRGB: swatches, and mixtures between them."""
    from skimage.color import lab2rgb, rgb2lab

    swatches = np.array([[int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)] for code in MONK])
    tones = np.linspace(1, 10, 9 * BETWEEN + 1)
    lab = rgb2lab(swatches[None])[0]
    path = np.stack([np.interp(tones, np.arange(1, 11), lab[:, i]) for i in range(3)], axis=1)
    return tones, np.clip(lab2rgb(path[None])[0], 0, 1)


@functools.cache
def appearances() -> tuple[np.ndarray, np.ndarray]:
    """CIELAB looks (m, 3) of the tones under usual lights, and the tone (m,) of each, from 1 to 10 in quarters."""
    from skimage.color import rgb2lab

    tones, surfaces = _path()
    looks = [
        rgb2lab(under_light(surfaces, kelvin=1e6 / mired, stops=stops)[None])[0]
        for mired in np.linspace(1e6 / KELVIN[1], 1e6 / KELVIN[0], 9)
        for stops in np.linspace(-STOPS, STOPS, 7)
    ]
    return np.concatenate(looks), np.tile(tones, len(looks))


def under_light(colours, *, kelvin: float = 6504.0, stops: float = 0.0) -> np.ndarray:
    """sRGB `colours` (..., 3) as an uncorrected camera sees them under daylight of `kelvin`, `stops` brighter.

    The white moves along the CIE daylight locus (its formula is used down to 2,800 K, where it nears a lamp's) and
    colours with it by Bradford's adaptation; what is too bright is clipped.
    """
    return _adapted(colours, _white(kelvin) * 2.0**stops)


def _adapted(colours, white: np.ndarray) -> np.ndarray:
    """sRGB `colours` (..., 3) under the light of this white (XYZ)."""
    gains = np.diag((BRADFORD @ white) / (BRADFORD @ TO_XYZ.sum(1)))
    adapt = np.linalg.inv(BRADFORD @ TO_XYZ) @ gains @ BRADFORD @ TO_XYZ
    seen = np.clip(_linear(np.asarray(colours, dtype=float)) @ adapt.T, 0, 1)
    return np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)


def _light(grey: np.ndarray, reflectance: float) -> tuple[np.ndarray, str]:
    """The white (XYZ) under which a neutral of that reflectance looks `grey` (sRGB), and what is wrong with it."""
    if not 0 < reflectance <= 1:
        raise ValueError(f"A card reflects a share of the light, above 0 and up to 1; {reflectance} was given.")
    white = TO_XYZ @ _linear(grey) / reflectance
    if grey.max() >= 0.995 or grey.min() <= 0.01:
        return white, "the card is blown out or black"
    stops, mired = float(np.log2(white[1])), np.arange(20.0, 400.0, 2.0)
    away = np.linalg.norm(_uv(white) - np.array([_uv(_white(1e6 / m)) for m in mired]), axis=1)
    kelvin = 1e6 / float(mired[away.argmin()])
    why = ""
    if away.min() > TINTED:
        why = "the card shows coloured light"
    elif not KELVIN[0] * (1 - SLACK) <= kelvin <= KELVIN[1] * (1 + SLACK):
        why = f"the card shows light of {kelvin:,.0f} K"
    elif abs(stops) > STOPS + SLACK:
        why = f"the card shows an exposure {abs(stops):.1f} stop too {'bright' if stops > 0 else 'dark'}"
    return white, why


def _linear(colours: np.ndarray) -> np.ndarray:
    return np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)


def _uv(xyz: np.ndarray) -> np.ndarray:
    """CIE 1976 u', v' of XYZ (3,)."""
    return np.array([4 * xyz[0], 9 * xyz[1]]) / (xyz @ [1, 15, 3])


def _srgb(pixels, what: str) -> np.ndarray:
    pixels = np.asarray(pixels, dtype=float)
    if pixels.ndim != 2 or pixels.shape[1] != 3 or not len(pixels):
        raise ValueError(f"{what} pixels have the shape (n, 3), not {pixels.shape}.")
    if not np.isfinite(pixels).all() or pixels.min() < 0 or pixels.max() > 1:
        raise ValueError(f"{what} pixels are sRGB from 0 to 1.")
    return pixels


def _white(kelvin: float) -> np.ndarray:
    """XYZ of CIE daylight, Y = 1 (CIE 15:2004, equations 3.3 and 3.4)."""
    c = 1e3 / kelvin
    if kelvin <= 7000:
        x = -4.6070 * c**3 + 2.9678 * c**2 + 0.09911 * c + 0.244063
    else:
        x = -2.0064 * c**3 + 1.9018 * c**2 + 0.24748 * c + 0.237040
    y = -3.0 * x * x + 2.870 * x - 0.275
    return np.array([x / y, 1.0, (1 - x - y) / y])

"""Drawn portraits whose attributes are known exactly: DiceBear avatars of two styles, in any mix that a table asks for.

Every item is drawn from one seed and nothing else: the seed picks a row of the mix and then whatever the
row leaves open. Tones of both styles sit on one scale of the individual typology angle (ITA, Chardon et al.
1991): its six classes with "light" and "intermediate" merged, since each style has one tone in each of the five.
"""

import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from genlab.data import Data, DataError
from genlab.data.fetch import cache_folder

SIDE = 64
VERSIONS = {"dicebear-core": "10.7.0", "dicebear-styles": "10.6.0", "resvg-py": "0.5.0"}
FIRST_SEED = {"train": 0, "validate": 1_000_000, "test": 1_100_000}
COUNTS = {"train": 20_000, "validate": 5_000, "test": 10_000}

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "tone": ("very light", "light", "tan", "brown", "dark"),
    "hair": ("short hair", "long hair", "no hair to be seen"),
    "glasses": ("no glasses", "glasses"),
    "facial_hair": ("no facial hair", "facial hair"),
    "covering": ("uncovered", "covered"),
    "clothing": (
        "blue", "green", "orange", "pink", "red", "teal", "yellow", "black", "grey", "purple", "white"
    ),
}  # fmt: skip
SKIN = {
    "open-peeps": ("#ffdbb4", "#edb98a", "#d08b5b", "#ae5d29", "#694d3d"),
    "toon-head": ("#f1c3a5", "#c68e7a", "#b98e6a", "#a36b4f", "#5c3829"),
}
CLOTHING = {
    "open-peeps": {
        "blue": "#8fa7df", "green": "#78e185", "orange": "#ffcf77", "pink": "#e279c7", "red": "#e78276",
        "teal": "#9ddadb", "yellow": "#fdea6b",
    },
    "toon-head": {
        "blue": "#0b3286", "green": "#147f3c", "orange": "#f97316", "pink": "#ec4899", "red": "#b11f1f",
        "yellow": "#eab308", "black": "#151613", "grey": "#545454", "purple": "#731ac3", "white": "#e8e9e6",
    },
}  # fmt: skip
HEADS = {
    "short hair": (
        "afro", "bantuKnots", "dreads1", "dreads2", "flatTop", "flatTopLong", "grayShort", "mohawk", "mohawk2", "pomp",
        "shaved1", "shaved2", "shaved3", "short1", "short2", "short3", "short4", "short5", "twists", "twists2",
    ),
    "long hair": (
        "bangs", "bangs2", "bun", "bun2", "buns", "cornrows", "cornrows2", "grayBun", "grayMedium", "long", "longAfro",
        "longBangs", "longCurly", "medium1", "medium2", "medium3", "mediumBangs", "mediumBangs2", "mediumBangs3",
        "mediumStraight",
    ),
    "no hair to be seen": ("noHair1", "noHair2", "noHair3"),
    "covered": ("hatBeanie", "hatHip", "hijab", "turban"),
}  # fmt: skip
NOT_HUMAN = {"cyclops", "monster"}
GLASSES = ("glasses", "glasses2", "glasses3", "glasses4", "glasses5", "sunglasses", "sunglasses2")
# What a seed picks where the mix says nothing: the share of each group.
USUAL: dict[str, dict[str, float]] = {
    "tone": dict.fromkeys(ATTRIBUTES["tone"], 0.2),
    "hair": {"short hair": 0.46, "long hair": 0.46, "no hair to be seen": 0.08},
    "glasses": {"no glasses": 0.65, "glasses": 0.35},
    "facial_hair": {"no facial hair": 0.8, "facial hair": 0.2},
    "covering": {"uncovered": 0.88, "covered": 0.12},
}

Mix = Sequence[Mapping[str, Any]]  # rows: "share", and a group's name for some of the attributes


def tied(tones: Sequence[float], glasses: Sequence[float]) -> list[dict[str, Any]]:
    """A mix with these shares of the five tones, and this share of glasses within each."""
    rows = []
    for name, share, worn in zip(ATTRIBUTES["tone"], tones, glasses, strict=True):
        rows.append({"share": share * worn, "tone": name, "glasses": "glasses"})
        rows.append({"share": share * (1 - worn), "tone": name, "glasses": "no glasses"})
    return rows


MIXES: dict[str, Mix] = {
    "portraits-biased": tied([0.55, 0.20, 0.12, 0.08, 0.05], [0.50, 0.25, 0.15, 0.10, 0.05]),
    "portraits-balanced": tied([0.2] * 5, [0.35] * 5),
}
MIXES["portraits-balanced-128"] = MIXES["portraits-balanced"]  # the same drawings, twice as large
STYLE_OF = {name: ("open-peeps",) for name in MIXES} | {"portraits": tuple(SKIN)}
SIDES = {"portraits-balanced-128": 128}
LICENCES = {
    "open-peeps": ("CC0-1.0", "Open Peeps by Pablo Stanley, https://www.openpeeps.com, drawn by DiceBear, "
                   "https://www.dicebear.com"),
    "toon-head": ("CC-BY-4.0", "Toon Head by Johan Melin, https://www.johanmelin.com, drawn by DiceBear, "
                  "https://www.dicebear.com"),
}  # fmt: skip
DRAWN_BY = "dicebear/open-peeps"  # how a card names the source; nothing is fetched under this name
CAVEATS = (
    "Drawings, not photographs: nothing measured on them carries over to pictures of people.",
    "Nobody in them has a gender or an age. `presentation` is a proxy of ours from drawn hair alone; real people's "
    "gender cannot be read off a picture.",
    "Five flat skin colours, on one scale of the individual typology angle.",
)


# ---- drawing


def check_mix(mix: Mix, style: str) -> None:
    """Raise ValueError unless the rows' shares sum to 1 and every group exists and can be drawn in that style."""
    if style not in SKIN:
        raise ValueError(f"Styles are {', '.join(SKIN)}; {style!r} was given.")
    total = 0.0
    for row in mix:
        if "share" not in row or not 0 <= float(row["share"]) <= 1:
            raise ValueError("Every row of a mix needs a share from 0 to 1.")
        total += float(row["share"])
        for attribute, group in row.items():
            if attribute == "share":
                continue
            if attribute not in ATTRIBUTES or group not in drawable(attribute, style):
                allowed = "; ".join(f"{a}: {', '.join(drawable(a, style))}" for a in ATTRIBUTES)
                raise ValueError(f"A mix for {style} takes {allowed}; {attribute}={group!r} was given.")
        if row.get("covering") == "covered" and row.get("hair", "no hair to be seen") != "no hair to be seen":
            raise ValueError("A covered head shows no hair: leave hair out of that row of the mix.")
    if abs(total - 1) > 1e-6:
        raise ValueError(f"The shares of a mix sum to 1; these sum to {total:g}.")


def drawable(attribute: str, style: str) -> tuple[str, ...]:
    """Groups of an attribute that the style can draw."""
    if attribute == "clothing":
        return tuple(CLOTHING[style])
    if style == "toon-head":
        bare = {"glasses": ("no glasses",), "covering": ("uncovered",), "hair": ("short hair", "long hair")}
        return bare.get(attribute, ATTRIBUTES[attribute])
    return ATTRIBUTES[attribute]


def describe(seed: int, mix: Mix, style: str = "open-peeps") -> dict[str, str]:
    """The group of every attribute that this seed draws: a row of the mix, the rest by the usual shares."""
    return _groups(np.random.default_rng(seed), mix, style)


def _groups(rng: np.random.Generator, mix: Mix, style: str) -> dict[str, str]:
    shares = np.array([float(row["share"]) for row in mix])
    row = mix[int(rng.choice(len(shares), p=shares / shares.sum()))]
    uniform = dict.fromkeys(CLOTHING[style], 1.0)
    drawn = {}
    for attribute in ATTRIBUTES:
        usual = uniform if attribute == "clothing" else USUAL[attribute]
        allowed = [group for group in usual if group in drawable(attribute, style)]
        weights = np.array([usual[group] for group in allowed])
        picked = allowed[int(rng.choice(len(allowed), p=weights / weights.sum()))]
        drawn[attribute] = str(row.get(attribute, picked))
    if "covering" not in row and "hair" in row and row["hair"] != "no hair to be seen":
        drawn["covering"] = "uncovered"
    if drawn["covering"] == "covered":
        drawn["hair"] = "no hair to be seen"
    return drawn


def presentation(groups: Mapping[str, str]) -> str:
    """Our documented proxy: facial hair reads masculine, long hair without it feminine, all else is left open."""
    if groups["facial_hair"] == "facial hair":
        return "masculine"
    return "feminine" if groups["hair"] == "long hair" else "open"


def options(seed: int, mix: Mix, style: str = "open-peeps") -> tuple[dict[str, Any], dict[str, str]]:
    """DiceBear's options, nothing left to chance, and the groups they stand for."""
    rng = np.random.default_rng(seed)
    groups = _groups(rng, mix, style)

    def one(choices: Sequence[str]) -> list[str]:
        return [choices[int(rng.integers(len(choices)))]]

    tone = ATTRIBUTES["tone"].index(groups["tone"])
    chosen: dict[str, Any] = {
        "seed": "0",
        "backgroundColor": ["#ffffff"],
        "skinColor": [SKIN[style][tone]],
        "clothingColor" if style == "open-peeps" else "clothesColor": [CLOTHING[style][groups["clothing"]]],
    }
    definition = _definition(style)
    parts = {name: list(part["variants"]) for name, part in definition["components"].items()}
    bearded = 100 if groups["facial_hair"] == "facial hair" else 0
    if style == "open-peeps":
        head = "covered" if groups["covering"] == "covered" else groups["hair"]
        chosen |= {
            "headVariant": one(HEADS[head]),
            "headContrastColor": one(definition["colors"]["headContrast"]["values"]),
            "expressionVariant": one([e for e in parts["expression"] if e not in NOT_HUMAN]),
            "accessoriesProbability": 100 if groups["glasses"] == "glasses" else 0,
            "accessoriesVariant": one(GLASSES),
            "facialHairProbability": bearded,
            "facialHairVariant": one(parts["facialHair"]),
            "maskProbability": 0,
        }
    else:
        long = groups["hair"] == "long hair"
        chosen |= {
            "hairVariant": one([h for h in parts["hair"] if h != "bun"]),
            "hairColor": one(definition["colors"]["hair"]["values"]),
            "rearHairProbability": 100 if long else 0,
            "rearHairVariant": one([r for r in parts["rearHair"] if r != "neckHigh"]),
            "beardProbability": bearded,
            "beardVariant": one(parts["beard"]),
            "clothesVariant": one(parts["clothes"]),
            "eyebrowsVariant": one(parts["eyebrows"]),
            "eyesVariant": one(parts["eyes"]),
            "mouthVariant": one(parts["mouth"]),
        }
    return chosen, groups


@functools.cache
def _definition(style: str) -> dict:
    import json
    from importlib.resources import files

    try:
        return json.loads(files("dicebear_styles").joinpath(f"{style}.json").read_text("utf-8"))
    except ModuleNotFoundError as error:
        wanted = " ".join(f"{package}=={version}" for package, version in VERSIONS.items())
        raise DataError(f"Portraits are drawn by packages that are missing here: pip install {wanted}") from error


@functools.cache
def _style(style: str):
    from dicebear import Style

    return Style(_definition(style))


def svg(seed: int, mix: Mix, style: str = "open-peeps") -> tuple[str, dict[str, str]]:
    """The drawing as SVG text, and its groups."""
    chosen, groups = options(seed, mix, style)
    drawing_style = _style(style)
    from dicebear import Avatar

    return Avatar(drawing_style, chosen).to_string(), groups


def raster(drawing: str, side: int = SIDE) -> np.ndarray:
    """An SVG as uint8 (3, side, side), on white."""
    import io

    import resvg_py
    from PIL import Image

    with Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=drawing, width=side, height=side)))) as image:
        paper = Image.new("RGBA", image.size, "white")
        paper.alpha_composite(image.convert("RGBA"))
    return np.asarray(paper.convert("RGB")).transpose(2, 0, 1)


def draw(
    count: int, mix: Mix, *, style: str = "open-peeps", first_seed: int = 0, side: int = SIDE
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Portraits of seeds `first_seed`, `first_seed` + 1, ...: uint8 (n, 3, side, side), and groups by attribute.

    Args:
        mix: rows with a `share` each and, where they decide it, a group for an attribute; shares sum to 1.

    Returns:
        Items, and for each attribute an int64 array (n,) of places in `ATTRIBUTES[attribute]`.
    """
    check_mix(mix, style)
    items = np.empty((count, 3, side, side), np.uint8)
    found = {attribute: np.empty(count, np.int64) for attribute in ATTRIBUTES}
    for i in range(count):
        drawing, groups = svg(first_seed + i, mix, style)
        items[i] = raster(drawing, side)
        for attribute, group in groups.items():
            found[attribute][i] = ATTRIBUTES[attribute].index(group)
    return items, found


# ---- the project's splits


def load(name: str, split: str) -> Data:
    """20,000 portraits to train on, 5,000 to validate, 10,000 to test, drawn once and kept in the cache.

    "portraits-biased" and "portraits-balanced" are open-peeps; "portraits" has both styles, half and half,
    and every attribute at its usual share: judges learn from it. All are 64 pixels a side, and
    "portraits-balanced-128" is "portraits-balanced" drawn at 128.
    """
    parts = [_drawn(name, style, split) for style in STYLE_OF[name]]
    items = np.concatenate([part["items"] for part in parts]) if len(parts) > 1 else parts[0]["items"]
    attributes = {key: np.concatenate([part[key] for part in parts]) for key in ATTRIBUTES}
    attributes["style"] = np.repeat(np.arange(len(parts)), [len(part["tone"]) for part in parts])
    licences = [LICENCES[style] for style in STYLE_OF[name]]
    return Data(
        name, split, items, attributes["tone"], ATTRIBUTES["tone"], " AND ".join(key for key, _ in licences),
        "; ".join(credit for _, credit in licences), CAVEATS, attributes, ATTRIBUTES,
    )  # fmt: skip


@functools.cache
def described(name: str, split: str = "train") -> dict[str, np.ndarray]:
    """The groups of a split's items in words, by attribute, (n,) each: what `load` knows of them, nothing drawn."""
    found: dict[str, list[str]] = {attribute: [] for attribute in ATTRIBUTES}
    for style in STYLE_OF[name]:
        first, mix = FIRST_SEED[split], MIXES.get(name, [{"share": 1.0}])
        for seed in range(first, first + COUNTS[split] // len(STYLE_OF[name])):
            for attribute, group in describe(seed, mix, style).items():
                found[attribute].append(group)
    return {attribute: np.array(groups) for attribute, groups in found.items()}


def _drawn(name: str, style: str, split: str) -> dict[str, np.ndarray]:
    mix = MIXES.get(name, [{"share": 1.0}])
    count = COUNTS[split] // len(STYLE_OF[name])
    version = "-".join(VERSIONS.values())
    folder = cache_folder() / f"portraits-{version}"
    path = folder / f"{name}-{style}-{split}.npz"
    if not path.exists():
        items, found = draw(count, mix, style=style, first_seed=FIRST_SEED[split], side=SIDES.get(name, SIDE))
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.partial")
        with partial.open("wb") as stream:
            np.savez_compressed(stream, items=items, **found)
        os.replace(partial, path)
    with np.load(path, allow_pickle=False) as kept:
        return dict(kept)

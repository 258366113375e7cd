"""People at work as emoji: 20 professions x man, woman and person x five skin tones, 300 drawings of 64x64.

Google's Noto Emoji, as the package emoji-datasource-google carries them, on white. Two drawings of a row differ in
one thing alone, so the grid is full of exact counterfactual pairs. Professions are split as a whole: every tenth
one is for testing, so that no pair straddles the splits.
"""

import functools
import io
import tarfile
from pathlib import Path

import numpy as np

from genlab.data import Data, DataError
from genlab.data.fetch import npm_package, obtain

PACKAGE, VERSION = "emoji-datasource-google", "16.0.0"
ARCHIVE = f"{PACKAGE}-{VERSION}.tgz"
HASHES = {ARCHIVE: "fb5fd131b362aab7a55542d2a147a79708cce0a8b1c1bbacd470172708b5c438"}
SIGN_OF = {  # profession: what follows the person in the sequence of code points
    "farmer": "1f33e", "cook": "1f373", "student": "1f393", "singer": "1f3a4", "artist": "1f3a8", "teacher": "1f3eb",
    "factory worker": "1f3ed", "technologist": "1f4bb", "office worker": "1f4bc", "mechanic": "1f527",
    "scientist": "1f52c", "astronaut": "1f680", "firefighter": "1f692", "health worker": "2695-fe0f",
    "judge": "2696-fe0f", "pilot": "2708-fe0f",
}  # fmt: skip
OWN_SIGN = {  # professions with a code point of their own; the gender follows
    "police officer": "1f46e", "construction worker": "1f477", "guard": "1f482", "detective": "1f575",
}  # fmt: skip
ALL = tuple(sorted({*SIGN_OF, *OWN_SIGN}))
HELD_OUT = ALL[9::10]  # every tenth
TRAINED = tuple(name for name in ALL if name not in HELD_OUT)
ATTRIBUTES = {
    "presentation": ("man", "woman", "person"),
    "tone": ("very light", "light", "tan", "brown", "dark"),  # Unicode's five, on the names that portraits use
}
PERSON = {"man": "1f468", "woman": "1f469", "person": "1f9d1"}
GENDER = {"man": "-200d-2642-fe0f", "woman": "-200d-2640-fe0f", "person": ""}
TONE = ("1f3fb", "1f3fc", "1f3fd", "1f3fe", "1f3ff")
LICENCE = "Apache-2.0"
DRAWN_BY = "iamcal/emoji-data"  # how a card names the source; nothing is fetched under this name
ATTRIBUTION = "Noto Emoji, (c) Google LLC, https://github.com/googlefonts/noto-emoji, by way of emoji-data, " \
    "https://github.com/iamcal/emoji-data"  # fmt: skip
CAVEATS = (
    "300 drawings, 270 of them to train on: a generator of this data can only learn them by heart, or nearly so.",
    "Man, woman and person are Unicode's names for what is drawn, not genders of anybody; the drawings' clues (hair, "
    "lips, moustaches) are one company's stereotypes.",
    "Five flat skin colours; which professions exist at all is Unicode's choice.",
)


def file_name(profession: str, presentation: str, tone: int) -> str:
    """The file of one drawing, named by its code points; `tone` from 0, the lightest."""
    if profession in SIGN_OF:
        return f"{PERSON[presentation]}-{TONE[tone]}-200d-{SIGN_OF[profession]}.png"
    return f"{OWN_SIGN[profession]}-{TONE[tone]}{GENDER[presentation]}.png"


def from_npm(folder: Path) -> None:
    """The package as npm downloads it."""
    npm_package(f"{PACKAGE}@{VERSION}", folder)


def on_white(png: bytes) -> np.ndarray:
    """A drawing on white paper, uint8 (3, h, w)."""
    from PIL import Image

    with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
        paper = Image.new("RGBA", image.size, "white")
        paper.alpha_composite(image.convert("RGBA"))
    return np.asarray(paper.convert("RGB")).transpose(2, 0, 1)


@functools.cache
def load(split: str) -> Data:
    """The drawings of 18 professions ("train", 270) or of the two held out ("test", 30), uint8 (n, 3, 64, 64).

    Labels are places in `names`, which lists the professions to train on first; `presentation` and `tone` are
    attributes, places in `ATTRIBUTES`.
    """
    archive = obtain("emoji-google", HASHES, places=[], sources=[from_npm]) / ARCHIVE
    names = TRAINED + HELD_OUT
    wanted = {
        f"package/img/google/64/{file_name(names[profession], presentation, tone)}": (profession, place, tone)
        for profession in (range(len(TRAINED)) if split == "train" else range(len(TRAINED), len(names)))
        for place, presentation in enumerate(ATTRIBUTES["presentation"])
        for tone in range(len(TONE))
    }
    found = {}
    with tarfile.open(archive) as packed:
        for member in packed:
            if member.name in wanted:
                found[member.name] = on_white(packed.extractfile(member).read())
    missing = set(wanted) - set(found)
    if missing:
        raise DataError(f"{ARCHIVE} lacks {sorted(missing)[0]} and {len(missing) - 1} more drawings")
    labels, presentation, tone = np.array(list(wanted.values()), np.int64).T
    return Data(
        "professions", split, np.stack([found[name] for name in wanted]), labels, names, LICENCE, ATTRIBUTION, CAVEATS,
        {"presentation": presentation, "tone": tone}, ATTRIBUTES,
    )  # fmt: skip

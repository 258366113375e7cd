"""Emoji: Google's Noto drawings in 64x64, on white, as the package emoji-datasource-google carries them.

All 3,786 but flags, with their skin tones. Drawings that differ only in tone or in man, woman and person stand in one
split: by such roles, every tenth is for testing.
"""

import functools
import json
import re
import tarfile

import numpy as np

from genlab.data import Data, DataError
from genlab.data.fetch import obtain
from genlab.data.professions import ARCHIVE, ATTRIBUTION, HASHES, LICENCE, from_npm, on_white

NAMES = (
    "Smileys & Emotion", "People & Body", "Animals & Nature", "Food & Drink", "Travel & Places", "Activities",
    "Objects", "Symbols",
)  # fmt: skip
FOLDER = "package/img/google/64/"
CAVEATS = (
    "Most drawings are one company's people in five flat skin colours, one drawing repeated with little changed: "
    "a generator that varies the tone has not learnt to draw.",
    "Flags are left out.",
)


def role_of(file: str) -> str:
    """What a drawing shows without its skin tones, and with every man and woman read as a person."""
    plain = re.sub(r"-1f3f[b-f]|(-200d)?-264[02](-fe0f)?", "", file.removesuffix(".png"))
    return re.sub(r"\b1f46[89]\b", "1f9d1", plain)


@functools.cache
def load(split: str) -> Data:
    """Drawings uint8 (n, 3, 64, 64); labels are places in `NAMES`."""
    archive = obtain("emoji-google", HASHES, places=[], sources=[from_npm]) / ARCHIVE
    with tarfile.open(archive) as packed:
        try:
            table = json.load(packed.extractfile("package/emoji.json"))
        except KeyError:
            raise DataError(f"{ARCHIVE} lacks the table of its drawings") from None
        category = {
            drawn["image"]: NAMES.index(entry["category"])
            for entry in table
            if entry["category"] in NAMES
            for drawn in (entry, *entry.get("skin_variations", {}).values())
        }
        roles = sorted({role_of(file) for file in category})
        chosen = {role for i, role in enumerate(roles) if (i % 10 == 9) == (split == "test")}
        wanted = {FOLDER + file for file in category if role_of(file) in chosen}
        found = {member.name: on_white(packed.extractfile(member).read()) for member in packed if member.name in wanted}
    files = sorted(found)
    labels = np.array([category[file.removeprefix(FOLDER)] for file in files], np.int64)
    items = np.stack([found[file] for file in files])
    return Data("emoji", split, items, labels, NAMES, LICENCE, ATTRIBUTION, CAVEATS)

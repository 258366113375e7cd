"""Names of pictures in a file: safe ones are made when it is written, and no other is accepted when it is read."""

import re
from collections.abc import Sequence

LONGEST_NAME = 120
UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]')
RESERVED = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)$", re.IGNORECASE)


class ContainerError(ValueError):
    """The file cannot be read or written; the message is one sentence to whoever gave it."""


def safe_names(names: Sequence[str]) -> tuple[str, ...]:
    """File names without folders, endings or anything that a file system could misread, all distinct."""
    found, used, turns = [], set(), {}
    for given in names:
        last = re.split(r"[/\\]", given)[-1]
        stem = last.rpartition(".")[0] or last
        stem = UNSAFE.sub("_", stem).strip(" .")[:LONGEST_NAME].strip(" .") or "picture"
        stem = f"{stem}_" if RESERVED.match(stem) else stem
        name, turn = stem, turns.get(stem.casefold(), 1)
        while name.casefold() in used:
            turn += 1
            name = f"{stem}-{turn}"
        turns[stem.casefold()] = turn
        used.add(name.casefold())
        found.append(name)
    return tuple(found)


def check_names(names: Sequence[str]) -> None:
    """Raises ContainerError unless the names are such as `safe_names` gives."""
    for name in names:
        wrong = UNSAFE.search(name) or name != name.strip(" .") or RESERVED.match(name)
        if not name or wrong or len(name) > LONGEST_NAME + 12:
            raise ContainerError(f"The file names a picture {name[:40]!r}, which is no safe name: nothing is written.")
    if len({name.casefold() for name in names}) != len(names):
        raise ContainerError("The file gives two pictures the same name: nothing is written.")

"""Texts as the audits read them: what counts as the same item, and what a text is cut into."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

UNITS = ("words", "characters")
MAX_BYTES = 2**28
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


def normal(text: str) -> str:
    """What two strings that are one item share: composed (NFC), without case, trimmed."""
    return unicodedata.normalize("NFC", text).casefold().strip()


def words(text: str) -> list[str]:
    """The words of a text without case; apostrophes and hyphens inside a word belong to it, punctuation to none."""
    return _WORD.findall(unicodedata.normalize("NFC", text).casefold())


def tokens(text: str, unit: str) -> list[str]:
    """`text` cut into `unit`: "words" as `words` finds them, or "characters" as they stand. Raises ValueError."""
    if unit not in UNITS:
        raise ValueError(f"The unit is 'words' or 'characters', not {unit!r}.")
    return words(text) if unit == "words" else list(text)


def as_texts(values: Iterable[str], name: str) -> list[str]:
    """`values` as a list of at least one string; ValueError names the list otherwise."""
    if isinstance(values, str):
        raise ValueError(f"The {name} texts must be a list of strings, an item each, not one string.")
    texts = list(values)
    strange = [type(text).__name__ for text in texts if not isinstance(text, str)]
    if strange:
        raise ValueError(f"The {name} texts must be strings; {len(strange):,} are not, the first is {strange[0]}.")
    if not texts:
        raise ValueError(f"There are no {name} texts: an audit needs at least one.")
    return texts


def read_text(path: Path) -> str:
    """A UTF-8 file of at most 256 MiB; ValueError in one sentence where it is none."""
    if not path.is_file():
        raise ValueError(f"{path} is not a file.")
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path.name} has {path.stat().st_size:,} bytes; a text may have {MAX_BYTES:,}.")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path.name} is not UTF-8 text: save it as UTF-8.") from None


def read_texts(path: Path) -> list[str]:
    """The items of a text file, one a line, or of a folder, one a .txt file; lines without text are no items."""
    if path.is_dir():
        found = [read_text(file) for file in sorted(path.glob("*.txt"))]
        if not found:
            raise ValueError(f"{path} holds no .txt file: give a file with an item a line, or a folder of .txt files.")
    else:
        found = read_text(path).split("\n")
    texts = [text.rstrip("\r") for text in found if text.strip()]
    if not texts:
        raise ValueError(f"{path} has no item: give a file with an item a line.")
    return texts

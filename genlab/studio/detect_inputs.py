"""What people bring to a detector: folders, zips or loose pictures, tables and series as CSV, read into arrays."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from genlab.studio import uploads
from genlab.studio.shelf import StudioError

KINDS = ("images", "table", "series")
NORMAL = {"normal", "good", "ok", "nominal", "inlier", "0", "0.0", "false", "no", ""}  # labels of normal items
LABEL, ITEM = "label", "item"
TIMES = {"time", "date", "timestamp", "datetime", "step", "t"}  # columns of a series that say when, not what
SMALL, SMALLEST_SIDE, LARGE = 28, 40, 112  # pictures up to 40 pixels a side are compared at 28, larger ones at 112
MOST_PICTURES, MOST_ROWS, MOST_COLUMNS = 20_000, 200_000, 500
LARGEST_NUMBER = 1e15
LARGEST_TABLE = 128 * 2**20  # bytes
TABLES = (".csv", ".tsv", ".txt")


@dataclass(frozen=True)
class Items:
    """Items to learn from or to judge.

    Attributes:
        kind: "images", "table" or "series".
        values: images uint8 (n, c, s, s); a table float64 (n, columns); a series float64 (steps, channels).
        names: what each item is called.
        labels: the label of each item where the input has labels, else None.
        columns: names of a table's columns or a series' channels.
        size: (width, height) of the pictures as they came.
        notes: what was converted, left out or skipped.
    """

    kind: str
    values: np.ndarray
    names: tuple[str, ...]
    labels: tuple[str, ...] | None = None
    columns: tuple[str, ...] = ()
    size: tuple[int, int] = (0, 0)
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.names)

    def anomalies(self) -> np.ndarray | None:
        """Which items are labelled as anomalies; None where the labels do not tell the two kinds apart."""
        if self.labels is None:
            return None
        found = np.array([label.strip().casefold() not in NORMAL for label in self.labels])
        return found if found.any() and not found.all() else None


def kind_of(path: Path) -> str:
    """The kind that a path most likely holds: a CSV is a table, the rest pictures."""
    return "table" if path.suffix.lower() in TABLES else "images"


def read(path: Path, kind: str, columns: Sequence[str] | None = None) -> Items:
    """The items of a folder or zip of pictures, of one picture, or of a CSV (its `columns`, those that were learnt).

    Raises:
        StudioError, ValueError: one sentence about what is wrong and what to do.
    """
    if kind not in KINDS:
        raise StudioError(f"Kinds are {', '.join(KINDS)}; {str(kind)[:40]!r} was given.")
    if not path.exists():
        raise StudioError(f"{path} does not exist.")
    if (kind == "images") != (kind_of(path) == "images"):
        wanted = "a folder, a zip or a picture" if kind == "images" else "a CSV file"
        raise StudioError(f"{path.name} cannot be read as {kind}: give {wanted}.")
    if kind != "images":
        return read_numbers(path, kind, columns)
    if path.is_dir() or path.suffix.lower() == ".zip":
        from audits.bias.pictures import contents

        return read_pictures(contents(path), path.name or str(path))
    return read_pictures(iter([(path.name, path.read_bytes())]), path.name)


# ---- pictures


def read_pictures(found: Iterator[tuple[str, bytes | None]], source: str) -> Items:
    """Pictures as `contents` gives them, all in one mode and size: grey only where every one is.

    The first subfolder of a picture is its label. Files that are no readable picture are skipped and counted.
    """
    pictures, names, skipped = [], [], 0
    for name, content in found:
        if name.endswith("/"):
            continue
        try:
            picture = uploads.open_picture(content or b"")
        except uploads.UploadError:
            skipped += 1
            continue
        if len(pictures) >= MOST_PICTURES:
            raise StudioError(f"{source} holds more than {MOST_PICTURES:,} pictures: give fewer.")
        size = picture.size
        picture.thumbnail((2 * LARGE, 2 * LARGE))
        pictures.append((size, picture))
        names.append(name)
    if not pictures:
        raise StudioError(f"{source} holds no {uploads.SHOWN} picture that can be read ({skipped:,} files skipped).")
    notes = [f"{skipped:,} files of {source} are no picture that can be read and were skipped."] if skipped else []
    sizes = [size for size, _ in pictures]
    size = max(set(sizes), key=sizes.count)
    odd = sum(s != size for s in sizes)
    if odd:
        notes.append(f"{odd:,} of {len(sizes):,} pictures are not {size[0]} x {size[1]} pixels and were resized.")
    channels = 1 if all(_grey(picture) for _, picture in pictures) else 3
    side = side_of(size)
    values = np.stack([uploads.fitted(picture, (channels, side, side))[0] for _, picture in pictures])
    folders = [PurePosixPath(name).parts[0] if "/" in name else "" for name in names]
    labels = tuple(folders) if any(folders) else None
    return Items("images", values, tuple(names), labels, size=size, notes=tuple(notes))


def side_of(size: tuple[int, int]) -> int:
    """The side that pictures of this size are compared at."""
    return SMALL if max(size) <= SMALLEST_SIDE else LARGE


def as_learnt(items: Items, shape: tuple[int, ...]) -> Items:
    """Pictures in the channels and side that a detector learnt; what had to be converted is said in the notes."""
    from PIL import Image

    channels, side = shape[0], shape[-1]
    values, notes = items.values, list(items.notes)
    if values.shape[1] > channels:
        notes.append("Colour pictures were given where the normal set is grey: they were converted to grey.")
        values = np.stack([np.asarray(Image.fromarray(v.transpose(1, 2, 0)).convert("L"))[None] for v in values])
    elif values.shape[1] < channels:
        notes.append("Grey pictures were given where the normal set has colour: they were taken as grey colours.")
        values = values.repeat(channels, axis=1)
    if values.shape[-1] != side:
        notes.append(f"Pictures of another size than the normal ones were resized ({values.shape[-1]} to {side}).")
        values = np.stack([uploads.fitted(_image(v), (channels, side, side))[0] for v in values])
    return Items("images", values, items.names, items.labels, size=items.size, notes=tuple(notes))


def _image(item: np.ndarray):
    from PIL import Image

    return Image.fromarray(item[0] if len(item) == 1 else np.ascontiguousarray(item.transpose(1, 2, 0)))


def _grey(picture) -> bool:
    pixels = np.asarray(picture)
    return pixels.ndim == 2 or bool((pixels[..., :1] == pixels).all())


# ---- tables and series


def read_numbers(path: Path, kind: str, columns: Sequence[str] | None = None) -> Items:
    """A CSV of numbers: a row an item (table) or a time step (series); columns `item` and `label` are set apart.

    Args:
        columns: those that a detector learnt; all of them are needed, and others are left out.

    Raises:
        StudioError, ValueError: a cell is missing, no number or too large, or there are too many.
    """
    from audits.bias.inputs import peek, read_table

    if path.stat().st_size > LARGEST_TABLE:
        raise StudioError(
            f"{path.name} has {path.stat().st_size / 2**20:,.0f} MiB; up to {LARGEST_TABLE >> 20} are read."
        )
    if not path.stat().st_size:
        raise StudioError(f"{path.name} is empty.")
    present = list(peek(path, 1).columns)
    notes = []
    if kind == "series" and columns is None:
        when = [name for name in present if name.strip().casefold() in TIMES]
        notes += [f"Column {name!r} says when, not what, and was left out." for name in when]
        present = [name for name in present if name not in when]
    numbers = list(columns) if columns is not None else [name for name in present if name not in (ITEM, LABEL)]
    missing = [name for name in numbers if name not in present]
    if missing:
        raise StudioError(f"{path.name} lacks the column {missing[0]!r} of the normal set ({len(missing):,} missing).")
    if not numbers:
        raise StudioError(f"{path.name} has no column of numbers beside {ITEM} and {LABEL}.")
    if len(numbers) > MOST_COLUMNS:
        raise StudioError(f"{path.name} has {len(numbers):,} columns; up to {MOST_COLUMNS} are read.")
    others = [name for name in (ITEM, LABEL) if name in present]
    table = read_table(path, [*numbers, *others])
    if len(table) > MOST_ROWS:
        raise StudioError(f"{path.name} has {len(table):,} rows; up to {MOST_ROWS:,} are read.")
    values = np.stack([_numbers(table[name], name, path.name) for name in numbers], 1)
    names = tuple(table[ITEM].fillna("").astype(str)) if ITEM in others and kind == "table" else None
    labels = tuple(table[LABEL].fillna("").astype(str)) if LABEL in others else None
    return Items(kind, values, names or tuple(map(str, range(len(table)))), labels, tuple(numbers), notes=tuple(notes))


def _numbers(column, name: str, source: str) -> np.ndarray:
    """A column of text as float64; StudioError names the first cell that is no number up to 1e15."""
    import pandas as pd

    empty = column.isna().to_numpy()
    if empty.any():
        raise StudioError(
            f"{source}: column {name!r} has no value in row {int(empty.argmax())} (and {int(empty.sum()) - 1:,} more; "
            "rows count from 0): fill the gaps or leave the rows out."
        )
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(float)
    bad = ~(np.abs(numbers) <= LARGEST_NUMBER)
    if bad.any():
        row = int(bad.argmax())
        raise StudioError(
            f"{source}: column {name!r} holds {str(column.iloc[row])[:40]!r} in row {row}, which is no number up to "
            f"1e15 ({int(bad.sum()):,} such cells): leave the column out or give it numbers."
        )
    return numbers

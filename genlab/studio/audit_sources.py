"""What an audit looks at: items of a model on the shelf, a zip or a handful of pictures, a table, or a Hub pipeline.

A source holds names and paths and no pixels: pictures are drawn again from their seeds, or read again from the uploaded
file, whenever somebody looks at them. So a visitor's session stays small however large the set is.
"""

import io
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from audits.bias.archives import BROKEN, MAX_PICTURE, MAX_TOTAL, outer_folder, safe_entries, unpacked
from audits.bias.inputs import FOLDER
from genlab.device import gpu
from genlab.studio import generate, hub, pictures, shelf, uploads
from genlab.studio.shelf import StudioError

CHUNK = 64  # items drawn at a time, between two looks at whether to stop
MOST_ITEMS = 5_000
TABLES = (".csv", ".tsv", ".txt", ".parquet")
PREVIEW = 5  # rows
PICTURE_FILES = 200  # pictures uploaded one by one


@dataclass(frozen=True)
class Source:
    """What is to be audited.

    Attributes:
        kind: "model", "pictures", "table" or "pipeline".
        name: what titles and files call it.
        items: names of the items; of a table none, its rows are counted when it is read.
        columns: names of a table's columns, or "folder" where pictures lie in subfolders.
        empty: subfolders without a picture.
        path: the uploaded zip or table.
        files: pictures uploaded one by one: names and paths.
        model: the model on the shelf, or the pipeline on the Hub.
        first: seed of the first item of a model.
        label: the class asked for, None for every class in turn.
        prompts: of a pipeline, taken in turn.
        notes: what a reader of the report must know.
    """

    kind: str
    name: str
    items: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    path: str = ""
    files: tuple[tuple[str, str], ...] = ()
    model: str = ""
    first: int = 0
    label: int | None = None
    prompts: tuple[str, ...] = ()
    revision: str = ""
    notes: tuple[str, ...] = ()


def of_model(model: str, *, count: object = 500, seed: object = 0, label: object = None) -> Source:
    """The items that a model draws from `count` seeds. Raises ValueError in one sentence."""
    known = shelf.require(model, "generate")
    count = shelf.whole(count, "number of items", 1, MOST_ITEMS)
    first = generate.whole_seed(seed, count)
    asked = shelf.class_number(known, label)
    notes = []
    if known.classes:
        turn = "every class in turn" if asked is None else f"the class {known.classes[asked]}"
        notes.append(f"Items of {model} were asked for with {turn}: shares of classes say how well that is obeyed.")
    items = tuple(str(first + i) for i in range(count))
    return Source("model", model, items, model=model, first=first, label=asked, notes=tuple(notes))


def of_pipeline(name: object, prompts: object, *, count: object = 16, seed: object = 0, revision: str = "") -> Source:
    """The items that a diffusers pipeline of the Hub draws; prompts are lines of text. Nothing is fetched yet."""
    name = hub.repository(name)
    lines = tuple(line.strip()[:500] for line in str(prompts or "").splitlines() if line.strip())
    count = shelf.whole(count, "number of items", 1, hub.MOST_ITEMS)
    first = generate.whole_seed(seed, count)
    items = tuple(str(first + i) for i in range(count))
    short = name.rpartition("/")[2]
    return Source("pipeline", short, items, model=name, first=first, prompts=lines, revision=str(revision or ""))


def of_upload(paths: Sequence[str]) -> Source:
    """What was uploaded: one zip, one table, or pictures. Only names are read. Raises ValueError in one sentence."""
    files = [Path(path) for path in paths if isinstance(path, str) and path]
    if not files:
        raise StudioError("Nothing was uploaded: choose a zip of pictures, a CSV or Parquet table, or pictures.")
    kinds = {file.suffix.lower() for file in files}
    if len(files) == 1 and kinds == {".zip"}:
        return _zip(files[0])
    if len(files) == 1 and kinds <= set(TABLES):
        return _table(files[0])
    if kinds & {".zip", *TABLES}:
        raise StudioError("Upload one zip, or one table, or several pictures: not a mixture of them.")
    if len(files) > PICTURE_FILES:
        raise StudioError(f"Up to {PICTURE_FILES} pictures can be uploaded one by one: put them into a zip.")
    named = tuple((f"{i + 1:03d}-{file.name}"[:120], str(file)) for i, file in enumerate(files))
    return Source("pictures", "uploaded pictures", tuple(n for n, _ in named), files=named)


def _zip(path: Path) -> Source:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = safe_entries(archive, path.name)
    except BROKEN as error:
        raise StudioError(f"{path.name} is not a zip that can be read.") from error
    outer = outer_folder([entry.filename for entry in entries if not entry.is_dir()])
    names = [e.filename.removeprefix(outer) for e in entries if not e.is_dir()]
    found = tuple(sorted(name for name in names if not _hidden(name)))
    if not found:
        raise StudioError(f"{path.name} holds no picture.")
    inside = [e.filename.removeprefix(outer) for e in entries]
    folders = {name.split("/", 1)[0] for name in inside if "/" in name and not _hidden(name)}
    filled = {name.split("/", 1)[0] for name in found if "/" in name}
    return Source(
        "pictures", path.name, found, columns=(FOLDER,) if filled else (), empty=tuple(sorted(folders - filled)),
        path=str(path),
    )  # fmt: skip


def _hidden(name: str) -> bool:
    """What macOS and Windows leave in archives."""
    parts = PurePosixPath(name).parts
    return parts[0] == "__MACOSX" or parts[-1].startswith(".") or parts[-1] in ("Thumbs.db", "desktop.ini")


def _table(path: Path) -> Source:
    head = preview(str(path))
    columns = tuple(str(c) for c in head.columns if str(c) != "item")
    if not columns:
        raise StudioError(f"{path.name} has no column of groups: it needs one beside the names of the items.")
    return Source("table", path.name, columns=columns, path=str(path))


def preview(path: str):
    """The first rows of a table, as text (a DataFrame). Raises ValueError where the file is no table."""
    import pandas as pd

    file = Path(path)
    try:
        if file.suffix.lower() == ".parquet":
            import pyarrow.parquet as pq

            with pq.ParquetFile(file) as table:
                batch = next(table.iter_batches(PREVIEW), None)
                head = batch.to_pandas() if batch is not None else table.schema_arrow.empty_table().to_pandas()
        else:
            separator = "\t" if file.suffix.lower() == ".tsv" else ","
            head = pd.read_csv(file, nrows=PREVIEW, dtype=str, sep=separator, encoding="utf-8-sig")
    except Exception as error:  # whatever a damaged table makes its reader raise, it means the same
        raise StudioError(f"{file.name} cannot be read as a table: save it as CSV (UTF-8) or Parquet.") from error
    if head.empty:
        raise StudioError(f"{file.name} has no rows.")
    return head.astype(str).where(head.notna(), "")


# ---- pixels


def pixels(source: Source, items: Sequence[str]) -> Iterator[tuple[str, np.ndarray | None]]:
    """Each named item as RGB or grey pixels uint8 (h, w, 3), in the order given; None where it cannot be read.

    Raises:
        ValueError: the upload is gone, or turns out to be hostile while it is read.
    """
    if source.kind == "model":
        yield from _drawn(source, items)
    elif source.path:
        yield from _unzipped(source, items)
    elif source.files:
        paths = dict(source.files)
        for item in items:
            yield item, _decoded(_bytes(paths[item]))
    else:
        raise StudioError("This set has no pictures: its groups come from its columns.")


def _drawn(source: Source, items: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
    known = shelf.require(source.model, "generate")
    for at in range(0, len(items), CHUNK):
        part = items[at : at + CHUNK]
        seeds = [int(item) for item in part]
        for item, made in zip(part, drawn(known.name, seeds, labels_of(source, seeds)), strict=True):
            yield item, np.ascontiguousarray(made.transpose(1, 2, 0).repeat(3 // len(made), axis=2))


def labels_of(source: Source, seeds: Sequence[int]) -> list[int] | None:
    """The class number that each seed of a model's set is drawn with."""
    classes = shelf.entry(source.model).classes
    if not classes:
        return None
    return [(seed - source.first) % len(classes) if source.label is None else source.label for seed in seeds]


@gpu(15)
def drawn(name: str, seeds: list[int], labels: list[int] | None) -> np.ndarray:
    """Items of any seeds with the model's default knobs, uint8 (n, c, h, w)."""
    import torch

    from genlab.models.contract import check_knobs
    from genlab.seeds import Seeds

    model = shelf.model(name)
    device = next(model.parameters()).device
    wanted = None if labels is None else torch.tensor(labels, device=device)
    knobs = check_knobs(model.Knobs, shelf.default_knobs(model))
    return pictures.to_bytes(model.sample(Seeds(seeds, device), wanted, knobs))


def _unzipped(source: Source, items: Sequence[str]) -> Iterator[tuple[str, np.ndarray | None]]:
    name, total = Path(source.path).name, 0
    try:
        with zipfile.ZipFile(source.path) as archive:
            entries = safe_entries(archive, name)
            outer = outer_folder([entry.filename for entry in entries if not entry.is_dir()])
            inside = {entry.filename.removeprefix(outer): entry for entry in entries}
            for item in items:
                media = unpacked(archive, inside[item], name)
                total += len(media)
                if total > MAX_TOTAL:
                    raise StudioError(f"{name} unpacks to more than {MAX_TOTAL:,} bytes.")
                yield item, _decoded(media if len(media) <= MAX_PICTURE else b"")
    except (*BROKEN, KeyError) as error:
        raise StudioError(f"{name} is no longer here, or cannot be read: upload it again.") from error


def _bytes(path: str) -> bytes:
    try:
        return uploads.read_file(path)
    except uploads.UploadError:
        return b""


def _decoded(media: bytes) -> np.ndarray | None:
    """Pixels of a picture file; None where the door for uploads refuses it."""
    try:
        return np.asarray(uploads.open_picture(media))
    except uploads.UploadError:
        return None


def thumbnail(picture: np.ndarray, side: int) -> np.ndarray:
    """A picture (h, w, 3) fitted into a white square, uint8 (3, side, side): small ones grow by nearest neighbour."""
    from PIL import Image

    image = Image.fromarray(picture)
    longest = max(image.size)
    factor = side // longest if longest <= side // 2 else side / longest
    size = tuple(max(1, round(v * factor)) for v in image.size)
    how = Image.Resampling.NEAREST if factor >= 1 and float(factor).is_integer() else Image.Resampling.LANCZOS
    square = Image.new("RGB", (side, side), "white")
    square.paste(image.resize(size, how), ((side - size[0]) // 2, (side - size[1]) // 2))
    return np.asarray(square).transpose(2, 0, 1)


def as_png(picture: np.ndarray) -> bytes:
    """Pixels (h, w, 3) as PNG."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()

"""What people bring to an audit: CSV and Parquet tables, and folders or zips of pictures with a subfolder a group."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from audits.bias.archives import BROKEN, MAX_PICTURE, MAX_TOTAL, outer_folder, safe_entries, unpacked
from audits.bias.cells import as_meant
from audits.bias.tables import listed

FOLDER = "folder"  # the column that `--groups folder` makes
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
MAX_FILES = 200_000  # of a folder
MAX_TABLE = 2**30  # bytes
MAX_PIXELS = 50_000_000
MAX_ROWS = 2_000_000


@dataclass(frozen=True)
class Items:
    """`table`: one row an item, by name. `empty`: subfolders without a picture. `notes`: what was skipped."""

    table: pd.DataFrame
    empty: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_items(path: Path, columns: Sequence[str]) -> Items:
    """The groups of every item in `path`: columns of a CSV or Parquet file, or `folder` for subfolders of pictures.

    ValueError in one sentence where nothing can be audited; pictures that cannot be read are skipped and named.
    """
    if not path.exists():
        raise ValueError(f"{path} does not exist.")
    pictures = path.is_dir() or path.suffix.lower() == ".zip"
    if pictures != (list(columns) == [FOLDER]):
        if pictures:
            raise ValueError(f"{path} holds pictures: its groups are its subfolders, so use --groups {FOLDER}.")
        if columns == [FOLDER]:
            raise ValueError(f"{path} is a table: name its columns instead of --groups {FOLDER}.")
    if pictures:
        return by_folder(contents(path), str(path))
    return Items(read_table(path, columns, items=True))


def read_table(path: Path, columns: Sequence[str], *, items: bool = False) -> pd.DataFrame:
    """`columns` of a .csv or .parquet file as text, an empty cell missing; with `items`, indexed by column `item`."""
    if not path.is_file():
        raise ValueError(f"{path} is not a file.")
    if path.stat().st_size > MAX_TABLE:
        raise ValueError(f"{path.name} has {path.stat().st_size:,} bytes; a table may have {MAX_TABLE:,}.")
    parquet = path.suffix.lower() == ".parquet"
    if not parquet and path.suffix.lower() not in (".csv", ".tsv", ".txt"):
        raise ValueError(f"{path.name} is neither a folder, a .zip, a .csv nor a .parquet file.")
    try:
        table = (_parquet if parquet else _csv)(path, columns, items)
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError, OverflowError) as error:
        raise ValueError(f"{path.name} cannot be read as a {'Parquet' if parquet else 'CSV'} table.") from error
    if items:
        named = table["item"].astype(str) if "item" in table else pd.RangeIndex(1, len(table) + 1).astype(str)
        table = table[list(columns)].set_axis(pd.Index(named, name="item"))
    if table.empty:
        raise ValueError(f"{path.name} has no rows.")
    return table


def peek(path: Path, rows: int) -> pd.DataFrame:
    """The first rows of a table with all its columns, as `read_table` reads them."""
    present = _parquet_columns(path) if path.suffix.lower() == ".parquet" else list(_first_rows(path, 0).columns)
    if len(set(present)) != len(present) or not present:
        raise ValueError(f"{path.name} needs a first row that names every column once.")
    if path.suffix.lower() == ".parquet":
        return read_table(path, present).head(rows)
    return _first_rows(path, rows)


def _parquet_columns(path: Path) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return list(pq.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path.name} cannot be read as a Parquet table.") from error


def _first_rows(path: Path, rows: int) -> pd.DataFrame:
    try:
        return pd.read_csv(path, nrows=rows, **_separated(path))
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError, OverflowError) as error:
        raise ValueError(f"{path.name} cannot be read as a CSV table.") from error


def _separated(path: Path) -> dict:
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    return {"sep": separator, "dtype": str, "keep_default_na": False, "na_values": [""], "encoding": "utf-8-sig"}


def _csv(path: Path, columns: Sequence[str], items: bool) -> pd.DataFrame:
    options = _separated(path)
    present = list(pd.read_csv(path, nrows=0, **options).columns)
    wanted = _wanted(path, present, columns, items)
    table = pd.read_csv(path, usecols=wanted, nrows=MAX_ROWS + 1, **options)
    if len(table) > MAX_ROWS:
        raise ValueError(f"{path.name} has more than {MAX_ROWS:,} rows.")
    return table.apply(as_meant)


def _parquet(path: Path, columns: Sequence[str], items: bool) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            wanted = _wanted(path, file.schema_arrow.names, columns, items)
            if file.metadata.num_rows > MAX_ROWS:
                raise ValueError(f"{path.name} has {file.metadata.num_rows:,} rows; at most {MAX_ROWS:,} are read.")
            table = file.read(columns=wanted).to_pandas()
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path.name} cannot be read as a Parquet table.") from error
    for name in table:
        whole = table[name].dtype.kind == "f" and (table[name].dropna() % 1 == 0).all()
        filled = table[name].astype("Int64") if whole else table[name]
        table[name] = filled.astype(str).where(table[name].notna(), None)
    return table


def _wanted(path: Path, present: Sequence[str], columns: Sequence[str], items: bool) -> list[str]:
    absent = [c for c in columns if c not in present]
    if absent:
        raise ValueError(f"{path.name} has no column {listed(absent)}; its columns are {listed(present, 12)}.")
    return list(dict.fromkeys([*columns, *(["item"] if items and "item" in present else [])]))


def contents(path: Path) -> Iterator[tuple[str, bytes | None]]:
    """Every file of a folder or zip as (relative name, bytes), None where it may not be read; folders as ("a/", None).

    ValueError where the zip is hostile or broken, or there is too much of it.
    """
    return _walked(path) if path.is_dir() else _zipped(path)


def _walked(root: Path) -> Iterator[tuple[str, bytes | None]]:
    count = 0
    for folder, below, files in os.walk(root):
        below.sort()
        here = Path(folder)
        if here.parent == root:
            yield f"{here.name}/", None
        for name in sorted(files):
            count += 1
            if count > MAX_FILES:
                raise ValueError(f"{root} holds more than {MAX_FILES:,} files.")
            file = here / name
            small = not file.is_symlink() and file.is_file() and file.stat().st_size <= MAX_PICTURE
            yield str(PurePosixPath(*file.relative_to(root).parts)), _bytes(file) if small else None


def _bytes(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None


def _zipped(path: Path) -> Iterator[tuple[str, bytes | None]]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = safe_entries(archive, path.name)
            outer = outer_folder([entry.filename for entry in entries if not entry.is_dir()])
            folders, total = set(), 0
            for entry in entries:
                name = entry.filename.removeprefix(outer)
                top = name.partition("/")[0] + "/"
                if "/" in name and top not in folders:
                    folders.add(top)
                    yield top, None
                if entry.is_dir():
                    continue
                content = unpacked(archive, entry, path.name)
                total += len(content)
                if total > MAX_TOTAL:
                    raise ValueError(f"{path.name} unpacks to more than {MAX_TOTAL:,} bytes.")
                yield name, content if len(content) <= MAX_PICTURE else None
    except BROKEN as error:
        raise ValueError(f"{path.name} is not a zip that can be read.") from error


def by_folder(found: Iterator[tuple[str, bytes | None]], source: str) -> Items:
    """The subfolder of every readable picture among what `contents` yields; ValueError where there is none."""
    groups, folders, skipped = {}, [], []
    for name, content in found:
        if name.endswith("/"):
            folders.append(name[:-1])
        elif "/" in name and content is not None and readable(io.BytesIO(content)):
            groups[name] = name.split("/", 1)[0]
        else:
            skipped.append(name)
    return grouped(groups, folders, skipped, source)


def readable(file) -> bool:
    """Whether `file` (a path or a stream) is a whole picture of at most 50 megapixels; its size is checked first."""
    import warnings

    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(file, formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS or not image.width * image.height:
                    return False
                image.draft("RGB", (64, 64))
                image.load()
    except Exception:  # decoders raise many kinds, and a picture that breaks one is skipped and named
        return False
    return True


def grouped(groups: dict[str, str], folders: Sequence[str], skipped: Sequence[str], source: str) -> Items:
    """Items from the folder of each picture; `folders` may be empty of them, `skipped` files are named and counted."""
    if not groups:
        raise ValueError(
            f"{source} holds no readable picture inside a subfolder ({len(skipped):,} files were skipped)."
        )
    table = pd.DataFrame({FOLDER: pd.Series(groups, dtype=object)})
    table.index.name = "item"
    empty = sorted(set(folders) - set(table[FOLDER]))
    notes = []
    if skipped:
        notes.append(
            f"{len(skipped):,} files were skipped (unreadable, too large, links, in no subfolder): {listed(skipped)}."
        )
    return Items(table.sort_index(), tuple(empty), tuple(notes))

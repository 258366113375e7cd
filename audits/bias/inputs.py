"""What people bring to an audit: CSV and Parquet tables, and folders or zips of pictures with a subfolder a group."""

from __future__ import annotations

import csv
import io
import itertools
import os
import stat
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
MISSING = ["", "nan", "NaN"]  # cells without a group; others, such as None, are names that a group may have
SYSTEM = (".DS_Store", "Thumbs.db", "desktop.ini")


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
    if path.is_dir():
        return _pictures(_walked(path), path)
    if pictures:
        return _zipped(path)
    return Items(read_table(path, columns, items=True))


def read_table(path: Path, columns: Sequence[str], *, items: bool = False) -> pd.DataFrame:
    """`columns` of a .csv or .parquet file as text, empty and NaN missing; with `items`, indexed by column `item`."""
    if not path.is_file():
        raise ValueError(f"{path} is not a file.")
    if path.stat().st_size > MAX_TABLE:
        raise ValueError(f"{path.name} has {path.stat().st_size:,} bytes; a table may have {MAX_TABLE:,}.")
    parquet = path.suffix.lower() == ".parquet"
    if not parquet and path.suffix.lower() not in (".csv", ".tsv", ".txt"):
        raise ValueError(f"{path.name} is neither a folder, a .zip, a .csv nor a .parquet file.")
    try:
        table = (_parquet if parquet else _csv)(path, columns, items)
    except (UnicodeDecodeError, csv.Error, pd.errors.ParserError, pd.errors.EmptyDataError, OverflowError) as error:
        raise ValueError(f"{path.name} cannot be read as a {'Parquet' if parquet else 'CSV'} table.") from error
    if items:
        named = table["item"].astype(str) if "item" in table else pd.RangeIndex(1, len(table) + 1).astype(str)
        table = table[list(columns)].set_axis(pd.Index(named, name="item"))
    if table.empty:
        raise ValueError(f"{path.name} has no rows.")
    return table


def _csv(path: Path, columns: Sequence[str], items: bool) -> pd.DataFrame:
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    wanted = _wanted(path, _header(path, separator), columns, items)
    table = pd.read_csv(
        path, sep=separator, usecols=wanted, index_col=False, nrows=MAX_ROWS + 1, dtype=str, keep_default_na=False,
        na_values=MISSING, encoding="utf-8-sig",
    )  # fmt: skip
    if len(table) > MAX_ROWS:
        raise ValueError(f"{path.name} has more than {MAX_ROWS:,} rows.")
    return table.apply(as_meant)


def _header(path: Path, separator: str) -> list[str]:
    """The columns of a CSV; ValueError where a row has more cells than they are: pandas would shift its cells."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, delimiter=separator)
        present = next(rows, [])
        if not present:
            raise ValueError(f"{path.name} has no columns.")
        for row in itertools.islice(rows, MAX_ROWS + 1):
            if len(row) > len(present):
                raise ValueError(
                    f"{path.name} has {len(row)} cells in line {rows.line_num} but {len(present)} columns."
                )
    return present


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
        text = filled.astype(str)
        table[name] = text.where(table[name].notna() & ~text.isin(MISSING), None)
    return table


def _wanted(path: Path, present: Sequence[str], columns: Sequence[str], items: bool) -> list[str]:
    absent = [c for c in columns if c not in present]
    if absent:
        raise ValueError(f"{path.name} has no column {listed(absent)}; its columns are {listed(present, 12)}.")
    wanted = list(dict.fromkeys([*columns, *(["item"] if items and "item" in present else [])]))
    twice = [name for name in wanted if list(present).count(name) > 1]
    if twice:
        raise ValueError(f"{path.name} has two columns named {listed(twice)}.")
    return wanted


def _walked(root: Path) -> Iterator[tuple[str, Path | None]]:
    """Every file below `root` as (relative name, path), what is no file as (name, None), subfolders as (name/, None).

    Links are never followed, and pipes and devices never opened.
    """
    closed: list[OSError] = []
    for folder, below, files in os.walk(root, onerror=closed.append):
        here, links = Path(folder), [name for name in below if (Path(folder) / name).is_symlink()]
        below[:] = sorted(name for name in below if not _system(f"{name}/") and name not in links)
        if here.parent == root:
            yield f"{here.name}/", None
        for name in sorted([*files, *links]):
            file = here / name
            plain = stat.S_ISREG(file.lstat().st_mode)
            yield str(PurePosixPath(*file.relative_to(root).parts)), file if plain else None
    for error in closed:
        yield str(PurePosixPath(*Path(error.filename).relative_to(root).parts)), None


def _system(name: str) -> bool:
    """Whether a file or folder is one that systems leave behind, which nobody means to have audited."""
    parts = PurePosixPath(name).parts
    return bool(parts) and (parts[0] == "__MACOSX" or parts[-1].startswith("._") or parts[-1] in SYSTEM)


def _pictures(found: Iterator[tuple[str, Path | None]], source: Path) -> Items:
    groups, folders, skipped = {}, [], []
    for count, (name, file) in enumerate(found):
        if count >= MAX_FILES:
            raise ValueError(f"{source} holds more than {MAX_FILES:,} files.")
        if _system(name):
            continue
        if name.endswith("/"):
            folders.append(name[:-1])
        elif "/" not in name or file is None:
            skipped.append(name)
        elif file.stat().st_size <= MAX_PICTURE and readable(file):
            groups[name] = name.split("/", 1)[0]
        else:
            skipped.append(name)
    return _items(groups, folders, skipped, source)


def _zipped(path: Path) -> Items:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in safe_entries(archive, path.name) if not _system(entry.filename)]
            outer = outer_folder([entry.filename for entry in entries if not entry.is_dir()])
            groups, folders, skipped, total = {}, set(), [], 0
            for entry in entries:
                name = entry.filename.removeprefix(outer)
                if "/" in name:
                    folders.add(name.split("/", 1)[0])
                if entry.is_dir():
                    continue
                content = unpacked(archive, entry, path.name)
                total += len(content)
                if total > MAX_TOTAL:
                    raise ValueError(f"{path.name} unpacks to more than {MAX_TOTAL:,} bytes.")
                if "/" in name and len(content) <= MAX_PICTURE and readable(io.BytesIO(content)):
                    groups[name] = name.split("/", 1)[0]
                else:
                    skipped.append(name)
    except BROKEN as error:
        raise ValueError(f"{path.name} is not a zip that can be read.") from error
    return _items(groups, sorted(folders), skipped, path)


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


def _items(groups: dict[str, str], folders: Sequence[str], skipped: Sequence[str], source: Path) -> Items:
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
            f"{len(skipped):,} files were skipped (unreadable, too large, links, in no subfolder): "
            f"{listed(skipped, 20)}."
        )
    return Items(table.sort_index(), tuple(empty), tuple(notes))

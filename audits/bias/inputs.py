"""What people bring to an audit: CSV and Parquet tables, and folders or zips of pictures with a subfolder a group."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from audits.bias.cells import as_meant
from audits.bias.pictures import FOLDER, Items, by_folder, contents
from audits.bias.tables import listed

MAX_TABLE = 2**30  # bytes
MAX_ROWS = 2_000_000
MISSING = ["", "nan", "NaN"]  # cells without a group; others, such as None, are names that a group may have


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


def peek(path: Path, rows: int) -> pd.DataFrame:
    """The first rows of a table with all its columns, as `read_table` reads them."""
    if path.suffix.lower() == ".parquet":
        return read_table(path, _parquet_columns(path)).head(rows)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            present = next(csv.reader(file, delimiter=_separator(path)), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path.name} cannot be read as a CSV table.") from error
    if len(set(present)) != len(present) or not present:
        raise ValueError(f"{path.name} needs a first row that names every column once.")
    return read_table(path, present).head(rows)


def _parquet_columns(path: Path) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return list(pq.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path.name} cannot be read as a Parquet table.") from error


def _separator(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


def _csv(path: Path, columns: Sequence[str], items: bool) -> pd.DataFrame:
    separator = _separator(path)
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

"""CSV that survives a spreadsheet: cells that would run as a formula get a leading quote, and lose it when read."""

from __future__ import annotations

import csv
import io

import pandas as pd

from audits.report import printable

FORMULA = ("=", "+", "-", "@", "\t", "\r")
_QUOTED = r"^'(?=[=+\-@\t\r])"


def table_csv(table: pd.DataFrame) -> str:
    """`table` as CSV text, its index left out and a missing cell empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_safe(str(name)) for name in table.columns])
    columns = [[_safe(str(v)) if isinstance(v, str) else "" if pd.isna(v) else v for v in table[c]] for c in table]
    writer.writerows(zip(*columns, strict=True))
    return out.getvalue()


def as_meant(column: pd.Series) -> pd.Series:
    """A column of text (strings or missing) without the quotes that `table_csv` put before formulas."""
    quoted = column.str.startswith("'").fillna(False)
    return column.str.replace(_QUOTED, "", regex=True) if quoted.any() else column


def _safe(text: str) -> str:
    text = printable(text)
    return "'" + text if text.startswith(FORMULA) else text

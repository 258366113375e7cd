"""The command `python -m audits bias`: reads files, asks the audits, and puts their findings into one report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from audits.bias.gaps import gap
from audits.bias.inputs import Items, read_items, read_table
from audits.bias.intersections import intersections
from audits.bias.representation import representation
from audits.bias.tables import group_names, listed
from audits.report import Report

MOST_CELLS = 200  # of the intersections that a report prints


def bias_report(
    source: Path, columns: Sequence[str], *, validation: Sequence[str] = (), labels: Sequence[str] = (),
    reference: Sequence[str] = (), expect: Sequence[str] = (), outcome: str | None = None, question: str = "model",
    level: float = 0.95, seed: int = 0,
) -> Report:  # fmt: skip
    """Representation of every column of `source`, their intersections, and the gaps of `outcome`, as one report.

    The options are the texts of the command line: `[COLUMN=]FILE`, for `reference` also `uniform`, for `expect`
    `[COLUMN=]G1,G2`. With several columns their findings start with the column's name. Raises ValueError.
    """
    columns = list(dict.fromkeys(columns))
    if not columns or "" in columns:
        raise ValueError("Name at least one column of groups.")
    validations, references = _by_column(validation, columns), _by_column(reference, columns, shared=True)
    looked, expected = _by_column(labels, columns), _by_column(expect, columns)
    wanted = [*columns, outcome] if outcome is not None and outcome not in columns else columns
    items = read_items(source, wanted)
    findings, caveats = [], list(items.notes)
    names = {}
    for column in columns:
        kept = items.table[items.table[column].notna()]
        missing = len(items.table) - len(kept)
        if missing == len(items.table):
            raise ValueError(f"The column {column!r} has no group in any row.")
        if missing:
            caveats.append(f"{missing:,} items have no {column} and were left out of its figures.")
        named = [*_split(expected.get(column)), *items.empty]
        names[column] = group_names(kept[column], named)
        options = {
            "reference": _reference(references.get(column)),
            "validation": _validation(validations.get(column)),
            "labels": _labels(looked.get(column), items, kept),
        }
        report = representation(
            kept[column], expected=named, question=question, level=level, seed=seed, **options
        )  # fmt: skip
        prefix = f"{column}." if len(columns) > 1 else ""
        findings += [replace(f, name=prefix + f.name) for f in report.findings]
        caveats += report.caveats
        if outcome is not None:
            report = gap(_numbers(kept[outcome], outcome), kept[column], expected=named, level=level, seed=seed)
            findings += [replace(f, name=f"{prefix}{outcome}.{f.name}") for f in report.findings]
            caveats += report.caveats
    if len(columns) > 1:
        whole = items.table.dropna(subset=columns)
        size = 1
        for column in columns:
            size *= len(names[column])
        if size > MOST_CELLS or whole.empty:
            caveats.append(f"The columns make {size:,} intersections; at most {MOST_CELLS} are shown, so none is.")
        else:
            report = intersections(whole, columns, expected=names, level=level, seed=seed)
            findings += [replace(f, name=f"intersection.{f.name}") for f in report.findings]
            caveats += report.caveats
    about = "this folder of" if question == "folder" else "the model behind"
    title = f"Bias audit of {source.name}: {about} {len(items.table):,} items"
    return Report(title, tuple(findings), tuple(dict.fromkeys(caveats)))


def _by_column(texts: Iterable[str], columns: Sequence[str], *, shared: bool = False) -> dict[str, str]:
    """`[COLUMN=]VALUE` texts by column; a text without a column belongs to the only one, or to all when `shared`."""
    found = {}
    for text in texts:
        column, mark, value = text.partition("=")
        if mark and column in columns:
            found[column] = value
        elif len(columns) == 1 or shared:
            found |= {name: text for name in columns if name not in found}
        else:
            raise ValueError(f"{text!r} must name its column, such as {columns[0]}={text}: there are several.")
    return found


def _split(text: str | None) -> list[str]:
    return [name for name in text.split(",") if name] if text else []


def _reference(text: str | None):
    if text is None or text == "uniform":
        return text
    table = read_table(Path(text), ["group", "share"])
    if table["group"].isna().any() or table["group"].duplicated().any():
        raise ValueError(f"{text} names a group twice or not at all.")
    return table.set_index("group")["share"]


def _validation(text: str | None) -> pd.DataFrame | None:
    return None if text is None else read_table(Path(text), ["true", "predicted"])


def _labels(text: str | None, items: Items, kept: pd.DataFrame) -> pd.Series | None:
    if text is None:
        return None
    table = read_table(Path(text), ["item", "label"])
    series = table.dropna(subset=["item"]).set_index("item")["label"]
    strange = series.index.difference(items.table.index)
    if len(strange):
        raise ValueError(f"{text} labels {len(strange):,} items that are not in the set, such as {listed(strange, 3)}.")
    return series[series.index.isin(kept.index)]


def _numbers(column: pd.Series, name: str) -> pd.Series:
    values = pd.to_numeric(column, errors="coerce")
    if values.isna().any():
        raise ValueError(f"The outcome {name!r} is not a number in {int(values.isna().sum()):,} rows.")
    return values

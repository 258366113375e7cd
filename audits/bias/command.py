"""The command `python -m audits bias`: reads the files that its options name and hands them to the audit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from audits.bias.inputs import read_items, read_table
from audits.bias.table_audit import audit_table
from audits.report import Report


def bias_report(
    source: Path, columns: Sequence[str], *, validation: Sequence[str] = (), labels: Sequence[str] = (),
    reference: Sequence[str] = (), expect: Sequence[str] = (), training: Path | None = None,
    outcome: str | None = None, question: str = "model", level: float = 0.95, seed: int = 0,
) -> Report:  # fmt: skip
    """Representation of every column of `source`, their intersections, and the gaps of `outcome`, as one report.

    The options are the texts of the command line: `[COLUMN=]FILE`, for `reference` also `uniform`, for `expect`
    `[COLUMN=]G1,G2`; `training` is a table with the same columns. Raises ValueError.
    """
    columns = list(dict.fromkeys(columns))
    if not columns or "" in columns:
        raise ValueError("Name at least one column of groups.")
    validations, references = _by_column(validation, columns), _by_column(reference, columns, shared=True)
    looked, expected = _by_column(labels, columns), _by_column(expect, columns)
    items = read_items(source, [*columns, outcome] if outcome is not None and outcome not in columns else columns)
    return audit_table(
        items,
        columns,
        name=source.name,
        validation={c: read_table(Path(text), ["true", "predicted"]) for c, text in validations.items()},
        labels={c: _labels(text) for c, text in looked.items()},
        reference={c: _reference(text) for c, text in references.items()},
        expect={c: [name for name in text.split(",") if name] for c, text in expected.items()},
        training=None if training is None else read_table(training, columns),
        outcome=outcome,
        question=question,
        level=level,
        seed=seed,
    )


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


def _reference(text: str):
    if text == "uniform":
        return text
    table = read_table(Path(text), ["group", "share"])
    if table["group"].isna().any() or table["group"].duplicated().any():
        raise ValueError(f"{text} names a group twice or not at all.")
    return table.set_index("group")["share"]


def _labels(text: str) -> pd.Series:
    """Hand labels by item, missing where nobody decided."""
    table = read_table(Path(text), ["item", "label"]).dropna(subset=["item"])
    return table.set_index("item")["label"]

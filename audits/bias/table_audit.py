"""A whole bias audit of one table: its columns of groups, intersections, gaps of an outcome, and amplification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from audits.bias.amplification import amplification
from audits.bias.gaps import gap
from audits.bias.intersections import intersections
from audits.bias.pictures import Items
from audits.bias.representation import representation
from audits.bias.tables import group_names, listed
from audits.report import Report

MOST_CELLS = 200  # of the intersections that a report prints


def audit_table(
    items: Items, columns: Sequence[str], *, name: str, validation: Mapping[str, pd.DataFrame] | None = None,
    labels: Mapping[str, pd.Series] | None = None, reference: Mapping[str, object] | None = None,
    expect: Mapping[str, Sequence[str]] | None = None, training: pd.DataFrame | None = None,
    outcome: str | None = None, question: str = "model", level: float = 0.95, seed: int = 0,
) -> Report:  # fmt: skip
    """Representation of every column, intersections, gaps of `outcome` and amplification as one report.

    `validation`, `labels`, `reference` and `expect` are by column, as `representation` takes them; labels are indexed
    by item. `training` is a table with the same columns: ties of the first column to each other one are compared.
    With several columns their findings start with the column's name. Items without a group in a column are left
    out of its figures and counted, and so are those without an outcome. A further column of two groups is also
    compared across the groups of the first one (`tone -> glasses.gap`). `name` is what the title calls the set.
    Raises ValueError.
    """
    columns = list(dict.fromkeys(columns))
    if not columns or "" in columns:
        raise ValueError("Name at least one column of groups.")
    if training is not None and len(columns) < 2:
        raise ValueError("Amplification ties one column to another: name two columns or leave the training set out.")
    validation, labels, reference, expect = (dict(x or {}) for x in (validation, labels, reference, expect))
    findings, caveats = [], list(items.notes)
    options = {"level": level, "seed": seed}
    names = {}
    for column in columns:
        kept = items.table[items.table[column].notna()]
        missing = len(items.table) - len(kept)
        if kept.empty:
            raise ValueError(f"The column {column!r} has no group in any row.")
        if missing:
            caveats.append(f"{missing:,} items have no {column} and were left out of its figures.")
        named = [*expect.get(column, ()), *items.empty]
        names[column] = group_names(kept[column], named)
        report = representation(
            kept[column], expected=named, question=question, reference=reference.get(column),
            validation=validation.get(column), labels=_of(labels.get(column), items, kept), **options,
        )  # fmt: skip
        prefix = f"{column}." if len(columns) > 1 else ""
        findings += [replace(f, name=prefix + f.name) for f in report.findings]
        caveats += report.caveats
        if outcome is not None:
            measured = kept[kept[outcome].notna()]
            if len(measured) < len(kept):
                caveats.append(f"{len(kept) - len(measured):,} items have no {outcome} and were left out of its gaps.")
            report = gap(_numbers(measured[outcome], outcome), measured[column], expected=names[column], **options)
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
            report = intersections(whole, columns, expected=names, **options)
            findings += [replace(f, name=f"intersection.{f.name}") for f in report.findings]
            caveats += report.caveats
        for task in columns[1:]:
            if len(names[task]) == 2:
                report, group = _tied(items.table, columns[0], task, names, options)
                findings += [replace(f, name=f"{columns[0]} -> {group}.{f.name}") for f in report.findings]
                caveats += report.caveats
    if training is not None:
        for task in columns[1:]:
            pair = [columns[0], task]
            sides = [table.dropna(subset=pair) for table in (_with(training, pair), items.table)]
            if sides[0].empty or sides[1].empty:
                where = "training" if sides[0].empty else "generated"
                raise ValueError(f"No row of the {where} set has both a {columns[0]} and a {task}.")
            report = amplification(*sides, attribute=columns[0], task=task, **options)
            findings += [replace(f, name=f"{columns[0]} -> {task}.{f.name}") for f in report.findings]
            caveats += report.caveats
    about = "this folder of" if question == "folder" else "the model behind"
    title = f"Bias audit of {name}: {about} {len(items.table):,} items"
    return Report(title, tuple(findings), tuple(dict.fromkeys(caveats)))


def _tied(table: pd.DataFrame, column: str, task: str, names: Mapping[str, Sequence[str]], options: dict):
    """The gap between the groups of `column` in how often they show the rarer group of `task`, and that group."""
    both = table.dropna(subset=[column, task])
    rarer = min(reversed(names[task]), key=lambda name: int((both[task].astype(str) == name).sum()))
    shown = (both[task].astype(str) == rarer).astype(float)
    return gap(shown, both[column], expected=names[column], **options), rarer


def _of(labels: pd.Series | None, items: Items, kept: pd.DataFrame) -> pd.Series | None:
    """The labels of items that have a predicted group; ValueError where some are of items not in the set at all."""
    if labels is None:
        return None
    strange = labels.index.difference(items.table.index)
    if len(strange):
        raise ValueError(
            f"The labels name {len(strange):,} items that are not in the set, such as {listed(strange, 3)}."
        )
    return labels[labels.index.isin(kept.index)]


def _numbers(column: pd.Series, name: str) -> pd.Series:
    if column.empty:
        raise ValueError(f"The outcome {name!r} is missing in every row that has a group.")
    values = pd.to_numeric(column, errors="coerce")
    strange = ~np.isfinite(values.astype(float))
    if strange.any():
        raise ValueError(f"The outcome {name!r} is not a number in {int(strange.sum()):,} rows.")
    return values


def _with(training: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    absent = [c for c in columns if c not in training.columns]
    if absent:
        raise ValueError(f"The training set has no column {listed(absent)}, only {listed(training.columns)}.")
    return training

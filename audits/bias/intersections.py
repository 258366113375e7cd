"""Intersections: what single attributes hide. Every cell of their product is shown, the empty ones too."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from audits.bias import tables
from audits.bias.estimates import DRAWS, as_predicted
from audits.bias.gaps import FEW, group_frame, mean_interval
from audits.report import Finding, Report, figure

MAX_CELLS = 1000
CROSS = " x "


def intersections(
    table, columns: Sequence[str], *, outcome: str | None = None, reference=None,
    expected: Mapping[str, Sequence[str]] | None = None, level: float = 0.95, seed: int = 0,
) -> Report:  # fmt: skip
    """The share, and with `outcome` the mean, of every combination of the groups in `columns` of `table`.

    `table` is a DataFrame of one row an item. Findings: `share.A x B` for all combinations in order, with
    intervals that hold together (Goodman) and n the items in the cell, 0 for an empty one, whose interval still has
    an upper bound; `mean.A x B` with an interval of its own; `association`, Cramér's V of the columns when there
    are two with two groups or more, against what shuffling one of them shows. `reference` is None, "uniform",
    "independent" (the product of the single shares, itself estimated from these items) or a table from the name of
    a cell to its share; cells of fewer than 10 items are not judged unless the reference expects 10 or more.
    `expected` names the groups a column may hold that no item has. Raises ValueError.
    """
    columns, frame = list(columns), _grouped(table, columns)
    levels = [tables.group_names(frame[c], (expected or {}).get(c, ())) for c in columns]
    size = int(np.prod([len(names) for names in levels]))
    if size > MAX_CELLS:
        raise ValueError(
            f"The columns make {size:,} combinations; at most {MAX_CELLS:,} are shown: take fewer columns."
        )
    cells = list(itertools.product(*levels))
    index = pd.MultiIndex.from_tuples(cells, names=columns)
    values = np.zeros(len(frame)) if outcome is None else _outcome(table, outcome)
    by_group = group_frame(values, frame).by_group.reindex(index)
    counts = by_group["count"].fillna(0).to_numpy().astype(float)
    names = [CROSS.join(cell) for cell in cells]
    target = _reference(reference, names, counts, [len(x) for x in levels])

    shares = as_predicted(counts, level=level, seed=seed)
    n = int(counts.sum())
    findings = [
        _share(name, counts[i], n, *(float(x[i]) for x in (shares.value, shares.low, shares.high)), target, i)
        for i, name in enumerate(names)
    ]
    if outcome is not None:
        rate = bool(np.isin(values, (0, 1)).all())
        cell_of = pd.Series(list(zip(*(frame[c] for c in columns), strict=True)), dtype=object)
        rows = {cell: group.index.to_numpy() for cell, group in cell_of.groupby(cell_of)}
        for name, cell, mean in zip(names, cells, by_group["mean"], strict=True):
            findings.append(_mean(name, values[rows.get(cell, [])], float(mean), rate, level))
    if len(columns) == 2:
        square = counts.reshape(len(levels[0]), -1)
        square = square[square.sum(1) > 0][:, square.sum(0) > 0]
        if min(square.shape) > 1:  # a column with a single group is tied to nothing
            findings.append(_association(square, seed, level))
    empty = int((counts == 0).sum())
    caveats = [
        f"{empty:,} of {len(cells):,} combinations are empty; their intervals end at the largest share they may have.",
        f"Cells of fewer than {FEW} items cannot be judged by their own items.",
        "Group names are taken as true: the errors of a classifier are not in the intervals.",
    ]
    return Report("Intersections of " + CROSS.join(columns), tuple(findings), tuple(caveats))


def _share(name: str, count: float, n: int, value: float, low: float, high: float, target, i: int) -> Finding:
    reading, verdict, floor = f"{int(count):,} of {n:,} items are {name}, at most {high:.1%}", "", None
    if target is not None:
        floor = float(target[i])
        side = "fewer" if high < floor else "more" if low > floor else ""
        judged = side and max(count, floor * n) >= FEW
        verdict = "worse" if judged else "cannot tell"
        reading += f", {side} than the reference of {floor:.1%}" if judged else f"; the reference is {floor:.1%}"
    elif count < FEW:
        verdict = "cannot tell"
    return Finding(f"share.{name}", value, low, high, int(count), "share", floor, verdict, reading + ".")


def _mean(name: str, values: np.ndarray, mean: float, rate: bool, level: float) -> Finding:
    low, high = mean_interval(values, level=level, rate=rate)
    n = len(values)
    reading = f"The mean over {n:,} items of {name} is {figure(mean)}." if n else f"There is no item of {name}."
    return Finding(f"mean.{name}", mean, low, high, n, "outcome", None, "cannot tell" if n < FEW else "", reading)


def cramers_v(counts: np.ndarray) -> np.ndarray:
    """Cramér's V (...) of contingency tables `counts` (..., A, B): 0 for independent columns, 1 for tied ones."""
    n = counts.sum((-1, -2), keepdims=True)
    expected = counts.sum(-1, keepdims=True) * counts.sum(-2, keepdims=True) / n
    with np.errstate(invalid="ignore", divide="ignore"):
        terms = np.where(expected > 0, np.square(counts - expected) / expected, 0.0)
    used = min(int((counts.sum((-1)) > 0).sum(-1).max()), int((counts.sum(-2) > 0).sum(-1).max()))
    return np.sqrt(terms.sum((-1, -2)) / n[..., 0, 0] / max(1, used - 1))


def _association(counts: np.ndarray, seed: int, level: float) -> Finding:
    """Cramér's V with a bootstrap interval; its verdict is that of shuffling one column (a permutation test)."""
    from scipy.stats import random_table

    rng, n = np.random.default_rng(seed), int(counts.sum())
    value = float(cramers_v(counts))
    null = cramers_v(random_table(counts.sum(1), counts.sum(0)).rvs(DRAWS // 2, random_state=rng))
    p_value = (1 + np.count_nonzero(null >= value - 1e-12)) / (1 + len(null))
    drawn = cramers_v(rng.multinomial(n, counts.ravel() / n, size=DRAWS // 2).reshape(-1, *counts.shape).astype(float))
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    tied = p_value <= 1 - level
    low = float(min(low, value)) if tied else 0.0
    reading = (
        f"Cramér's V is {figure(value)} (0 independent, 1 tied); independent columns show {figure(null.mean())} on "
        f"average at this size (p = {figure(p_value)})."
    )
    verdict = "worse" if tied else "cannot tell"
    return Finding("association", value, low, max(float(high), value), n, "V", float(null.mean()), verdict, reading)


def _grouped(table, columns: list[str]) -> pd.DataFrame:
    if not isinstance(table, pd.DataFrame):
        raise ValueError("Intersections need a table with one row an item.")
    if len(columns) < 2 or len(set(columns)) != len(columns):
        raise ValueError(f"Intersections need two or more different columns, not {tables.listed(columns)}.")
    absent = [c for c in columns if c not in table.columns]
    if absent:
        raise ValueError(f"There is no column {tables.listed(absent)}; the columns are {tables.listed(table.columns)}.")
    return pd.DataFrame({c: tables.as_groups(table[c], c).to_numpy() for c in columns})


def _outcome(table: pd.DataFrame, outcome: str) -> np.ndarray:
    if outcome not in table.columns:
        raise ValueError(f"There is no column {outcome!r}; the columns are {tables.listed(table.columns)}.")
    values = pd.to_numeric(table[outcome], errors="coerce").to_numpy(dtype=float)
    if not np.isfinite(values).all():
        raise ValueError(f"The outcome {outcome!r} is not a number in {np.count_nonzero(~np.isfinite(values)):,} rows.")
    return values


def _reference(reference, names: list[str], counts: np.ndarray, shape: list[int]) -> np.ndarray | None:
    if not (isinstance(reference, str) and reference == "independent"):
        return tables.as_reference(reference, names)
    cube = (counts / counts.sum()).reshape(shape)
    product = np.ones(shape)
    for axis in range(len(shape)):
        product = product * cube.sum(tuple(i for i in range(len(shape)) if i != axis), keepdims=True)
    return product.ravel()

"""Bias amplification: are attributes and tasks tied more tightly in the generated set than in the training set?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from audits.bias import tables
from audits.report import Finding, Report, figure

DRAWS = 2000


def amplification(
    training, generated, *, attribute: str, task: str, draws: int = DRAWS, level: float = 0.95, seed: int = 0
) -> Report:
    """BiasAmp from attribute to task (Wang & Russakovsky 2021) of a generated set against its training set.

    `training` and `generated` are tables with the columns `attribute` (a group) and `task` (what is tied to it),
    one row an item. For every pair the change in P(task | attribute) counts as amplification where training ties
    the two positively, and its opposite where it does not; the figure is the mean over pairs. Above 0 is
    amplified, below 0 weakened. The interval is a bootstrap over both sets; the floor is the mean figure of a
    generator that draws n items from the training set itself. Findings: `amplification`, and `change.A -> T` of
    every pair. A pair whose attribute a set does not show is NaN and is left out of the mean. Raises ValueError.
    """
    sets = [_columns(training, attribute, task, "training"), _columns(generated, attribute, task, "generated")]
    for column, one, other in zip((attribute, task), *sets, strict=True):
        if not set(one) & set(other):
            raise ValueError(
                f"The column {column!r} has {tables.listed(sorted(set(one)))} in the training set and "
                f"{tables.listed(sorted(set(other)))} in the generated set: the names must be the same."
            )
    attributes = sorted(set(sets[0][0]) | set(sets[1][0]))
    tasks = sorted(set(sets[0][1]) | set(sets[1][1]))
    before, after = (_counts(a, t, attributes, tasks) for a, t in sets)
    n, m = int(before.sum()), int(after.sum())
    value = float(directional_amplification(before, after))
    rng = np.random.default_rng(seed)
    shape = (draws, *before.shape)
    again = rng.multinomial(n, before.ravel() / n, size=draws).reshape(shape).astype(float)
    drawn = rng.multinomial(m, after.ravel() / m, size=draws).reshape(shape).astype(float)
    sign = _tied(before)
    spread = _mean_change(again, drawn, sign)
    tail = (1 - level) / 2
    low, high = np.nanquantile(spread, [tail, 1 - tail])
    same = rng.multinomial(m, before.ravel() / n, size=draws).reshape(shape).astype(float)
    fair = _mean_change(before[None], same, sign)
    floor, chance = float(np.nanmean(fair)), float(np.nanquantile(np.abs(fair), level))
    verdict = "worse" if low > 0 else "better" if high < 0 else "cannot tell"
    reading = (
        f"The ties of {attribute} and {task} are {'stronger' if value > 0 else 'weaker'} by {figure(abs(value))} on "
        f"average than in training; a generator that copies the training shares shows {figure(chance)} or less, either "
        f"way, {level:.0%} of the time with {m:,} items."
    )
    low, high = min(float(low), value), max(float(high), value)
    findings = [Finding("amplification", value, low, high, m, "share", floor, verdict, reading)]
    findings += _changes(before, after, again, drawn, attributes, tasks, tail)
    caveats = (
        "Attributes and tasks of generated items are usually predicted: errors of that classifier weaken every tie.",
        "Measure a conditional model on items made with the training set's mix of labels.",
        "Which pairs are tied is read from the training set and held fixed in the interval.",
    )
    return Report(f"Bias amplification, {attribute} to {task}", tuple(findings), caveats)


def directional_amplification(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """BiasAmp attribute -> task from counts (..., A, T) of the training and the generated set (equation 2)."""
    return _mean_change(before, after, _tied(before))


def _tied(counts: np.ndarray) -> np.ndarray:
    """+1 where P(a, t) > P(a) P(t) in `counts` (A, T), else -1."""
    joint = counts / counts.sum()
    return np.where(joint > joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True), 1.0, -1.0)


def _mean_change(before: np.ndarray, after: np.ndarray, sign: np.ndarray) -> np.ndarray:
    changes = sign * (_given(after) - _given(before))
    known = np.isfinite(changes)
    return np.where(known, changes, 0.0).sum((-1, -2)) / np.maximum(known.sum((-1, -2)), 1)


def _given(counts: np.ndarray) -> np.ndarray:
    """P(task | attribute) (..., A, T); NaN in the row of an attribute without items."""
    totals = counts.sum(-1, keepdims=True)
    return np.divide(counts, totals, out=np.full(np.shape(counts), np.nan), where=totals > 0)


def _changes(before, after, again, drawn, attributes, tasks, tail) -> list[Finding]:
    change, bounds = _given(after) - _given(before), _given(drawn) - _given(again)
    findings = []
    for a, t in np.ndindex(change.shape):
        pair, n = f"{attributes[a]} -> {tasks[t]}", int(after[a].sum())
        if not np.isfinite(change[a, t]):
            reading = f"{attributes[a]} is missing from one of the sets."
            findings.append(Finding(f"change.{pair}", np.nan, np.nan, np.nan, n, "share", None, "cannot tell", reading))
            continue
        low, high = np.nanquantile(bounds[:, a, t], [tail, 1 - tail])
        value = float(change[a, t])
        reading = (
            f"{tasks[t]} among {attributes[a]}: {_given(before)[a, t]:.1%} in training, {_given(after)[a, t]:.1%} here."
        )
        verdict = "cannot tell" if low <= 0 <= high else ""
        bounded = (min(float(low), value), max(float(high), value))
        findings.append(Finding(f"change.{pair}", value, *bounded, n, "share", 0.0, verdict, reading))
    return findings


def _columns(table, attribute: str, task: str, name: str) -> tuple[pd.Series, pd.Series]:
    if not isinstance(table, pd.DataFrame):
        raise ValueError(f"The {name} set must be a table with the columns {attribute} and {task}.")
    absent = [c for c in (attribute, task) if c not in table.columns]
    if absent:
        raise ValueError(f"The {name} set has no column {tables.listed(absent)}, only {tables.listed(table.columns)}.")
    return tuple(tables.as_groups(table[c], f"{name}.{c}") for c in (attribute, task))


def _counts(attribute, task, attributes, tasks) -> np.ndarray:
    crossed = pd.crosstab(attribute.to_numpy(), task.to_numpy())
    return crossed.reindex(index=attributes, columns=tasks, fill_value=0).to_numpy().astype(float)

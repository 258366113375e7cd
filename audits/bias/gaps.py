"""Gaps: does an outcome differ between groups by more than chance would make it?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from audits.bias import tables
from audits.bias.intervals import wilson
from audits.report import Finding, Report, figure

PERMUTATIONS = 1000
FEW = 10  # items in a group, below which its figure is shown and not judged


def gap(
    outcome,
    groups,
    *,
    expected: Sequence[str] = (),
    permutations: int = PERMUTATIONS,
    level: float = 0.95,
    seed: int = 0,
) -> Report:
    """The largest difference in the mean of `outcome` (n,) between `groups` (n,): numbers, and a name an item.

    Findings: `mean.<group>` with Wilson's interval for outcomes of 0 and 1 and Student's otherwise (n=0 and no value
    for an empty group), and `gap`, the highest mean less the lowest among groups of 10 items or more. Its verdict
    is that of a permutation test, which holds its level however many groups there are and however small they
    are; a bootstrap interval of the gap would exclude 0 for every fair model, because a maximum less a minimum is
    never negative. Its floor is the mean gap of the permutations; its interval adds and takes away the largest
    difference between groups that chance explains, and starts at 0 unless the test rejects. Raises ValueError.
    """
    groups = tables.as_groups(groups, "groups")
    values = _numbers(outcome, len(groups))
    names = tables.group_names(groups, expected)
    frame = group_frame(values, groups)
    means = frame.by_group["mean"].reindex(names)
    counts = frame.by_group["count"].reindex(names).fillna(0).astype(int)
    rate = bool(np.isin(values, (0, 1)).all())
    findings = []
    for name in names:
        value, n = float(means[name]), int(counts[name])
        low, high = mean_interval(values[(groups == name).to_numpy()], level=level, rate=rate)
        verdict = "cannot tell" if n < FEW else ""
        reading = f"The mean over {n:,} items of {name} is {figure(value)}." if n else f"There is no item of {name}."
        findings.append(Finding(f"mean.{name}", value, low, high, n, "outcome", None, verdict, reading))
    judged = [name for name in names if counts[name] >= FEW]
    kept = groups.isin(judged).to_numpy()
    findings.append(_gap(values[kept], groups[kept], judged, permutations, level, seed))
    caveats = (
        f"Groups of fewer than {FEW} items are shown and left out of the gap.",
        "A gap between predicted groups is smaller than that between the true ones wherever the classifier errs.",
    )
    return Report("Gap between groups", tuple(findings), caveats)


def group_frame(values: np.ndarray, groups):
    """fairlearn's MetricFrame of the mean and the count of `values` (n,) over one or more columns of groups."""
    from fairlearn.metrics import MetricFrame, count

    def mean(_, rows):
        return float(values[np.asarray(rows, dtype=np.int64)].mean())

    rows = np.arange(len(values))
    return MetricFrame(
        metrics={"mean": mean, "count": count}, y_true=np.zeros(len(values)), y_pred=rows, sensitive_features=groups
    )


def mean_interval(values: np.ndarray, *, level: float = 0.95, rate: bool = False) -> tuple[float, float]:
    """Bounds of a mean: Wilson's for a rate of 0s and 1s (0 to 1 where there is no item), Student's otherwise."""
    n = len(values)
    if rate:
        return tuple(map(float, wilson(values.sum(), n, level=level)[1:])) if n else (0.0, 1.0)
    if n < 2:
        return -np.inf, np.inf
    half = float(stdtrit(n - 1, (1 + level) / 2)) * values.std(ddof=1) / np.sqrt(n)
    return float(values.mean() - half), float(values.mean() + half)


def permuted_gaps(values: np.ndarray, codes: np.ndarray, *, permutations: int, seed: int) -> np.ndarray:
    """The gap (permutations,) when groups are dealt out at random; `codes` (n,) are group numbers from 0."""
    rng = np.random.default_rng(seed)
    sizes = np.bincount(codes)
    levels, inverse = np.unique(values, return_inverse=True)
    if len(levels) == 1:
        return np.zeros(permutations)
    if len(levels) == 2:  # how many of the higher value fall into each group is hypergeometric
        high = rng.multivariate_hypergeometric(sizes, int(inverse.sum()), size=permutations, method="marginals")
        means = levels[0] + (levels[1] - levels[0]) * high / sizes
        return means.max(1) - means.min(1)
    ordered, starts = values.astype(float), np.r_[0, np.cumsum(sizes)[:-1]]
    gaps = np.empty(permutations)
    for i in range(permutations):
        rng.shuffle(ordered)
        means = np.add.reduceat(ordered, starts) / sizes
        gaps[i] = means.max() - means.min()
    return gaps


def _gap(values, groups, names, permutations, level, seed) -> Finding:
    n = len(values)
    if len(names) < 2:
        reading = f"A gap needs two groups of {FEW} items or more."
        return Finding("gap", np.nan, np.nan, np.nan, n, "outcome", None, "cannot tell", reading)
    codes = pd.Categorical(groups, categories=names).codes.astype(np.int64)
    sizes = np.bincount(codes)
    means = np.bincount(codes, values) / sizes
    value = float(means.max() - means.min())
    null = permuted_gaps(values, codes, permutations=permutations, seed=seed)
    p_value = (1 + np.count_nonzero(null >= value - 1e-12)) / (1 + permutations)
    # |range(a) - range(b)| <= range(a - b): what the range of the errors can be bounds the error of the range.
    variances = np.array([values[codes == k].var(ddof=1) for k in range(len(names))]) / sizes
    errors = np.random.default_rng(seed).standard_normal((4000, len(names))) * np.sqrt(variances)
    half = float(np.quantile(errors.max(1) - errors.min(1), level))
    rejected = p_value <= 1 - level
    low, high = max(0.0, value - half) if rejected else 0.0, value + half
    top, bottom = names[int(means.argmax())], names[int(means.argmin())]
    reading = (
        f"{top} ({figure(means.max())}) is {figure(value)} above {bottom} ({figure(means.min())}); if groups made no "
        f"difference the gap would be {figure(null.mean())} on average and as large as this with p = {figure(p_value)}."
    )
    verdict = "worse" if rejected else "cannot tell"
    return Finding("gap", value, low, high, n, "outcome", float(null.mean()), verdict, reading)


def _numbers(outcome, n: int) -> np.ndarray:
    try:
        values = np.asarray(outcome, dtype=float)
    except (TypeError, ValueError):
        raise ValueError("The outcome must be a number an item: 0 and 1 for no and yes.") from None
    if values.shape != (n,):
        raise ValueError(f"The outcome has shape {values.shape}; it needs one number for each of the {n:,} items.")
    if not np.isfinite(values).all():
        raise ValueError(f"The outcome is missing for {np.count_nonzero(~np.isfinite(values)):,} of {n:,} items.")
    return values

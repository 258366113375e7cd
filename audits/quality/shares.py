"""Shares of the classes in a generated set, as a judge predicts them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from audits.report import Finding, Report, figure

FAIR_DRAWS = 10_000


def class_shares(predicted, *, classes: int | Sequence[str], level: float = 0.95) -> Report:
    """The share of every class, empty ones too, against a generator that draws all classes equally often.

    `predicted` (n,) holds class numbers, or names when `classes` is a list of names. Each class has two
    findings: `share of X` with Goodman's simultaneous interval (all K hold at once with probability `level`;
    Goodman 1965), and `share of X, alone` with Wilson's. `largest deviation` is the greatest |share - 1/K|,
    with the bounds that the simultaneous intervals imply, and as floor the mean of the same figure over
    10,000 draws of n items from a perfectly fair generator. Raises ValueError on labels outside `classes`.
    """
    from statsmodels.stats.proportion import multinomial_proportions_confint, proportion_confint

    names = [str(i) for i in range(classes)] if isinstance(classes, int) else [str(c) for c in classes]
    if len(names) < 2 or len(set(names)) != len(names):
        raise ValueError(f"classes must be at least two different names, not {names}.")
    counts = np.bincount(_numbers(predicted, names), minlength=len(names))
    n, fair = int(counts.sum()), 1 / len(names)
    shares = counts / n
    together = multinomial_proportions_confint(counts, alpha=1 - level, method="goodman")
    alone = np.stack(proportion_confint(counts, n, alpha=1 - level, method="wilson"), axis=1)

    findings = [_largest_deviation(shares, together, n)]
    for kind, intervals in (("", together), (", alone", alone)):
        for name, share, count, bounds in zip(names, shares, counts, intervals, strict=True):
            low, high = min(max(0.0, bounds[0]), share), max(min(1.0, bounds[1]), share)
            side = "more" if low > fair else "fewer" if high < fair else ""
            reading = f"{count:,} of {n:,} items"
            reading += f", {side} than an equal share." if side else ", compatible with an equal share."
            verdict = "worse" if side else "cannot tell"
            findings.append(Finding(f"share of {name}{kind}", share, low, high, n, "share", fair, verdict, reading))
    caveats = (
        "Shares are those of the judge's predictions; its own errors are not corrected.",
        "The fair generator draws classes independently; one told to make equal numbers varies less.",
        f"{len(names)} intervals taken alone miss somewhere more often than {1 - level:.0%} of the time; "
        "judge all classes by the simultaneous ones.",
    )
    return Report("Class shares", tuple(findings), caveats)


def _numbers(predicted, names: list[str]) -> np.ndarray:
    """Class numbers (n,) from numbers or names; ValueError in one sentence otherwise."""
    labels = np.asarray(predicted)
    if labels.ndim != 1 or labels.size == 0:
        raise ValueError(f"predicted must be a list of at least one label, not of shape {labels.shape}.")
    if labels.dtype.kind in "iu":
        if labels.min() < 0 or labels.max() >= len(names):
            raise ValueError(f"predicted has labels outside 0 to {len(names) - 1}.")
        return labels.astype(np.int64)
    number = {name: i for i, name in enumerate(names)}
    unknown = sorted({str(label) for label in labels} - set(number))
    if unknown:
        raise ValueError(f"predicted has labels that are not among the classes: {', '.join(unknown[:5])}.")
    return np.array([number[str(label)] for label in labels])


def _largest_deviation(shares: np.ndarray, intervals: np.ndarray, n: int) -> Finding:
    fair = 1 / len(shares)
    value = float(np.abs(shares - fair).max())
    # What the box of simultaneous intervals allows: its nearest and its farthest corner from equal shares.
    nearest = np.maximum(0.0, np.maximum(intervals[:, 0] - fair, fair - intervals[:, 1]))
    farthest = np.maximum(np.abs(intervals[:, 0] - fair), np.abs(intervals[:, 1] - fair))
    draws = np.random.default_rng(0).multinomial(n, np.full(len(shares), fair), size=FAIR_DRAWS) / n
    perfect = np.abs(draws - fair).max(1)
    floor, bound = float(perfect.mean()), float(np.quantile(perfect, 0.95))
    verdict = "worse" if value > bound else "cannot tell"
    reading = (
        f"The class farthest from an equal share is off by {figure(value)}; a perfectly fair generator of "
        f"{n:,} items is off by {figure(floor)} on average and by more than {figure(bound)} once in 20 times."
    )
    low, high = min(float(nearest.max()), value), max(float(farthest.max()), value)
    return Finding("largest deviation", value, low, high, n, "share", floor, verdict, reading)

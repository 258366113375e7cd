"""Inception-style score: how sure a classifier is of each item, and how varied its answers are over all of them.

exp(mean KL(p(y | x) || p(y)))   (Salimans et al. 2016)

From 1 (one answer for everything, or none for anything) to the number of classes. It never sees a real item, and knows
neither copies nor what is dropped inside a class; a score above that of real items means more typical ones, not better.
"""

from __future__ import annotations

import numpy as np
from scipy.special import stdtrit, xlogy

from audits.quality.features import FeatureError, as_features
from audits.report import Finding, against_floor, figure


def class_score(probabilities) -> float:
    """The score of class probabilities (n, classes), rows that sum to 1; FeatureError otherwise."""
    p = as_probabilities(probabilities, "class")
    return _score(len(p), xlogy(p, p).sum(), p.sum(0))


def class_score_finding(
    fake, real=None, *, blocks: int = 20, level: float = 0.95, seed: int = 0
) -> Finding:  # fmt: skip
    """The score of generated items' probabilities (n, classes), with a delete-a-block jackknife interval.

    The score is a smooth function of means, for which the jackknife is consistent (Künsch 1989). `real` (m, classes)
    holds the probabilities of real items: their score is the floor.
    """
    p = as_probabilities(fake, "generated")
    blocks = min(blocks, len(p) // 2)
    if blocks < 2:
        raise FeatureError("An interval for the class score needs at least 4 items.")
    floor = None if real is None else class_score(real)
    certain, total = xlogy(p, p).sum(1), p.sum(0)
    value = _score(len(p), certain.sum(), total)
    left_out = []
    for rows in np.array_split(np.random.default_rng(seed).permutation(len(p)), blocks):
        left_out.append(_score(len(p) - len(rows), certain.sum() - certain[rows].sum(), total - p[rows].sum(0)))
    half = float(stdtrit(blocks - 1, (1 + level) / 2) * np.sqrt((blocks - 1) * np.var(left_out)))
    low, high = max(1.0, value - half), min(float(p.shape[1]), value + half)
    low, high = min(low, value), max(high, value)
    reading = f"The classifier tells {figure(value)} classes apart among generated items, as if equally many of each"
    reading += "." if floor is None else f"; among real ones {figure(floor)}."
    verdict = against_floor(low, high, floor, lower_is_better=False)
    return Finding("class score", value, low, high, len(p), f"of {p.shape[1]}", floor, verdict, reading)


def as_probabilities(x, name: str) -> np.ndarray:
    """`x` as float64 (n, classes) whose rows are probabilities; FeatureError otherwise."""
    p = as_features(x, name, rows=1)
    if p.min() < 0 or not np.allclose(p.sum(1), 1, atol=1e-4):
        raise FeatureError(f"The {name} probabilities must be at least 0 and sum to 1 in every row.")
    return p / p.sum(1, keepdims=True)


def _score(n: int, certain: float, total: np.ndarray) -> float:
    """From the sum of p log p over items and classes, and the sum of p over items."""
    share = total / n
    return float(np.exp(certain / n - xlogy(share, share).sum()))

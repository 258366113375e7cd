"""How far shares are from a reference, with an interval for the true distance and a fair model's noise floor."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from audits.bias.confusion import on_simplex

STEPS = 48  # true distances tried when the interval is sought
KEPT = 1000  # draws of the error used at each


class Distance(NamedTuple):
    """A distance as measured, bounds of the true one, and what a fair model shows: mean and 95 % quantile."""

    value: float
    low: float
    high: float
    floor: float
    bound: float


def fairness_discrepancy(shares: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Euclidean distance of `shares` (..., K) to `reference` (K,): the fairness discrepancy of Choi et al. (2020)."""
    return np.sqrt(np.square(shares - reference).sum(-1))


def total_variation(shares: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Half the summed absolute differences: the share of items that would have to change group."""
    return np.abs(shares - reference).sum(-1) / 2


def jensen_shannon(shares: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Jensen-Shannon distance to base 2, in [0, 1] (the square root of the divergence, as in scipy)."""
    middle = (shares + reference) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        halves = [
            np.where(p > 0, p * np.log2(p / middle), 0.0) for p in (shares, np.broadcast_to(reference, shares.shape))
        ]
    return np.sqrt(np.maximum(0.0, sum(half.sum(-1) for half in halves) / 2))


def corrected_discrepancy(shares: np.ndarray, reference: np.ndarray, variance: float) -> float:
    """The fairness discrepancy less what sampling alone adds: sqrt(max(0, sum (p - ref)^2 - summed variance)).

    For n items seen without error the summed variance is sum p (1 - p) / (n - 1).
    """
    return float(np.sqrt(max(0.0, np.square(shares - reference).sum() - variance)))


def measured_distance(
    metric: Callable, shares: np.ndarray, reference: np.ndarray, *, noise: np.ndarray, level: float
) -> Distance:
    """`metric` of `shares` (K,) to `reference` (K,), with the bounds of the true distance.

    `noise` (draws, K) is the error of the estimator, centred at zero. A distance cannot fall below zero, so noise
    pushes it up and a percentile interval would sit too high. The bounds come from inverting a test instead: the
    truth is moved along the line from the reference to the estimate, and those true distances are kept from which
    the measured one is no rarer than (1 - level) / 2 on either side. The measured value always lies within.
    """
    value = float(metric(shares, reference))
    noise = noise[:KEPT]
    tail = (1 - level) / 2
    far = float(fairness_discrepancy(shares, reference))
    towards = (shares - reference) / far if far > 0 else np.eye(len(shares))[0] - reference
    spread = 6 * float(np.sqrt(noise.var(0).sum()))
    steps = np.linspace(max(0.0, far - spread), far + spread, STEPS)
    points = on_simplex(reference + steps[:, None] * towards)
    shown = np.array([np.quantile(metric(_possible(point + noise), reference), [tail, 1 - tail]) for point in points])
    inside = (shown[:, 0] <= value) & (value <= shown[:, 1])
    inside[1:] |= inside[:-1].copy()  # one step further on either side: the ends lie between two steps
    inside[:-1] |= inside[1:].copy()
    kept = metric(points, reference)[inside]
    low, high = (kept.min(), kept.max()) if len(kept) else (value, value)
    fair = metric(_possible(reference + noise), reference)
    low, high = float(min(low, value)), float(max(high, value))
    return Distance(value, low, high, float(fair.mean()), float(np.quantile(fair, level)))


def _possible(shares: np.ndarray) -> np.ndarray:
    """Rows (..., K) that sum to 1, put onto the simplex where one of them has left it."""
    return shares if shares.min() >= 0 else on_simplex(shares)

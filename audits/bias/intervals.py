"""Intervals in closed form for the shares of groups, with and without a classifier that errs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import chdtri, ndtri


class Interval(NamedTuple):
    """An estimate and its bounds: numbers, or arrays of one shape."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray


def wilson(count, n, *, level: float = 0.95) -> Interval:
    """Wilson's (1927) interval for one share, `count` of `n` items; elementwise."""
    return _score(count, n, float(ndtri((1 + level) / 2)) ** 2)


def goodman(counts, *, level: float = 0.95) -> Interval:
    """Goodman's (1965) intervals for the K shares `counts` (..., K): all hold at once with probability `level`.

    Two shares are one figure (the second is what the first leaves), so K = 2 gives Wilson's.
    """
    counts = np.asarray(counts, dtype=float)
    groups = counts.shape[-1]
    tail = (1 - level) / (groups if groups > 2 else 1)
    return _score(counts, counts.sum(-1, keepdims=True), float(chdtri(1, tail)))


def _score(count, n, chi) -> Interval:
    count, n = np.asarray(count, dtype=float), np.asarray(n, dtype=float)
    middle = (count + chi / 2) / (n + chi)
    half = np.sqrt(chi * (count * (n - count) / n + chi / 4)) / (n + chi)
    share = count / n
    return Interval(share, np.clip(middle - half, 0, share), np.clip(middle + half, share, 1))


def rogan_gladen(share, accuracy, other) -> np.ndarray:
    """The true share behind a predicted `share` (Rogan & Gladen 1978), clipped to [0, 1].

    `accuracy` is the classifier's on the group itself, `other` on everything else; they do not commute. Their sum must
    be above 1.
    """
    return np.clip((np.asarray(share) - (1 - other)) / np.maximum(np.asarray(accuracy) + other - 1, 1e-12), 0, 1)


def lang_reiczigel(
    count, n, *, hits, items, other_hits, other_items, level: float = 0.95, folder: bool = False
) -> Interval:  # fmt: skip
    """The true share of one of two groups when a classifier with known errors predicted it; elementwise.

    Of `n` items `count` were predicted to be of the group. On validation the classifier was right about `hits`
    of `items` of the group and `other_hits` of `other_items` of the rest. The interval is that of Lang &
    Reiczigel (2014), which carries the sampling error of all three shares; where the classifier is no better
    than chance it is [0, 1]. With `folder` the share is that of these n items and not of the model behind them:
    the number of predictions then varies only through the classifier's errors.
    """
    z = float(ndtri((1 + level) / 2))
    count, n, items, other_items = (np.asarray(x, dtype=float) for x in (count, n, items, other_items))
    share = (count + z * z / 2) / (n + z * z)
    a, b = (hits + 1) / (items + 2), (other_hits + 1) / (other_items + 2)
    informed = np.maximum(a + b - 1, 1e-12)
    value = (share + b - 1) / informed
    spread, other_spread = a * (1 - a) / (items + 2), b * (1 - b) / (other_items + 2)
    shift = 2 * z * z * (value * spread - (1 - value) * other_spread)
    within = np.clip(value, 0, 1)
    of_share = within * a * (1 - a) + (1 - within) * b * (1 - b) if folder else share * (1 - share)
    half = z * np.sqrt(of_share / (n + z * z) + value**2 * spread + (1 - value) ** 2 * other_spread) / informed
    low, high = np.clip(value + shift - half, 0, 1), np.clip(value + shift + half, 0, 1)
    estimate = rogan_gladen(count / n, hits / items, other_hits / other_items)
    useless = (a + b <= 1) | (hits / items + other_hits / other_items <= 1)
    low, high = np.where(useless, 0, low), np.where(useless, 1, high)
    estimate = np.where(useless, count / n, estimate)
    return Interval(estimate, np.minimum(low, estimate), np.maximum(high, estimate))

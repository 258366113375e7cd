"""Kernel distance: the unbiased squared maximum mean discrepancy with the cubic polynomial kernel.

k(x, y) = (x.y / width + 1)^3, averaged over random subsets (KID: Bińkowski et al. 2018). Unlike the Fréchet
distance it is unbiased at any size, so it may come out slightly negative.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from audits.quality.features import FeatureError, as_features, same_width
from audits.report import Finding, against_floor, figure


def kernel_distance(
    a, b, *, subsets: int = 100, size: int = 1000, floor: float | None = None, level: float = 0.95,
    seed: int = 0,
) -> Finding:  # fmt: skip
    """Mean of `subsets` estimates, each on `size` items of `a` (n, w) and of `b` (m, w), with an interval.

    `size` is lowered to half of the smaller set. Subsets overlap, so their standard error would be too small:
    the spread is scaled by size / (n - size), the delete-d jackknife (Shao & Wu 1989), and the error of the
    finite number of subsets is added. Raises FeatureError on NaN, different widths or fewer than 4 rows.
    """
    a, b = as_features(a, "first", rows=4), as_features(b, "second", rows=4)
    same_width(a, b)
    if subsets < 2 or size < 2:
        raise FeatureError(f"subsets and size must be at least 2, not {subsets} and {size}.")
    n = min(len(a), len(b))
    size = min(size, n // 2)
    rng = np.random.default_rng(seed)
    draws = []
    for _ in range(subsets):
        first = a[rng.choice(len(a), size, replace=False)]
        second = b[rng.choice(len(b), size, replace=False)]
        draws.append(polynomial_mmd(first, second))
    value = float(np.mean(draws))
    half = float(ndtri((1 + level) / 2) * np.std(draws, ddof=1) * np.sqrt(size / (n - size) + 1 / subsets))
    reading = f"The sets differ by {figure(value)} ({subsets} subsets of {size:,})"
    reading += "." if floor is None else f"; two real sets by {figure(floor)}."
    low, high = value - half, value + half
    verdict = against_floor(low, high, floor, lower_is_better=True)
    return Finding("kernel distance", value, low, high, n, "squared MMD", floor, verdict, reading)


def polynomial_mmd(a: np.ndarray, b: np.ndarray) -> float:
    """The unbiased MMD^2 of features `a` (n, w) and `b` (m, w) under (x.y / w + 1)^3."""
    n, m, width = len(a), len(b), a.shape[1]

    def kernel(x, y):
        base = x @ y.T / width + 1
        return base * base * base

    within_a, within_b = kernel(a, a), kernel(b, b)
    same_a = (within_a.sum() - np.trace(within_a)) / (n * (n - 1))
    same_b = (within_b.sum() - np.trace(within_b)) / (m * (m - 1))
    return float(same_a + same_b - 2 * kernel(a, b).mean())

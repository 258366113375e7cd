"""What ranks and signs alone can tell: the median with its interval, and the sign test. No distribution is assumed."""

from __future__ import annotations

import numpy as np
from scipy.special import bdtr, ndtri

from audits.bias.intervals import Interval


def median(values, *, level: float = 0.95) -> Interval:
    """The median of `values` (n,) with the interval of its order statistics, which holds for every distribution.

    The bounds are the k-th lowest and the k-th highest value, k as large as P(Binomial(n, 1/2) < k) <= (1 - level) / 2
    allows (Thompson 1936). Too few values for any k (fewer than 6 at 0.95) are bounded by nothing: -inf and inf.
    Raises ValueError without a value.
    """
    values = np.sort(np.asarray(values, dtype=float))
    n = len(values)
    if not n:
        raise ValueError("A median needs at least one value.")
    below = bdtr(np.arange(n // 2 + 1), n, 0.5)  # P(Binomial <= k)
    k = int(np.count_nonzero(below <= (1 - level) / 2))
    middle = float(np.median(values))
    return Interval(middle, -np.inf, np.inf) if not k else Interval(middle, float(values[k - 1]), float(values[n - k]))


def sign_test(first: int, second: int) -> float:
    """Exact two-sided p-value of `first` against `second` preferences, if both were equally likely; 1 without any."""
    n = first + second
    return min(1.0, 2 * float(bdtr(min(first, second), n, 0.5))) if n else 1.0


def shift(values, others, *, level: float = 0.95) -> Interval:
    """By how much `values` (n,) lie above `others` (m,): the median of all n x m differences (Hodges & Lehmann 1963).

    The bounds are the k-th lowest and highest difference, k from the normal approximation to Mann & Whitney's count;
    -inf and inf where there are too few values for any k. Raises ValueError where one of the two is empty.
    """
    values, others = np.asarray(values, dtype=float), np.asarray(others, dtype=float)
    n, m = len(values), len(others)
    if not n or not m:
        raise ValueError("A shift needs at least one value on each side.")
    apart = np.sort((values[:, None] - others).ravel())
    k = int(n * m / 2 - float(ndtri((1 + level) / 2)) * np.sqrt(n * m * (n + m + 1) / 12))
    middle = float(np.median(apart))
    return Interval(middle, float(apart[k - 1]), float(apart[-k])) if k > 0 else Interval(middle, -np.inf, np.inf)

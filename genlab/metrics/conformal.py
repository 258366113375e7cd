"""Conformal p-values: a score becomes the share of normal items at least as strange, so a threshold is a stated rate.

With n held-out normal items and one more that is exchangeable with them, P(p <= a) <= a for every a, whatever the
score (Vovk, Gammerman and Shafer 2005, section 2.3); p = (1 + how many held-out items are as strange) / (n + 1).
"""

import math

import numpy as np


def p_values(calibration: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The p-value (m,) of each score against the scores (n,) of held-out normal items; ties count against alarm.

    Raises:
        ValueError: there is no held-out item, or a score is not a finite number.
    """
    known, asked = np.sort(np.asarray(calibration, float)), np.asarray(scores, float)
    if not known.size or not (np.isfinite(known).all() and np.isfinite(asked).all()):
        raise ValueError("P-values need finite scores, and at least one of a held-out normal item.")
    return (1 + known.size - np.searchsorted(known, asked, side="left")) / (known.size + 1)


def threshold(calibration: np.ndarray, rate: float) -> float:
    """The lowest score whose p-value is at most `rate`: infinite where too few items were held out for such a rate."""
    known = np.sort(np.asarray(calibration, float))[::-1]
    allowed = allowed_above(known.size, rate)
    return math.inf if allowed < 1 else float(np.nextafter(known[allowed - 1], math.inf))


def allowed_above(n: int, rate: float) -> int:
    """k = floor(rate (n + 1)): an item is an anomaly where fewer than k of the n held-out ones are as strange."""
    return math.floor(rate * (n + 1) + 1e-9)


def fewest_for(rate: float) -> int:
    """How many held-out items a false-alarm rate needs at least."""
    return math.ceil(1 / rate - 1e-9) - 1


def false_alarms(n: int, fresh: int, rate: float, level: float = 0.999) -> tuple[int, int]:
    """Bounds on how many of `fresh` new normal items raise an alarm, with probability `level`, n items held out.

    Without ties the rate given the held-out items is Beta(k, n + 1 - k) with k = floor(rate (n + 1)) (Vovk 2012,
    proposition 2a), so the count is beta-binomial; the bounds hold each tail to half of what is left.
    """
    from scipy.stats import betabinom

    k = allowed_above(n, rate)
    if k < 1:
        return 0, 0
    tail = (1 - level) / 2
    law = betabinom(fresh, k, n + 1 - k)
    return int(law.ppf(tail)), int(law.ppf(1 - tail))

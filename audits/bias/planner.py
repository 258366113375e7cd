"""How many items must be generated to see a gap, when the classifier that names their groups errs?"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import ndtri

MOST = 10**9


@dataclass(frozen=True)
class Plan:
    """`items` to generate, or None: no number is enough. `validation` is the least a class for any to be.

    `reading` says it in one sentence; `power` is what was asked for.
    """

    items: int | None
    validation: int | None
    power: float
    reading: str


def items_for_gap(
    gap: float, *, share: float = 0.5, accuracy: tuple[float, float] = (1.0, 1.0), validation: int | None = None,
    power: float = 0.8, level: float = 0.95,
) -> Plan:  # fmt: skip
    """The items needed to tell a true share of `share` + `gap` from the reference `share` with probability `power`.

    `accuracy` is that of the classifier on the group and on the rest, measured on `validation` items of each
    (None: known exactly). The test is two-sided at 1 - `level` with the variance of the corrected share p,
    [q(1-q)/n + p^2 a0(1-a0)/m + (1-p)^2 a1(1-a1)/m] / (a0 + a1 - 1)^2 (Rogan & Gladen 1978): generating more
    shrinks only its first term, so with too few validation items no number is enough. ValueError on bad numbers.
    """
    a0, a1 = accuracy
    if not (0 < share < 1 and 0 < share + gap < 1 and gap != 0):
        raise ValueError(f"The share {share} and the gap {gap} must leave two different shares between 0 and 1.")
    if not (0 <= a0 <= 1 and 0 <= a1 <= 1 and a0 + a1 > 1):
        raise ValueError(f"The accuracies {a0} and {a1} are no better than chance: their sum must be above 1.")
    if validation is not None and validation < 1:
        raise ValueError(f"validation is {validation}; it must be at least 1 item a class.")
    if not (0 < power < 1 and 0.5 <= level < 1):
        raise ValueError("power must be between 0 and 1, level from 0.5 to below 1.")

    z_level, z_power = float(ndtri((1 + level) / 2)), float(ndtri(power))

    def enough(n: float, m: float) -> bool:
        spreads = [_spread(p, a0, a1, n, m) for p in (share, share + gap)]
        return z_level * spreads[0] + z_power * spreads[1] <= abs(gap)

    m = math.inf if validation is None else validation
    least = _least(lambda v: enough(math.inf, v * (1 + 1e-9)))
    if not enough(math.inf, m):
        reading = (
            f"Never: with {validation:,} validation items a class no number of generated items shows a gap of "
            f"{abs(gap):.3g}; label more than {least:,} validation items a class."
        )
        return Plan(None, least, power, reading)
    items = _least(lambda n: enough(n, m))
    if items > MOST:
        return Plan(None, least, power, f"Never: more than {MOST:,} items; label more validation items.")
    reading = f"{items:,} items show a gap of {abs(gap):.3g} from {share:.3g} with probability {power:.0%}."
    return Plan(items, least, power, reading)


def detectable_gap(
    n: int, *, share: float = 0.5, accuracy: tuple[float, float] = (1.0, 1.0), validation: int | None = None,
    power: float = 0.8, level: float = 0.95,
) -> float:  # fmt: skip
    """The smallest gap above `share` that `n` items show with probability `power`; NaN where there is none."""
    low, high = 0.0, 1 - share - 1e-9
    options = {"share": share, "accuracy": accuracy, "validation": validation, "power": power, "level": level}

    def shown(gap: float) -> bool:
        plan = items_for_gap(gap, **options)
        return plan.items is not None and plan.items <= n

    if not shown(high):
        return math.nan
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if shown(middle) else (middle, high)
    return high


def _spread(p: float, a0: float, a1: float, n: float, m: float) -> float:
    q = p * a0 + (1 - p) * (1 - a1)
    variance = q * (1 - q) / n + (p * p * a0 * (1 - a0) + (1 - p) ** 2 * a1 * (1 - a1)) / m
    return math.sqrt(variance) / (a0 + a1 - 1)


def _least(enough) -> int:
    """The smallest whole number from 1 that is enough; MOST + 1 where none is."""
    high = 1
    while not enough(high):
        high *= 2
        if high > MOST:
            return MOST + 1
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high

"""Copies of training items among generated ones, judged by what held-out real items show.

An item is suspicious when its nearest training item is much nearer than the next ones: the distance to the
nearest over the mean distance to the 50 nearest (after Carlini et al. 2023). Held-out items were never
trained on, so whatever they show is chance: they set the threshold and the floor.
"""

from __future__ import annotations

import numpy as np

from audits.quality.features import FeatureError
from audits.quality.neighbours import nearest_distances
from audits.report import Finding, against_floor, figure


def copy_ratios(items, train, *, neighbours: int = 50) -> np.ndarray:
    """Distance (n,) of each item to its nearest training item, over the mean to the `neighbours` nearest.

    In [0, 1]; 0 is an exact copy. `items` (n, w), `train` (m, w) with m >= `neighbours`, else FeatureError.
    """
    distances = nearest_distances(items, train, k=neighbours)
    means = distances.mean(1)
    return np.divide(distances[:, 0], means, out=np.zeros(len(means)), where=means > 0)


def nearest_copies(fake, train, held_out, *, quantile: float = 0.001, level: float = 0.95) -> Finding:
    """The share of generated items nearer to a training item than the `quantile` of held-out items are.

    All arguments are features (n, w) of one judge; see `copies_finding`.
    """
    return copies_finding(copy_ratios(fake, train), copy_ratios(held_out, train), quantile=quantile, level=level)


def copies_finding(ratios, expected, *, quantile: float = 0.001, level: float = 0.95) -> Finding:
    """The same from the copy ratios (n,) of generated and `expected` (m,) of held-out items.

    The interval is Wilson's; the floor is the share of held-out items under the same threshold. The verdict
    compares the two intervals, because the threshold rests on few held-out items: `quantile` times their number.
    """
    from statsmodels.stats.proportion import proportion_confint

    if not 0 < quantile < 1:
        raise FeatureError(f"quantile is {quantile}; it must lie between 0 and 1.")
    threshold = np.quantile(expected, quantile, method="lower")
    flagged, chance = int((ratios <= threshold).sum()), int((expected <= threshold).sum())
    share, floor = flagged / len(ratios), chance / len(expected)
    low, high = proportion_confint(flagged, len(ratios), alpha=1 - level, method="wilson")
    floor_low, floor_high = proportion_confint(chance, len(expected), alpha=1 - level, method="wilson")
    verdict = "worse" if low > floor_high else "better" if high < floor_low else "cannot tell"
    reading = (
        f"{flagged:,} of {len(ratios):,} generated items are suspiciously near a training item; "
        f"{chance:,} of {len(expected):,} held-out real items are as near by chance."
    )
    name = "copies of training items"
    low, high = min(low, share), max(high, share)
    return Finding(name, share, low, high, len(ratios), "share", floor, verdict, reading)


def nearest_distance_ratio(fake, train, held_out, *, draws: int = 1000, level: float = 0.95, seed: int = 0) -> Finding:
    """Median distance to the nearest training item, generated over held-out items, with a bootstrap interval.

    Near 1 for a generator that neither copies nor drifts away; below 1 it stays closer to its training items
    than new real items do. Generated and held-out items are resampled, the training set is kept, so no item
    is its own neighbour. Raises FeatureError when half of the held-out items are also training items.
    """
    near = nearest_distances(fake, train, k=1)[:, 0]
    expected = nearest_distances(held_out, train, k=1)[:, 0]
    if np.median(expected) == 0:
        raise FeatureError("Half of the held-out items are also training items: hold out others.")
    value = float(np.median(near) / np.median(expected))
    rng = np.random.default_rng(seed)
    ratios = []
    for _ in range(draws):
        top = np.median(near[rng.integers(len(near), size=len(near))])
        bottom = np.median(expected[rng.integers(len(expected), size=len(expected))])
        ratios.append(top / bottom if bottom > 0 else np.inf)
    tail = (1 - level) / 2
    low, high = np.quantile(ratios, [tail, 1 - tail], method="inverted_cdf")
    reading = f"A generated item is {figure(value)} times as far from the training set as a new real item is."
    low, high = min(float(low), value), max(float(high), value)
    verdict = against_floor(low, high, 1.0, lower_is_better=False)
    return Finding("nearest distance ratio", value, low, high, len(near), "ratio", 1.0, verdict, reading)

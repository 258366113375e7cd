"""How good a map is: whether neighbours on it are neighbours in the data, and the other way round.

Trustworthiness falls with points that come near on the map without being near in the data, continuity with points that
are near in the data and torn apart on the map (Venna and Kaski 2001, equations 1 and 2). Intervals are normal ones of
the mean over items, and Wilson's for the share of items that their neighbours on the map name rightly.
"""

from dataclasses import dataclass

import numpy as np

NEIGHBOURS = 12  # of trustworthiness and continuity
VOTERS = 15  # of the k-NN accuracy


@dataclass(frozen=True)
class Score:
    """A figure with its 95 % interval and the number of items behind it."""

    value: float
    low: float
    high: float
    n: int


def trustworthiness(items: np.ndarray, places: np.ndarray, k: int = NEIGHBOURS) -> Score:
    """How far neighbours on the map, (n, 2) or (n, d), can be trusted to be neighbours among the items, (n, ...)."""
    return mean_score(1 - intrusion(items, places, k))


def continuity(items: np.ndarray, places: np.ndarray, k: int = NEIGHBOURS) -> Score:
    """How far neighbours among the items stay neighbours on the map."""
    return mean_score(1 - intrusion(places, items, k))


def intrusion(truth: np.ndarray, shown: np.ndarray, k: int) -> np.ndarray:
    """For each item, the ranks above k in `truth` of its k nearest in `shown`, summed and scaled to [0, 1], (n,).

    Raises:
        ValueError: there are too few items for k neighbours.
    """
    n = len(truth)
    if not 0 < k < n / 2:
        raise ValueError(f"{k} neighbours need more than {2 * k} items; {n} were given.")
    ranks = np.empty((n, n), np.int32)
    order = np.argsort(distances(truth, truth, own=True), axis=1, kind="stable")
    np.put_along_axis(ranks, order, np.broadcast_to(np.arange(1, n + 1, dtype=np.int32), (n, n)), 1)
    nearest = np.argsort(distances(shown, shown, own=True), axis=1, kind="stable")[:, :k]
    beyond = np.maximum(np.take_along_axis(ranks, nearest, 1) - k, 0).sum(1)
    return beyond * 2.0 / (k * (2 * n - 3 * k - 1))


def knn_accuracy(
    places: np.ndarray, labels: np.ndarray, known: tuple[np.ndarray, np.ndarray] | None = None, k: int = VOTERS
) -> Score:
    """The share of items that the majority of their k nearest names rightly.

    Args:
        known: places and labels to look among, such as the training items'; without them the other items
            (leave one out).
    """
    from statsmodels.stats.proportion import proportion_confint

    among, told = (places, labels) if known is None else known
    classes, right = int(max(labels.max(), told.max())) + 1, 0
    for start in range(0, len(places), 500):
        rows = slice(start, start + 500)
        away = distances(places[rows], among)
        if known is None:
            away[np.arange(len(away)), np.arange(start, start + len(away))] = np.inf
        nearest = np.argpartition(away, k, axis=1)[:, :k]
        votes = np.apply_along_axis(np.bincount, 1, told[nearest], minlength=classes)
        right += int((votes.argmax(1) == labels[rows]).sum())
    value = right / len(places)
    low, high = proportion_confint(right, len(places), method="wilson")
    return Score(value, min(low, value), max(high, value), len(places))


def distances(a: np.ndarray, b: np.ndarray, *, own: bool = False) -> np.ndarray:
    """Squared Euclidean distances (n, m); with `own`, an item's distance to itself is infinite."""
    a, b = (np.asarray(x, np.float64).reshape(len(x), -1) for x in (a, b))
    found = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    if own:
        np.fill_diagonal(found, np.inf)
    return found


def mean_score(values: np.ndarray) -> Score:
    """The mean of values, one an item, with its normal interval."""
    value, half = float(values.mean()), 1.96 * float(values.std(ddof=1)) / len(values) ** 0.5
    return Score(value, value - half, value + half, len(values))

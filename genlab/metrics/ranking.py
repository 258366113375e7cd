"""How well a score tells anomalies from normal items: the ROC and precision-recall curves and the areas under them."""

from typing import NamedTuple

import numpy as np


class Area(NamedTuple):
    """An area under a ROC curve and its interval."""

    value: float
    low: float
    high: float


class Curves(NamedTuple):
    """Points of both curves, one for each distinct score from the strangest down; the first raises no alarm."""

    false_alarms: np.ndarray  # share of normal items above the score
    found: np.ndarray  # share of anomalies above it: recall
    precision: np.ndarray  # share of anomalies among all above it; 1 where nothing is


def auroc(scores: np.ndarray, anomaly: np.ndarray, level: float = 0.95) -> Area:
    """The chance that an anomaly scores above a normal item, ties half, with the interval of DeLong et al. (1988).

    Raises:
        ValueError: one of the two kinds is missing.
    """
    from scipy.special import ndtri
    from scipy.stats import rankdata

    scores, anomaly = _checked(scores, anomaly)
    ranks, m, n = rankdata(scores), int(anomaly.sum()), int((~anomaly).sum())
    above = (ranks[anomaly] - rankdata(scores[anomaly])) / n  # for each anomaly the share of normal items below it
    below = 1 - (ranks[~anomaly] - rankdata(scores[~anomaly])) / m
    value = float(above.mean())
    spread = np.sqrt((above.var(ddof=1) if m > 1 else 0.25) / m + (below.var(ddof=1) if n > 1 else 0.25) / n)
    half = float(ndtri((1 + level) / 2)) * spread
    return Area(value, max(0.0, value - half), min(1.0, value + half))


def curves(scores: np.ndarray, anomaly: np.ndarray) -> Curves:
    """Both curves; ValueError where one of the two kinds is missing."""
    scores, anomaly = _checked(scores, anomaly)
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)  # of each run of equal scores
    hits, alarms = np.cumsum(anomaly[order])[last], np.flatnonzero(last) + 1
    missed = alarms - hits
    found, wrong = hits / anomaly.sum(), missed / (~anomaly).sum()
    return Curves(np.append(0.0, wrong), np.append(0.0, found), np.append(1.0, hits / alarms))


def average_precision(scores: np.ndarray, anomaly: np.ndarray) -> float:
    """Precision averaged over the steps of recall; chance level is the share of anomalies."""
    drawn = curves(scores, anomaly)
    return float(np.sum(np.diff(drawn.found) * drawn.precision[1:]))


def _checked(scores: np.ndarray, anomaly: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scores, anomaly = np.asarray(scores, float), np.asarray(anomaly, bool)
    if scores.shape != anomaly.shape or not anomaly.any() or anomaly.all():
        raise ValueError("Curves need the scores of at least one normal item and one anomaly.")
    return scores, anomaly

"""The true shares behind predictions when a person has looked at some of the items: post-stratified labels."""

from __future__ import annotations

import numpy as np
import pandas as pd

from audits.bias.confusion import dirichlet

CELLS = 2**22  # random numbers held at once


def to_label(predicted: pd.Series, count: int = 100, *, seed: int = 0) -> list:
    """Items to label by hand (their index in `predicted`), drawn within predicted groups and shuffled.

    Every group gets the same number, because the estimate weighs them afterwards; a group with fewer items gives all
    it has and the others share the rest. The order says nothing about the group. ValueError below 1 item.
    """
    if count < 1:
        raise ValueError(f"At least one item must be labelled; {count} was given.")
    rng = np.random.default_rng(seed)
    waiting = {name: list(rng.permutation(len(rows))) for name, rows in predicted.groupby(predicted, sort=True)}
    rows = {name: group.index for name, group in predicted.groupby(predicted, sort=True)}
    drawn = []
    while len(drawn) < min(count, len(predicted)):
        for name in [name for name in waiting if waiting[name]]:
            if len(drawn) < count:
                drawn.append(rows[name][waiting[name].pop()])
    return [drawn[i] for i in rng.permutation(len(drawn))]


def poststratified(counts: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The shares (K,): sum over c of (share predicted c) x (share of each label among those predicted c).

    `counts` (K,) are predictions; `labels` (K, K) hand labels, row predicted and column true. Where nobody has
    looked at a predicted class the prediction is taken as it is.
    """
    looked = labels.sum(1, keepdims=True)
    given = np.where(looked > 0, labels / np.maximum(looked, 1), np.eye(len(counts)))
    return counts / counts.sum() @ given


def poststratified_bounds(
    counts: np.ndarray, labels: np.ndarray, *, tail: float, draws: int, rng: np.random.Generator, folder: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bounds (K,) of the true shares, each passed with probability at most `tail`.

    Within a predicted class the labels of a group are a binomial, whose rate is drawn from a beta distribution.
    A whole item of prior weight on the far side would be Clopper & Pearson's interval, half an item Jeffreys',
    which misses too often after a shift: for agreeing labels a third of an item is put below and two thirds
    above. The K - 1 classes that disagree share theirs, 1/3(K - 1) below and 2/3 sqrt(K - 1) above, because
    their errors add up. With `folder` the shares are those of the items given: labelled items are known, only
    the others are drawn.
    """
    groups = len(counts)
    others = max(1, groups - 1)
    agree = np.eye(groups, dtype=bool)
    below = np.where(agree, 1 / 3, 1 / (3 * others))
    above = np.where(agree, 2 / 3, 2 / (3 * np.sqrt(others)))
    low = _draws(counts, labels, below, draws, rng, folder)
    high = _draws(counts, labels, above, draws, rng, folder)
    return np.quantile(low, tail, axis=0), np.quantile(high, 1 - tail, axis=0)


def _draws(counts, labels, prior, draws, rng, folder) -> np.ndarray:
    step = max(1, CELLS // labels.size)
    return np.concatenate(
        [_some(counts, labels, prior, min(step, draws - done), rng, folder) for done in range(0, draws, step)]
    )


def _some(counts, labels, prior, draws, rng, folder) -> np.ndarray:
    looked = labels.sum(1, keepdims=True)
    rates = rng.beta(labels + prior, looked - labels + 1 - prior, size=(draws, *labels.shape))
    if not folder:
        return np.einsum("dc,dck->dk", dirichlet(counts + 0.5, draws, rng), rates)
    unseen = (counts[:, None] - looked).astype(np.int64)
    return (labels + rng.binomial(unseen, rates)).sum(1) / counts.sum()

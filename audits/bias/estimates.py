"""The shares of groups in one set: as predicted, corrected by validation, or post-stratified by hand labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audits.bias.confusion import dirichlet, informative, truth_draws, truths
from audits.bias.intervals import goodman, lang_reiczigel
from audits.bias.labelled import poststratified, poststratified_bounds

DRAWS = 4000


@dataclass(frozen=True)
class Shares:
    """Shares (K,) with simultaneous bounds (K,) and draws of their error (draws, K), centred at zero.

    `method` says in a few words where they come from; `usable` is false where a classifier is too poor to tell.
    """

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    noise: np.ndarray
    method: str
    usable: bool = True


def as_predicted(counts: np.ndarray, *, level: float, seed: int, folder: bool = False) -> Shares:
    """The shares of the predictions `counts` (K,) themselves: Wilson for one or two groups, Goodman for more."""
    n = int(counts.sum())
    share = counts / n
    if folder:
        return Shares(share, share, share, np.zeros((1, len(counts))), "counted")
    _, low, high = goodman(counts, level=level)
    noise = np.random.default_rng(seed).multinomial(n, share, size=DRAWS) / n - share
    return Shares(share, low, high, noise, "Wilson" if len(counts) <= 2 else "Goodman")


def corrected(
    counts: np.ndarray, confusion: np.ndarray, *, level: float, seed: int, folder: bool = False,
    draws: int = DRAWS,
) -> Shares:  # fmt: skip
    """The true shares given validation items `confusion` (K, K), row true and column predicted.

    Two groups: Lang & Reiczigel's interval. More: draws of confusion and predictions solved for the truth, with
    the quantiles at (1 - level) / 2K on either side.
    """
    n, groups = counts.sum(), len(counts)
    rng = np.random.default_rng(seed)
    drawn = truth_draws(counts, confusion, draws=draws, rng=rng, folder=folder)
    usable = bool((informative(confusion) > 0).all())
    items = confusion.sum(1)
    if groups == 2:
        hits = np.diag(confusion)
        value, low, high = lang_reiczigel(
            counts, n, hits=hits, items=items, other_hits=hits[::-1], other_items=items[::-1], level=level,
            folder=folder,
        )  # fmt: skip
        return Shares(value, low, high, drawn - drawn.mean(0), "Lang-Reiczigel", usable)
    value = truths(confusion / items[:, None], counts / n) if usable else counts / n
    tail = (1 - level) / (2 * groups)
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0) if usable else (np.zeros(groups), np.ones(groups))
    return Shares(
        value, np.minimum(low, value), np.maximum(high, value), drawn - drawn.mean(0), "confusion draws", usable
    )


def from_labels(
    counts: np.ndarray, labels: np.ndarray, *, level: float, seed: int, folder: bool = False,
    draws: int = DRAWS,
) -> Shares:  # fmt: skip
    """The true shares given hand labels (K, K) of some items, row predicted and column true."""
    groups = len(counts)
    rng = np.random.default_rng(seed)
    tail = (1 - level) / (2 * (groups if groups > 2 else 1))
    value = poststratified(counts, labels)
    low, high = poststratified_bounds(counts, labels, tail=tail, draws=draws, rng=rng, folder=folder)
    share = dirichlet(counts + 0.5, draws // 2, rng)
    given = np.stack([dirichlet(row + 1 / groups, draws // 2, rng) for row in labels], axis=1)
    noise = np.einsum("dc,dck->dk", share, given)
    return Shares(
        value, np.clip(low, 0, value), np.clip(high, value, 1), noise - noise.mean(0), "hand labels, post-stratified"
    )

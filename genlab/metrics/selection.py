"""Mitigations that look at decoded pictures: they choose among them, or retouch them.

Rejection and resampling choose, and are dear. Retouching is here as a warning: it optimises the classifier itself,
which soon says what was asked, while any other instrument sees what it saw before.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from genlab.metrics.mitigation import Drawn, Halves, Pool, Reader, allocate, streams
from genlab.models.contract import Images
from genlab.seeds import Seeds

TRIES = 400  # candidates an item, after which rejection gives up


@dataclass(frozen=True)
class Rejection:
    """Draws items from a seed's own streams until the classifier reads the group asked for (von Neumann 1951).

    The first candidate is the model's own item of that seed. After `TRIES` candidates the last one is kept.
    """

    cut: Halves
    read: Reader
    target: np.ndarray

    def draw(self, seeds: Seeds) -> Drawn:
        """Items of these seeds."""
        asked, n = allocate(seeds, self.target).numpy(), len(seeds)
        images: list[Tensor | None] = [None] * n
        waiting, decodes = np.arange(n), np.zeros(n, np.int64)
        for turn in range(TRIES):
            stream = streams(seeds, waiting, turn)
            made = self.cut.decode(self.cut.draw(stream), stream)
            right = self.read(made).argmax(1).cpu().numpy() == asked[waiting]
            decodes[waiting] += 1
            for place in np.flatnonzero(right | (turn == TRIES - 1)):
                images[waiting[place]] = made[place].clone()
            waiting = waiting[~right]
            if not len(waiting):
                break
        return Drawn(torch.stack(images), decodes)


@dataclass(frozen=True)
class Resampled:
    """Draws items from a pool that was decoded before, each pool item by its weight (Rubin 1987: SIR).

    The pool keeps latents, so the item chosen is decoded again. Items may repeat.
    """

    cut: Halves
    pool: Pool
    weights: np.ndarray

    def chosen(self, seeds: Seeds) -> np.ndarray:
        """The place in the pool of every item, (n,)."""
        edges = np.cumsum(self.weights) / self.weights.sum()
        return np.searchsorted(edges, seeds.rand(1)[:, 0].double().cpu().numpy(), side="right").clip(max=len(edges) - 1)

    def draw(self, seeds: Seeds) -> Drawn:
        """Items of these seeds; the pool's own cost comes on top."""
        latents = self.pool.latents[torch.from_numpy(self.chosen(seeds))]
        return Drawn(self.cut.decode(latents.to(seeds.device), seeds), np.ones(len(seeds), np.int64))


def effective(weights: np.ndarray) -> float:
    """The effective size of a pool with these weights, (sum w)^2 / sum w^2 (Kong 1992)."""
    return float(weights.sum() ** 2 / np.square(weights).sum())


def label_weights(pool: Pool, target: np.ndarray) -> np.ndarray:
    """Weights (m,) that give every group its target share: target over how many the pool has."""
    counts = np.bincount(pool.groups.numpy(), minlength=len(target))
    return (target / np.maximum(counts, 1))[pool.groups.numpy()]


def density_ratio(drawn: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """p_reference / p_model at the features `drawn` (m, w), from a classifier that tells them from `reference` (r, w).

    w(x) = c(x) / (1 - c(x)) times m / r (Choi et al. 2020, equation 6; on a trained model: Grover et al. 2019). No
    group is named: only the small reference set says what is wanted. Logistic regression, its penalty by
    cross-validation.
    """
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x = np.concatenate([drawn, reference])
    side = np.r_[np.zeros(len(drawn)), np.ones(len(reference))]
    model = make_pipeline(StandardScaler(), LogisticRegressionCV(Cs=5, cv=5, scoring="neg_log_loss", max_iter=1000))
    logits = model.fit(x, side).decision_function(drawn)
    return np.exp(logits - logits.max()) * len(drawn) / len(reference)


@dataclass(frozen=True)
class Retouched:
    """Goodhart's case: the model's own item, its pixels nudged until the classifier says what is asked.

    Projected steps up the gradient of the log-chance (Goodfellow et al. 2015; Madry et al. 2018), no pixel
    further than `reach` from where it was. One decode an item and no group is moved anywhere: only the instrument is.

    Attributes:
        score: logits (n, K) of pictures, with a gradient.
        reach, step: in pixel values from 0 to 1.
        turns: steps after which an item is left as it is.
    """

    cut: Halves
    score: Callable[[Images], Tensor]
    target: np.ndarray
    reach: float = 24 / 255
    step: float = 2 / 255
    turns: int = 40

    def draw(self, seeds: Seeds) -> Drawn:
        """Items of these seeds."""
        asked = allocate(seeds, self.target).to(seeds.device)
        images = self.cut.decode(self.cut.draw(seeds), seeds)
        low, high = (images - self.reach).clamp(min=0), (images + self.reach).clamp(max=1)
        waiting = torch.arange(len(seeds), device=seeds.device)
        for _ in range(self.turns):
            with torch.enable_grad():
                now = images[waiting].requires_grad_()
                chances = self.score(now).log_softmax(1)
                slope = torch.autograd.grad(chances[torch.arange(len(now)), asked[waiting]].sum(), now)[0]
            left = chances.argmax(1) != asked[waiting]
            waiting = waiting[left]
            if not len(waiting):
                break
            moved = now.detach()[left] + self.step * slope[left].sign()
            images[waiting] = moved.clamp(low[waiting], high[waiting])
        return Drawn(images, np.ones(len(seeds), np.int64))

"""A mitigation as plain data: what was learnt of a model for one attribute and one target, and the method it makes.

A Fit holds arrays and small networks and no generator, so that it can be kept, and sent to another process.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from genlab.metrics.latent_groups import Guess, Planes, by_direction, by_mixture, by_screening, learn, mixtures, planes
from genlab.metrics.mitigation import Drawn, Halves, Placer, Plain, Pool, Reader, Steered, drawing_shares
from genlab.metrics.selection import Rejection, Resampled, Retouched, density_ratio, label_weights
from genlab.models.contract import Images
from genlab.models.prior import Mixture
from genlab.seeds import Seeds

PLACED = ("screened", "mixture", "direction")  # choose latents before decoding; they are calibrated
CHOSEN = ("resampling", "reweighting")  # choose among a pool that was decoded before
METHODS = ("plain", *PLACED, *CHOSEN, "rejection", "retouched")


@dataclass(frozen=True)
class Fit:
    """What a method has learnt.

    Attributes:
        method: one of `METHODS`.
        target: the share wanted of each group, (K,).
        pool: latents whose pictures were read; the plain model, rejection and retouching need none.
        learnt: a Mixture, Planes with their covariance, a Guess, or the pool's weights (m,); see `learn_from`.
        obeyed: groups asked for by groups read, (K, K), of the calibration of the methods in `PLACED`.
    """

    method: str
    target: np.ndarray
    pool: Pool | None = None
    learnt: Mixture | tuple[Planes, Tensor] | Guess | np.ndarray | None = None
    obeyed: np.ndarray | None = None


def learn_from(
    method: str, pool: Pool, target: np.ndarray, *, drawn: np.ndarray | None = None, reference: np.ndarray | None = None
) -> Fit:
    """What the method learns from a pool; those in `PLACED` are still to be calibrated.

    Args:
        drawn, reference: for reweighting, features of the pool's pictures (m, w) and of real items that have the
            shares wanted (r, w).
    """
    groups = len(target)
    if method == "mixture":
        return Fit(method, target, pool, mixtures(pool.latents, pool.groups, groups))
    if method == "direction":
        return Fit(method, target, pool, planes(pool.latents, pool.groups, groups))
    if method == "screened":
        return Fit(method, target, pool, learn(pool))
    if method == "resampling":
        return Fit(method, target, pool, label_weights(pool, target))
    if method == "reweighting":
        return Fit(method, target, pool, density_ratio(drawn, reference))
    return Fit(method, target)


def placer(fit: Fit, cut: Halves) -> Placer:
    """Where a fit of `PLACED` puts latents."""
    if fit.method == "mixture":
        return by_mixture(cut, fit.learnt)
    if fit.method == "direction":
        return by_direction(cut, *fit.learnt)
    return by_screening(lambda seeds, asked: cut.draw(seeds), fit.learnt)


def drawer(fit: Fit, cut: Halves, read: Reader, score: Callable[[Images], Tensor]) -> Callable[[Seeds], Drawn]:
    """The method itself: items by their seeds. `read` gives chances, `score` logits with a gradient."""
    if fit.method in PLACED:
        return Steered(cut, placer(fit, cut), drawing_shares(fit.obeyed, fit.target), fit.obeyed).draw
    if fit.method in CHOSEN:
        return Resampled(cut, fit.pool, fit.learnt).draw
    if fit.method == "rejection":
        return Rejection(cut, read, fit.target).draw
    if fit.method == "retouched":
        return Retouched(cut, score, fit.target).draw
    return Plain(cut).draw

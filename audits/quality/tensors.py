"""The Fréchet distance and the neighbour figures of features that lie on a CUDA device, in float64 there.

`frechet_distance` and `prdc` come here by themselves when they are given torch tensors on such a device; the values
are those of the CPU up to rounding. This package does not need torch: whoever has such tensors has loaded it.
"""

from __future__ import annotations

import sys

import numpy as np

from audits.quality.features import FeatureError

BLOCK = 2048  # rows whose distances to all others are held at once


def on_device(*sets) -> bool:
    """Whether all of these are torch tensors on a CUDA device."""
    return all(type(x).__module__.startswith("torch") and getattr(x, "is_cuda", False) for x in sets)


def _library(x):
    """The package that a tensor comes from."""
    return sys.modules[type(x).__module__.partition(".")[0]]


def as_tensor(x, name: str, *, rows: int = 2):
    """`x` as a finite float64 tensor of shape (n, width) with n >= `rows`; FeatureError otherwise."""
    if x.ndim != 2 or x.shape[1] == 0:
        raise FeatureError(f"The {name} features must have shape (items, width), not {tuple(x.shape)}.")
    if len(x) < rows:
        raise FeatureError(f"The {name} features have {len(x)} rows; at least {rows} are needed.")
    if not bool(x.isfinite().all()):
        raise FeatureError(f"The {name} features contain NaN or infinite values; remove those items first.")
    return x.double()


def frechet_distance(a, b) -> float:
    """As `audits.quality.frechet.frechet_distance`: the same factorisation, or singular values where that fails."""
    mean_a, mean_b = a.mean(0), b.mean(0)
    one, other = (_covariance(x, mean) for x, mean in ((a, mean_a), (b, mean_b)))
    traces = one.trace() + other.trace()
    value = (mean_a - mean_b).square().sum() + traces - 2 * _cross(one, other)
    return max(0.0, float(value))


def _covariance(x, mean):
    centred = x - mean
    return centred.T @ centred / (len(x) - 1)


def _cross(a, b):
    """tr (a b)^(1/2)."""
    alive = (a.diagonal() > 0) & (b.diagonal() > 0)
    if not bool(alive.all()):
        a, b = a[alive][:, alive], b[alive][:, alive]
    if not a.numel():
        return a.new_zeros(())
    lower, failed = _library(a).linalg.cholesky_ex(a)
    if not bool(failed):
        inner = lower.T @ b @ lower
        values = _library(a).linalg.eigvalsh((inner + inner.T) / 2)
        roots = values.clamp(min=0).sqrt()
        rounding = np.finfo(np.float64).eps * values[-1] * (0.5 / roots).sum()
        if bool(values[0] > 0) and bool(rounding < 1e-9 * roots.sum()):
            return roots.sum()
    return _library(a).linalg.svdvals(_factor(a) @ _factor(b).T).sum()


def _factor(covariance):
    """A with A^T A = covariance."""
    values, vectors = _library(covariance).linalg.eigh(covariance)
    return values.clamp(min=0).sqrt()[:, None] * vectors.T


def prdc(real, fake, *, k: int) -> dict[str, float]:
    """Precision, recall, density and coverage, as `audits.quality.neighbours.prdc` counts them."""
    centre = real.mean(0)
    real, fake = real - centre, fake - centre
    real_radius, fake_radius = _radii(real, k), _radii(fake, k)
    balls = real.new_zeros(len(fake))
    reached = covered = 0
    for start in range(0, len(real), BLOCK):
        rows = slice(start, start + BLOCK)
        squared = _squared(real[rows], fake)
        held = squared < real_radius[rows, None]
        balls += held.sum(0)
        covered += held.any(1).sum()
        reached += (squared < fake_radius).any(1).sum()
    found = [(balls > 0).double().mean(), float(reached) / len(real), balls.mean() / k, float(covered) / len(real)]
    return dict(zip(("precision", "recall", "density", "coverage"), map(float, found), strict=True))


def _radii(x, k: int):
    """Squared distance (n,) from each item to its k-th nearest neighbour, itself not counted."""
    found = []
    for start in range(0, len(x), BLOCK):
        squared = _squared(x[start : start + BLOCK], x)
        squared[range(len(squared)), range(start, start + len(squared))] = float("inf")
        found.append(squared.topk(k, largest=False, sorted=True).values[:, -1])
    return _library(x).cat(found)


def _squared(a, b):
    """Squared distances (n, m); what rounding alone explains is zero."""
    a_norms, b_norms = a.square().sum(1), b.square().sum(1)
    squared = (a @ b.T).mul_(-2).add_(a_norms[:, None]).add_(b_norms)
    rounding = 8 * np.finfo(np.float64).eps * float(a_norms.max() + b_norms.max())
    return squared.masked_fill_(squared < rounding, 0.0)

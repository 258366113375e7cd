"""Fréchet distance between two sets of features, each summarised by a Gaussian.

d^2 = |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))   (Dowson & Landau 1982; FID of Heusel et al. 2017)

With S1 = L L^T (Cholesky) the last trace is that of (L^T S2 L)^(1/2), whose eigenvalues are real and positive. Where
they are too near zero for that, it is the sum of the singular values of A1 A2^T, S = A^T A: no square root of an
eigenvalue that rounding made negative, so two equal sets are at distance zero to machine precision.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import svdvals
from scipy.linalg.blas import dsyrk
from scipy.linalg.lapack import dpotrf, dsygst
from scipy.special import stdtrit

from audits.quality import tensors
from audits.quality.features import FeatureError, as_features, same_width
from audits.report import Finding, against_floor, figure

BLOCK = 1024  # rows that are centred at once
EXACT = 1e-9  # relative error that rounding may leave in the trace before the slower way is taken


def frechet_distance(a, b) -> float:
    """The squared Fréchet distance (what "FID" reports) between features `a` (n, w) and `b` (m, w).

    Computed in float64 with unbiased covariances, on the CUDA device where both lie there as torch tensors. Raises
    FeatureError on fewer than two rows, different widths, NaN or infinity. The plug-in value is biased upwards by about
    1/n + 1/m: compare sets of one size.
    """
    if tensors.on_device(a, b):
        a, b = tensors.as_tensor(a, "first"), tensors.as_tensor(b, "second")
        same_width(a, b)
        return tensors.frechet_distance(a, b)
    a, b = as_features(a, "first"), as_features(b, "second")
    same_width(a, b)
    return gaussian_frechet(a.mean(0), _covariance(a), b.mean(0), _covariance(b))


def gaussian_frechet(mean_a, covariance_a, mean_b, covariance_b) -> float:
    """The squared Fréchet distance between two Gaussians; means (w,), covariances (w, w)."""
    shift = mean_a - mean_b
    value = shift @ shift + np.trace(covariance_a) + np.trace(covariance_b) - 2 * _cross(covariance_a, covariance_b)
    return max(0.0, float(value))


def frechet_finding(
    real, fake, *, floor: float | None = None, blocks: int = 20, level: float = 0.95, seed: int = 0
) -> Finding:
    """The Fréchet distance with a two-sample delete-a-block jackknife interval.

    Each set is dealt at random into `blocks` disjoint blocks; the distance is computed again without each of
    them, and the variance is the sum over both sets of (B - 1)/B times their squared deviations (Künsch 1989;
    Busing et al. 1999), with a t quantile of B - 1 degrees of freedom. The distance is a smooth function of
    moments, for which the jackknife is consistent; a bootstrap is not used because resampled items repeat and
    push the distance up. The interval covers the expectation of the distance *at this size*: it says nothing
    about the bias, which the `floor` shows.
    """
    real, fake = as_features(real, "real"), as_features(fake, "generated")
    same_width(real, fake)
    blocks = min(blocks, len(real) // 2, len(fake) // 2)
    if blocks < 2:
        raise FeatureError("An interval for the Fréchet distance needs at least 4 items in each set.")
    rng = np.random.default_rng(seed)
    value = frechet_distance(real, fake)
    centre = real.mean(0)
    whole_real, whole_fake = _summary(real - centre), _summary(fake - centre)
    variance = 0.0
    for moved, whole, other in ((real, whole_real, whole_fake), (fake, whole_fake, whole_real)):
        fixed = _moments(other)
        left_out = []
        for block in np.array_split(rng.permutation(len(moved)), blocks):
            rest = [w - s for w, s in zip(whole, _summary(moved[block] - centre), strict=True)]
            left_out.append(gaussian_frechet(*_moments(rest), *fixed))
        variance += (blocks - 1) * np.var(left_out)
    half = float(stdtrit(blocks - 1, (1 + level) / 2) * np.sqrt(variance))
    low, high = max(0.0, value - half), value + half
    reading = f"The generated set is {figure(value)} from the real one"
    reading += "." if floor is None else f"; two real sets are {figure(floor)} apart."
    verdict = against_floor(low, high, floor, lower_is_better=True)
    n = min(len(real), len(fake))
    return Finding("Fréchet distance", value, low, high, n, "squared distance", floor, verdict, reading)


def _cross(a: np.ndarray, b: np.ndarray) -> float:
    """tr (a b)^(1/2), from the lower halves of two covariances; a feature that is constant in either adds nothing."""
    alive = (np.diagonal(a) > 0) & (np.diagonal(b) > 0)
    if not alive.all():
        a, b = a[np.ix_(alive, alive)], b[np.ix_(alive, alive)]
    if not a.size:
        return 0.0
    lower, failed = dpotrf(a, lower=1)
    if not failed:
        inner, _ = dsygst(b, lower, itype=2, lower=1)  # L^T b L, its lower half
        values = np.linalg.eigvalsh(inner)
        roots = np.sqrt(np.clip(values, 0.0, None))
        if values[0] > 0 and np.finfo(np.float64).eps * values[-1] * (0.5 / roots).sum() < EXACT * roots.sum():
            return float(roots.sum())
    return float(svdvals(_factor(a) @ _factor(b).T, overwrite_a=True, check_finite=False).sum())


def _covariance(x: np.ndarray) -> np.ndarray:
    """The lower half of the unbiased covariance (w, w), from centred blocks of rows; what is above it is no matter."""
    mean, total = x.mean(0), np.zeros((x.shape[1], x.shape[1]), order="F")
    room = np.empty((min(BLOCK, len(x)), x.shape[1]))
    for start in range(0, len(x), BLOCK):
        rows = x[start : start + BLOCK]
        centred = np.subtract(rows, mean, out=room[: len(rows)])
        total = dsyrk(1 / (len(x) - 1), centred.T, beta=1.0, c=total, lower=1, overwrite_c=1)
    return total


def _factor(covariance: np.ndarray) -> np.ndarray:
    """A with A^T A = covariance, from its symmetric eigendecomposition, which reads the lower half."""
    values, vectors = np.linalg.eigh(covariance)
    return np.sqrt(np.clip(values, 0.0, None))[:, None] * vectors.T


def _summary(x: np.ndarray) -> list:
    """Count, sum and sum of outer products: summaries of disjoint blocks add up and can be taken away."""
    return [len(x), x.sum(0), x.T @ x]


def _moments(summary) -> tuple[np.ndarray, np.ndarray]:
    n, total, outer = summary
    mean = total / n
    return mean, (outer - n * np.outer(mean, mean)) / (n - 1)

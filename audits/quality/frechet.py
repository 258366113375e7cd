"""Fréchet distance between two sets of features, each summarised by a Gaussian.

d^2 = |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))   (Dowson & Landau 1982; FID of Heusel et al. 2017)

With S = A^T A the last trace is the sum of the singular values of A1 A2^T: no square root of an eigenvalue
that rounding made negative, so two equal sets are at distance zero to machine precision. A is the Cholesky
factor, or comes from the eigenvectors where a covariance is singular.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import svdvals
from scipy.special import stdtrit

from audits.quality.features import FeatureError, as_features, same_width
from audits.report import Finding, against_floor, figure


def frechet_distance(a, b) -> float:
    """The squared Fréchet distance (what "FID" reports) between features `a` (n, w) and `b` (m, w).

    Computed in float64 with unbiased covariances. Raises FeatureError on fewer than two rows, different
    widths, NaN or infinity. The plug-in value is biased upwards by about 1/n + 1/m: compare sets of one size.
    """
    a, b = as_features(a, "first"), as_features(b, "second")
    same_width(a, b)
    return gaussian_frechet(a.mean(0), _covariance(a), b.mean(0), _covariance(b))


def gaussian_frechet(mean_a, covariance_a, mean_b, covariance_b) -> float:
    """The squared Fréchet distance between two Gaussians; means (w,), covariances (w, w)."""
    return _apart((mean_a, _factor(covariance_a)), (mean_b, _factor(covariance_b)))


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
        mean, covariance = _moments(other)
        fixed = mean, _factor(covariance)
        left_out = []
        for block in np.array_split(rng.permutation(len(moved)), blocks):
            rest = [w - s for w, s in zip(whole, _summary(moved[block] - centre), strict=True)]
            mean, covariance = _moments(rest)
            left_out.append(_apart((mean, _factor(covariance)), fixed))
        variance += (blocks - 1) * np.var(left_out)
    half = float(stdtrit(blocks - 1, (1 + level) / 2) * np.sqrt(variance))
    low, high = max(0.0, value - half), value + half
    reading = f"The generated set is {figure(value)} from the real one"
    reading += "." if floor is None else f"; two real sets are {figure(floor)} apart."
    verdict = against_floor(low, high, floor, lower_is_better=True)
    n = min(len(real), len(fake))
    return Finding("Fréchet distance", value, low, high, n, "squared distance", floor, verdict, reading)


def _apart(a, b) -> float:
    """The distance between two Gaussians, each a mean (w,) and a factor A (w, w) of its covariance A^T A."""
    (mean_a, factor_a), (mean_b, factor_b) = a, b
    shift = mean_a - mean_b
    cross = svdvals(factor_a @ factor_b.T, overwrite_a=True, check_finite=False).sum()
    return max(0.0, float(shift @ shift + np.vdot(factor_a, factor_a) + np.vdot(factor_b, factor_b) - 2 * cross))


def _covariance(x: np.ndarray) -> np.ndarray:
    centred = x - x.mean(0)
    return centred.T @ centred / (len(x) - 1)


def _factor(covariance: np.ndarray) -> np.ndarray:
    """A with A^T A = covariance; of two equal covariances the same A."""
    try:
        return np.linalg.cholesky(covariance).T
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(covariance)
        return np.sqrt(np.clip(values, 0.0, None))[:, None] * vectors.T


def _summary(x: np.ndarray) -> list:
    """Count, sum and sum of outer products: summaries of disjoint blocks add up and can be taken away."""
    return [len(x), x.sum(0), x.T @ x]


def _moments(summary) -> tuple[np.ndarray, np.ndarray]:
    n, total, outer = summary
    mean = total / n
    return mean, (outer - n * np.outer(mean, mean)) / (n - 1)

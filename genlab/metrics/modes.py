"""Which modes of a known law a generator reaches: Gaussian blobs in the plane, and three stacked digits.

The tests of Metz et al. (2017) and Lin et al. (2018): here the truth is known, so what is dropped can be counted.
"""

import math
from dataclasses import dataclass

import numpy as np

from audits.report import Finding, figure

NEAR = 3.0  # deviations from its mode within which a point is of high quality
DIGITS = 1000  # modes of three stacked digits


@dataclass(frozen=True)
class ModeCoverage:
    """What a set of points makes of k modes.

    Attributes:
        found: modes with at least `least` points of high quality; `modes` is their number k.
        high_quality: share of points within three deviations of the mode that they are nearest to.
        shares: (k,) of the points of high quality.
        spreads: (k,) deviation of a mode's points of high quality over the true one; NaN with fewer than three points.
        divergence: KL divergence in nats of `shares` to equal ones; log k where all points fall on one mode, or none.
        effective: exp of the entropy of `shares`: k equal modes count as k; 0 where no point is of high quality.
    """

    found: int
    modes: int
    high_quality: float
    shares: np.ndarray
    spreads: np.ndarray
    divergence: float
    effective: float


@dataclass(frozen=True)
class DigitModes:
    """Stacked digits: how many of the 1,000 triples occur, and the KL divergence in nats of their shares."""

    found: int
    divergence: float


def mode_coverage(points, centres, deviation: float, *, least: int = 1) -> ModeCoverage:
    """Modes that `points` (n, w) reach, of Gaussians at `centres` (k, w) with one `deviation` in every direction.

    Non-finite points are of no quality. A spread is the root mean squared distance to the mean of a mode's own points,
    those beyond three deviations left out, over what a perfect sampler shows after the same cut: 1 is the truth.

    Raises:
        ValueError: shapes that do not fit, no point, or a deviation that is not positive.
    """
    points, centres = np.asarray(points, np.float64), np.asarray(centres, np.float64)
    if points.ndim != 2 or centres.ndim != 2 or points.shape[1] != centres.shape[1] or not len(points):
        given = f"{points.shape} and {centres.shape} were given"
        raise ValueError(f"Points (n, w) and centres (k, w) share a width and are not empty; {given}.")
    if not (deviation > 0 and math.isfinite(deviation)):
        raise ValueError(f"The deviation of a mode is a positive number; {deviation} was given.")
    k, width = centres.shape
    finite = points[np.isfinite(points).all(1)]
    distances = np.sqrt(((finite[:, None] - centres) ** 2).sum(2))
    nearest = distances.argmin(1)
    good = distances[np.arange(len(finite)), nearest] <= NEAR * deviation
    counts = np.bincount(nearest[good], minlength=k)
    shares = counts / max(counts.sum(), 1)
    expected = deviation * math.sqrt(cut_variance(width))
    spreads = np.full(k, np.nan)
    for mode in np.flatnonzero(counts >= 3):
        own = finite[good & (nearest == mode)]
        spreads[mode] = math.sqrt(((own - own.mean(0)) ** 2).sum() / (len(own) - 1)) / expected
    divergence = kl_to(shares, np.full(k, 1 / k)) if counts.any() else math.log(k)
    return ModeCoverage(
        found=int((counts >= least).sum()),
        modes=k,
        high_quality=float(counts.sum() / len(points)),
        shares=shares,
        spreads=spreads,
        divergence=divergence,
        effective=k * math.exp(-divergence) if counts.any() else 0.0,
    )


def cut_variance(width: int) -> float:
    """E|x|^2 of a standard normal x in `width` dimensions, given |x| <= NEAR: a ratio of two chi-square laws."""
    from scipy.stats import chi2

    return width * chi2.cdf(NEAR**2, width + 2) / chi2.cdf(NEAR**2, width)


def digit_modes(predicted, *, reference=None) -> DigitModes:
    """Modes of stacked digits from the three digits (n, 3) that a classifier reads off each sample.

    Args:
        reference: true shares (1000,) of the triples, hundreds first; equal ones by default.

    Raises:
        ValueError: not whole numbers from 0 to 9, three a sample, or shares that are not.
    """
    predicted = np.asarray(predicted)
    whole = predicted.ndim == 2 and predicted.shape[1:] == (3,) and len(predicted) and predicted.dtype.kind in "iu"
    if not whole or predicted.min() < 0 or predicted.max() > 9:
        raise ValueError("Give three digits from 0 to 9 for each of at least one sample: an array (n, 3) of integers.")
    truth = np.full(DIGITS, 1 / DIGITS) if reference is None else np.asarray(reference, np.float64)
    if truth.shape != (DIGITS,) or not (truth > 0).all() or not math.isclose(truth.sum(), 1, rel_tol=1e-6):
        raise ValueError(f"The reference is {DIGITS} positive shares that sum to 1.")
    counts = np.bincount(predicted @ np.array([100, 10, 1]), minlength=DIGITS)
    return DigitModes(int((counts > 0).sum()), kl_to(counts / counts.sum(), truth))


def kl_to(shares: np.ndarray, truth: np.ndarray) -> float:
    """KL(shares || truth) in nats; shares of 0 count 0."""
    some = shares > 0
    return float((shares[some] * np.log(shares[some] / truth[some])).sum())


def perfect_divergence(n: int, modes: int = DIGITS, *, draws: int = 200, seed: int = 0) -> np.ndarray:
    """KL divergences (draws,) of `n` samples of a perfect sampler of equal modes: the floor, near (modes - 1) / 2n."""
    counts = np.random.default_rng(seed).multinomial(n, np.full(modes, 1 / modes), size=draws)
    truth = np.full(modes, 1 / modes)
    return np.array([kl_to(row / n, truth) for row in counts])


def mode_findings(
    points, centres, deviation: float, *, draws: int = 200, level: float = 0.95, seed: int = 0
) -> tuple[Finding, ...]:
    """Modes found, points of high quality and KL to equal shares, with bootstrap intervals and the floor.

    Points are resampled with replacement, under which modes found can only fall, so its interval ends at the value; the
    floor is the mean of the figure over `draws` sets of the same size from the true law.
    """
    points, centres = np.asarray(points, np.float64), np.asarray(centres, np.float64)
    whole = mode_coverage(points, centres, deviation)
    rng = np.random.default_rng(seed)

    def figures(x) -> tuple[float, float, float]:
        seen = mode_coverage(x, centres, deviation)
        return seen.found, seen.high_quality, seen.divergence

    def perfect() -> np.ndarray:
        own = centres[rng.integers(len(centres), size=len(points))]
        return own + deviation * rng.normal(size=own.shape)

    again = np.array([figures(points[rng.integers(len(points), size=len(points))]) for _ in range(draws)])
    floors = np.array([figures(perfect()) for _ in range(draws)])
    tail, findings = (1 - level) / 2, []
    for (name, value, unit, better_low), resampled, truth in zip(
        (
            ("modes found", whole.found, f"of {whole.modes}", False),
            ("high quality", whole.high_quality, "share", False),
            ("KL of the modes", whole.divergence, "nats", True),
        ),
        again.T, floors.T, strict=True,
    ):  # fmt: skip
        low, high = np.quantile(resampled, [tail, 1 - tail])
        low, high = min(float(low), value), max(float(high), value)
        lower, upper = np.quantile(truth, [tail, 1 - tail])
        worse, better = (low > upper, high < lower) if better_low else (high < lower, low > upper)
        verdict = "worse" if worse else "better" if better else "cannot tell"
        reading = f"{name}: {figure(value)}; a perfect sampler of {len(points):,} points: {figure(truth.mean())}."
        findings.append(Finding(name, value, low, high, len(points), unit, float(truth.mean()), verdict, reading))
    return tuple(findings)

"""Is a set off its reference, and which group is? One test of all shares, one a group with Holm's correction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import chdtrc, ndtr

from audits.bias.estimates import Shares
from audits.report import Finding, figure

MONTE_CARLO = 20_000
FEW = 5  # expected items in a group, below which the chi-square approximation is not trusted


def chi_square_p(counts: np.ndarray, reference: np.ndarray, *, seed: int = 0) -> float:
    """P-value of `counts` (K,) against `reference` (K,): chi-square, or Monte Carlo where a group expects < 5."""
    n = int(counts.sum())
    if (counts[reference == 0] > 0).any():
        return 0.0
    kept = reference > 0
    expected = n * reference[kept]
    statistic = float((np.square(counts[kept] - expected) / expected).sum())
    if expected.min() >= FEW:
        return float(chdtrc(kept.sum() - 1, statistic)) if kept.sum() > 1 else 1.0
    drawn = np.random.default_rng(seed).multinomial(n, reference[kept], size=MONTE_CARLO)
    null = (np.square(drawn - expected) / expected).sum(1)
    return float((1 + np.count_nonzero(null >= statistic - 1e-9)) / (1 + MONTE_CARLO))


def against_reference(
    names: Sequence[str], counts: np.ndarray, shares: Shares, reference: np.ndarray, *, exact: bool, seed: int
) -> list[Finding]:
    """`test.reference` and one `test.<group>` a group; their values are p-values, Holm's for the groups.

    With `exact` the group names are true and the tests are chi-square and binomial; otherwise the estimates carry
    the classifier's errors and the tests are Wald's with the covariance of those errors.
    """
    from scipy.stats import binomtest
    from statsmodels.stats.multitest import multipletests

    n, off = int(counts.sum()), shares.value - reference
    if exact:
        together = chi_square_p(counts, reference, seed=seed)
        alone = [binomtest(int(k), n, float(r)).pvalue for k, r in zip(counts, reference, strict=True)]
    else:
        covariance = np.atleast_2d(np.cov(shares.noise.T))
        together = float(chdtrc(len(names) - 1, off @ np.linalg.pinv(covariance, rcond=1e-8) @ off))
        spread = np.sqrt(np.maximum(np.diag(covariance), 1e-18))
        alone = 2 * ndtr(-np.abs(off) / spread)
    if not shares.usable:
        together, alone = 1.0, np.ones(len(names))
    adjusted = multipletests(alone, method="holm")[1]
    findings = [_finding("test.reference", together, n, "All shares together")]
    for name, count, p in zip(names, counts, adjusted, strict=True):
        findings.append(_finding(f"test.{name}", float(p), int(count), f"The share of {name}, with Holm's correction"))
    return findings


def _finding(name: str, p: float, n: int, subject: str) -> Finding:
    off = p <= 0.05
    reading = f"{subject}: p = {figure(p)}, {'off the reference' if off else 'compatible with the reference'}."
    return Finding(name, p, np.nan, np.nan, n, "p-value", None, "worse" if off else "cannot tell", reading)

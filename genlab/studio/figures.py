"""Figures of a card, {"value", "low", "high", "n", "floor", "unit"}: of findings, means, shares, ratios of sums."""

from typing import Any

import numpy as np

from audits.report import Finding

FIRST_SEED = 1_000_000  # evaluation draws from here on, away from the seeds that visitors try first
DRAWS = 2_000  # of a bootstrap
Figure = dict[str, Any]


def from_finding(finding: Finding, floor: float | None = None) -> Figure:
    """A Finding as a figure of a card."""
    return {
        "value": finding.value,
        "low": finding.low,
        "high": finding.high,
        "n": finding.n,
        "floor": finding.floor if floor is None else floor,
        "unit": finding.unit,
    }


def mean_figure(values: np.ndarray, unit: str) -> Figure:
    """The mean of independent values with its normal 95 % interval."""
    value, half = float(np.mean(values)), 1.96 * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return {"value": value, "low": value - half, "high": value + half, "n": len(values), "floor": None, "unit": unit}


def share_figure(hits: int, n: int, unit: str = "share", floor: float | None = None) -> Figure:
    """A share with Wilson's interval."""
    from statsmodels.stats.proportion import proportion_confint

    value = hits / n
    low, high = proportion_confint(hits, n, method="wilson")  # at 0 and 1 rounding may leave the value outside
    return {"value": value, "low": min(low, value), "high": max(high, value), "n": n, "floor": floor, "unit": unit}


def pooled_figure(
    sums: np.ndarray, sizes: np.ndarray, unit: str, *, n: int | None = None, floor: float | None = None
) -> Figure:
    """The sum of `sums` over that of `sizes`, (clusters,) each, with the bootstrap's 95 % interval over clusters.

    Args:
        n: items behind the figure, where they are not the clusters: tokens, of which those of one text are alike.
    """
    sums, sizes = np.asarray(sums, float), np.asarray(sizes, float)
    value = float(sums.sum() / sizes.sum())
    times = np.random.default_rng(0).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=DRAWS)
    under = times @ sizes
    low, high = np.quantile((times @ sums)[under > 0] / under[under > 0], [0.025, 0.975])
    return {
        "value": value, "low": min(float(low), value), "high": max(float(high), value),
        "n": len(sums) if n is None else int(n), "floor": floor, "unit": unit,
    }  # fmt: skip


def exponential(figure: Figure, unit: str) -> Figure:
    """A figure in nats as its exponential, such as a perplexity."""
    return figure | {key: float(np.exp(figure[key])) for key in ("value", "low", "high")} | {"unit": unit}

"""Frequencies of 8-bit values under a mixture of discretised logistics, in whole numbers throughout.

The network's numbers are rounded to grids first; everything after that is a look-up or whole arithmetic, so the
same grid points give the same frequencies on every machine. Steps are fine enough to cost less than 0.1 % of the bits.
"""

import functools

import numpy as np

LEVELS = 256
UNIT = 64  # grid points a grey level that means are rounded to
SCALES = 32  # grid points a unit of log scale, which lies in [LOW, HIGH]
LOW, HIGH = -7, 3
WEIGHTS = 64  # grid points a unit of a weight's logit
ARGUMENT = 4096  # grid points a unit of the logistic function's argument, which is cut at +-REACH
REACH = 17
FRACTION = 2**24  # of the logistic function's values
SHIFT = 16  # fractional bits of a precision


@functools.cache
def logistic_table() -> np.ndarray:
    """FRACTION s(t) for t on the grid of arguments, int64."""
    t = np.arange(-REACH * ARGUMENT, REACH * ARGUMENT + 1) / ARGUMENT
    table = np.round(FRACTION / (1 + np.exp(-t))).astype(np.int64)
    table[0], table[-1] = 0, FRACTION
    return table


@functools.cache
def precision_table() -> np.ndarray:
    """2^SHIFT exp(-log scale) in grid points of the argument for each grid point of a mean, int64."""
    log_scales = np.arange(LOW * SCALES, HIGH * SCALES + 1) / SCALES
    return np.round(np.exp(-log_scales) * ARGUMENT * 2**SHIFT / (127.5 * UNIT)).astype(np.int64)


@functools.cache
def weight_table() -> np.ndarray:
    """2^20 exp(-d) for d, below the largest logit, on the grid of logits; at least 1. int64."""
    return np.maximum(1, np.round(2**20 * np.exp(-np.arange(15 * WEIGHTS + 1) / WEIGHTS))).astype(np.int64)


def on_grids(parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A decoder's numbers (3 mixtures, pixels) as whole ones: logits, means and log scales, (mixtures, pixels) each.

    Means lie in [-1, 1] as in `likelihoods.split`, far ones are cut.
    """
    logits, means, log_scales = np.nan_to_num(parameters).reshape(3, -1, parameters.shape[-1])
    logits = np.round(np.clip(logits, -1e4, 1e4) * WEIGHTS).astype(np.int64)
    means = np.round((np.clip(means, -4, 4) + 1) * (127.5 * UNIT)).astype(np.int64)
    log_scales = np.round((np.clip(log_scales, LOW, HIGH) - LOW) * SCALES).astype(np.int64)
    return logits, means, log_scales


def frequencies(logits: np.ndarray, means: np.ndarray, log_scales: np.ndarray) -> np.ndarray:
    """How often each value comes, (pixels, 256), whole numbers below 2^53 in float64; the outermost reach to infinity.

    Args:
        logits, means, log_scales: what `on_grids` gives.
    """
    weights = weight_table()[np.minimum(logits.max(0) - logits, 15 * WEIGHTS)]
    boundaries = (np.arange(1, LEVELS) * UNIT - UNIT // 2)[:, None]
    below = np.zeros((LEVELS + 1, logits.shape[1]), np.int64)
    for weight, mean, scale in zip(weights, means, log_scales, strict=True):
        argument = ((boundaries - mean) * precision_table()[scale]) >> SHIFT
        np.clip(argument, -REACH * ARGUMENT, REACH * ARGUMENT, out=argument)
        below[1:-1] += weight * logistic_table()[argument + REACH * ARGUMENT]
        below[-1] += weight * FRACTION
    return np.ascontiguousarray(np.diff(below, axis=0).T, np.float64)

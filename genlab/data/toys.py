"""Points of the plane to watch a model learn: a ring of 8 and a grid of 25 Gaussians, two moons, a spiral.

Ring and grid keep the proportions of the literature (Metz et al. 2017; Srivastava et al. 2017; Lin et al. 2018): the
ring's radius is 100 of its Gaussians' deviations, the grid's spacing 40. Everything lies in the unit square.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from genlab.data import Data

COUNTS = {"train": 20_000, "test": 10_000}
LICENCE = "Apache-2.0"
ATTRIBUTION = "Drawn by this project's own code"


@dataclass(frozen=True)
class Modes:
    """The Gaussians of a toy: centres (k, 2), and the one deviation that all of them have in both directions."""

    centres: np.ndarray
    deviation: float


def ring_of(count: int, radius: float) -> np.ndarray:
    """`count` places on a circle around the middle of the unit square, (count, 2)."""
    angles = 2 * math.pi * np.arange(count) / count
    return 0.5 + radius * np.stack([np.cos(angles), np.sin(angles)], 1)


MODES = MappingProxyType(
    {
        "ring": Modes(ring_of(8, 0.4), 0.004),
        "grid": Modes(np.stack(np.meshgrid(*[np.linspace(0.1, 0.9, 5)] * 2, indexing="ij"), -1).reshape(-1, 2), 0.005),
    }
)


def gaussians(modes: Modes, n: int, stream: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """n points of the equal mixture, (n, 2), and the number of each one's mode, (n,)."""
    labels = stream.integers(len(modes.centres), size=n)
    return modes.centres[labels] + modes.deviation * stream.standard_normal((n, 2)), labels


def moons(n: int, stream: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two half circles that reach into each other, slightly blurred."""
    side, angle = stream.integers(2, size=n), math.pi * stream.random(n)
    upper, corner = np.stack([np.cos(angle), np.sin(angle)], 1), np.array([1.0, 0.5])
    points = np.where(side[:, None] == 0, upper, corner - upper)
    return 0.1 + 0.8 / 3 * (points + corner) + [0, 0.1] + 0.012 * stream.standard_normal((n, 2)), np.zeros(n)


def spiral(n: int, stream: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two turns of a spiral, evenly dense along it, slightly blurred."""
    angle = 4 * math.pi * np.sqrt(stream.random(n))
    arm = 0.4 * angle[:, None] / (4 * math.pi) * np.stack([np.cos(angle), np.sin(angle)], 1)
    return 0.5 + arm + 0.008 * stream.standard_normal((n, 2)), np.zeros(n)


DRAWN: dict[str, Callable] = {
    **{name: functools.partial(gaussians, modes) for name, modes in MODES.items()},
    "moons": moons,
    "spiral": spiral,
}
NAMES = tuple(DRAWN)


@functools.cache
def load(name: str, split: str) -> Data:
    """Points as float32 (n, 2) in the unit square; labels are mode numbers where there are modes, else 0."""
    stream = np.random.default_rng([NAMES.index(name), list(COUNTS).index(split)])
    points, labels = DRAWN[name](COUNTS[split], stream)
    return labelled(name, split, points, labels, ATTRIBUTION)


def from_points(points: np.ndarray) -> Data:
    """What a visitor drew, (n, 2) in the unit square, as training data.

    Raises:
        ValueError: there are no points, or one of them lies outside of the square.
    """
    points = np.asarray(points, dtype=np.float32)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ValueError(f"Points are rows of two numbers, one row at least; an array of {points.shape} was given.")
    if not (np.isfinite(points).all() and points.min() >= 0 and points.max() <= 1):
        raise ValueError("Points lie in the unit square: both numbers of each from 0 to 1; others were given.")
    return labelled("points", "train", points, np.zeros(len(points)), "Drawn by the visitor")


def labelled(name: str, split: str, points: np.ndarray, labels: np.ndarray, by: str) -> Data:
    """Points and mode numbers as a data set."""
    count = len(MODES[name].centres) if name in MODES else 1
    names = tuple(f"mode {i}" for i in range(count))
    return Data(name, split, points.astype(np.float32), labels.astype(np.int64), names, LICENCE, by)

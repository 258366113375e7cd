"""Which points of two sets are near each other, exactly, for little more than what single precision costs.

Squared distances come from one product of matrices in float32. Its rounding is bounded: a sum of w products is off by
at most w u |a| |b| / (1 - w u), with u = 2^-24, in whatever order it is added up (Higham 2002, section 3.1). What that
bound leaves open is computed again in float64 as a sum of squared differences: few pairs, unless points crowd together
far from their centre, and then the product is taken again in float64 first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

CHUNK = 2**22  # distances held at once
SPARE = 4  # candidates beside the k nearest, so that rounding seldom decides who is among them
PAIRS = 2**17  # numbers of points that are gathered at once
OPEN = 64  # pairs a row, on average, that are computed again at most before the product is


@dataclass(frozen=True)
class Points:
    """Points (n, w) in float64, and in float32 with their squared norms, both divided by `scale`."""

    exact: np.ndarray
    rough: np.ndarray
    squares: np.ndarray
    scale: float

    @classmethod
    def of(cls, x: np.ndarray, scale: float) -> Points:
        small = x / scale
        return cls(x, small.astype(np.float32), (small * small).sum(1), scale)


def points(*sets: np.ndarray) -> list[Points]:
    """Sets of points (n, w) about a common centre and on a common scale; distances between them do not change."""
    centre = sets[0].mean(0)
    moved = [x - centre for x in sets]
    longest = max(float(np.sqrt((x * x).sum(1).max())) for x in moved)
    return [Points.of(x, longest or 1.0) for x in moved]


def nearest(a: Points, b: Points, k: int, *, same: bool = False) -> np.ndarray:
    """Squared distances (n, k), ascending, from each point of `a` to its k nearest of `b`; with `same`, the sets are
    one and a point is not its own neighbour."""
    found = np.empty((len(a.exact), k))
    for own in _blocks(a, b):
        best, unsure = _nearest(a, b, own, k, same, np.float32)
        found[own] = best
        if unsure.any():
            found[own[unsure]] = _nearest(a, b, own[unsure], k, same, np.float64)[0]
    return found


def within(a: Points, b: Points, a_radius: np.ndarray, b_radius: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Whose balls hold whom; a ball is the points nearer than its radius, given squared.

    Returns:
        How many balls of `a` hold each point of `b`; whether each ball of `a` holds any; and how many points of `a`
        lie in some ball of `b`.
    """
    balls, holds, reached = np.zeros(len(b.exact), np.int64), np.zeros(len(a.exact), bool), 0
    for own in _blocks(a, b):
        for kind in (np.float32, np.float64):
            squared, slack = _screened(a, b, own, kind, max(a_radius.max(), b_radius.max()))
            squared -= slack[:, None]  # now at most what it is
            mine, theirs = ((r / a.scale / a.scale).astype(kind) for r in (a_radius[own], b_radius))
            row, column = np.divmod(np.flatnonzero(squared < mine[:, None]), len(b.exact))
            held = squared[row, column] < (mine - 2 * slack)[row]
            margin = (theirs - squared).max(1)
            open_rows = np.flatnonzero((margin > 0) & (margin <= 2 * slack))
            near_row, near_column = np.nonzero(squared[open_rows] < theirs)
            if np.count_nonzero(~held) + len(near_row) <= OPEN * len(own):
                break
        asked = ~held
        held[asked] = _exactly(a, b, own[row[asked]], column[asked]) < a_radius[own[row[asked]]]
        balls += np.bincount(column[held], minlength=len(balls))
        holds[own[row[held]]] = True
        close = _exactly(a, b, own[open_rows[near_row]], near_column) < b_radius[near_column]
        reached += int((margin > 2 * slack).sum()) + len(np.unique(near_row[close]))
    return balls, holds, reached


def _blocks(a: Points, b: Points) -> Iterator[np.ndarray]:
    """The rows of `a`, a few at a time."""
    step = max(1, CHUNK // len(b.exact))
    for start in range(0, len(a.exact), step):
        yield np.arange(start, min(start + step, len(a.exact)))


def _screened(a: Points, b: Points, own: np.ndarray, kind: type, radius: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Squared distances over scale^2 from rows `own` to all of `b`, and by how much each row's may be off at most,
    what they are compared with counted in."""
    squares, longest = a.squares[own], b.squares.max()
    squared = a.rough[own] @ b.rough.T if kind is np.float32 else (a.exact[own] / a.scale / a.scale) @ b.exact.T
    squared *= -2
    squared += squares.astype(kind)[:, None]
    squared += b.squares.astype(kind)
    unit = np.finfo(kind).eps / 2
    product = 2.1 * (a.exact.shape[1] + 8) * unit * np.sqrt(squares * longest)
    return squared, (product + 16 * unit * (squares + longest + radius / a.scale / a.scale)).astype(kind)


def _nearest(a: Points, b: Points, own: np.ndarray, k: int, same: bool, kind: type) -> tuple[np.ndarray, np.ndarray]:
    """The k smallest squared distances of rows `own`, sorted, and whether rounding may have hidden a smaller one."""
    squared, slack = _screened(a, b, own, kind)
    if same:
        squared[np.arange(len(own)), own] = np.inf
    few = min(k + SPARE, len(b.exact) - same)
    near = np.argpartition(squared, few - 1, axis=1)[:, :few]
    exact = _exactly(a, b, own[:, None], near)
    best = np.sort(exact, axis=1)[:, :k]
    if few == len(b.exact) - same:
        return best, np.zeros(len(own), bool)
    beyond = np.take_along_axis(squared, near, 1).max(1) - slack  # all others are at least so far
    return best, (beyond < best[:, -1] / a.scale / a.scale) & (best[:, -1] > 0)


def _exactly(a: Points, b: Points, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Sums of squared differences in float64, as the columns (n,) or (n, m) lie; rows (n,) or (n, 1)."""
    found = np.empty(columns.shape)
    step = max(1, PAIRS * len(columns) // max(1, columns.size * a.exact.shape[1]))
    for start in range(0, len(columns), step):
        part = slice(start, start + step)
        apart = b.exact[columns[part]]
        apart -= a.exact[rows[part]]
        found[part] = np.einsum("...w,...w->...", apart, apart)
    return found

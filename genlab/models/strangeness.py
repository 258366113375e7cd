"""How far a row of features lies from normal rows: three scores, each fitted on normal rows alone.

Scores are logarithms (of a distance, or of one over a density), so that ten times stranger counts the same in all of
them. `fit` returns the scores of the normal rows themselves, by which several scores are put on one scale.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

CHUNK = 1000  # rows whose distances to all others are held at once
TINY = 1e-6


class Neighbours:
    """Log mean distance to the k nearest normal rows, less half the log of those rows' own such distance.

    A distance says little where normal rows lie far apart, so it is compared with the neighbourhood's own spread, as
    in the local outlier factor (Breunig et al. 2000). The full ratio forgets how far out a row lies; half keeps both.
    """

    def __init__(self, k: int = 8, power: float = 0.5, *, half: bool = False):
        self.k, self.power, self.half = k, power, half

    def fit(self, rows: Tensor) -> Tensor:
        """Learn rows (n, d), with `half` kept in 16 bits; their own scores, each without itself (n or fewer,).

        Of rows that are alike the first is kept: copies would have no spread, and make strange all that is near them.
        """
        self.places = different(rows)
        if len(self.places) < 2:  # all alike in this view
            self.places = torch.arange(len(rows))
        self.rows = (rows.half() if self.half else rows.float())[self.places]
        distances, near = self._nearest(self.rows.float(), skip=1)
        self.spread = distances.mean(1).clamp(min=max(0.01 * float(distances.mean()), TINY))
        return self._score(distances, near)

    def __call__(self, rows: Tensor) -> Tensor:
        """Scores (m,) of rows (m, d)."""
        return self._score(*self._nearest(rows))

    def nearest_kept(self, rows: Tensor) -> Tensor:
        """Numbers (m, k) of the nearest rows in `rows`."""
        return self._nearest(rows)[1]

    def nearest(self, rows: Tensor) -> Tensor:
        """Numbers (m, k) of the nearest normal rows among those that were given to `fit`, the nearest first."""
        return self.places[self._nearest(rows)[1]]

    def tensors(self) -> dict[str, Tensor]:
        """All that was learnt."""
        return {"rows": self.rows, "spread": self.spread, "places": self.places}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """The opposite of `tensors`."""
        self.rows, self.spread, self.places = tensors["rows"], tensors["spread"].float(), tensors["places"].long()
        if self.rows.ndim != 2 or not len(self.rows) == len(self.spread) == len(self.places):
            raise ValueError("The rows, their spread and their places differ in number.")

    def _score(self, distances: Tensor, near: Tensor) -> Tensor:
        outside, usual = distances.mean(1).clamp(min=TINY), self.spread[near].mean(1)
        return outside.log() - self.power * usual.log()

    def _nearest(self, rows: Tensor, skip: int = 0) -> tuple[Tensor, Tensor]:
        """Distances to and numbers of the nearest rows; `skip` leaves out that many (a row itself)."""
        known = self.rows.float()
        k = max(1, min(self.k, len(known) - skip))
        lengths, found = known.square().sum(1), []
        for part in rows.split(CHUNK):
            squares = (part.square().sum(1)[:, None] + lengths - 2 * part @ known.T).clamp(min=0)
            found.append(squares.topk(min(k + skip, len(known)), largest=False))
        squares = torch.cat([f.values for f in found])[:, skip:]
        return squares.sqrt(), torch.cat([f.indices for f in found])[:, skip:]


def different(rows: Tensor) -> Tensor:
    """Numbers of the rows that no earlier row is like, in their order."""
    found, group = torch.unique(rows, dim=0, return_inverse=True)
    first = torch.full((len(found),), len(rows))
    return first.scatter_reduce(0, group, torch.arange(len(rows)), "amin").sort().values


class Gaussian:
    """Log Mahalanobis distance to one Gaussian, variances raised by `floor` times their mean (Ledoit and Wolf 2004)."""

    def __init__(self, floor: float = 0.3):
        self.floor = floor

    def fit(self, rows: Tensor) -> Tensor:
        """Learn rows (n, d); their own scores, (n,)."""
        n, d = rows.shape
        self.mean = rows.mean(0)
        covariance = torch.cov((rows - self.mean).T).view(d, d) if n > 1 else rows.new_zeros(d, d)
        variances, axes = torch.linalg.eigh(covariance)
        variances = variances.clamp(min=0)
        self.whitening = (axes / (variances + self.floor * variances.mean() + TINY).sqrt()).contiguous()
        return self(rows)

    def __call__(self, rows: Tensor) -> Tensor:
        """Scores (m,) of rows (m, d)."""
        return ((rows - self.mean) @ self.whitening).norm(dim=1).clamp(min=TINY).log()

    def tensors(self) -> dict[str, Tensor]:
        """All that was learnt."""
        return {"mean": self.mean, "whitening": self.whitening}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """The opposite of `tensors`."""
        self.mean, self.whitening = tensors["mean"].float(), tensors["whitening"].float()


class Mixture:
    """Negative log-density under a mixture of diagonal Gaussians on the leading principal axes, by a few EM steps."""

    def __init__(self, components: int = 10, axes: int = 32, steps: int = 30, floor: float = 0.05):
        self.components, self.axes, self.steps, self.floor = components, axes, steps, floor

    def fit(self, rows: Tensor) -> Tensor:
        """Learn rows (n, d); their own scores, (n,)."""
        self.mean = rows.mean(0)
        _, sizes, axes = torch.linalg.svd(rows - self.mean, full_matrices=False)
        kept = min(self.axes, int((sizes > TINY * sizes[0]).sum()) or 1)
        self.projection = axes[:kept].T.contiguous()
        codes = (rows - self.mean) @ self.projection
        count = max(1, min(self.components, len(rows) // 10))
        lowest = self.floor * codes.var(0, unbiased=False) + TINY
        # farthest-point seeds: deterministic, and no cluster starts empty
        seeds = [int((codes - codes.mean(0)).norm(dim=1).argmin())]
        for _ in range(count - 1):
            seeds.append(int(torch.cdist(codes, codes[seeds]).amin(1).argmax()))
        self.means = codes[seeds].clone()
        self.variances = codes.var(0, unbiased=False).clamp(min=TINY).expand(count, -1).clone()
        self.weights = torch.full((count,), 1 / count)
        for _ in range(self.steps):
            share = self._joint(codes).softmax(1)
            mass = share.sum(0).clamp(min=TINY)
            self.means = share.T @ codes / mass[:, None]
            self.variances = (share.T @ codes.square() / mass[:, None] - self.means.square()).clamp(min=0) + lowest
            self.weights = mass / mass.sum()
        return self(rows)

    def __call__(self, rows: Tensor) -> Tensor:
        """Scores (m,) of rows (m, d): nats."""
        codes = (rows - self.mean) @ self.projection
        return -torch.logsumexp(self._joint(codes), 1)

    def tensors(self) -> dict[str, Tensor]:
        """All that was learnt."""
        names = ("mean", "projection", "means", "variances", "weights")
        return {name: getattr(self, name).contiguous() for name in names}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """The opposite of `tensors`."""
        for name in ("mean", "projection", "means", "variances", "weights"):
            setattr(self, name, tensors[name].float())

    def _joint(self, codes: Tensor) -> Tensor:
        """log weight + log density (n, components)."""
        precision = 1 / self.variances
        squares = codes.square() @ precision.T - 2 * codes @ (self.means * precision).T
        squares = squares + (self.means.square() * precision).sum(1)
        scale = self.variances.log().sum(1) + codes.shape[1] * math.log(2 * math.pi)
        return self.weights.log() - 0.5 * (squares + scale)


SCORES = {"neighbours": Neighbours, "gaussian": Gaussian, "mixture": Mixture}

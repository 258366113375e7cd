"""Anomaly detection: learn what is normal from normal items alone, then say of any item how strange it is, and where.

Reconstruction error and likelihood alone are poor judges of strangeness: a plain or flat item is easy to rebuild and
likely, whatever it shows (Nalisnick et al. 2019). So an item is seen in several views that do not depend on how much
there is to draw (`contours.py`), compared in each with its nearest normal neighbours (`strangeness.py`), and the
views' scores, each on the scale of the normal items' own, are averaged. There is no network to train: learning is
keeping the normal items in those views, seconds for thousands.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from genlab.models.contours import blurred, contours
from genlab.models.strangeness import SCORES, Neighbours

KINDS = ("images", "table", "series")
PARTS = {  # view/score of each method
    "images": {
        "combined": ("contours-4/neighbours", "undirected-7/neighbours", "shades-7/neighbours"),
        "neighbours": ("pixels/neighbours",),
        "gaussian": ("contours-4/gaussian",),
        "mixture": ("contours-4/mixture",),
    },
    "table": {
        "combined": ("columns/neighbours", "decorrelated/neighbours"),
        "neighbours": ("columns/neighbours",),
        "gaussian": ("columns/gaussian",),
        "mixture": ("columns/mixture",),
    },
    "series": {
        "combined": ("shape/neighbours", "decorrelated/neighbours"),
        "neighbours": ("shape/neighbours",),
        "gaussian": ("shape/gaussian",),
        "mixture": ("shape/mixture",),
    },
}
FARTHEST = 1e6  # deviations of a column that are told apart


class Detector:
    """Fitted on normal items; `surprise` is higher where an item is stranger.

    Args:
        kind: "images" (n, c, s, s) in [0, 1], "table" (n, columns) or "series" (n, channels, window), the last two in
            double precision, since columns may be large numbers that differ by little.
        shape: of one item.
        method: a key of `PARTS[kind]`.
    """

    def __init__(self, *, kind: str, shape: tuple[int, ...], method: str = "combined"):
        if kind not in KINDS:
            raise ValueError(f"Kinds are {', '.join(KINDS)}; {str(kind)[:40]!r} was given.")
        if method not in PARTS[kind]:
            raise ValueError(f"Scores of {kind} are {', '.join(PARTS[kind])}; {str(method)[:40]!r} was given.")
        self.kind, self.shape, self.method = kind, tuple(shape), method
        self.parts = parts = PARTS[kind][method]
        self.scores = {part: self._score(part.partition("/")[2]) for part in parts}
        self.scale: dict[str, tuple[float, float]] = {}  # mean and deviation of the normal items' own scores
        self.centre: dict[str, Tensor] = {}  # of a table's columns
        self.usual: Tensor | None = None  # how far normal items' cells lie from their neighbours', (cells, cells)

    def _score(self, name: str) -> Any:
        return Neighbours(half=True) if name == "neighbours" and self.kind == "images" else SCORES[name]()

    # ---- learning

    def fit(self, items: Tensor) -> Iterator[tuple[int, int, str]]:
        """Learn normal items, yielding (done, total, what) before each part.

        Raises:
            ValueError: fewer than two items, or all are alike.
        """
        self._check(items)
        if len(items) < 2:
            raise ValueError("A normal set needs at least 2 items to learn from.")
        if bool((items == items[:1]).all()):
            raise ValueError("All items of the normal set are alike: there is nothing to learn what varies.")
        if self.kind != "images":
            self.centre = _centred(items.flatten(1))
        for done, part in enumerate(self.parts):
            yield done, len(self.parts), f"learning {part.partition('/')[0].replace('-', ' in ')}"
            own = self.scores[part].fit(self._view(part.partition("/")[0], items))
            self.scale[part] = (float(own.mean()), max(float(own.std()), 1e-3))
        if self._mapper() is not None:
            self.usual = self._gaps(items[: 4 * 256], skip=1).mean(0)

    # ---- judging

    def surprise(self, items: Tensor) -> Tensor:
        """How strange each item is, (n,): 0 for an average normal one, in standard deviations of normal ones.

        Raises:
            ValueError: the items have another shape than those learnt.
        """
        self._check(items)
        total = torch.zeros(len(items))
        for part, score in self.scores.items():
            mean, deviation = self.scale[part]
            total += (score(self._view(part.partition("/")[0], items)) - mean) / deviation
        return total / len(self.parts)

    def surprise_map(self, images: Tensor) -> Tensor:
        """Where pictures differ from their nearest normal ones, (n, s, s): 1 is what normal ones differ by.

        Raises:
            ValueError: this detector keeps no contours to compare.
        """
        self._check(images)
        if self._mapper() is None:
            raise ValueError("A map needs a detector of pictures with the combined score.")
        gaps = self._gaps(images) / self.usual.clamp(min=0.25 * float(self.usual.mean()))
        return F.interpolate(gaps[:, None], size=self.shape[1:], mode="bicubic", align_corners=False)[:, 0].clamp(min=0)

    def neighbours(self, images: Tensor) -> Tensor:
        """Numbers (n, k) of the nearest normal items, the nearest first, by the finest contours."""
        part = self._mapper()
        if part is None:
            raise ValueError("Neighbours are kept by a detector of pictures with the combined score.")
        return self.scores[part].nearest(self._view(part.partition("/")[0], images))

    # ---- keeping

    def config(self) -> dict[str, Any]:
        """What rebuilds the detector around its tensors; JSON."""
        return {"kind": self.kind, "shape": list(self.shape), "method": self.method, "scale": self.scale}

    def tensors(self) -> dict[str, Tensor]:
        """All that was learnt, by name."""
        found = {f"{part}.{name}": t for part, score in self.scores.items() for name, t in score.tensors().items()}
        found |= {f"centre.{name}": t for name, t in self.centre.items()}
        return found if self.usual is None else found | {"usual": self.usual}

    @classmethod
    def load(cls, config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> "Detector":
        """The detector that `config` and `tensors` came from.

        Raises:
            KeyError, TypeError, ValueError: they do not belong to a detector.
        """
        made = cls(kind=config["kind"], shape=tuple(config["shape"]), method=config["method"])
        made.scale = {part: (float(config["scale"][part][0]), float(config["scale"][part][1])) for part in made.parts}
        for part, score in made.scores.items():
            score.load({k.removeprefix(f"{part}."): t for k, t in tensors.items() if k.startswith(f"{part}.")})
        made.centre = {k.removeprefix("centre."): t.double() for k, t in tensors.items() if k.startswith("centre.")}
        made.usual = tensors["usual"].float() if "usual" in tensors else None
        return made

    # ---- views

    def _view(self, name: str, items: Tensor) -> Tensor:
        """Rows (n, d) of one view."""
        what, _, cells = name.partition("-")
        if what in ("contours", "undirected"):
            return contours(items, cells=int(cells), signed=what == "contours").flatten(1)
        if what == "pixels":
            return F.avg_pool2d(blurred(items, 1.0), 2).flatten(1)
        if what == "shades":
            return F.adaptive_avg_pool2d(blurred(items, 0.7), int(cells)).clamp(min=0).sqrt().flatten(1)
        rows = ((items.flatten(1).double() - self.centre["middle"]) / self.centre["spread"]).clamp(-FARTHEST, FARTHEST)
        rows = rows @ self.centre["whitening"] if what == "decorrelated" else rows / math.sqrt(rows.shape[1])
        return rows.float()

    def _mapper(self) -> str | None:
        """The part whose contours are compared cell by cell."""
        part = "undirected-7/neighbours"
        return part if part in self.parts else None

    def _gaps(self, images: Tensor, skip: int = 0) -> Tensor:
        """Mean distance (n, cells, cells) of each cell's histogram from the same cell of the nearest normal items."""
        score = self.scores[self._mapper()]
        assert isinstance(score, Neighbours)
        seen = contours(images, cells=7, signed=False)
        near = score.nearest_kept(seen.flatten(1))[:, skip:]
        known = score.rows.float().view(-1, *seen.shape[1:])
        return torch.stack([(seen - known[column]).square().sum(1).sqrt() for column in near.T]).mean(0)

    def _check(self, items: Tensor) -> None:
        if items.shape[1:] != self.shape:
            given = " x ".join(map(str, items.shape[1:]))
            raise ValueError(f"Items of {' x '.join(map(str, self.shape))} were learnt; {given} was given.")


def _centred(rows: Tensor) -> dict[str, Tensor]:
    """The middle and spread of every column, and the axes that make the scaled columns uncorrelated, cut off at 0.1."""
    rows = rows.double()
    spread = rows.std(0)
    found = {"middle": rows.median(0).values, "spread": torch.where(spread > 0, spread, torch.ones_like(spread))}
    scaled = (rows - found["middle"]) / found["spread"]
    variances, axes = torch.linalg.eigh(torch.cov(scaled.T).view(rows.shape[1], rows.shape[1]))
    variances = variances.clamp(min=0)
    return {**found, "whitening": (axes / (variances + 0.1 * variances.mean() + 1e-9).sqrt()).contiguous()}

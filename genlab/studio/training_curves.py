"""Curves of a run: means over equal stretches of steps, of which there are never more than a page can draw."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

MOST = 160  # points of one curve


class Curves:
    """Series of numbers by name. A point is the mean of a stretch of steps; where there are too many, pairs merge."""

    def __init__(self):
        self.span: dict[str, int] = {}  # observations a point stands for
        self.points: dict[str, list[list[float]]] = {}  # name -> [step, mean, observations]

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """One observation of each named value; what is not finite is left out."""
        for name, value in values.items():
            if not math.isfinite(value):
                continue
            points, span = self.points.setdefault(name, []), self.span.setdefault(name, 1)
            if points and points[-1][2] < span:
                last = points[-1]
                last[0], last[1], last[2] = step, last[1] + (value - last[1]) / (last[2] + 1), last[2] + 1
                continue
            points.append([step, value, 1])
            if len(points) > MOST:
                self.points[name] = merged(points)
                self.span[name] = 2 * span

    def cut(self, step: int) -> None:
        """Forget what came after that step: the run goes on from there."""
        for name, points in self.points.items():
            self.points[name] = [p for p in points if p[0] <= step]

    def as_dict(self) -> dict[str, list[list[float]]]:
        """name -> [[steps], [values]], with five figures."""
        return {
            name: [[p[0] for p in points], [float(f"{p[1]:.5g}") for p in points]]
            for name, points in self.points.items()
            if points
        }

    def state(self) -> dict[str, Any]:
        return {"span": self.span, "points": self.points}

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> "Curves":
        """What `state` gave."""
        made = cls()
        made.span, made.points = dict(state["span"]), {name: list(map(list, p)) for name, p in state["points"].items()}
        return made


def merged(points: list[list[float]]) -> list[list[float]]:
    """Neighbours two by two; a last one without a neighbour stays."""
    made = []
    for a, b in zip(points[::2], points[1::2], strict=False):
        count = a[2] + b[2]
        made.append([b[0], (a[1] * a[2] + b[1] * b[2]) / count, count])
    return made + ([points[-1]] if len(points) % 2 else [])


def kept(steps: Iterable[int], most: int) -> list[int]:
    """Steps of which pictures are kept: all of them, or every second one, so that `most` stay; first and last do."""
    steps = list(steps)
    while len(steps) > most:
        steps = sorted({*steps[::2], steps[-1]})
    return steps

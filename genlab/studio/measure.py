"""How the metrics disagree, and why: one generator beside sets made so that each breaks some metric and not the others.

Every set has as many items as the real ones that it is measured against, test items that no model has seen; other test
items of the same number are the floor of every figure. Features and classes are those of the data's own judge; copies
are sought among the training items in pixels.
"""

import dataclasses
import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audits.privacy import copies_finding, copy_ratios
from audits.quality import class_score_finding, frechet_finding, kernel_distance, neighbour_findings, prdc
from audits.report import Finding
from genlab.data import Data, load
from genlab.metrics.baselines import baseline
from genlab.studio import shelf

RESULTS = Path(__file__).resolve().parent.parent.parent / "benchmarks" / "results" / "measure.json"
KEPT, FEWEST, MOST = 2_000, 100, 1_000  # items a set: of the figures in the file, and of those measured on request
FITTED = 6_000  # training items that the mixture is fitted to
SEARCHED = 10_000  # training items that copies are sought among, at most
LARGEST = 32  # pixels of a side in which copies are sought
MODEL, FLOOR = "the model", "other real items"
METRICS = ("Fréchet distance", "kernel distance", "precision", "recall", "density", "coverage", "class score",
           "copies of training items")  # fmt: skip
WHY = {
    FLOOR: "Test items against other test items: no metric should see a difference, and what it shows is its floor.",
    "ten items repeated": "Ten real items over and over. Each of them looks real, which is all that precision asks; "
    "what is missing shows in recall, in coverage and in both distances.",
    "slightly blurred": "Real items, each pixel averaged with its neighbours. Nobody is missing, and yet recall and "
    "coverage fall with the distances: soft edges move every item's features away from its own neighbourhood.",
    "a little noise": "Real items with noise that an eye hardly minds. The judge has never seen any, so all features "
    "move together, and metrics of features call many of the pictures strangers.",
    "Gaussian mixture": "Draws from Gaussians, ten a class, in pixels: smooth ghosts of the right average. Many "
    "of them lie among real items, while both distances and recall see that the real variety is not there.",
    "half of the classes": "Real items of half of the classes. Precision cannot see it, since every item is real; "
    "recall, coverage, the class score and the distances can.",
    "copies of training items": "Training items as they are. Nothing better can be had by any metric that compares "
    "sets, and it is no generator at all: the search for copies alone objects.",
}
SETS = (MODEL, *WHY)


@dataclass(frozen=True)
class Row:
    """One set: its name, why it is there, and its figures in the order of `METRICS`, those that its judge can give."""

    name: str
    why: str
    findings: tuple[Finding, ...]

    def finding(self, metric: str) -> Finding | None:
        return next((f for f in self.findings if f.name == metric), None)


@dataclass(frozen=True)
class Measured:
    """Rows for one model, `count` items a set; `command` measures them again."""

    model: str
    count: int
    rows: tuple[Row, ...]
    command: str


def models() -> list[str]:
    """Generators whose data has a judge on the shelf."""
    judges = set(shelf.names())
    return [e.name for e in shelf.generators() if f"judge-{e.data.partition('-')[0]}" in judges]


def kept(name: str) -> Measured | None:
    """The figures of the file, where they are those of these weights; None otherwise."""
    try:
        told = json.loads(RESULTS.read_text(encoding="utf-8"))
        model = told["models"][name]
        if model["weights"] != shelf.entry(name).weights:
            return None
        sets = {MODEL: model["figures"], **told["data"][model["data"]]["sets"]}
        rows = tuple(Row(s, WHY.get(s, _told(name)), tuple(Finding(**f) for f in sets[s])) for s in SETS)
        return Measured(name, told["count"], rows, told["command"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def measure(name: str, *, count: int) -> Iterator[tuple[int, int, str] | Measured]:
    """Yields (done, total, what) before each set, and at last what was measured.

    Raises:
        shelf.StudioError: no such generator, no judge for its data, or a count out of range.
    """
    if not (isinstance(count, int | float) and FEWEST <= count <= MOST and count == int(count)):
        raise shelf.StudioError(f"The number of items is a whole one from {FEWEST} to {MOST:,}; {count} was given.")
    if name not in models():
        raise shelf.StudioError(f"Generators that can be measured here are {', '.join(models()) or 'none'}.")
    count, rows = int(count), []
    bench = bench_of(shelf.entry(name).data, count)
    for i, set_name in enumerate(SETS):
        yield i, len(SETS), set_name
        rows.append(Row(set_name, WHY.get(set_name, _told(name)), bench.figures(set_items(set_name, name, bench))))
    yield Measured(name, count, tuple(rows), f"python benchmarks/measure.py --models {name} --count {count}")


def _told(name: str) -> str:
    return (
        f"What {name} draws with its default knobs. Where the metrics disagree, the sets below say what each one sees."
    )


@functools.lru_cache(maxsize=2)
def bench_of(data: str, count: int) -> "Bench":
    """The bench of a data set; the last two stay in memory."""
    return Bench(data, count)


class Bench:
    """Real items of one data set, and everything that a set of `count` items is measured against."""

    def __init__(self, data: str, count: int):
        from genlab.studio.evaluate import chances, features, judge_of  # torch is needed from here on

        self.train, test = load(data), load(data, "test")
        self.count = min(count, len(test.items) // 4)
        order = np.random.default_rng(0).permutation(len(test.items))
        self.test, self.rest = test, order[self.count :]
        self.items = test.items[order[: self.count]].astype(np.float32) / 255
        self.others = test.items[order[self.count : 2 * self.count]].astype(np.float32) / 255
        self.judge = judge_of(data)
        self.real, other = features(self.judge, self.items), features(self.judge, self.others)
        self.chances = chances(self.judge, self.real)
        self.frechet = frechet_finding(self.real, other).value
        self.kernel = kernel_distance(self.real, other).value
        self.near = prdc(self.real, other)
        rows = np.random.default_rng(1).permutation(len(self.train.items))[:SEARCHED]
        self.searched = self.train.items[rows].astype(np.float32) / 255
        self.known = flat(self.searched).astype(np.float64)
        self.expected = copy_ratios(flat(self.items), self.known)

    def figures(self, items: np.ndarray) -> tuple[Finding, ...]:
        """The figures of `METRICS` for items (count, c, h, w) in [0, 1]."""
        from genlab.studio.evaluate import chances, features

        made = features(self.judge, items)
        found = [
            frechet_finding(self.real, made, floor=self.frechet),
            kernel_distance(self.real, made, floor=self.kernel),
            *neighbour_findings(self.real, made, floor=self.near),
            class_score_finding(chances(self.judge, made), self.chances),
            copies_finding(copy_ratios(flat(items), self.known), self.expected),
        ]
        return tuple(found)


def flat(items: np.ndarray) -> np.ndarray:
    """Items (n, c, h, w) as rows of pixels, large ones shrunk by whole blocks to at most `LARGEST` a side."""
    n, c, height, width = items.shape
    block = -(-height // LARGEST)
    return items.reshape(n, c, height // block, block, width // block, block).mean((3, 5)).reshape(n, -1)


def set_items(set_name: str, model: str | None, bench: Bench) -> np.ndarray:
    """The items (count, c, h, w), float32 in [0, 1], of one of `SETS`; `model` is needed for the model's own alone."""
    rng, n = np.random.default_rng(2), bench.count
    if set_name == MODEL:
        from genlab.studio.evaluate import FIRST_SEED, draw

        return draw(shelf.model(model), n, seed=FIRST_SEED)[0]
    if set_name == FLOOR:
        return bench.others
    if set_name == "ten items repeated":
        return bench.others[np.arange(n) % 10]
    if set_name == "slightly blurred":
        return blurred(bench.others)
    if set_name == "a little noise":
        noise = rng.normal(0, 0.05, bench.others.shape).astype(np.float32)
        return (bench.others + noise).clip(0, 1)
    if set_name == "Gaussian mixture":
        rows = rng.permutation(len(bench.train.items))[:FITTED]
        asked = bench.train.labels[rng.permutation(rows)[np.arange(n) % len(rows)]]
        return baseline("mixture", part(bench.train, rows), count=n, labels=asked)[0]
    if set_name == "half of the classes":
        present = np.unique(bench.test.labels)
        rows = bench.rest[np.isin(bench.test.labels[bench.rest], present[: len(present) // 2])]
        return bench.test.items[rng.choice(rows, n, replace=len(rows) < n)].astype(np.float32) / 255
    return bench.searched[:n]


def part(data: Data, rows: np.ndarray) -> Data:
    """Some rows of a data set, labels numbered by the classes that are among them."""
    present, labels = np.unique(data.labels[rows], return_inverse=True)
    names = tuple(data.names[i] for i in present)
    return dataclasses.replace(data, items=data.items[rows], labels=labels, names=names, attributes={})


def blurred(items: np.ndarray) -> np.ndarray:
    """Every pixel averaged with its eight neighbours, weights 1 2 1 in both directions."""
    for axis in (2, 3):
        before, after = np.roll(items, 1, axis), np.roll(items, -1, axis)
        items = (before + 2 * items + after) / 4
    return items.astype(np.float32)

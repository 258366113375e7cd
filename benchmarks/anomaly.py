"""Anomaly detection, ours and peers on the same splits: `python benchmarks/anomaly.py` writes benchmarks/results.

Sections (`--only` runs some and keeps the others' results): one class of Fashion-MNIST or MNIST as normal, the whole
test split judged; all of Fashion-MNIST as normal against eight other sets; solar cells; tables; the false-alarm rate.
Our detector, everywhere, is the one that `python -m genlab detect` learns: a fifth of its normal items calibrates it
and is not learnt. Seconds are wall-clock, of one thread, on a machine that was busy with other work too.

Chosen before any test split was looked at: views, cells, directions, k and power with the last 12,000 items of
Fashion-MNIST's training split judged by detectors of the first 48,000 (MNIST's training split was seen beside it); what
stands up to strangers with silhouettes, avatars, tiles of photographs, stripes, grain, and clothes transposed, cut up,
noisy or solarised; the score of tables with iris and with sums of training items' pixels. Solar cells: nothing.
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from anomaly_peers import PEERS, installed
from serving import machine

from genlab.data import load
from genlab.metrics.conformal import false_alarms, threshold
from genlab.metrics.ranking import auroc
from genlab.studio import detect, detect_inputs, shelf
from genlab.studio.detect_inputs import Items

RESULTS = Path(__file__).resolve().parent / "results" / "anomaly.json"
DEEP = ("PyOD AutoEncoder", "PyOD VAE", "PyOD DeepSVDD")  # not for tables of a hundred rows
PROMISED = ("AutoEncoder", "VAE", "KNN", "ECOD", "IForest", "DeepSVDD")


class Kept:
    """The results of one section, written after every step, so that a run that was stopped can go on (`--resume`)."""

    def __init__(self, path: Path, section: str, resume: bool):
        self.path, self.section = path, section
        earlier = self._all().get("sections", {}).get(section, {}) if resume else {}
        self.found = earlier.get("found", {})

    def _all(self) -> dict:
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def write(self) -> None:
        """Put what was found so far beside the other sections."""
        body = self._all() | {"command": "python benchmarks/anomaly.py"}
        about = {"machine": machine(), "threads": torch.get_num_threads(), "pyod": installed()}
        body.setdefault("sections", {})[self.section] = {**about, "found": self.found}
        self.path.write_text(json.dumps(body, indent=1) + "\n")


def finished(work):
    """What a generator returns."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value


def items(kind: str, values: np.ndarray) -> Items:
    """Arrays as the studio reads them from files."""
    columns = () if kind == "images" else tuple(f"c{i}" for i in range(values.shape[1]))
    return Items(kind, values, tuple(map(str, range(len(values)))), columns=columns)


def ours(kind: str, method: str = "combined") -> Callable:
    """Our detector as a peer: normal values and others in, scores out."""

    def score(normal: np.ndarray, other: np.ndarray) -> np.ndarray:
        return detect.judge(finished(detect.learn(items(kind, normal), method=method)), items(kind, other)).scores

    return score


def measured(score: Callable, normal: np.ndarray, other: np.ndarray, anomaly: np.ndarray) -> dict:
    """The area under the ROC curve with its 95 % interval, and seconds to learn and judge."""
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        area = auroc(score(normal, other), anomaly)
    return {
        "auroc": round(area.value, 5), "low": round(float(area.low), 5), "high": round(float(area.high), 5),
        "normal": int((~anomaly).sum()), "anomalies": int(anomaly.sum()),
        "seconds": round(time.perf_counter() - began, 1),
    }  # fmt: skip


def rows_of(images: np.ndarray) -> np.ndarray:
    """Images uint8 as rows of numbers in [0, 1]."""
    return images.reshape(len(images), -1).astype(np.float32) / 255


# ---- sections


def one_class(data: str, methods: dict[str, tuple[Callable, bool]], kept: Kept) -> None:
    """Each class in turn is normal; `methods`: name -> (function, whether it takes pictures rather than rows)."""
    train, test = load(data), load(data, "test")
    rows, others = rows_of(train.items), rows_of(test.items)
    for name, (score, pictures) in methods.items():
        known, asked = (train.items, test.items) if pictures else (rows, others)
        by_class = kept.found.setdefault(name, {}).setdefault("classes", {})
        for c, label in enumerate(train.names):
            if label in by_class:
                continue
            by_class[label] = measured(score, known[train.labels == c], asked, test.labels != c)
            kept.write()
            print(f"{data}: {name}: {label} {by_class[label]['auroc']:.4f} {by_class[label]['seconds']} s", flush=True)
        areas = [r["auroc"] for r in by_class.values()]
        # the same test items are judged for every class, so the classes' errors may add up: the mean of the half-widths
        half = float(np.mean([(r["high"] - r["low"]) / 2 for r in by_class.values()]))
        kept.found[name] |= {
            "mean": round(float(np.mean(areas)), 5), "mean_within": round(half, 5), "worst": min(areas),
            "seconds_a_class": round(float(np.mean([r["seconds"] for r in by_class.values()])), 1),
        }  # fmt: skip
        kept.write()
        print(f"{data}: {name}: mean {kept.found[name]['mean']:.4f}, worst {min(areas):.4f}", flush=True)


def fashion(kept: Kept) -> None:
    """Ours on the classes of Fashion-MNIST, by every score that needs no network."""
    one_class("fashion", {f"ours ({m})": (ours("images", m), True) for m in detect.METHODS}, kept)


def fashion_peers(kept: Kept) -> None:
    """Raw pixels and PyOD on the same."""
    methods = {"raw-pixel 1-NN": (PEERS["raw-pixel 1-NN"], False)}
    if installed():
        methods |= {f"PyOD {name}": (PEERS[f"PyOD {name}"], False) for name in PROMISED}
    one_class("fashion", methods, kept)


def fashion_networks(kept: Kept) -> None:
    """The three scores of one small VAE a class of Fashion-MNIST, trained as the page trains it."""
    trained: dict[int, detect.Learnt] = {}

    def by(method: str) -> Callable:
        def score(normal: np.ndarray, other: np.ndarray) -> np.ndarray:
            key = hash(normal[:50].tobytes())
            if key not in trained:
                trained[key] = finished(detect.learn(items("images", normal), method="reconstruction"))
            trained[key].detector.method = method  # the same network; its scale does not change the order
            return detect.judge(trained[key], items("images", other)).scores

        return score

    one_class("fashion", {f"ours ({m})": (by(m), True) for m in detect.NETWORK}, kept)


def mnist(kept: Kept) -> None:
    """The digits of MNIST in the same way."""
    methods = {"ours (combined)": (ours("images"), True), "raw-pixel 1-NN": (PEERS["raw-pixel 1-NN"], False)}
    one_class("mnist", methods, kept)


def calibration(kept: Kept) -> None:
    """False alarms among fresh normal items of Fashion-MNIST's test split, against the beta-binomial law."""
    train, test, found = load("fashion"), load("fashion", "test"), kept.found
    for c, label in enumerate(train.names):
        learnt = finished(detect.learn(items("images", train.items[train.labels == c])))
        fresh = detect.judge(learnt, items("images", test.items[test.labels == c])).scores
        for rate in (0.01, 0.05):
            alarms = int((fresh >= threshold(learnt.calibration, rate)).sum())
            low, high = false_alarms(len(learnt.calibration), len(fresh), rate)
            found[f"{label}, {rate:.0%}"] = {
                "alarms": alarms, "fresh": len(fresh), "held_out": len(learnt.calibration), "low": low, "high": high,
                "inside": low <= alarms <= high,
            }  # fmt: skip
            print(f"calibration: {label} at {rate:.0%}: {alarms} of {len(fresh)}, {low} to {high}", flush=True)
    kept.write()


def out_of_distribution(kept: Kept) -> None:
    """All of Fashion-MNIST is normal; its test items against eight other sets, by one score, beside a VAE's likelihood.

    Judged are 2,000 test items and 1,000 of each set. `vae-fashion` is the model on the shelf; its score is minus the
    evidence lower bound of one draw.
    """
    from anomaly_sets import eight

    from genlab.metrics.likelihood import bits_per_dimension

    test, digits = load("fashion", "test").items, load("mnist", "test").items
    inside, sets = test[:2_000], eight(test[2_000:], digits)
    learnt = finished(detect.learn(items("images", load("fashion").items)))
    model = shelf.model("vae-fashion")
    scores = {
        "ours (combined)": lambda x: detect.judge(learnt, items("images", x)).scores,
        "VAE likelihood": lambda x: bits_per_dimension(model, torch.from_numpy(x).float() / 255, k=1).numpy(),
    }
    found = kept.found
    for name, score in scores.items():
        normal, found[name] = score(inside), {}
        for label, pictures in sets.items():
            both = np.concatenate([normal, score(pictures)])
            area = auroc(both, np.arange(len(both)) >= len(normal))
            found[name][label] = {
                "auroc": round(area.value, 5), "low": round(float(area.low), 5), "high": round(float(area.high), 5)
            }  # fmt: skip
            print(f"out of distribution: {name}: {label} {area.value:.4f}", flush=True)
    kept.write()


def tables(kept: Kept) -> None:
    """One class of each table is normal: four fifths of its rows are learnt, the other fifth and all else judged."""
    from sklearn import datasets

    found = kept.found
    for title, load_table, classes in (
        ("breast cancer", datasets.load_breast_cancer, (1,)), ("wine", datasets.load_wine, range(3)),
        ("digits", datasets.load_digits, range(10)),
    ):  # fmt: skip
        read = load_table()
        methods = {"ours (combined)": ours("table")}
        methods |= {n: p for n, p in PEERS.items() if installed() and n.startswith("PyOD") and n not in DEEP}
        for name, score in methods.items():
            by_class = {}
            for c in classes:
                rows = np.flatnonzero(read.target == c)
                learnt = np.setdiff1d(rows, rows[4::5])
                asked = np.setdiff1d(np.arange(len(read.target)), learnt)
                values = read.data.astype(np.float64)
                by_class[str(read.target_names[c])] = measured(
                    score, values[learnt], values[asked], read.target[asked] != c
                )
            mean = float(np.mean([r["auroc"] for r in by_class.values()]))
            found.setdefault(title, {})[name] = {"mean": round(mean, 5), "classes": by_class}
            print(f"tables: {title}: {name} {mean:.4f}", flush=True)
    kept.write()


def solar_cells(kept: Kept) -> None:
    """Cells without a defect: four fifths learnt, the rest judged against cells that surely have one."""
    train, test = load("solar-cells"), load("solar-cells", "test")
    sure = (test.labels == 0) | (test.labels == 3)
    asked, truth = test.items[sure], test.labels[sure] == 3

    def fitted(images: np.ndarray) -> np.ndarray:
        return shrunk(images, detect_inputs.LARGE)

    methods = {"ours (combined)": (ours("images"), fitted), "pixels 1-NN (28x28)": (PEERS["raw-pixel 1-NN"], small)}
    if installed():
        methods |= {f"{name} (28x28)": (p, small) for name, p in PEERS.items() if name.startswith("PyOD")}
    found = kept.found
    for name, (score, view) in methods.items():
        found[name] = measured(score, view(train.items), view(asked), truth)
        print(f"solar cells: {name} {found[name]['auroc']:.4f} {found[name]['seconds']} s", flush=True)
    kept.write()


def shrunk(images: np.ndarray, side: int) -> np.ndarray:
    """Pictures uint8 (n, 1, s, s) as the studio resizes them."""
    from PIL import Image

    resized = [Image.fromarray(x[0]).resize((side, side), Image.Resampling.BOX) for x in images]
    return np.stack([np.asarray(x) for x in resized])[:, None]


def small(images: np.ndarray) -> np.ndarray:
    """Pictures as rows of 28x28 pixels, for detectors of tables."""
    return rows_of(shrunk(images, 28))


SECTIONS = {
    "fashion": fashion,
    "fashion_peers": fashion_peers,
    "fashion_networks": fashion_networks,
    "mnist": mnist,
    "out_of_distribution": out_of_distribution,
    "solar_cells": solar_cells,
    "tables": tables,
    "calibration": calibration,
}


def main() -> None:
    """Run the sections asked for and write what they found beside the others."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--resume", action="store_true", help="keep what these sections have and do the rest")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    for name in arguments.only:
        SECTIONS[name](Kept(arguments.out, name, arguments.resume))


if __name__ == "__main__":
    main()

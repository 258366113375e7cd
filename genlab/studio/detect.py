"""Learn what is normal from normal items, live, and judge others: a score, a p-value, an alarm, and where it differs.

A part of the normal items is held out from learning; p-values compare with those (`genlab/metrics/conformal.py`), so
the threshold is a stated false-alarm rate.
"""

import time
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from genlab.studio import pictures
from genlab.studio.collect import Step
from genlab.studio.detect_inputs import Items, as_learnt
from genlab.studio.shelf import StudioError

FEWEST = 10  # normal items
MOST_LEARNT, MOST_HELD_OUT, MOST_NUMBERS = 20_000, 2_000, 10**8  # items, items, and numbers in the learnt ones
HELD_OUT = 0.2
RATES = (0.001, 0.5)  # false-alarm rates that may be asked for
WINDOW, REACH = 32, 12  # steps of a series that are looked at together; see `settled`
METHODS = ("combined", "neighbours", "gaussian", "mixture")
NETWORK = ("reconstruction", "evidence", "complexity")  # of pictures, by a VAE that is trained first
STEPS, BATCH, RATE = 600, 64, 3e-3  # of its training


@dataclass(frozen=True)
class Learnt:
    """A fitted detector with what calibrates it.

    Attributes:
        detector: a `genlab.models.detector.Detector`.
        kind: "images", "table" or "series".
        calibration: scores of the held-out normal items, (n,).
        columns: of a table or series.
        normal: pictures that were learnt, uint8, to show beside those that are judged (empty otherwise).
        notes: what was converted, left out or cannot be promised.
        seconds: that learning took.
    """

    detector: Any
    kind: str
    calibration: np.ndarray
    columns: tuple[str, ...] = ()
    normal: np.ndarray | None = None
    count: int = 0
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    def smallest_rate(self) -> float:
        """The lowest false-alarm rate that so many held-out items can state."""
        return 1 / (len(self.calibration) + 1)


@dataclass(frozen=True)
class Judged:
    """Items with their scores (higher is stranger) and p-values, and which of them are labelled as anomalies."""

    items: Items
    scores: np.ndarray
    p_values: np.ndarray
    truth: np.ndarray | None
    notes: tuple[str, ...]

    def alarms(self, rate: float) -> np.ndarray:
        """Which items are called anomalies at that false-alarm rate."""
        return self.p_values <= rate

    def table(self, rate: float) -> str:
        """A CSV: item, score, p_value, anomaly."""
        import pandas as pd

        from audits.bias.cells import table_csv

        return table_csv(
            pd.DataFrame({
                "item": self.items.names,
                "score": [float(f"{s:.6g}") for s in self.scores],
                "p_value": [float(f"{p:.6g}") for p in self.p_values],
                "anomaly": self.alarms(rate).astype(int),
            })
        )  # fmt: skip


def check_rate(rate: object) -> float:
    """A false-alarm rate as a number; StudioError where it is none from 0.001 to 0.5."""
    number = isinstance(rate, int | float) and not isinstance(rate, bool)
    if not number or not RATES[0] <= rate <= RATES[1]:
        raise StudioError(
            f"The false-alarm rate is a number from {RATES[0]:g} to {RATES[1]:g}; {str(rate)[:40]!r} was given."
        )
    return float(rate)


# ---- learning


def learn(normal: Items, *, method: str = "combined", seed: int = 0) -> Generator[Step, None, Learnt]:
    """Fit a detector to normal items, yielding a Step a part; a fifth of them is held out to calibrate it.

    Raises:
        ValueError: one sentence: too few items, all alike, labelled anomalies among them, an unknown method.
    """
    import torch

    began = time.monotonic()
    if method in NETWORK and normal.kind != "images":
        raise StudioError(f"The score {method} is for pictures; scores of a {normal.kind} are {', '.join(METHODS)}.")
    yield Step(0, 0, "looking at the normal set")
    normal, notes = _usable(normal)
    learn_rows, held_rows = _split(normal, seed)
    values = _tensor(normal)
    most = min(MOST_LEARNT, MOST_NUMBERS // values[0].numel())
    if len(learn_rows) > most:
        notes.append(f"{most:,} of {len(learn_rows):,} normal items were learnt, drawn at random.")
        learn_rows = np.sort(np.random.default_rng(seed).choice(learn_rows, most, replace=False))
    chosen = _numbers(values[torch.from_numpy(learn_rows)])
    if bool((values == values[:1]).all()):
        raise StudioError("All items of the normal set are alike, so there is nothing to learn: give ones that vary.")
    detector = yield from (_trained if method in NETWORK else _fitted)(normal.kind, chosen, method, seed)
    yield Step(0, 0, "calibrating on held-out normal items")
    calibration = surprises(detector, values[torch.from_numpy(held_rows)])
    if normal.kind == "series":
        stretches = np.split(calibration, np.flatnonzero(np.diff(held_rows) > 1) + 1)
        calibration = np.concatenate([settled(part)[REACH:-REACH] for part in stretches if len(part) > 2 * REACH])
        notes.append(
            "Neighbouring steps of a series resemble each other, so its p-values are a guide: the stated false-alarm "
            "rate holds on average over long stretches that behave like the normal one, not for each."
        )
    shown = normal.values[learn_rows] if normal.kind == "images" else None
    return Learnt(
        detector, normal.kind, np.sort(calibration), normal.columns, shown, len(normal), tuple(notes),
        time.monotonic() - began,
    )  # fmt: skip


def _fitted(kind: str, items: Any, method: str, seed: int) -> Generator[Step, None, Any]:
    """A detector that keeps the normal items in its views; nothing in it is random."""
    from genlab.models.detector import Detector

    detector = Detector(kind=kind, shape=tuple(items.shape[1:]), method=method)
    for step in detector.fit(items):
        yield Step(*step)
    return detector


def _trained(kind: str, items: Any, method: str, seed: int) -> Generator[Step, None, Any]:
    """A detector around a small VAE, trained on the normal pictures."""
    import torch

    from genlab.fit import Batches, fit
    from genlab.models.evidence import Evidence

    detector = Evidence(shape=tuple(items.shape[1:]), method=method)
    batches = Batches(items, torch.zeros(len(items), dtype=torch.long), batch=BATCH, seed=seed)
    for at in fit(detector.vae, batches, steps=STEPS, lr=RATE, ema=0.99, seed=seed, every=20):
        yield Step(at.step, at.steps, "training a small network on the normal pictures")
    detector.vae.requires_grad_(False)
    detector.scaled(items[:512])
    return detector


def _usable(normal: Items) -> tuple[Items, list[str]]:
    """The normal items with the columns that vary, and what to say."""
    notes = list(normal.notes)
    if len(normal) < FEWEST or (normal.kind == "series" and len(normal) < 4 * WINDOW):
        need = f"{4 * WINDOW} time steps" if normal.kind == "series" else f"{FEWEST} items"
        have = f"{len(normal):,} {'step' if normal.kind == 'series' else 'item'}{'s' * (len(normal) != 1)}"
        raise StudioError(f"The normal set has {have}: at least {need} are needed, a fifth of them to calibrate.")
    odd = normal.anomalies()
    if odd is not None and normal.kind != "images":
        raise StudioError(f"{int(odd.sum()):,} rows of the normal set are labelled as anomalies: leave them out.")
    if normal.kind == "images":
        return normal, notes
    varies = np.ptp(normal.values, axis=0) > 0
    if not varies.any():
        raise StudioError(
            "No column of the normal set ever changes, so there is nothing to learn: give rows that vary."
        )
    for name in np.array(normal.columns, object)[~varies]:
        notes.append(f"Column {name!r} is constant in the normal set and was left out.")
    columns = tuple(np.array(normal.columns, object)[varies])
    return replace(normal, values=normal.values[:, varies], columns=columns), notes


def _split(normal: Items, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn and rows to hold out; of a series whole stretches, with no window astride."""
    count = len(normal)
    if normal.kind != "series":
        order = np.random.default_rng(seed).permutation(count)
        held = min(MOST_HELD_OUT, max(round(HELD_OUT * count), min(2 * count // 5, 99)))
        return np.sort(order[held:]), order[:held]
    stretch = max(WINDOW, min(8 * WINDOW, count // 10))
    stretches = np.arange(count) // stretch
    # every fourth stretch, the first one not, so that both parts see all of the series
    held = np.flatnonzero(stretches % 4 == 2)
    near = np.zeros(count, bool)
    for shift in range(-WINDOW // 2, WINDOW // 2 + 1):
        near[np.clip(held + shift, 0, count - 1)] = True
    return np.flatnonzero(~near), held


def _tensor(items: Items):
    """Images uint8, rows of a table, or a window around every step of a series."""
    import torch

    if items.kind == "images":
        return torch.from_numpy(np.ascontiguousarray(items.values))
    values = torch.from_numpy(np.ascontiguousarray(items.values, np.float64))
    return windows(values) if items.kind == "series" else values


def windows(values):
    """The window (steps, channels, WINDOW) around every step of a series (steps, channels), the nearest whole one."""
    import torch

    if len(values) < WINDOW:
        raise StudioError(f"The series has {len(values):,} time steps; at least {WINDOW} are needed.")
    starts = (torch.arange(len(values)) - WINDOW // 2).clamp(0, len(values) - WINDOW)
    return values.unfold(0, WINDOW, 1)[starts]


def settled(scores: np.ndarray) -> np.ndarray:
    """For each step of a series the lowest score within REACH steps.

    A fault raises the score of every window that it touches, half a window before it begins and after it has ended;
    the lowest score nearby gives most of that back.
    """
    from scipy.ndimage import minimum_filter1d

    return minimum_filter1d(scores, 2 * REACH + 1, mode="nearest")


def surprises(detector: Any, values) -> np.ndarray:
    """Scores of items as float64, in portions."""
    portion = max(1, min(4096, 10**7 // values[0].numel()))
    return np.concatenate([detector.surprise(_numbers(part)).double().numpy() for part in values.split(portion)])


def _numbers(values):
    """What a detector takes: pictures in [0, 1], all else as it is."""
    import torch

    return values.float() / 255 if values.dtype == torch.uint8 else values


# ---- judging


def judge(learnt: Learnt, items: Items) -> Judged:
    """Scores and p-values of items of the kind that was learnt.

    Raises:
        ValueError: one sentence where they are of another kind or lack a column.
    """
    from genlab.metrics.conformal import p_values

    if items.kind != learnt.kind:
        raise StudioError(f"The detector learnt {learnt.kind}; {items.kind} were given.")
    items = as_learnt(items, learnt.detector.shape) if items.kind == "images" else _with_columns(items, learnt)
    scores, truth, notes = surprises(learnt.detector, _tensor(items)), items.anomalies(), items.notes
    scores = settled(scores) if learnt.kind == "series" else scores
    if items.labels is not None and truth is None:
        given = ", ".join(repr(name) for name in sorted(set(items.labels))[:4])
        notes = (*notes, f"No curves: the labels ({given}) do not name both normal, good or ok and something else.")
    return Judged(items, scores, p_values(learnt.calibration, scores), truth, notes)


def _with_columns(items: Items, learnt: Learnt) -> Items:
    """The columns that were learnt, in their order, by name."""
    places = {name: i for i, name in enumerate(items.columns)}
    missing = [name for name in learnt.columns if name not in places]
    if missing:
        raise StudioError(f"The column {missing[0]!r} of the normal set is missing ({len(missing):,} such columns).")
    wanted = [places[name] for name in learnt.columns]
    return replace(items, values=items.values[:, wanted], columns=learnt.columns)


def figures(judged: Judged, rate: float) -> list[tuple[str, float, float | None, float | None, int]]:
    """Where labels are there: name, value, 95 % interval (None: without one) and n of each figure."""
    from audits.bias.intervals import wilson
    from genlab.metrics import ranking

    area, truth, alarms = ranking.auroc(judged.scores, judged.truth), judged.truth, judged.alarms(rate)
    found = [
        ("area under the ROC curve", *map(float, area), len(truth)),
        ("average precision", ranking.average_precision(judged.scores, truth), None, None, len(truth)),
    ]
    for name, of in (("anomalies found", truth), ("false alarms", ~truth)):
        share = wilson(int((alarms & of).sum()), int(of.sum()))
        found.append((name, float(share.value), float(share.low), float(share.high), int(of.sum())))
    return found


@dataclass(frozen=True)
class Drawn:
    """Both curves of labelled items, the areas under them, and where the threshold stands: found, wrong, exact."""

    false_alarms: np.ndarray
    found: np.ndarray
    precision: np.ndarray
    area: tuple[float, float, float]
    average_precision: float
    at: tuple[float, float, float]


def drawn(judged: Judged, rate: float) -> Drawn | None:
    """What curves show; None without labels of both kinds."""
    from genlab.metrics import ranking

    truth, alarms = judged.truth, judged.alarms(rate)
    if truth is None:
        return None
    points = ranking.curves(judged.scores, truth)
    hits = int((alarms & truth).sum())
    at = (hits / truth.sum(), (alarms & ~truth).sum() / (~truth).sum(), hits / alarms.sum() if alarms.any() else 1.0)
    area = ranking.auroc(judged.scores, truth)
    return Drawn(
        *points, tuple(map(float, area)), ranking.average_precision(judged.scores, truth), tuple(map(float, at))
    )


def expected(learnt: Learnt, fresh: int, rate: float) -> tuple[int, int]:
    """How many of so many normal items raise an alarm, in 999 of 1,000 cases."""
    from genlab.metrics.conformal import false_alarms

    return false_alarms(len(learnt.calibration), fresh, rate)


def compared(learnt: Learnt, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, str] | None:
    """Where pictures uint8 (n, c, s, s) differ, (n, s, s), 1 being usual; from which pictures; and what those are.

    They are the nearest normal pictures, or what the network makes of each; None for a score without a map.
    """
    import torch

    from genlab.models.evidence import Evidence

    detector, images = learnt.detector, torch.from_numpy(values).float() / 255
    if isinstance(detector, Evidence):
        rebuilt = pictures.to_bytes(detector.rebuilt(images))
        return detector.surprise_map(images).numpy(), rebuilt, "Rebuilt by the network"
    if detector.usual is None or learnt.normal is None:
        return None
    near = learnt.normal[detector.neighbours(images)[:, 0].numpy()]
    return detector.surprise_map(images).numpy(), near, "Nearest normal"

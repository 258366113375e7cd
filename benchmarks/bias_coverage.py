"""How often do intervals for shares and gaps hold? Ours against naive, CLEAM and fairlearn, by simulation.

`python benchmarks/bias_coverage.py [--quick]` prints a table and writes results/bias_coverage.json. Every truth
is known because it is drawn: a true share, a classifier with known accuracies, its validation on as many items a
class as stated, and n generated items.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from audits.bias.estimates import corrected, from_labels
from audits.bias.gaps import gap
from audits.bias.intervals import goodman, lang_reiczigel, rogan_gladen, wilson
from audits.bias.planner import items_for_gap
from audits.bias.shift import ALARM, shift_p_value

RESULTS = Path(__file__).resolve().parent / "results"
SHARES, SIZES, VALIDATIONS = (0.5, 0.7, 0.9), (100, 300, 1000, 5000), (200, 1000)
ACCURACIES = ((0.9, 0.9), (0.94, 0.94), (0.97, 0.97), (0.85, 0.97), (0.97, 0.85))
MIXES = {3: [0.6, 0.3, 0.1], 5: [0.55, 0.2, 0.12, 0.08, 0.05], 10: [0.55] + [0.05] * 9}
Z = 1.959963984540054
LABELS = (100, 150, 200, 300, 400, 600, 800, 1200)
DRAWS = 2000  # half of what an audit uses: fewer draws blur the quantiles, so coverage here is a little low


def holds(low, high, truth) -> float:
    return float(np.mean((np.asarray(low) <= truth) & (truth <= np.asarray(high))))


def cleam(counts, n: int, a0: float, a1: float, *, batches: int):
    """CLEAM (Teo et al. 2023, equations 7 and 8): a normal interval over batches, ends corrected by fixed accuracies.

    `counts` (R, batches) are the items predicted to be of the group, of `n` in each batch.
    """
    shares = counts / n
    half = Z * shares.std(1, ddof=1) / np.sqrt(batches)
    return tuple(rogan_gladen(shares.mean(1) + sign * half, a0, a1) for sign in (-1, 1))


def two_groups(replications: int) -> list[dict]:
    """Coverage of nominal 95 % intervals of one share, for every cell of the grid."""
    rng, cells = np.random.default_rng(0), []
    for share, (a0, a1), n, m in itertools.product(SHARES, ACCURACIES, SIZES, VALIDATIONS):
        seen = share * a0 + (1 - share) * (1 - a1)
        counts = rng.binomial(n, seen, replications)
        hits, others = rng.binomial(m, a0, replications), rng.binomial(m, a1, replications)
        known = {"items": m, "other_items": m}
        ours = lang_reiczigel(counts, n, hits=hits, other_hits=others, **known)
        swapped = lang_reiczigel(counts, n, hits=others, other_hits=hits, **known)
        naive = wilson(counts, n)
        batches = rng.binomial(n // 10, seen, (replications, 10))  # the same n items, in ten batches
        low, high = cleam(batches, n // 10, hits / m, others / m, batches=10)
        cells.append(
            {
                "share": share, "accuracy": [a0, a1], "n": n, "validation": m,
                "ours": holds(ours.low, ours.high, share), "swapped": holds(swapped.low, swapped.high, share),
                "naive": holds(naive.low, naive.high, share), "cleam": holds(low, high, share),
                "width": float(np.mean(ours.high - ours.low)),
            }
        )  # fmt: skip
    return cells


def many_groups(replications: int) -> list[dict]:
    """Simultaneous coverage of K shares, with a validated classifier, without any, and by hand labels."""
    cells = []
    grid = [(3, 0.9, 300, 200), (3, 0.97, 5000, 1000), (5, 0.9, 1000, 200), (5, 0.97, 5000, 200)]
    grid = [(*cell, "any") for cell in [*grid, (10, 0.9, 300, 200), (10, 0.97, 5000, 200)]]
    grid += [(5, 0.9, 1000, 200, "next"), (10, 0.9, 1000, 200, "next")]
    for groups, accuracy, n, m, taken_for in grid:
        rng, truth = np.random.default_rng(groups * n + m), np.array(MIXES[groups])
        confusion = np.full((groups, groups), (1 - accuracy) / (groups - 1))
        if taken_for == "next":  # all mistakes of a group go to one other, as between tones of skin
            confusion = (1 - accuracy) * np.roll(np.eye(groups), 1, axis=1)
        np.fill_diagonal(confusion, accuracy)
        held = {"ours": [], "naive": [], "exact": [], "labels": []}
        for seed in range(replications):
            counts = rng.multinomial(n, truth @ confusion).astype(float)
            validated = np.stack([rng.multinomial(m, row) for row in confusion]).astype(float)
            exact = rng.multinomial(n, truth).astype(float)
            made = {"ours": corrected(counts, validated, level=0.95, seed=seed, draws=DRAWS)}
            made["naive"] = goodman(counts)
            made["exact"] = goodman(exact)
            if seed < replications // 8:
                looked = hand_labels(counts, truth, confusion, 100, rng)
                made["labels"] = from_labels(counts, looked, level=0.95, seed=seed, draws=DRAWS)
            for name, s in made.items():
                held[name].append(bool(((s.low <= truth) & (truth <= s.high)).all()))
        cell = {"groups": groups, "accuracy": accuracy, "taken_for": taken_for, "n": n, "validation": m}
        cell |= {name: float(np.mean(x)) for name, x in held.items()} | {"label_replications": len(held["labels"])}
        cells.append(cell)
    return cells


def hand_labels(counts, truth, confusion, total: int, rng) -> np.ndarray:
    """Hand labels (K, K), row predicted and column true: `total` items, equally many of each predicted group."""
    given = (truth[:, None] * confusion).T
    given /= given.sum(1, keepdims=True)
    looked = np.minimum(counts, total // len(counts)).astype(int)
    return np.stack([rng.multinomial(m, row) for m, row in zip(looked, given, strict=True)]).astype(float)


def planted_shift(replications: int) -> list[dict]:
    """Validated at .97/.97, generated items classified at .92/.97: who still covers? 100 labels, 50 a class."""
    cells = []
    for share, n in itertools.product(SHARES, (300, 5000)):
        rng, truth = np.random.default_rng(n), np.array([share, 1 - share])
        confusion = np.array([[0.92, 0.08], [0.03, 0.97]])
        held = {"labels": [], "cleam": [], "lang_reiczigel": [], "naive": []}
        for seed in range(replications):
            counts = rng.multinomial(n, truth @ confusion).astype(float)
            hits, others = rng.binomial(1000, 0.97, 2)
            looked = hand_labels(counts, truth, confusion, 100, rng)
            labels = from_labels(counts, looked, level=0.95, seed=seed, draws=DRAWS)
            batches = rng.binomial(n // 10, (truth @ confusion)[0], (1, 10))
            low, high = cleam(batches, n // 10, hits / 1000, others / 1000, batches=10)
            lr = lang_reiczigel(counts[0], n, hits=hits, items=1000, other_hits=others, other_items=1000)
            naive = wilson(counts[0], n)
            ends = {"labels": (labels.low[0], labels.high[0]), "cleam": (low[0], high[0])}
            ends |= {"lang_reiczigel": lr[1:], "naive": naive[1:]}
            for name, (lower, upper) in ends.items():
                held[name].append(bool(lower <= share <= upper))
        cells.append({"share": share, "n": n} | {name: float(np.mean(x)) for name, x in held.items()})
    return cells


def shift_alarm(replications: int) -> list[dict]:
    """Alarms of 100 hand labels when nothing shifted, or one class or both lost 10 points; labels for 90 % power.

    The labels needed are the first number in `LABELS` that has it; None where the last has not, or the items run out.
    """
    cells = []
    for accuracy, share, (n, m) in itertools.product((0.97, 0.94, 0.9), SHARES, ((300, 200), (5000, 1000))):
        drops = {"both": (0.1, 0.1), "first": (0.1, 0.0), "second": (0.0, 0.1)}
        options = {"share": share, "accuracy": accuracy, "n": n, "m": m}
        cell = {"share": share, "accuracy": accuracy, "n": n, "validation": m, "labels": LABELS[0]}
        cell["false_alarms"] = alarms(replications, LABELS[0], drop=(0.0, 0.0), **options)
        for case, drop in drops.items():
            power = cell[f"power_{case}"] = alarms(replications, LABELS[0], drop=drop, **options)
            needed = LABELS[0] if power >= 0.9 else None
            for labels in [k for k in LABELS[1:] if k <= n and needed is None]:
                if needed is None and alarms(replications // 2, labels, drop=drop, **options) >= 0.9:
                    needed = labels
            cell[f"labels_{case}"] = needed
        cells.append(cell)
    return cells


def alarms(replications: int, labels: int, *, drop, share: float, accuracy: float, n: int, m: int) -> float:
    """The share of audits that ring when the two classes' accuracy is lower by `drop` than the validated one."""
    rng, truth, rung = np.random.default_rng(labels + n), np.array([share, 1 - share]), 0
    confusion = np.array([[accuracy - drop[0], 1 - accuracy + drop[0]], [1 - accuracy + drop[1], accuracy - drop[1]]])
    for seed in range(replications):
        counts = rng.multinomial(n, truth @ confusion).astype(float)
        first, second = rng.binomial(m, accuracy, 2)
        valid = np.array([[first, m - first], [m - second, second]], float)
        looked = hand_labels(counts, truth, confusion, labels, rng)
        rung += shift_p_value(counts, valid, looked, draws=500, seed=seed)[0] <= ALARM
    return rung / replications


def gap_verdicts(replications: int, frames: int) -> dict:
    """Rejections of the gap verdict on fair models and its power, and those of fairlearn's `difference_ci`."""
    cells = []
    grid = [(*cell, 0.5, None) for cell in itertools.product((2, 5, 10), (500, 2000), (0.0, 0.05, 0.1))]
    grid += [(k, n, 0.0, 0.1, MIXES[k]) for k in (5, 10) for n in (500, 2000)]  # rare outcome, groups of all sizes
    for groups, n, planted, base, shares in grid:
        rng = np.random.default_rng(groups * n)
        rejected = 0
        rates = np.full(groups, base)
        rates[0] += planted
        for seed in range(replications):
            codes = rng.integers(0, groups, n) if shares is None else rng.choice(groups, n, p=shares)
            outcome = (rng.random(n) < rates[codes]).astype(float)
            rejected += permutation_verdict(outcome, codes, seed)
        cell = {"groups": groups, "sizes": "equal" if shares is None else "unequal", "n": n, "rate": base}
        cells.append(cell | {"gap": planted, "rejected": rejected / replications})
    excluded = sum(fairlearn_excludes(seed) for seed in range(frames))
    verdicts = sum(fairlearn_excludes(seed, ours=True) for seed in range(frames))
    return {"cells": cells, "fairlearn": {"fair_models": frames, "excluded_zero": excluded, "ours_rejected": verdicts}}


def permutation_verdict(outcome, codes, seed: int) -> bool:
    """What `gap` decides, without the frame around it."""
    from audits.bias.gaps import permuted_gaps

    sizes = np.bincount(codes)
    means = np.bincount(codes, outcome) / sizes
    null = permuted_gaps(outcome, codes, permutations=500, seed=seed)
    return (1 + np.count_nonzero(null >= means.max() - means.min() - 1e-12)) / 501 <= 0.05


def fairlearn_excludes(seed: int, *, ours: bool = False) -> bool:
    """On a fair model of 300 items in 3 groups, is the gap called real?"""
    from fairlearn.metrics import MetricFrame

    rng = np.random.default_rng(seed)
    groups, outcome = rng.integers(0, 3, 300), (rng.random(300) < 0.5).astype(float)
    if ours:
        return gap(outcome, groups, seed=seed)["gap"].verdict == "worse"
    frame = MetricFrame(
        metrics=lambda _, y: float(np.mean(y)), y_true=np.zeros(300), y_pred=outcome, sensitive_features=groups,
        n_boot=50, ci_quantiles=[0.025, 0.975], random_state=seed,
    )  # fmt: skip
    return bool(frame.difference_ci()[0] > 0)


def planner() -> dict:
    """How many items a 5-point gap needs: METHODS' three cases."""
    plans = {
        "perfect": items_for_gap(0.05),
        "94 % on 1,000": items_for_gap(0.05, accuracy=(0.94, 0.94), validation=1000),
        "90 % on 200": items_for_gap(0.05, accuracy=(0.9, 0.9), validation=200),
    }
    return {name: plan.items for name, plan in plans.items()}


def machine() -> dict:
    """The processor and the versions behind the figures."""
    model = platform.processor()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return {"cpu": model, "cores": os.cpu_count(), "python": platform.python_version(), "numpy": np.__version__}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the replications, nothing written")
    quick = parser.parse_args().quick
    few, many = (200, 2000) if quick else (2000, 20_000)
    sections = {
        "two_groups": (two_groups, many), "many_groups": (many_groups, few), "shift_alarm": (shift_alarm, few),
        "planted_shift": (planted_shift, few), "gaps": (gap_verdicts, few, 10 if quick else 20),
    }  # fmt: skip
    report = {"command": "python benchmarks/bias_coverage.py", "machine": machine(), "nominal": 0.95}
    report |= {"replications": {"two_groups": many, "others": few}, "planner": planner(), "cpu_seconds": 0}
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        running = {name: pool.submit(timed, *section) for name, section in sections.items()}
        names = {future: name for name, future in running.items()}
        for future in as_completed(names):
            report[names[future]], seconds = future.result()
            report["cpu_seconds"] += round(seconds)
            print(f"{names[future]}: {seconds:.0f} s", flush=True)
    if not quick:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "bias_coverage.json").write_text(json.dumps(report, indent=1) + "\n")
    show(report)
    return 0


def timed(section, *arguments) -> tuple:
    """What a section returns, and the seconds of one core that it took."""
    began = time.process_time()
    return section(*arguments), time.process_time() - began


def show(report: dict) -> None:
    """The table."""
    summary("One share, 120 cells", report["two_groups"], ("ours", "naive", "cleam", "swapped"))
    summary("Planted shift .97 -> .92", report["planted_shift"], ("labels", "lang_reiczigel", "naive", "cleam"))
    print("K groups at once")
    for cell in report["many_groups"]:
        line = "  K = {groups:2}, accuracy {accuracy}, mistaken for {taken_for}, n {n}, validation {validation}: "
        line += "ours {ours:.1%}, 100 labels {labels:.1%}, naive {naive:.1%}; true names, Goodman {exact:.1%}"
        print(line.format(**cell))
    print("Shift alarm")
    for cell in report["shift_alarm"]:
        line = "  share {share}, accuracy {accuracy}, n {n}, validation {validation}: false alarms {false_alarms:.1%}, "
        line += "power both {power_both:.1%} ({labels_both} labels for 90 %), first class alone {power_first:.1%} "
        line += "({labels_first}), second {power_second:.1%} ({labels_second})"
        print(line.format(**cell))
    print("Gap verdicts")
    for cell in report["gaps"]["cells"]:
        line = "  {groups:2} groups of {sizes} size, n = {n:4}, rate {rate}, gap {gap:.2f}: rejected {rejected:.1%}"
        print(line.format(**cell))
    print("  fair models, fairlearn's difference_ci:", report["gaps"]["fairlearn"])
    print("Items for a 5-point gap:", report["planner"])
    print(f"{report['cpu_seconds']} s of one core on {report['machine']['cpu']}")


def summary(title: str, cells: list[dict], names) -> None:
    print(title)
    for name in names:
        values = [cell[name] for cell in cells]
        print(
            f"  {name:14} worst {min(values):6.1%}   mean {np.mean(values):6.1%}   best {max(values):6.1%}", flush=True
        )


if __name__ == "__main__":
    sys.exit(main())

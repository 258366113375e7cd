"""The command `python -m genlab detect`: learn what is normal from a folder or CSV, and judge another."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from genlab.card_text import number
from genlab.terminal import console, new_table

if TYPE_CHECKING:
    from genlab.studio.detect import Judged, Learnt

KINDS = ("images", "table", "series")
SCORES = ("combined", "neighbours", "gaussian", "mixture", "reconstruction", "evidence", "complexity")


def add(commands, bar) -> None:
    """Declare the command and its arguments; `bar` makes a progress bar."""
    parser = commands.add_parser("detect", help="learn what is normal, and say which items are not")
    parser.add_argument("--normal", type=Path, metavar="DIR|CSV", help="normal items to learn from")
    parser.add_argument("--test", type=Path, metavar="DIR|CSV", help="items to judge")
    parser.add_argument("--example", metavar="NAME", help="learn and judge what the page offers, such as shirt")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="CSV: item, score, p_value, anomaly")
    parser.add_argument("--kind", choices=KINDS, help="default: table for a CSV, else images")
    parser.add_argument(
        "--false-alarm", type=float, default=0.01, metavar="RATE", help="stated false-alarm rate (default: %(default)s)"
    )
    parser.add_argument("--score", choices=SCORES, default="combined", help="default: %(default)s")
    parser.add_argument("--save", type=Path, metavar="DETECTOR", help="keep what was learnt in this file")
    parser.add_argument("--detector", type=Path, metavar="DETECTOR", help="judge by a kept one instead of --normal")
    parser.set_defaults(command=functools.partial(run, bar=bar))


def run(arguments, bar) -> int:
    """Learn or open a detector, judge, write the CSV and print what it says."""
    from genlab.metrics.conformal import fewest_for
    from genlab.studio import detect, detect_examples, detect_files, detect_inputs
    from genlab.studio.shelf import StudioError

    if sum(given is not None for given in (arguments.normal, arguments.detector, arguments.example)) != 1:
        raise StudioError("Give one of --normal, to learn from, --detector, to judge by a kept one, and --example.")
    if arguments.test is None and arguments.example is None:
        raise StudioError("Give --test: the items to judge.")
    if arguments.out.is_dir() or not arguments.out.parent.is_dir():
        raise StudioError(f"{arguments.out} cannot be written: name a file in a folder that exists.")
    rate = detect.check_rate(arguments.false_alarm)
    if arguments.detector is not None:
        learnt = detect_files.opened(arguments.detector)
        if arguments.kind not in (None, learnt.kind):
            raise StudioError(f"{arguments.detector} learnt {learnt.kind}; --kind {arguments.kind} was given.")
    else:
        if arguments.example is not None:
            normal, judging, _ = detect_examples.pair(arguments.example)
        else:
            normal = detect_inputs.read(arguments.normal, arguments.kind or detect_inputs.kind_of(arguments.normal))
        work = detect.learn(normal, method=arguments.score)
        with bar() as shown:
            task = shown.add_task("learning", total=None, note="")
            while True:
                try:
                    step = next(work)
                except StopIteration as done:
                    learnt = done.value
                    break
                shown.update(task, completed=step.done, total=step.total or None, note=step.what)
    if rate < learnt.smallest_rate():
        raise StudioError(
            f"A false-alarm rate of {rate:g} needs {fewest_for(rate):,} held-out normal items and "
            f"{len(learnt.calibration):,} are there: state {learnt.smallest_rate():.3g} or more, or give more items."
        )
    if arguments.test is not None:
        columns = None if learnt.kind == "images" else learnt.columns
        judging = detect_inputs.read(arguments.test, learnt.kind, columns)
    judged = detect.judge(learnt, judging)
    arguments.out.write_text(judged.table(rate), encoding="utf-8")
    if arguments.save is not None:
        arguments.save.write_bytes(detect_files.pack(learnt))
    say(learnt, judged, rate, arguments.out)
    return 0


def say(learnt: Learnt, judged: Judged, rate: float, out: Path) -> None:
    """Print the findings: alarms, what is expected of normal items, and the areas under the curves where labels are."""
    from genlab.metrics.conformal import false_alarms
    from genlab.studio.detect import figures

    alarms = judged.alarms(rate)
    table = new_table("figure", "value", "95 % interval", "n")
    table.add_row("anomalies", f"{int(alarms.sum()):,}", "", f"{len(alarms):,}")
    if judged.truth is not None:
        for name, value, low, high, n in figures(judged, rate):
            table.add_row(name, number(value), "" if low is None else f"{number(low)} to {number(high)}", f"{n:,}")
    console().print(table)
    notes = [*learnt.notes, *judged.notes]
    if learnt.kind != "series":
        low, high = false_alarms(len(learnt.calibration), len(alarms), rate)
        notes.append(f"Of {len(alarms):,} normal items {low:,} to {high:,} would raise an alarm at {rate:g} (99.9 %).")
    for sentence in (*notes, f"{out}: {len(alarms):,} rows."):
        console().print(f"  {sentence}", highlight=False, markup=False)

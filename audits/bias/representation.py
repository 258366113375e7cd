"""Representation: which share of a generated set belongs to each group, and is it what it should be?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from audits.bias import distances, tables
from audits.bias.estimates import DRAWS, Shares, as_predicted, corrected, from_labels
from audits.bias.intervals import wilson
from audits.bias.reference_tests import against_reference
from audits.bias.shift import ALARM, shift_p_value
from audits.report import Finding, Report, figure

METRICS = {
    "discrepancy": (distances.fairness_discrepancy, "L2", "The fairness discrepancy"),
    "total_variation": (distances.total_variation, "share", "The total variation"),
    "jensen_shannon": (distances.jensen_shannon, "distance", "The Jensen-Shannon distance"),
}


def representation(
    predicted, *, reference=None, validation=None, labels=None, expected: Sequence[str] = (),
    question: str = "model", level: float = 0.95, seed: int = 0,
) -> Report:  # fmt: skip
    """The share of every group, with intervals that hold together, against a reference.

    `predicted` (n,) is a Series or array of group names, one an item. `reference` is None, "uniform", or a table
    from group to share. `validation` is a DataFrame with the columns `true` and `predicted`, one row a validation
    item: it switches on the estimate that knows the classifier's errors. `labels` is a Series aligned with
    `predicted`, missing where nobody looked: it switches on the post-stratified estimate, which assumes that the
    items looked at were drawn at random within each predicted group; with a validation beside it, the finding
    `shift` says whether the two agree. `expected` names groups that may be absent.

    `question` is "model" (the model behind the items, of which they are independent draws) or "folder" (these
    items and no others). Findings: `share.<group>` (n counts the items predicted so), with a reference also
    `discrepancy`, `discrepancy.corrected`, `total_variation`, `jensen_shannon`, `test.reference` and
    `test.<group>`; with a validation `accuracy.<group>`; with both `shift`. Raises ValueError in one sentence.
    """
    if question not in ("model", "folder"):
        raise ValueError(f"The question is 'model' or 'folder', not {question!r}.")
    if not 0.5 <= level < 1:
        raise ValueError(f"level is {level}; it must be from 0.5 to below 1.")
    predicted = tables.as_groups(predicted)
    named = [] if reference is None or isinstance(reference, str) else list(tables.reference_table(reference))
    validated = [] if validation is None else sorted(tables.validation_columns(validation)[0].unique())
    if labels is not None:
        labels = tables.aligned_labels(predicted, labels)
        seen = sorted(labels.dropna().astype(str).unique())
    names = tables.group_names(predicted, named, expected, validated, [] if labels is None else seen)
    counts = predicted.value_counts().reindex(names, fill_value=0).to_numpy().astype(float)
    target = tables.as_reference(reference, names)
    confusion = None if validation is None else tables.confusion_counts(validation, names)
    looked = None if labels is None else tables.label_counts(predicted, labels, names)

    folder = question == "folder"
    if looked is not None:
        shares = from_labels(counts, looked, level=level, seed=seed, folder=folder)
    elif confusion is not None:
        shares = corrected(counts, confusion, level=level, seed=seed, folder=folder)
    else:
        shares = as_predicted(counts, level=level, seed=seed, folder=folder)

    findings = share_findings(
        names, counts, shares, target, corrected=shares.method not in ("Wilson", "Goodman", "counted")
    )
    if target is not None and len(names) > 1:
        findings += distance_findings(counts, shares, target, level=level, seed=seed)
        if not folder or confusion is not None or looked is not None:
            exact = confusion is None and looked is None
            findings += against_reference(names, counts, shares, target, exact=exact, seed=seed)
    if confusion is not None:
        findings += _accuracies(names, confusion, level)
        if looked is not None:
            findings.append(_shift(counts, confusion, looked, level, seed))
    n = int(counts.sum())
    subject = f"in these {n:,} items" if folder else f"in the model behind {n:,} items"
    return Report(
        f"Representation {subject}", tuple(findings), _caveats(names, shares, confusion, looked, folder, level)
    )


def share_findings(
    names: Sequence[str], counts: np.ndarray, shares: Shares, target: np.ndarray | None, *, corrected: bool = False
) -> list[Finding]:
    """One finding `share.<group>` a group; worse where the interval excludes the reference share."""
    n, findings = int(counts.sum()), []
    for i, name in enumerate(names):
        value, low, high = (float(x[i]) for x in (shares.value, shares.low, shares.high))
        reading = f"{int(counts[i]):,} of {n:,} items were {'predicted to be ' if corrected else ''}{name}"
        if corrected:
            reading += f" ({counts[i] / n:.1%}); the estimate of the true share is {value:.1%}"
        reading += f", between {low:.1%} and {high:.1%}" if low < high else f", {value:.1%}"
        verdict, floor = "", None
        if target is not None:
            floor = float(target[i])
            side = "fewer" if high < floor else "more" if low > floor else ""
            verdict = "worse" if side and shares.usable else "cannot tell"
            reading += f": {side} than the reference of {floor:.1%}" if side else f": compatible with {floor:.1%}"
            by_chance = 1.96 * np.sqrt(floor * (1 - floor) / n)
            reading += f" (a fair model of {n:,} items is within {by_chance:.1%} of it 19 times in 20)"
        findings.append(
            Finding(f"share.{name}", value, low, high, int(counts[i]), "share", floor, verdict, reading + ".")
        )
    return findings


def distance_findings(
    counts: np.ndarray, shares: Shares, target: np.ndarray, *, level: float, seed: int
) -> list[Finding]:
    """The distances to the reference, each with the interval of the true one and a fair model's floor."""
    n, findings = int(counts.sum()), []
    fair = np.random.default_rng(seed).multinomial(n, target, size=DRAWS) / n - target
    exact = shares.method in ("Wilson", "Goodman", "counted")
    for name, (metric, unit, phrase) in METRICS.items():
        found = distances.measured_distance(metric, shares.value, target, noise=shares.noise, level=level)
        if exact:  # under a fair model the predictions scatter around the reference, not around what was seen
            shown = metric(target + fair, target)
            found = found._replace(floor=float(shown.mean()), bound=float(np.quantile(shown, level)))
        verdict = "worse" if found.value > found.bound and shares.usable else "cannot tell"
        reading = (
            f"{phrase} to the reference is {figure(found.value)}; a perfectly fair model measured in the same way "
            f"shows {figure(found.floor)} on average and {figure(found.bound)} or less {level:.0%} of the time."
        )
        findings.append(Finding(name, found.value, found.low, found.high, n, unit, found.floor, verdict, reading))
        if name == "discrepancy":
            findings.append(_corrected(shares, target, found, n, exact))
    return findings


def _corrected(shares: Shares, target: np.ndarray, found: distances.Distance, n: int, exact: bool) -> Finding:
    if exact and shares.method != "counted":
        variance = float((shares.value * (1 - shares.value)).sum() / max(1, n - 1))
    else:
        variance = float(shares.noise.var(0).sum())
    value = distances.corrected_discrepancy(shares.value, target, variance)
    reading = f"The fairness discrepancy without what sampling alone adds is {figure(value)}; of a fair model it is 0."
    low, high = min(found.low, value), max(found.high, value)
    verdict = "worse" if found.value > found.bound and shares.usable else "cannot tell"
    return Finding("discrepancy.corrected", value, low, high, n, "L2", 0.0, verdict, reading)


def _accuracies(names, confusion: np.ndarray, level: float) -> list[Finding]:
    items, findings = confusion.sum(1), []
    for i, name in enumerate(names):
        value, low, high = wilson(confusion[i, i], items[i], level=level)
        reading = (
            f"The classifier was right about {int(confusion[i, i]):,} of {int(items[i]):,} validation items of {name}."
        )
        findings.append(Finding(f"accuracy.{name}", value, low, high, int(items[i]), "share", None, "", reading))
    return findings


def _shift(counts, confusion, looked, level: float, seed: int) -> Finding:
    p_value, promised, seen = shift_p_value(counts, confusion, looked, seed=seed)
    total = int(looked.sum())
    wrong = round(float(total - np.trace(looked)))
    low, high = wilson(wrong, total, level=level)[1:]
    alarm = p_value <= ALARM
    reading = (
        f"{wrong:,} of {total:,} predictions that somebody looked at were wrong; the validation promises "
        f"{promised * total:.1f} (p = {p_value:.3g}). "
    )
    if alarm:
        reading += "The classifier does worse on generated items than on its validation: trust the labels, not it."
    else:
        reading += "Nothing contradicts the validated accuracy; few labels would miss a small drop."
    verdict = "worse" if alarm else "cannot tell"
    return Finding("shift", seen, low, high, total, "share wrong", promised, verdict, reading)


def _caveats(names, shares: Shares, confusion, looked, folder: bool, level: float) -> tuple[str, ...]:
    about = (
        "These shares answer for the items given and for no others."
        if folder
        else "These shares answer for the model behind the items, taken as independent draws from it; a chosen or "
        "filtered folder answers for itself only."
    )
    caveats = [about]
    if looked is not None:
        unseen = [name for name, row in zip(names, looked, strict=True) if not row.sum()]
        caveats.append("Hand labels must be of items drawn at random within each predicted group.")
        if unseen:
            caveats.append(f"Nobody has looked at items predicted {tables.listed(unseen)}: label some of each.")
        if len(names) > 2 and looked.sum() < 30 * len(names):
            caveats.append("With fewer than 30 labels a group the intervals of many groups are wide.")
    elif confusion is not None:
        caveats.append(
            "The correction holds if the classifier errs on generated items as it did on the validation items; "
            "labelling 100 generated items by hand checks that."
        )
    else:
        caveats.append("Group names are taken as true: if a classifier gave them, its errors are not in the intervals.")
    if not shares.usable:
        caveats.append(
            "On its validation the classifier tells some groups apart no better than chance: label more items."
        )
    if len(names) > 2:
        caveats.append(
            f"The {len(names)} intervals hold all at once in at least {level:.0%} of audits, not one by one."
        )
    if len(names) == 1:
        caveats.append("Only one group was found: name the others that could have appeared.")
    return tuple(caveats)

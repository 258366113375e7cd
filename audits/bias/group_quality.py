"""Quality per group: is one group drawn worse, or with less variety, than another?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri

from audits.bias import tables
from audits.quality import Neighbours, as_features, neighbour_findings, prdc
from audits.quality.features import same_width
from audits.report import Finding, Report, figure

FIGURES = ("precision", "recall", "density", "coverage")
MOST = 1000  # items a group and side: neighbours cost their square


def group_quality(
    real,
    fake,
    *,
    real_groups,
    fake_groups,
    expected: Sequence[str] = (),
    k: int = 5,
    level: float = 0.95,
    seed: int = 0,
) -> Report:
    """Precision, recall, density and coverage of generated items inside each group, and their gaps.

    `real` (n, w) and `fake` (m, w) are features of one judge, `real_groups` (n,) and `fake_groups` (m,) the group of
    each item. These figures depend on the number of items, so all groups are thinned without replacement to the
    size of the smallest one (1,000 at most); intervals come from subsamples, never from a bootstrap, whose copies
    would ruin every neighbourhood. The floor is one half of a group's real items against the other half, at half
    the size. Findings `precision.<group>` and so on, and `gap.precision` and so on: the largest less the smallest,
    worse where it exceeds what groups of equal quality show 95 % of the time. A group with too few items has no
    value. Raises ValueError (FeatureError where the features are at fault).
    """
    real, fake = as_features(real, "real"), as_features(fake, "generated")
    same_width(real, fake)
    sides = []
    for features, groups, name in ((real, real_groups, "real_groups"), (fake, fake_groups, "fake_groups")):
        groups = tables.as_groups(groups, name)
        if len(groups) != len(features):
            raise ValueError(f"{name} names {len(groups):,} groups for {len(features):,} items.")
        sides.append((features, groups.to_numpy()))
    least = 4 * k + 4
    names = tables.group_names(tables.as_groups(np.r_[sides[0][1], sides[1][1]]), expected)
    sizes = {name: min(int((groups == name).sum()) for _, groups in sides) for name in names}
    usable = [name for name in names if sizes[name] >= least]
    if not usable:
        raise ValueError(f"No group has {least} real and {least} generated items, the least for k = {k}.")
    size = min(MOST, *(sizes[name] for name in usable))
    rng = np.random.default_rng(seed)
    findings, measured = [], []
    for name in names:
        if name not in usable:
            reading = f"{name} has {sizes[name]:,} items on its smaller side; {least} are needed."
            findings += [
                Finding(f"{f}.{name}", np.nan, np.nan, np.nan, sizes[name], "share", None, "cannot tell", reading)
                for f in FIGURES
            ]
            continue
        thin = [_thinned(features[groups == name], size, rng) for features, groups in sides]
        floor = _halves(thin[0], k)
        found = neighbour_findings(*thin, k=k, floor=floor, level=level, seed=seed)
        measured.append(found)
        findings += [_named(f, f"{f.name}.{name}", name) for f in found]
    if len(usable) > 1:
        findings += [_gap(i, usable, measured, level, seed) for i in range(len(FIGURES))]
    caveats = (
        f"Each group was thinned to {size:,} real and {size:,} generated items, so that groups can be compared.",
        "The floor of a group is one half of its real items against the other half.",
        "Group names are taken as true: where a classifier named them, its mistakes blur the groups together.",
    )
    return Report("Quality per group", tuple(findings), caveats)


def _thinned(features: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    return features[np.sort(rng.choice(len(features), size, replace=False))]


def _halves(real: np.ndarray, k: int) -> Neighbours:
    return prdc(real[::2][: len(real) // 2], real[1::2], k=k)


def _named(finding: Finding, name: str, group: str) -> Finding:
    """The finding under another name; its floor is from half as many items, so it is shown and gives no verdict."""
    reading = f"{group}: {finding.reading[0].lower()}{finding.reading[1:]}"
    low, high = min(finding.low, finding.value), max(finding.high, finding.value)
    return Finding(name, finding.value, low, high, finding.n, finding.unit, finding.floor, "", reading)


def _gap(i: int, names: list[str], measured, level: float, seed: int) -> Finding:
    values = np.array([found[i].value for found in measured])
    # Half-widths before clipping to [0, 1]: the wider side is the one that was not clipped.
    halves = np.array([max(found[i].high - found[i].value, found[i].value - found[i].low) for found in measured])
    errors = np.random.default_rng(seed).standard_normal((4000, len(names))) * halves / ndtri((1 + level) / 2)
    ranges = errors.max(1) - errors.min(1)
    value, bound, floor = float(values.max() - values.min()), float(np.quantile(ranges, level)), float(ranges.mean())
    verdict = "worse" if value > bound else "cannot tell"
    top, bottom = names[int(values.argmax())], names[int(values.argmin())]
    reading = (
        f"{FIGURES[i].capitalize()} is highest for {top} ({figure(values.max())}) and lowest for "
        f"{bottom} ({figure(values.min())}); groups of equal quality differ by {figure(floor)} on "
        f"average and by more than {figure(bound)} once in {round(1 / (1 - level))} times."
    )
    low = max(0.0, value - bound) if value > bound else 0.0
    unit = "times" if FIGURES[i] == "density" else "share"
    n = sum(found[i].n for found in measured)
    return Finding(f"gap.{FIGURES[i]}", value, low, value + bound, n, unit, floor, verdict, reading)

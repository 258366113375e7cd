"""Give the groups of a biased model the shares somebody asks for, and have an instrument it never saw check that."""

import functools
import json
import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audits.provenance import Claim, Sealed
from audits.report import Report
from genlab.data import portraits
from genlab.studio import mitigation_fits as fits
from genlab.studio import pictures, shelf
from genlab.studio.generate import whole_seed
from genlab.studio.marking import Drawn, mark
from genlab.studio.mitigation_fits import Step, Wanted, candidates
from genlab.studio.mitigation_report import Side, agreement_of, report_of, shares_of, verdict
from genlab.studio.shelf import StudioError

METHODS = {
    "screened": "Screening before decoding",
    "mixture": "A mixture of Gaussians per group",
    "direction": "Reflection along a latent direction",
    "resampling": "Label-balanced resampling",
    "reweighting": "Importance reweighting",
    "rejection": "Rejection after decoding",
    "retouched": "Goodhart's case: retouch until the judge agrees",
    "plain": "Nothing: the model as it is",
}
FEWEST, MOST = 32, 500  # items measured
SHEET, SHEET_COLUMNS, SHEET_SCALE = 24, 4, 2  # pictures shown a side
CHECKED = "tone"  # the one attribute that the palette oracle knows
REAL, REAL_SEED = 60, 2_100_000_000  # real portraits a group that coverage is measured on; no split draws these seeds
RECORD = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "mitigation.json"


@dataclass(frozen=True)
class Mitigated:
    """What one request made and measured.

    Attributes:
        names: the attribute's groups; shares, coverage and target are in this order.
        fitted_on: items decoded once, before the first one was drawn.
        said: the verdict in plain sentences.
        report: every figure, its interval and caveats.
    """

    wanted: Wanted
    names: tuple[str, ...]
    seed: int
    count: int
    fitted_on: int
    before: Side
    after: Side
    said: str
    report: Report


def groups_of(model: str, attribute: str) -> tuple[str, ...]:
    """The groups that the model's data can draw, which a target may name; loads no model."""
    data = shelf.config_of(model)["recipe"]["data"]
    return portraits.drawable(attribute, portraits.STYLE_OF[data][0])


def attributes() -> tuple[str, ...]:
    """Attributes that the judge names, the one with an oracle first."""
    return tuple(sorted(portraits.ATTRIBUTES, key=lambda name: name != CHECKED))


def mitigate(
    model: str,
    *,
    attribute: str = CHECKED,
    method: str = "screened",
    target: Mapping[str, object] | str | None = None,
    seed: object = 0,
    count: object = 200,
) -> Generator[Step, None, Mitigated]:
    """Draw `count` items before and after a mitigation, and measure both; checks at once, then yields progress.

    Stop iterating to cancel: what was learnt so far of the model is kept.

    Args:
        model: an unconditional generator of portraits.
        attribute: one of `attributes()`.
        method: one of `METHODS`.
        target: None or "uniform" for equal shares of the groups the model's data has, or shares by group that sum
            to 1; groups left out get none.
        seed: of the first item; item i depends on `seed + i` and the fit alone.
        count: 32 to 500.

    Raises:
        ValueError: one sentence about what was given and what is allowed.
    """
    wanted = check(model, attribute, method, target)
    count = shelf.whole(count, "count", FEWEST, MOST)
    return _work(wanted, whole_seed(seed, count + fits.DRAWN), count)


def check(model: object, attribute: object, method: object, target: object) -> Wanted:
    """The request as plain values; raises StudioError where something in it does not exist or does not add up."""
    able = candidates()
    if not able:
        raise StudioError(f"Mitigation needs {fits.JUDGE} and a model of portraits without classes on the shelf.")
    if not isinstance(model, str) or model not in able:
        raise StudioError(f"Models that can be mitigated are {', '.join(able)}; {str(model)[:60]!r} was given.")
    known = shelf.entry(model)
    if not isinstance(attribute, str) or attribute not in attributes():
        raise StudioError(f"Attributes are {', '.join(attributes())}; {str(attribute)[:40]!r} was given.")
    if not isinstance(method, str) or method not in METHODS:
        raise StudioError(f"Methods are {', '.join(METHODS)}; {str(method)[:40]!r} was given.")
    shares = shares_by_group(groups_of(model, attribute), target)
    full = tuple(shares.get(name, 0.0) for name in portraits.ATTRIBUTES[attribute])
    return Wanted(known.name, known.weights, shelf.entry(fits.JUDGE).weights, attribute, method, full)


def shares_by_group(groups: tuple[str, ...], target: object) -> dict[str, float]:
    """A target as shares by group that sum to 1; raises StudioError where it is none."""
    if target is None or target == "uniform" or target == "":
        return dict.fromkeys(groups, 1 / len(groups))
    if not isinstance(target, Mapping) or not target:
        raise StudioError(f"A target is “uniform” or shares by group, such as {{{groups[0]!r}: 1}}.")
    strangers = [str(name)[:40] for name in target if name not in groups]
    if strangers:
        raise StudioError(f"Groups are {', '.join(groups)}; {strangers[0]!r} was given.")
    for name, share in target.items():
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            raise StudioError(f"A share is a number from 0 to 1; {str(share)[:40]!r} was given for {name}.")
    total = math.fsum(target.values())
    if abs(total - 1) > 1e-3:
        raise StudioError(f"The shares of a target sum to 1; these sum to {total:.4g}.")
    exact = total if abs(total - 1) > 1e-9 else 1.0  # a target that came from here stays as it is
    return {name: float(target[name]) / exact for name in groups if target.get(name)}


def _work(wanted: Wanted, seed: int, count: int) -> Generator[Step, None, Mitigated]:
    fit = yield from fits.fit_of(wanted)
    names, plain = portraits.ATTRIBUTES[wanted.attribute], wanted._replace(method="plain")
    unchanged = yield from fits.fit_of(plain)
    sides, turns = {}, -(-count // fits.DRAWN)
    jobs = [("before", plain, unchanged)] + ([] if wanted.method == "plain" else [("after", wanted, fit)])
    total = turns * fits.DRAWN * len(jobs)
    for place, (when, what, how) in enumerate(jobs):
        items, passes = [], []
        for turn in range(turns):
            done = (place * turns + turn) * fits.DRAWN
            yield Step(done, total, "Drawing the model's own items" if when == "before" else "Drawing with the method")
            drawn, cost = fits.draw(what, how, seed + turn * fits.DRAWN)
            items.append(drawn)
            passes.append(cost)
        yield Step((place + 1) * turns * fits.DRAWN, total, "Asking both instruments")
        sides[when] = measure(what, np.concatenate(items)[:count], np.concatenate(passes)[:count], seed)
    before, after = sides["before"], sides.get("after", sides["before"])
    said = verdict(wanted.method, wanted.attribute, before, after)
    title = f"Mitigation of {wanted.attribute.replace('_', ' ')} in {wanted.model}: {METHODS[wanted.method]}"
    report = report_of(title, names, before, after, said, caveats(wanted, count))
    return Mitigated(wanted, names, seed, count, cost_of(wanted), before, after, said, report)


def measure(wanted: Wanted, items: np.ndarray, passes: np.ndarray, seed: int) -> Side:
    """Both instruments' word on uint8 items (n, 3, h, w), their cost, and how much of each group they cover."""
    from genlab.metrics import palette
    from genlab.metrics.group_coverage import covered

    names = portraits.ATTRIBUTES[wanted.attribute]
    judged, known, features = fits.read(wanted.attribute, items)
    oracle, agreement, blank = None, None, 0
    if wanted.attribute == CHECKED:
        seen = palette.tones(items)
        blank = int((seen < 0).sum())
        if blank < len(seen):
            oracle, agreement = shares_of(seen[seen >= 0], names, wanted.target), agreement_of(judged, seen)
    real, real_groups = _real(wanted.attribute, wanted.judge)
    return Side(
        sheet=seal_sheet(wanted, items[:SHEET], seed),
        judge=shares_of(judged, names, wanted.target),
        oracle=oracle,
        decodes=float(passes.mean()),
        agreement=agreement,
        known=float(known.mean()),
        blank=blank,
        covered=covered(real, real_groups, features, judged, groups=len(names), most=REAL),
    )


@functools.lru_cache(maxsize=8)
def _real(attribute: str, judge: str) -> tuple[np.ndarray, np.ndarray]:
    """Features and groups of freshly drawn real portraits, `REAL` of every group that the style can draw.

    Nothing that a method learns from is among them. `judge` is the judge's weights, so that a new judge looks anew.
    """
    names, features, groups = portraits.ATTRIBUTES[attribute], [], []
    for name in portraits.drawable(attribute, "open-peeps"):
        place = names.index(name)
        items, _ = portraits.draw(REAL, [{"share": 1.0, attribute: name}], first_seed=REAL_SEED + place * REAL)
        features.append(fits.read(attribute, items)[2])
        groups.append(np.full(REAL, place))
    return np.concatenate(features), np.concatenate(groups)


def cost_of(wanted: Wanted) -> int:
    """Items that are decoded once to fit the method."""
    from genlab.metrics.fitted import PLACED

    if wanted.method in ("plain", "retouched"):
        return 0
    calibrated = fits.EACH * sum(share > 0 for share in wanted.target) if wanted.method in PLACED else 0
    again = fits.POOL if wanted.method == "reweighting" else 0
    return fits.POOL + calibrated + again


def caveats(wanted: Wanted, count: int) -> tuple[str, ...]:
    """What the figures must not be quoted without."""
    said = [
        f"{count:,} items a side: intervals are wide, and the bench measures 10,000.",
        f"Coverage is measured on {REAL} real portraits a group, which no method learnt from; it grows with the number "
        "of generated items of a group, so part of a gain is only that there are more of them.",
        "Drawings, not photographs: nothing here carries over to pictures of people.",
    ]
    if cost_of(wanted):
        said.append(
            f"The method was fitted on {cost_of(wanted):,} items of the model read by {fits.JUDGE}, fewer than in the "
            "bench; they are decoded once and are not in the decodes an item."
        )
    if wanted.attribute != CHECKED:
        said.append(
            f"There is no independent oracle for {wanted.attribute.replace('_', ' ')}: the only instrument is the "
            "judge that the method itself used."
        )
    return tuple(said)


# ---- the pictures


def seal_sheet(wanted: Wanted, items: np.ndarray, seed: int) -> Sealed:
    """Up to `SHEET` items side by side, enlarged, with a claim that says how they were chosen."""
    target = {n: s for n, s in zip(portraits.ATTRIBUTES[wanted.attribute], wanted.target, strict=True) if s}
    inputs = {"sheet": str(len(items)), "method": wanted.method}
    if wanted.method != "plain":
        inputs |= {"attribute": wanted.attribute, "target": json.dumps(target), "judge": wanted.judge}
        inputs |= {"fitted": f"{fits.POOL}+{fits.EACH}"}
    knobs = shelf.default_knobs(shelf.model(wanted.model))
    sheet = pictures.enlarge(pictures.grid(items, SHEET_COLUMNS), SHEET_SCALE)
    claim = Claim(wanted.model, wanted.weights, "generate", seed, inputs, knobs)
    return mark(Drawn(sheet, pictures.png), "image/png", claim)


def remade(claim: Claim) -> Sealed:
    """The sheet that a claim of a mitigation describes, made again; the method is fitted again if it must be.

    Raises:
        ValueError: the claim's settings are none of ours, or its judge has other weights now.
    """
    told = claim.inputs
    plain = told.get("method") == "plain"
    try:
        target = None if plain else json.loads(told.get("target", ""))
    except ValueError:
        raise StudioError("The claim's target cannot be read: it was changed since.") from None
    wanted = check(claim.model, CHECKED if plain else told.get("attribute"), told.get("method"), target)
    if not plain and told.get("judge") != wanted.judge:
        raise StudioError(f"The file was made with other weights of {fits.JUDGE}, so it cannot be made again here.")
    if not plain and told.get("fitted") != f"{fits.POOL}+{fits.EACH}":
        raise StudioError("The file's method was fitted on another number of items, so it cannot be made again here.")
    if claim.knobs != shelf.default_knobs(shelf.model(wanted.model)):
        raise StudioError("A mitigated sheet is made with the model's default knobs; this claim has others.")
    size = told.get("sheet", "")
    if not (size.isascii() and size.isdigit() and len(size) < 3 and 0 < int(size) <= SHEET):
        raise StudioError(f"The claim's sheet is a whole number from 1 to {SHEET}.")
    work = fits.fit_of(wanted)
    while True:
        try:
            next(work)
        except StopIteration as done:
            fit = done.value
            break
    items, _ = fits.draw(wanted, fit, whole_seed(claim.seed, fits.DRAWN))
    return seal_sheet(wanted, items[: int(size)], claim.seed)


def recorded(model: str) -> dict[str, dict]:
    """The bench's figures of every method on this model's present weights; empty where it was not run on them."""
    try:
        entry = json.loads(RECORD.read_text(encoding="utf-8"))["models"][model]
    except (OSError, ValueError, KeyError):
        return {}
    return entry["methods"] if entry["weights"] == shelf.config_of(model)["weights_sha256"] else {}

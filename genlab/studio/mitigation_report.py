"""What two instruments see before and after a mitigation, said in a sentence and as a report."""

import math
from dataclasses import dataclass, replace

import numpy as np

from audits.bias import representation
from audits.bias.intervals import wilson
from audits.provenance import Sealed
from audits.report import Finding, Report, figure
from genlab.metrics.group_coverage import Covered

JUDGE, ORACLE = "judge", "oracle"


@dataclass(frozen=True)
class Side:
    """Items before or after, and what was measured on them.

    Attributes:
        sheet: the first of them side by side, sealed.
        judge, oracle: shares against the target by each instrument; no oracle where it knows nothing of the attribute.
        decodes: network passes an item.
        agreement: share of items that both instruments name alike, with its interval; None without the oracle.
        known: share of items that are near enough to what the judge learnt from.
        blank: items in which the oracle finds no group.
        covered: recall and coverage of each group's real portraits.
    """

    sheet: Sealed
    judge: Report
    oracle: Report | None
    decodes: float
    agreement: tuple[float, float, float] | None
    known: float
    blank: int
    covered: tuple[Covered, ...]


def shares_of(groups: np.ndarray, names: tuple[str, ...], target: tuple[float, ...]) -> Report:
    """Shares and discrepancy of group numbers (n,) against the target."""
    return representation(
        np.array(names)[groups], reference=dict(zip(names, target, strict=True)), expected=names, question="model"
    )


def agreement_of(judged: np.ndarray, seen: np.ndarray) -> tuple[float, float, float]:
    """Share, with Wilson's interval, of the items that the oracle could read (`seen` not -1) which both name alike."""
    readable = seen >= 0
    return tuple(float(x) for x in wilson((judged == seen)[readable].sum(), readable.sum()))


def contradict(side: Side) -> bool:
    """Whether the judge sees the target met better than the oracle does, beyond what chance explains."""
    if side.oracle is None:
        return False
    return side.oracle["discrepancy"].low > side.judge["discrepancy"].high


def verdict(method: str, attribute: str, before: Side, after: Side) -> str:
    """The outcome in two or three plain sentences; the oracle's word counts where there is one."""
    if method == "plain":
        return "Nothing was changed: these are the model's own shares, twice."
    trusted = "oracle" if before.oracle and after.oracle else "judge"
    was, now = (getattr(side, trusted)["discrepancy"] for side in (before, after))
    who = "The palette oracle, which the method never saw," if trusted == "oracle" else "The judge"
    words = f"{who} reads a distance to the target of {was.value:.2f} before and {now.value:.2f} after"
    words += f" (a fair model of {now.n:,} items shows {now.floor:.2f}): "
    if now.high < was.low:
        fair = now.verdict == "cannot tell"
        words += "the shares are closer to the target" + (", as close as this many items can tell. " if fair else ". ")
    elif now.low > was.high:
        words += "the shares are further from the target than before. "
    else:
        words += "no change that this many items could show. "
    if trusted == "judge" and (before.blank or after.blank):
        return words + "Nobody independent checks this: the palette oracle found no skin colour in these pictures."
    if trusted == "judge":
        return words + (
            f"Nobody independent checks this: the oracle knows skin colours only, and of {attribute.replace('_', ' ')} "
            "the same judge was asked that the method had used, so its mistakes are in this figure."
        )
    if contradict(after):
        words += (
            f"The judge says {after.judge['discrepancy'].value:.2f}. The two contradict each other, and the judge is "
            "what the method worked on: when a measure becomes the target, it stops being a measure (Goodhart's law). "
            "Believe the oracle."
        )
    elif after.agreement[2] < before.agreement[1]:
        words += (
            f"Judge and oracle agree on fewer items than before ({after.agreement[0]:.0%} against "
            f"{before.agreement[0]:.0%}): what a classifier chooses carries that classifier's mistakes."
        )
    else:
        words += f"The judge agrees ({after.judge['discrepancy'].value:.2f})."
    return words


def report_of(
    title: str, names: tuple[str, ...], before: Side, after: Side, said: str, caveats: tuple[str, ...]
) -> Report:
    """Every figure of both sides as one report; the verdict leads its caveats."""
    findings = []
    for when, side in (("before", before), ("after", after)):
        for who in (ORACLE, JUDGE):
            found = getattr(side, who)
            if found is not None:
                wanted = [f for f in found.findings if f.name.startswith("share.") or f.name == "discrepancy"]
                findings += [replace(f, name=f"{when}.{who}.{f.name}") for f in wanted]
        n = sum(c.made for c in side.covered)
        findings.append(
            Finding(
                f"{when}.decodes", side.decodes, side.decodes, side.decodes, n, "decodes an item", 1.0, "",
                f"An item cost {figure(side.decodes)} passes of the decoder.",
            )
        )  # fmt: skip
        if side.agreement is not None:
            reading = f"Judge and oracle name {side.agreement[0]:.1%} of the items alike."
            findings.append(Finding(f"{when}.agreement", *side.agreement, n, "share", None, "", reading))
        value, low, high = wilson(round(side.known * n), n)
        reading = f"{side.known:.1%} of the items are near enough to what the judge learnt from."
        findings.append(Finding(f"{when}.known", value, low, high, n, "share", None, "", reading))
        findings += [_coverage(when, *pair) for pair in zip(names, side.covered, strict=True) if pair[1].real]
    return Report(title, tuple(findings), (said, *caveats))


def _coverage(when: str, name: str, found: Covered) -> Finding:
    if math.isnan(found.coverage):
        low, high = 0.0, 1.0
        reading = f"{found.made} items are too few to say how much of “{name}” they cover."
    else:
        low, high = (float(x) for x in wilson(round(found.coverage * found.real), found.real)[1:])
        reading = (
            f"{found.made} items of “{name}” cover {found.coverage:.0%} of {found.real} real portraits of it; the "
            "interval is over real portraits, the generated ones taken as given."
        )
    return Finding(f"{when}.coverage.{name}", found.coverage, low, high, found.made, "share covered", None, "", reading)

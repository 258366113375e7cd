"""What the Mitigate tab says: a result's figures, and those that the bench recorded."""

import html
import math

from genlab.studio import mitigate as studio
from genlab.studio.mitigate import METHODS, Mitigated, Step
from genlab.tabs.mitigate_charts import JUDGE, ORACLE, SIDES, Bars, bars_of, chart, interval, percent, table

GOODHART = (
    "Retouching is here as a warning. It leaves the model and its faces alone and nudges single pixels until the judge "
    "says what was asked for. Whoever looks at the judge alone sees a fair model."
)


def progress(step: Step) -> str:
    """A progress bar with its phase."""
    share = step.done / max(step.total, 1)
    phase = html.escape(step.phase)
    return (
        f'<div class="at-work"><p>{phase}: {step.done:,} of {step.total:,}</p>'
        f'<progress max="1" value="{share:.3f}" aria-label="{phase}"></progress></div>'
    )


def told(words: str) -> str:
    """A line that is read out when it changes."""
    return f'<p class="note" role="status">{html.escape(words)}</p>'


def verdict(made: Mitigated) -> str:
    """The outcome in words."""
    return f'<p class="verdict" role="status">{html.escape(made.said)}</p>'


def result(made: Mitigated) -> str:
    """Chart and tables of one result."""
    sides = dict(zip(SIDES, (made.before, made.after), strict=True))
    seen = {}
    for when, side in sides.items():
        if side.oracle is not None:
            seen[when, ORACLE] = side.oracle
        seen[when, JUDGE] = side.judge
    title = f"Shares of {made.wanted.attribute.replace('_', ' ')}, {made.count:,} items a side, with 95 % intervals"
    rows = []
    for who, name in (("oracle", "Distance to the target, palette oracle"), ("judge", "Distance to the target, judge")):
        found = [getattr(side, who) for side in sides.values()]
        if all(found):
            gaps = [report["discrepancy"] for report in found]
            rows.append([name, *(interval((g.value, g.low, g.high)) for g in gaps), f"{gaps[-1].floor:.3f}"])
    rows.append(["Decodes an item", *(f"{side.decodes:.2f}" for side in sides.values()), "1.00"])
    if made.before.agreement and made.after.agreement:
        rows.append(["Judge and oracle agree on", *(percent(s.agreement[0]) for s in sides.values()), ""])
    rows.append(["Items the judge knows", *(percent(side.known) for side in sides.values()), ""])
    for i, name in enumerate(made.names):
        both = [side.covered[i] for side in sides.values()]
        if both[0].real:
            rows.append([f"Coverage of “{name}”", *(f"{percent(c.coverage)} ({c.made} items)" for c in both), ""])
    words = f"Fitted once on {made.fitted_on:,} decoded items. " if made.fitted_on else ""
    words += "Coverage: real portraits of a group with a generated one among their neighbours."
    drawn = chart(bars_of(made.names, made.wanted.target, seen), title)
    figures = table("Figures before and after", ["figure", "before", "after", "a fair model"], rows)
    return drawn + figures + f'<p class="note">{html.escape(words)}</p>'


# ---- what the bench recorded


def opening(model: str) -> str:
    """The bench's shares before and after its best method as a chart, for a page on which nothing was done yet."""
    found = studio.recorded(model)
    steered = [m for m in found if m not in ("plain", "retouched")]
    if "plain" not in found or not steered:
        return told("Choose what to change and press Mitigate: before and after will stand here, side by side.")
    best = min(steered, key=lambda m: found[m]["palette"]["high"])
    seen = {("before", "plain"): found["plain"], ("after", best): found[best]}
    names = list(found["plain"]["palette"]["shares"])
    rows = [
        Bars(
            name, 1 / len(names),
            {(when, who): tuple(entry[key]["shares"][name]) for (when, _), entry in seen.items()
             for who, key in ((ORACLE, "palette"), (JUDGE, "judge"))},
        )
        for name in names
    ]  # fmt: skip
    n = found[best]["palette"]["n"]
    return chart(rows, f"{model}, {METHODS[best].lower()}: shares of tone in the bench, {n:,} items a side")


def bench(model: str) -> str:
    """The committed figures of every method, and what they say about Goodhart's law."""
    found = studio.recorded(model)
    if "plain" not in found:
        words = f"The bench has not been run on these weights of {model}: python benchmarks/mitigation.py {model}"
        return told(words) + f'<p class="note">{html.escape(GOODHART)}</p>'
    shares = found["plain"]["palette"]["shares"]
    rarest = min(shares, key=lambda name: shares[name][0])
    rows, order = [], [m for m in METHODS if m in found]
    for method in order:
        entry = found[method]
        gaps = [interval(tuple(entry[who][k] for k in ("discrepancy", "low", "high"))) for who in ("palette", "judge")]
        covered = entry["by group"].get(rarest, {}).get("coverage", math.nan)
        n = entry["by group"].get(rarest, {}).get("n", 0)
        cover = f"{percent(covered)} ({n:,} items)"
        known = [percent(entry["agreement"]), f"{entry['decodes per item']:.2f}", cover, f"{entry['palette']['n']:,}"]
        rows.append([METHODS[method], *gaps, *known])
    head = [
        "Method", "Distance by the palette oracle", "Distance by the judge", "They agree on", "Decodes an item",
        f"Coverage of “{rarest}”", "Items",
    ]  # fmt: skip
    marked = [i for i, m in enumerate(order) if m == "retouched"]
    caption = f"The bench on {model}: tone, equal shares wanted; a distance of 0 is a fair model"
    words = GOODHART
    if "retouched" in found:
        was, now = ([found[m][who]["discrepancy"] for who in ("judge", "palette")] for m in ("plain", "retouched"))
        words += (
            f" In the bench its distance falls from {was[0]:.2f} to {now[0]:.2f}; the oracle, which counts pixels "
            f"of the five skin colours and was never asked, reads {was[1]:.2f} before and {now[1]:.2f} after. When a "
            "measure becomes the target, it stops being a measure: Goodhart's law."
        )
    return table(caption, head, rows, marked=marked) + f'<p class="note">{html.escape(words)}</p>'

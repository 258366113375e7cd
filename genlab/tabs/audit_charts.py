"""Charts of a bias audit as tables that are drawn on: a screen reader reads the numbers, an eye sees the bars."""

import html
import math
from collections.abc import Sequence

import numpy as np

from audits.report import Finding, Report, figure, printable


def text(words: str) -> str:
    """Words as HTML: escaped, nothing invisible in them."""
    return html.escape(printable(words))


def shares_chart(column: str, findings: Sequence[Finding]) -> str:
    """The share of every group: its interval as a bar, its value as a dot, the reference as a tick."""
    top = max([0.05, *(x for f in findings for x in (f.high, f.floor or 0.0) if math.isfinite(x))])
    top = min(1.0, math.ceil(top * 20) / 20)
    rows = "".join(_share_row(f, top) for f in findings)
    compared = any(f.floor is not None for f in findings)
    key = '<span class="key"><i class="dot"></i>estimate <i class="span"></i>95 % interval'
    key += ' <i class="tick"></i>reference</span>' if compared else "</span>"
    return (
        f'<table class="chart"><caption><strong>{text(column)}</strong> {key}</caption><thead><tr>'
        f'<th scope="col">Group</th><th scope="col"><span class="range"><span>0 %</span><span>{top:.0%}</span></span>'
        f'</th><th scope="col">Share</th><th scope="col">Items</th>'
        f'<th scope="col">{"Against the reference" if compared else "Verdict"}</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _share_row(f: Finding, top: float) -> str:
    words = {"worse": "off", "better": "better", "cannot tell": "cannot tell"}.get(f.verdict, "")
    if f.verdict == "worse" and f.floor is not None:
        words = f"too few: {f.floor:.0%} asked" if f.value < f.floor else f"too many: {f.floor:.0%} asked"
    elif f.floor is not None:
        words = f"compatible with {f.floor:.0%}"
    mark = "off" if f.verdict == "worse" else "even"
    return (
        f'<tr><th scope="row">{text(f.name)}</th><td>{_track(f, top)}</td>'
        f'<td class="number">{f.value:.1%}<small>{f.low:.1%} to {f.high:.1%}</small></td>'
        f'<td class="number">{f.n:,}</td><td><span class="standing {mark}">{text(words)}</span></td></tr>'
    )


def _track(f: Finding, top: float) -> str:
    def at(x: float) -> str:
        return f"{100 * min(max(x / top, 0.0), 1.0):.2f}%"

    if not all(map(math.isfinite, (f.low, f.high))):
        return '<div class="track" aria-hidden="true"></div>'
    width = f"{100 * max(0.0, min(f.high, top) - max(f.low, 0.0)) / top:.2f}%"
    tick = "" if f.floor is None else f'<i class="tick" style="left:{at(f.floor)}"></i>'
    dot = f'<i class="dot" style="left:{at(f.value)}"></i>' if math.isfinite(f.value) else ""
    span = f'<i class="span" style="left:{at(f.low)};width:{width}"></i>'
    return f'<div class="track" aria-hidden="true">{span}{tick}{dot}</div>'


def gap_charts(report: Report) -> str:
    """How an outcome differs between groups: every `gap` of the report with the means it comes from."""
    parts = []
    for gap in report.findings:
        if gap.name != "gap" and not gap.name.endswith(".gap"):
            continue
        prefix = gap.name.removesuffix("gap")
        means = [f for f in report.findings if f.name.startswith(f"{prefix}mean.")]
        shown = [f for f in means if math.isfinite(f.value)]
        if not shown:
            continue
        finite = [x for f in shown for x in (f.high, f.value) if math.isfinite(x)]
        top = max(finite) or 1.0
        rows = "".join(
            f'<tr><th scope="row">{text(f.name.removeprefix(prefix + "mean."))}</th><td>{_track(f, top)}</td>'
            f'<td class="number">{figure(f.value)}<small>{figure(f.low)} to {figure(f.high)}</small></td>'
            f'<td class="number">{f.n:,}</td></tr>'
            for f in means
        )
        title = prefix.rstrip(".").replace(" -> ", ": how often ", 1) or "outcome"
        parts.append(
            f'<table class="chart"><caption><strong>{text(title)}</strong> '
            f'<span class="note">{text(gap.reading)}</span></caption><thead><tr>'
            '<th scope="col">Group</th><th scope="col"><span class="range"><span>0</span><span>'
            f'{figure(top)}</span></span></th><th scope="col">Mean</th><th scope="col">Items</th></tr></thead>'
            f"<tbody>{rows}</tbody></table>"
        )
    return "".join(parts)


def heat_map(columns: Sequence[str], rows: Sequence[str], across: Sequence[str], counts: np.ndarray) -> str:
    """Items in every combination of two columns' groups, darker where there are more; empty ones say 0."""
    n, most = max(1, int(counts.sum())), max(1, int(counts.max()))
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in across)
    body = "".join(
        f'<tr><th scope="row">{text(name)}</th>'
        + "".join(
            f'<td style="--heat:{100 * count / most:.0f}%"{" class=empty" if not count else ""}>{int(count):,}'
            f"<small>{count / n:.1%}</small></td>"
            for count in counts[i]
        )
        + "</tr>"
        for i, name in enumerate(rows)
    )
    return (
        f'<table class="heat"><caption><strong>{text(columns[0])} x {text(columns[1])}</strong> items, of {n:,}'
        f"</caption><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def everything(report: Report) -> str:
    """Every finding with its sentence and most caveats folded away, the first caveats in the open."""
    rows = "".join(
        f'<tr><th scope="row">{text(f.name)}</th><td class="number">{figure(f.value)}</td>'
        f'<td class="number">{figure(f.low)} to {figure(f.high)}</td><td class="number">{figure(f.floor)}</td>'
        f"<td>{text(f.verdict)}</td><td>{text(f.reading)}</td></tr>"
        for f in report.findings
    )
    heads = ("Figure", "Value", "Interval", "Floor", "Verdict", "In words")
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    first, rest = ("".join(f"<li>{text(c)}</li>" for c in part) for part in (report.caveats[:3], report.caveats[3:]))
    return (
        f'<div class="caveats"><strong>To be read with it</strong><ul>{first}</ul>'
        f"<details><summary>{len(report.caveats[3:])} more notes</summary><ul>{rest}</ul></details></div>"
        f'<details class="every"><summary>All {len(report.findings)} figures, each in a sentence</summary>'
        f'<div class="scroll" tabindex="0" role="region" aria-label="All figures"><table class="listing"><thead>'
        f"<tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></details>"
    )


def headlines(sentences: Sequence[str]) -> str:
    """What to read first."""
    return "".join(f"<p>{text(words)}</p>" for words in sentences)

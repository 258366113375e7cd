"""Shares before and after a mitigation as an inline SVG, and its figures as tables; every text is escaped."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

from audits.report import Report

Span = tuple[float, float, float]  # value, low, high
ROW, GAP, LABEL, FOOT = 15, 14, 22, 26  # pixels
SIDES = ("before", "after")
ORACLE, JUDGE = "palette oracle", "judge"


@dataclass(frozen=True)
class Bars:
    """One group of the chart: the share wanted, and what each instrument saw, by (side, instrument)."""

    group: str
    target: float
    spans: dict[tuple[str, str], Span]


def bars_of(names: Sequence[str], target: Sequence[float], reports: dict[tuple[str, str], Report]) -> list[Bars]:
    """Rows of the chart from the shares in reports; groups that nobody wants or has are left out."""
    rows = []
    for name, share in zip(names, target, strict=True):
        found = {key: report[f"share.{name}"] for key, report in reports.items()}
        if share or any(f.n for f in found.values()):
            rows.append(Bars(name, share, {key: (f.value, f.low, f.high) for key, f in found.items()}))
    return rows


def chart(rows: Sequence[Bars], title: str) -> str:
    """Intervals of every group's share against the target. Lengths are in per cent of the width, so text stays as it
    is on a phone."""
    kinds = list(rows[0].spans)
    top = max(max(span[2] for row in rows for span in row.spans.values()), *(row.target for row in rows))
    top = min(1.0, math.ceil(top * 10 + 0.2) / 10)
    each = LABEL + ROW * len(kinds) + GAP
    height = each * len(rows) + FOOT
    parts = []
    for i, row in enumerate(rows):
        y = i * each
        parts.append(f'<text x="0" y="{y + 14}" class="group">{html.escape(row.group)}</text>')
        goal = f"{100 * row.target / top:.2f}%"
        parts.append(f'<line class="goal" x1="{goal}" x2="{goal}" y1="{y + LABEL - 2}" y2="{y + each - GAP + 4}"/>')
        for j, kind in enumerate(kinds):
            parts.append(_span(kind, row.spans[kind], y + LABEL + ROW * j + ROW / 2, top))
    base = height - FOOT
    ticks = [t / 10 for t in range(0, round(top * 10) + 1, 2 if top > 0.5 else 1)]
    for tick in ticks:
        anchor = "start" if tick == 0 else "end" if tick == top else "middle"
        parts.append(
            f'<text x="{100 * tick / top:.2f}%" y="{base + 18}" text-anchor="{anchor}" class="tick">{tick:.0%}</text>'
        )
    words = "; ".join(
        f"{row.group}: wanted {row.target:.0%}, "
        + ", ".join(f"{when} {span[0]:.0%} by the {who}" for (when, who), span in row.spans.items())
        for row in rows
    )
    return (
        f'<figure class="shares"><figcaption>{html.escape(title)}</figcaption>{_legend(kinds)}'
        f'<svg width="100%" height="{height}" role="img" aria-label="{html.escape(title + ". " + words)}">'
        f'<line class="axis" x1="0" x2="100%" y1="{base}" y2="{base}"/>{"".join(parts)}</svg></figure>'
    )


def _span(kind: tuple[str, str], span: Span, y: float, top: float) -> str:
    value, low, high = (f"{100 * min(x / top, 1):.2f}%" for x in span)
    line = f'<line class="{kind[0]}" x1="{low}" x2="{high}" y1="{y}" y2="{y}"/>'
    return line + _mark(kind, value, y)


def _mark(kind: tuple[str, str], x: str, y: float) -> str:
    """A disc for the oracle, an open square for the judge."""
    if kind[1] == ORACLE:
        return f'<circle class="{kind[0]}" cx="{x}" cy="{y}" r="5"/>'
    return f'<svg x="{x}" y="{y}" overflow="visible"><rect class="{kind[0]}" x="-4" y="-4" width="8" height="8"/></svg>'


def _legend(kinds: Sequence[tuple[str, str]]) -> str:
    keys = [
        f'<span><svg width="26" height="14" aria-hidden="true"><line class="{k[0]}" x1="0" x2="26" y1="7" y2="7"/>'
        f"{_mark(k, '13', 7)}</svg>{k[0]}, {k[1]}</span>"
        for k in kinds
    ]
    goal = '<svg width="10" height="14" aria-hidden="true"><line class="goal" x1="5" x2="5" y1="0" y2="14"/></svg>'
    return f'<p class="keys">{"".join(keys)}<span>{goal}wanted</span></p>'


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]], *, marked: Sequence[int] = ()) -> str:
    """A table that scrolls by itself and can be reached by keyboard; the first cell of a row is its heading."""
    columns = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in head)
    body = "".join(
        f"<tr{' class=marked' if i in marked else ''}>"
        + f'<th scope="row">{html.escape(row[0])}</th>'
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for i, row in enumerate(rows)
    )
    label = html.escape(caption)
    return (
        f'<p class="figures-title">{label}</p>'
        f'<div class="figures" role="region" aria-label="{label}" tabindex="0"><table aria-label="{label}">'
        f"<thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def interval(span: Span) -> str:
    """A value with its interval."""
    return f"{span[0]:.3f} ({span[1]:.3f} to {span[2]:.3f})"


def percent(value: float) -> str:
    """A share in per cent, an en dash where there is none."""
    return "–" if math.isnan(value) else f"{value:.0%}"

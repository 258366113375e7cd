"""A report as one self-contained page: intervals drawn as inline SVG, light and dark."""

from __future__ import annotations

import base64
import hashlib
import html
import math

from audits.report import Finding, Report, figure, printable

STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1b1f24; --quiet: #57606a; --line: #d0d7de;
  --mark: #0b57d0; --floor: #a3341f; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171a; --ink: #e6e8ea; --quiet: #a8b0b8;
  --line: #3a4149; --mark: #8ab4f8; --floor: #f2a594; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  background: var(--paper); color: var(--ink); }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
figure { margin: 1rem 0; } figcaption { color: var(--quiet); }
svg { width: 100%; height: auto; } svg text { fill: var(--ink); font: 13px system-ui, sans-serif; }
.span { stroke: var(--mark); stroke-width: 3; } .value { fill: var(--mark); }
.floor { stroke: var(--floor); stroke-width: 2; stroke-dasharray: 3 2; } .axis { stroke: var(--line); }
.table { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
caption { text-align: left; color: var(--quiet); }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line); }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
"""

LABEL, PLOT, ROW = 250, 450, 28  # widths of the two columns and height of a row, in SVG units


def page(report: Report) -> str:
    """The whole HTML document; its own policy allows the style below, by hash, and nothing else."""
    policy = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    title = _text(report.title)
    caveats = "".join(f"<li>{_text(caveat)}</li>" for caveat in report.caveats)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-{policy}'; \
base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>{title}</h1>
<h2>Intervals</h2>
{_charts(report.findings) or "<p>There are no findings.</p>"}
<h2>Figures</h2>
{_table(report.findings)}
{f"<h2>Caveats</h2><ul>{caveats}</ul>" if caveats else ""}
</main>
</body>
</html>
"""


def _text(text: str) -> str:
    return html.escape(printable(text))


def _charts(findings: tuple[Finding, ...]) -> str:
    """One chart per unit, in the order the units first appear, because only like units share an axis."""
    units = list(dict.fromkeys(finding.unit for finding in findings))
    return "\n".join(_chart(i, u, [f for f in findings if f.unit == u]) for i, u in enumerate(units))


def _chart(index: int, unit: str, findings: list[Finding]) -> str:
    shown = [x for f in findings for x in (f.value, f.low, f.high, f.floor) if x is not None]
    shown = [x for x in shown if math.isfinite(x)] or [0.0]
    left, right = min(0.0, *shown), max(shown)
    width = (right - left) or 1.0

    def at(value: float) -> str:
        return f"{LABEL + PLOT * ((value - left) / width):.1f}"

    rows = "".join(_row(f, ROW * i + ROW / 2, at) for i, f in enumerate(findings))
    base = ROW * len(findings)
    name = f"Intervals in {unit}" if unit else "Intervals"
    return f"""<figure>
<svg viewBox="0 0 {LABEL + PLOT + 20} {base + 26}" role="img" aria-labelledby="title{index} desc{index}">
<title id="title{index}">{_text(name)}</title>
<desc id="desc{index}">A dot is the value, a bar its interval, a dashed line its floor; the table has the \
numbers.</desc>
{rows}<line class="axis" x1="{LABEL}" x2="{LABEL + PLOT}" y1="{base}" y2="{base}"/>
<text x="{LABEL}" y="{base + 18}">{figure(left)}</text>
<text x="{LABEL + PLOT}" y="{base + 18}" text-anchor="end">{figure(right)}</text>
</svg>
<figcaption>{_text(name)}; a dashed line is the floor.</figcaption>
</figure>"""


def _row(finding: Finding, y: float, at) -> str:
    label = finding.name if len(finding.name) <= 34 else finding.name[:33] + "…"
    parts = [f'<text x="0" y="{y + 4:.0f}">{_text(label)}</text>']
    if math.isfinite(finding.low) and math.isfinite(finding.high):
        parts.append(f'<line class="span" x1="{at(finding.low)}" x2="{at(finding.high)}" y1="{y}" y2="{y}"/>')
    if finding.floor is not None and math.isfinite(finding.floor):
        x = at(finding.floor)
        parts.append(f'<line class="floor" x1="{x}" x2="{x}" y1="{y - 10}" y2="{y + 10}"/>')
    if math.isfinite(finding.value):
        parts.append(f'<circle class="value" cx="{at(finding.value)}" cy="{y}" r="5"/>')
    return "".join(parts) + "\n"


def _table(findings: tuple[Finding, ...]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{_text(f.name)}</th>'
        + "".join(f'<td class="number">{figure(x)}</td>' for x in (f.value, f.low, f.high, f.floor))
        + f'<td class="number">{f.n:,}</td><td>{_text(f.unit)}</td><td>{_text(f.verdict)}</td>'
        + f"<td>{_text(f.reading)}</td></tr>\n"
        for f in findings
    )
    names = ("figure", "value", "low", "high", "floor", "items", "unit", "verdict", "reading")
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    return f"""<div class="table" role="region" aria-label="Figures" tabindex="0">
<table>
<caption>Every figure with its interval; the floor is what a perfect model would show.</caption>
<thead><tr>{head}</tr></thead>
<tbody>
{rows}</tbody>
</table>
</div>"""

"""What the kinds of autoencoder show: a card each, a table of movements, and a table of maps."""

import base64
import html
import math
from collections.abc import Sequence

from genlab.studio.flat_map import Row
from genlab.studio.kinds import SHIFTS, Look, Movement

WIDE, TALL, BINS = 300, 54, 20  # of the drawings of codes and histograms, in their own units
STYLE = """
.kinds { display: grid; grid-template-columns: repeat(auto-fill, minmax(290px, 1fr)); gap: 14px; }
article { border: 1px solid var(--border-color-primary); border-radius: 12px; padding: 12px; min-width: 0;
  background: var(--background-fill-primary); }
h3 { margin: 0 0 2px; font-size: 1.02rem; font-weight: 650; }
article img { width: 100%; image-rendering: pixelated; border-radius: 8px; background: #000; margin: 6px 0 0;
  display: block; }
.under { display: grid; grid-template-columns: 1fr 1fr 1fr; text-align: center; font-size: .76rem;
  color: var(--body-text-color-subdued); }
p { margin: 6px 0 0; font-size: .9rem; }
.figure { font-variant-numeric: tabular-nums; font-weight: 600; }
small { display: block; color: var(--body-text-color-subdued); font-size: .78rem; margin-top: 6px; }
svg { width: 100%; height: 54px; display: block; margin-top: 2px; background: var(--background-fill-secondary);
  border-radius: 6px; }
svg path { stroke: var(--primary-700); fill: none; }
svg rect { fill: var(--primary-700); }
.dark & svg path { stroke: var(--primary-300); }
.dark & svg rect { fill: var(--primary-300); }
"""


def cards(looks: Sequence[Look]) -> str:
    """A card for every kind: pictures, what came back, the code as bars and as a histogram, one plain sentence."""
    return f'<div class="kinds" aria-live="polite">{"".join(_card(look) for look in looks)}</div>'


def _card(look: Look) -> str:
    source = f"data:{look.picture.media_type};base64,{base64.b64encode(look.picture.media).decode()}"
    title, size = html.escape(look.title), len(look.code)
    alt = f"What the {title.lower()} autoencoder was shown, what came back, and the error"
    came = f"{look.psnr:.1f} dB came back"
    if look.shown_psnr < 98:
        came += f", {look.shown_psnr:.1f} dB were shown"
    return (
        f'<article><h3>{title}</h3><img src="{source}" alt="{alt}">'
        '<div class="under"><span>shown</span><span>came back</span><span>error</span></div>'
        f'<p class="figure">{came}</p><p>{html.escape(look.sentence)}</p>'
        f"<small>Its code: {size:,} numbers</small>{bars(look.code)}"
        f"<small>How large they are: {look.quiet:.0%} are silent, below a tenth of the largest</small>"
        f"{histogram(look.code)}</article>"
    )


def bars(code: Sequence[float]) -> str:
    """A line a number, up for positive and down for negative."""
    largest, step = max(max(abs(v) for v in code), 1e-9), WIDE / len(code)
    middle = TALL / 2
    path = "".join(
        f"M{(i + 0.5) * step:.1f} {middle:g}V{middle - (middle - 2) * v / largest:.1f}" for i, v in enumerate(code)
    )
    width = min(8.0, max(0.6, 0.7 * step))
    return (
        f'<svg viewBox="0 0 {WIDE} {TALL}" preserveAspectRatio="none" aria-hidden="true">'
        f'<path d="{path}" stroke-width="{width:.2f}"/></svg>'
    )


def histogram(code: Sequence[float]) -> str:
    """How many numbers have which size, from 0 at the left to the largest at the right."""
    largest, counts = max(max(abs(v) for v in code), 1e-9), [0] * BINS
    for v in code:
        counts[min(BINS - 1, int(BINS * abs(v) / largest))] += 1
    step, most = WIDE / BINS, max(counts)
    rects = "".join(
        f'<rect x="{i * step + 1:.1f}" y="{TALL - (TALL - 2) * n / most:.1f}" width="{step - 2:.1f}" '
        f'height="{(TALL - 2) * n / most:.1f}"/>'
        for i, n in enumerate(counts)
    )
    return f'<svg viewBox="0 0 {WIDE} {TALL}" preserveAspectRatio="none" aria-hidden="true">{rects}</svg>'


def movement_table(found: Sequence[Movement]) -> str:
    """How much codes move, the calmest first."""
    shifts = "".join(f'<th scope="col">moved {s} pixel{"s" if s > 1 else ""}</th>' for s in SHIFTS)
    rows = "".join(
        f'<tr><th scope="row">{html.escape(m.title)}</th><td class="number">{m.jacobian:.2f}</td>'
        + "".join(f'<td class="number">{v:.2f}</td>' for v in m.shifted)
        + "</tr>"
        for m in sorted(found, key=lambda m: m.jacobian)
    )
    return (
        '<table class="listing"><caption>How far the code goes, in units of the usual distance between '
        'the codes of two items</caption><thead><tr><th scope="col">kind</th>'
        f'<th scope="col">norm of the Jacobian</th>{shifts}</tr>'
        f"</thead><tbody>{rows}</tbody></table>"
    )


def map_table(rows: Sequence[Row], shown: str, able: Sequence[str]) -> str:
    """Scores with their intervals, layouts in two dimensions first; the one on the screen is marked.

    Args:
        able: all methods; those without a row yet are named below.
    """
    late = [name for name in able if name not in {row.method for row in rows}]
    body = ""
    for row in rows:
        mark = ' class="marked"' if row.method == shown else ""
        cells = "".join(_score(s) for s in (row.knn, row.trustworthiness, row.continuity))
        told = f"{row.dimensions:,} numbers, {'fitted to these items' if row.fitted else 'places new items'}"
        body += f'<tr{mark}><th scope="row">{html.escape(row.title)}<small>{told}</small></th>{cells}</tr>'
    return (
        '<div class="figures" tabindex="0" role="region" aria-label="Scores of every method"><table>'
        '<thead><tr><th scope="col">method</th>'
        '<th scope="col">k-NN accuracy</th><th scope="col">trustworthiness</th><th scope="col">continuity</th></tr>'
        f"</thead><tbody>{body}</tbody></table></div>"
        + (
            f"<p class='note'>Choose {html.escape(' or '.join(late))} to have it laid out and judged too.</p>"
            if late
            else ""
        )
    )


def _score(score) -> str:
    if not math.isfinite(score.value):
        return "<td>cannot tell</td>"
    return f'<td class="number">{score.value:.3f}<small>{score.low:.3f} to {min(score.high, 1):.3f}</small></td>'

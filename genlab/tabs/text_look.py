"""How texts look on the page: words tinted by their surprise, chances as bars, attention as a map."""

import html
import math
from collections.abc import Sequence

from genlab.studio.read import Attention, Filled
from genlab.studio.write import Text, Token

TIPS = 320  # tokens that show what stood to choose from
STRONG = 12.0  # bits of surprise at which a word has its full tint
CSS = """
.written { position: relative; border-radius: 12px; background: var(--background-fill-secondary); padding: 16px 18px; }
.written .words { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 1.04rem; line-height: 1.75; margin: 0; }
#text-page .words { min-height: 210px; }
.written .given { color: var(--body-text-color-subdued); }
.tok { border-radius: 4px; background: rgb(230 120 20 / calc(var(--s) * 45%)); cursor: help; }
.tok:hover, .tok:focus { outline: 2px solid var(--primary-600); }
.tok .tip { display: none; user-select: none; }
.written .panel, .tok .tip { min-height: 168px; white-space: normal; }
.written .panel { position: relative; border-top: 1px solid var(--border-color-primary); margin-top: 14px;
  padding-top: 10px; color: var(--body-text-color-subdued); font-size: .9rem; }
.tok:is(:hover, :focus) .tip { display: block; position: absolute; left: 18px; right: 18px; bottom: 16px; z-index: 2;
  padding-top: 10px; background: var(--background-fill-secondary); color: var(--body-text-color); font-size: .9rem;
  line-height: 1.5; cursor: default; }
@media (max-width: 768px) {
  .tok:is(:hover, :focus) .tip { position: fixed; left: 0; right: 0; bottom: 0; padding: 12px 20px 16px; z-index: 20;
    border-top: 2px solid var(--border-color-primary); }
}
.chances { display: grid; grid-template-columns: minmax(5em, max-content) 1fr 4.2em; gap: 3px 10px;
  align-items: center; margin: 0; }
.chances .bar-of { display: block; height: 12px; border-radius: 4px; background: var(--primary-600); min-width: 2px; }
.dark .chances .bar-of { background: var(--primary-400); }
.chances .word { font-family: var(--font-mono); white-space: pre; overflow: hidden; text-overflow: ellipsis; }
.chances .taken { font-weight: 700; text-decoration: underline; text-underline-offset: 3px; }
.chances .percent { text-align: end; font-variant-numeric: tabular-nums; }
.gap { margin: 0 0 14px; } .gap h3 { font-size: .95rem; margin: 0 0 6px; }
.names-made { columns: 4 190px; margin: 0; padding: 0; list-style: none; }
.names-made li { break-inside: avoid; padding: 3px 0; margin: 0; }
.names-made small { color: var(--body-text-color-subdued); margin-inline-start: 6px; }
.looks { overflow: auto; max-height: 560px; border: 0; }
.looks svg { display: block; font: 11px var(--font-mono); }
.looks text { fill: var(--body-text-color); }
.looks rect { fill: var(--primary-700); } .dark .looks rect { fill: var(--primary-300); }
"""
EMPTY = '<div class="written"><p class="words given">{words}</p></div>'
POINT = "Point at a word, or tap it, to see its chance and what else stood to choose from. Tint is surprise."


def shown(words: str) -> str:
    """A token with its blanks made visible."""
    marks = {"\n": "\u21b5", "\t": "\u21e5"}
    plain = "".join(marks.get(c, c) for c in words)
    return html.escape(plain.replace(" ", "\u00b7", 1) if plain.startswith(" ") else plain) or "\u2205"


def percent(chance: float) -> str:
    """A chance in words short enough for a column."""
    return f"{100 * chance:.1f} %" if chance >= 0.0005 else "< 0.1 %"


def bars(likeliest: Sequence[tuple[str, float]], taken: str = "") -> str:
    """Words and their chances as bars; the one that was taken is underlined."""
    rows = []
    for words, chance in likeliest:
        mark = " taken" if words == taken else ""
        rows.append(
            f'<span class="word{mark}">{shown(words)}</span><span class="bar-of" style="width:{100 * chance:.1f}%">'
            f'</span><span class="percent">{percent(chance)}</span>'
        )
    return f'<span class="chances">{"".join(rows)}</span>'


def token(one: Token, tipped: bool) -> str:
    """A token tinted by its surprise, with what stood to choose from."""
    bits = -math.log2(max(one.chance, 1e-9))
    tip = ""
    if tipped and one.likeliest:
        tip = (
            f'<span class="tip">{shown(one.text)} had a chance of {percent(one.chance)} ({bits:.1f} bits)'
            f"{bars(one.likeliest, one.text)}</span>"
        )
    strength = min(1.0, bits / STRONG)
    return f'<span class="tok" tabindex="-1" style="--s:{strength:.2f}">{html.escape(one.text)}{tip}</span>'


def written(texts: Sequence[Text], *, done: bool) -> str:
    """Texts as they stand: the last word's rivals while they are being written, everybody's when they are done."""
    if texts and texts[0].groups:
        return names(texts)
    parts = []
    for text in texts:
        masked = f'<p class="words">{html.escape(text.text)}</p>'
        given = f'<span class="given">{html.escape(text.prompt)}</span>'
        words = "".join(token(t, done and i < TIPS) for i, t in enumerate(text.tokens))
        newest = bars(text.tokens[-1].likeliest, text.tokens[-1].text) if text.tokens and not done else POINT
        parts.append(masked if text.masked else f'<p class="words">{given}{words}</p><div class="panel">{newest}</div>')
    return "".join(f'<div class="written">{part}</div>' for part in parts)


def names(texts: Sequence[Text]) -> str:
    """Items of a collection with their groups."""
    rows = "".join(
        f"<li>{html.escape(text.text or '…')}<small>{html.escape(', '.join(text.groups.values()))}</small></li>"
        for text in texts
    )
    return f'<div class="written"><ul class="names-made">{rows}</ul></div>'


def read(tokens: Sequence[Token], words: str) -> str:
    """A text that was read, under a sentence about it."""
    spans = "".join(token(t, i < TIPS) for i, t in enumerate(tokens))
    tips = any(t.likeliest for t in tokens)
    panel = f'<div class="panel">{POINT}</div>' if tips else ""
    return f'<p class="sentence">{html.escape(words)}</p><div class="written"><p class="words">{spans}</p>{panel}</div>'


def filled(found: Filled) -> str:
    """The likeliest words of every gap as bars."""
    gaps = "".join(
        f'<div class="gap"><h3>Gap {i + 1} of {len(found.gaps)}</h3>{bars(gap)}</div>'
        for i, gap in enumerate(found.gaps)
    )
    return f'<p class="sentence">{html.escape(found.text)}</p>{gaps}'


def attention(found: Attention, layer: int, head: int) -> str:
    """One head's map: a row looks, a column is looked at."""
    weights, side = found.weights[layer - 1, head - 1], 22
    labels = [shown(words) for words in found.tokens]
    left, top = 96, 96
    size = side * len(labels)
    cells = "".join(
        f'<rect x="{left + side * j}" y="{top + side * i}" width="{side - 1}" height="{side - 1}" '
        f'fill-opacity="{w:.2f}"><title>{labels[i]} looks at {labels[j]}: {percent(float(w))}</title></rect>'
        for i, row in enumerate(weights)
        for j, w in enumerate(row)
        if w >= 0.01
    )
    rows = "".join(
        f'<text x="{left - 6}" y="{top + side * i + 15}" text-anchor="end">{words}</text>'
        for i, words in enumerate(labels)
    )
    columns = "".join(
        f'<text transform="translate({left + side * j + 15} {top - 6}) rotate(-90)">{words}</text>'
        for j, words in enumerate(labels)
    )
    about = f"Attention of head {head} in layer {layer}: each row's token looks at the tokens of the columns"
    return (
        f'<div class="looks" tabindex="0" role="region" aria-label="Attention map"><svg role="img" '
        f'aria-label="{about}" width="{left + size + 8}" height="{top + size + 8}">{rows}{columns}{cells}</svg></div>'
    )

"""Rate and distortion of codecs as an inline SVG, and their figures as tables; every text is escaped."""

import html
import math

from genlab.studio.compare import OURS, Comparison
from genlab.studio.rivals import Coded
from genlab.tabs.mitigate_charts import table

LEFT, TOP, WIDTH, HEIGHT = 44, 12, 520, 230  # of the plotted area, in units of the drawing
MARKS = {"JPEG": "jpeg", "WebP": "webp", "AVIF": "avif"}


def rows(found: Comparison) -> str:
    """A row for every codec: bytes, bits per pixel, PSNR."""
    ordered = sorted([found.ours, *found.others], key=lambda coded: (-coded.psnr, coded.size))
    cells = [
        (coded.codec, coded.setting, f"{coded.size:,}", f"{found.bits_per_pixel(coded):.3f}", decibels(coded))
        for coded in ordered
    ]
    marked = [i for i, coded in enumerate(ordered) if coded.codec == OURS]
    return table("Every codec on this picture", ("Codec", "Setting", "Bytes", "Bits per pixel", "PSNR"), cells,
                 marked=marked)  # fmt: skip


def decibels(coded: Coded) -> str:
    return "every pixel" if math.isinf(coded.psnr) else f"{coded.psnr:.1f} dB"


def parts(found: Comparison) -> str:
    """What each part of our file costs."""
    total = sum(bits for _, bits in found.spent.parts)
    cells = [(name, f"{bits:,.0f}", f"{bits / total:.1%}") for name, bits in found.spent.parts]
    how = (
        "The map of bits is what the coder paid for each pixel, given the latents."
        if found.spent.exact
        else "The map of bits is an estimate: how badly each pixel's neighbours predict it, scaled to the file."
    )
    return table("Where the bits of our file go", ("Part", "Bits", "Share"), cells) + f'<p class="note">{how}</p>'


def plot(found: Comparison) -> str:
    """PSNR against bits per pixel: the others' curves, this picture's points on them, ours apart where nothing is lost.

    Bits are on a logarithmic axis.
    """
    points = [(found.bits_per_pixel(c), c.psnr, c.codec) for c in (found.ours, *found.others) if c.file]
    seen = [p for curve in found.curves.values() for p in curve] + [(x, y) for x, y, _ in points]
    rates = [max(x, 1e-3) for x, _ in seen]
    qualities = [y for _, y in seen if math.isfinite(y)] or [20.0, 50.0]
    low, high = math.floor(math.log2(min(rates)) - 0.2), math.ceil(math.log2(max(rates)) + 0.2)
    bottom, top = 5 * math.floor(min(qualities) / 5), 5 * math.ceil((max(qualities) + 3) / 5)

    def x(rate: float) -> float:
        return LEFT + WIDTH * (math.log2(max(rate, 1e-3)) - low) / (high - low)

    def y(quality: float) -> float:
        return TOP + (HEIGHT * (1 - (quality - bottom) / (top - bottom)) if math.isfinite(quality) else 0)

    drawn = []
    for tick in range(low, high + 1):
        drawn.append(f'<line class="axis" x1="{x(2**tick):.1f}" x2="{x(2**tick):.1f}" y1="{TOP}" y2="{TOP + HEIGHT}"/>')
        drawn.append(f'<text class="tick" x="{x(2**tick):.1f}" y="{TOP + HEIGHT + 16}" text-anchor="middle">'
                     f"{2.0**tick:g}</text>")  # fmt: skip
    for tick in range(bottom, top + 1, 5 if top - bottom <= 40 else 10):
        drawn.append(f'<line class="axis" x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
        drawn.append(f'<text class="tick" x="{LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick}</text>')
    for codec, curve in found.curves.items():
        path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in curve)
        drawn.append(f'<polyline class="{MARKS[codec]}" points="{path}"/>')
    for rate, quality, codec in points:
        kind = MARKS.get(codec, "ours")
        if kind == "ours":
            drawn.append(f'<rect class="ours" x="{x(rate) - 6:.1f}" y="{y(quality) - 6:.1f}" width="12" height="12"/>')
        else:
            drawn.append(f'<circle class="{kind}" cx="{x(rate):.1f}" cy="{y(quality):.1f}" r="5"/>')
    words = "; ".join(
        f"{codec} at {rate:.2f} bits per pixel: " + (f"{q:.1f} dB" if math.isfinite(q) else "every pixel")
        for rate, q, codec in points
    )
    keys = "".join(f'<span><i class="{MARKS[codec]}"></i>{codec}</span>' for codec in found.curves)
    lost = math.isfinite(found.ours.psnr)
    keys += '<span><i class="ours"></i>Ours' + ("" if lost else ", every pixel: at the upper edge") + "</span>"
    cut = " Curves: of the middle of the picture." if found.cut else ""
    return (
        f'<figure class="rates"><figcaption>PSNR in dB against bits per pixel</figcaption><p class="keys">{keys}</p>'
        f'<svg viewBox="0 0 {LEFT + WIDTH + 14} {TOP + HEIGHT + 24}" role="img" '
        f'aria-label="{html.escape(words)}">{"".join(drawn)}</svg>'
        f'<p class="note">Dots and square: this picture as it is compared above.{cut}</p></figure>'
    )

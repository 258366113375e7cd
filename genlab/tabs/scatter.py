"""A scatter of items: a point each, the item itself where the pointer or the arrow keys are."""

import base64
import html
import json

import gradio as gr

from genlab.studio.flat_map import SHEET, Layout

SIZE = 560  # of the drawing's own units
THUMB = 84  # pixels of the item that is shown
SCRIPT = """
let at = -1, points = [];
const plot = () => element.querySelector('.plot');
function arrive() {
  const holder = plot();
  points = holder ? JSON.parse(holder.dataset.points) : [];
  at = -1;
}
function show(index) {
  const lens = element.querySelector('.lens'), ring = element.querySelector('.ring');
  if (index < 0 || index >= points.length) return;
  at = index;
  const [x, y, label] = points[at], holder = plot(), side = Number(holder.dataset.thumb);
  const row = Math.floor(at / Number(holder.dataset.columns)), column = at % Number(holder.dataset.columns);
  lens.querySelector('i').style.backgroundPosition = (-column * side) + 'px ' + (-row * side) + 'px';
  lens.querySelector('span').textContent = holder.dataset.names.split('|')[label] + ', example ' + at;
  lens.style.left = 'clamp(0px, calc(' + (100 * x) + '% + 14px), calc(100% - 104px))';
  lens.style.top = 'clamp(0px, calc(' + (100 * y) + '% + 14px), calc(100% - 116px))';
  lens.hidden = false;
  ring.setAttribute('cx', x * 560); ring.setAttribute('cy', y * 560); ring.removeAttribute('display');
}
function nearest(px, py, test) {
  let best = -1, least = Infinity;
  points.forEach(([x, y], i) => {
    if (test && !test(x, y, i)) return;
    const d = (x - px) ** 2 + (y - py) ** 2;
    if (d < least) { least = d; best = i; }
  });
  return best;
}
element.addEventListener('pointermove', (event) => {
  const holder = event.target.closest('.plot');
  if (!holder) return;
  const box = holder.getBoundingClientRect();
  show(nearest((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height));
});
element.addEventListener('focusin', (event) => {
  if (event.target.closest('.plot') && at < 0) show(nearest(0.5, 0.5));
});
element.addEventListener('keydown', (event) => {
  if (!event.target.closest('.plot') || !event.key.startsWith('Arrow')) return;
  event.preventDefault();
  const [x, y] = at < 0 ? [0.5, 0.5] : points[at], here = at;
  const ahead = {
    ArrowLeft: (a, b) => x - a > Math.abs(b - y), ArrowRight: (a, b) => a - x > Math.abs(b - y),
    ArrowUp: (a, b) => y - b > Math.abs(a - x), ArrowDown: (a, b) => b - y > Math.abs(a - x),
  }[event.key];
  const next = nearest(x, y, (a, b, i) => i !== here && ahead(a, b));
  if (next >= 0) show(next);
});
watch('value', arrive);
arrive();
"""
STYLE = """
.plot { position: relative; aspect-ratio: 1; width: 100%; max-width: 640px; border-radius: 14px; background: #10161d;
  touch-action: pan-y; }
.plot:focus-visible { outline: 3px solid var(--primary-600); outline-offset: 3px; }
svg { width: 100%; height: 100%; display: block; }
circle { stroke: #10161d; stroke-width: 1; }
circle.ring { fill: none; stroke: #fff; stroke-width: 2.5; }
.lens { position: absolute; width: 104px; padding: 8px 8px 4px; border-radius: 10px; background: #000; color: #f2f6f5;
  border: 1px solid #8b98a5; pointer-events: none; font-size: .74rem; line-height: 1.2; text-align: center;
  box-sizing: border-box; }
.lens[hidden] { display: none; }
.lens i { display: block; margin: 0 auto 4px; image-rendering: pixelated; background-repeat: no-repeat; }
ul { display: flex; flex-wrap: wrap; gap: 4px 12px; padding: 8px 0 0; margin: 0; list-style: none; font-size: .85rem; }
li { display: flex; align-items: center; gap: 6px; margin: 0; padding: 0; }
li i { width: 12px; height: 12px; border-radius: 50%; box-shadow: 0 0 0 1px rgb(0 0 0 / .55); }
.blank { aspect-ratio: 1; max-width: 640px; display: grid; place-items: center; border-radius: 14px;
  background: #10161d; color: #f2f6f5; padding: 24px; text-align: center; }
"""
WORDS = "Real items, laid out in two dimensions. Move the pointer, or use the arrow keys, to see the item of a point."


def component() -> gr.HTML:
    """The empty scatter."""
    blank = '<div class="blank">Items are being laid out.</div>'
    return gr.HTML(
        blank, js_on_load=SCRIPT, css_template=STYLE, elem_id="scatter", apply_default_css=False, padding=False
    )


def content(layout: Layout) -> str:
    """The scatter's HTML: points coloured by class, the lens that shows items, and the key."""
    points = [[round(x, 4), round(y, 4), int(c)] for (x, y), c in zip(layout.points, layout.labels, strict=True)]
    dots = "".join(
        f'<circle cx="{SIZE * x:.1f}" cy="{SIZE * y:.1f}" r="5.5" fill="{layout.colours[c]}"/>' for x, y, c in points
    )
    source = f"data:{layout.sheet.media_type};base64,{base64.b64encode(layout.sheet.media).decode()}"
    lens = (
        f'<div class="lens" hidden aria-live="polite"><i style="width:{THUMB}px;height:{THUMB}px;'
        f'background-image:url({source});background-size:{SHEET * THUMB}px auto"></i><span></span></div>'
    )
    items = "".join(
        f'<li><i style="background:{c}"></i>{html.escape(name)}</li>'
        for name, c in zip(layout.names, layout.colours, strict=True)
    )
    return (
        f'<div class="plot" tabindex="0" role="application" aria-label="{WORDS}" data-thumb="{THUMB}" '
        f'data-columns="{SHEET}" data-names="{html.escape("|".join(layout.names))}" '
        f'data-points="{html.escape(json.dumps(points))}"><svg viewBox="0 0 {SIZE} {SIZE}" aria-hidden="true">{dots}'
        f'<circle class="ring" r="9" display="none"/></svg>{lens}</div><ul>{items}</ul>'
    )

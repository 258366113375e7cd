"""The map to point at: a picture with a spot on it, moved by pointer and by arrow keys."""

import base64
import html

import gradio as gr

from audits.provenance import Sealed

# Everything is heard on the component's own element, which stays when its content is replaced.
SCRIPT = """
let x = 0.5, y = 0.5, down = null;
const pad = () => element.querySelector('.pad');
const clamp = (v) => Math.min(1, Math.max(0, v));
function place() {
  const spot = element.querySelector('.spot');
  if (!spot) return;
  spot.style.left = (100 * x) + '%';
  spot.style.top = (100 * y) + '%';
}
function go(newX, newY) {
  x = clamp(newX); y = clamp(newY);
  place();
  trigger('input', {x: x, y: y});
}
function point(event) {
  const box = pad().getBoundingClientRect();
  go((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
}
element.addEventListener('pointerdown', (event) => {
  const target = event.target.closest('.pad');
  if (!target || event.button > 0) return;
  down = event.pointerId;
  target.setPointerCapture(down);
  target.focus({preventScroll: true});
  point(event);
});
element.addEventListener('pointermove', (event) => { if (down === event.pointerId) point(event); });
for (const kind of ['pointerup', 'pointercancel']) element.addEventListener(kind, () => { down = null; });
element.addEventListener('keydown', (event) => {
  if (!event.target.closest('.pad')) return;
  const step = event.shiftKey ? 0.1 : 0.02;
  const moves = {ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step]};
  const move = moves[event.key];
  if (!move) return;
  event.preventDefault();
  go(x + move[0], y + move[1]);
});
watch('value', place);
"""
WORDS = (
    "Map of the codes. Click, drag, or use the arrow keys (with Shift: larger steps) to decode the place you point at."
)


def component() -> gr.HTML:
    """The empty pad; its `input` event carries x and y in [0, 1]."""
    blank = '<div class="blank">The map is being drawn: a few seconds, the first time only.</div>'
    return gr.HTML(blank, js_on_load=SCRIPT, elem_id="map", apply_default_css=False, padding=False)


def content(picture: Sealed, key: list[tuple[str, str]]) -> str:
    """The pad's HTML: the map, the spot in its middle, and the key of the classes' colours."""
    source = f"data:{picture.media_type};base64,{base64.b64encode(picture.media).decode()}"
    items = "".join(f'<li><i style="background:{html.escape(c)}"></i>{html.escape(name)}</li>' for name, c in key)
    alt = "Small pictures of real items, items with similar codes close to each other"
    return (
        f'<div class="pad" tabindex="0" role="application" aria-label="{html.escape(WORDS)}">'
        f'<img src="{source}" alt="{alt}" draggable="false"><span class="spot" style="left:50%;top:50%"></span></div>'
        f"<ul>{items}</ul>"
    )

"""A place to draw on: white strokes on black, by pointer or by keyboard, sent as a small PNG."""

import base64
import binascii

import gradio as gr

from genlab.studio.shelf import StudioError

LARGEST = 200_000  # characters of a drawing as it is sent
PREFIX = "data:image/png;base64,"
SCRIPT = """
let down = null, x = 56, y = 56, pen = false;
const canvas = () => element.querySelector('canvas');
const ink = () => canvas().getContext('2d');
function send() { trigger('input', {png: canvas().toDataURL('image/png')}); }
function clear() {
  const c = ink();
  c.fillStyle = '#000'; c.fillRect(0, 0, 112, 112);
}
function line(toX, toY) {
  const c = ink();
  c.strokeStyle = c.fillStyle = '#fff'; c.lineWidth = 9; c.lineCap = 'round';
  c.beginPath(); c.moveTo(x, y); c.lineTo(toX, toY); c.stroke();
  x = toX; y = toY;
}
function at(event) {
  const box = canvas().getBoundingClientRect();
  return [112 * (event.clientX - box.left) / box.width, 112 * (event.clientY - box.top) / box.height];
}
clear();
element.addEventListener('pointerdown', (event) => {
  if (event.target !== canvas() || event.button > 0) return;
  down = event.pointerId;
  canvas().setPointerCapture(down);
  [x, y] = at(event);
  line(x + 0.1, y);
});
element.addEventListener('pointermove', (event) => { if (down === event.pointerId) line(...at(event)); });
element.addEventListener('pointerup', () => { if (down !== null) { down = null; send(); } });
element.addEventListener('pointercancel', () => { down = null; });
element.addEventListener('click', (event) => {
  if (event.target.closest('button')) { clear(); }
});
element.addEventListener('keydown', (event) => {
  if (event.target !== canvas()) return;
  const moves = {ArrowLeft: [-6, 0], ArrowRight: [6, 0], ArrowUp: [0, -6], ArrowDown: [0, 6]};
  const move = moves[event.key];
  if (event.key === ' ') { pen = !pen; event.preventDefault(); if (!pen) send(); else line(x + 0.1, y); return; }
  if (!move) return;
  event.preventDefault();
  const clamp = (v) => Math.min(108, Math.max(4, v));
  const to = [clamp(x + move[0]), clamp(y + move[1])];
  if (pen) line(...to); else [x, y] = to;
});
"""
STYLE = """
canvas { width: 220px; height: 220px; border-radius: 10px; background: #000; touch-action: none; cursor: crosshair;
  display: block; border: 1px solid var(--border-color-primary); }
canvas:focus-visible { outline: 3px solid var(--primary-600); outline-offset: 3px; }
button { margin-top: 8px; border: 1px solid var(--button-secondary-border-color); border-radius: 8px;
  padding: 4px 12px; min-height: 32px; background: var(--button-secondary-background-fill);
  color: var(--button-secondary-text-color); cursor: pointer; }
p { color: var(--body-text-color-subdued); font-size: .86rem; margin: 6px 0 0; max-width: 34ch; }
"""
WORDS = "Draw here. By keyboard: arrow keys move, the space bar puts the pen down and takes it up."


def component(visible: bool = False) -> gr.HTML:
    """The easel; its `input` event carries the drawing after each stroke."""
    return gr.HTML(
        f'<canvas width="112" height="112" tabindex="0" role="application" aria-label="{WORDS}"></canvas>'
        f'<button type="button">Start again</button><p>{WORDS}</p>',
        js_on_load=SCRIPT, css_template=STYLE, elem_id="easel", apply_default_css=False, padding=False, visible=visible,
    )  # fmt: skip


def drawing(event: gr.EventData) -> bytes:
    """The PNG file of an `input` event.

    Raises:
        StudioError: it is something else.
    """
    text = (event._data or {}).get("png")
    if not isinstance(text, str) or not text.startswith(PREFIX) or len(text) > LARGEST:
        raise StudioError("The drawing did not arrive as a small PNG: draw again.")
    try:
        return base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise StudioError("The drawing did not arrive as a small PNG: draw again.") from None

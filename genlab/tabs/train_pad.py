"""The pad on which a visitor draws the points that a model learns: by pointer, or by arrow keys and Enter."""

import gradio as gr

SCRIPT = """
let points = [], x = 0.5, y = 0.5, down = null, waiting = null;
const NS = 'http://www.w3.org/2000/svg';
const pad = () => element.querySelector('.draw');
const clamp = (v) => Math.min(1, Math.max(0, v));
function show() {
  const path = element.querySelector('.made');
  if (!path) return;
  path.setAttribute('d', points.map((p) => `M${p[0].toFixed(3)} ${(1 - p[1]).toFixed(3)}h0`).join(''));
  const spot = element.querySelector('.spot');
  spot.setAttribute('cx', x); spot.setAttribute('cy', 1 - y);
  element.querySelector('.count').textContent = points.length + ' points';
}
function send() {
  clearTimeout(waiting);
  waiting = setTimeout(() => trigger('input', {points: points}), 150);
}
function add(atX, atY, many) {
  x = clamp(atX); y = clamp(atY);
  for (let i = 0; i < many && points.length < 2000; i++) {
    const turn = 2 * Math.PI * Math.random(), far = 0.02 * Math.sqrt(-2 * Math.log(1 - Math.random()));
    points.push([clamp(x + far * Math.cos(turn)), clamp(y + far * Math.sin(turn))]
      .map((v) => Math.round(v * 1000) / 1000));
  }
  show(); send();
}
function draw(event) {
  const box = pad().getBoundingClientRect();
  add((event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height, 6);
}
element.addEventListener('pointerdown', (event) => {
  const target = event.target.closest('.draw');
  if (!target || event.button > 0) return;
  down = event.pointerId;
  target.setPointerCapture(down);
  target.focus({preventScroll: true});
  draw(event);
});
element.addEventListener('pointermove', (event) => { if (down === event.pointerId) draw(event); });
for (const kind of ['pointerup', 'pointercancel']) element.addEventListener(kind, () => { down = null; });
element.addEventListener('click', (event) => {
  if (!event.target.closest('.clear')) return;
  points = []; show(); send();
});
element.addEventListener('keydown', (event) => {
  if (!event.target.closest('.draw')) return;
  const step = event.shiftKey ? 0.1 : 0.02;
  const moves = {ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step]};
  const move = moves[event.key];
  if (move) { x = clamp(x + move[0]); y = clamp(y + move[1]); show(); }
  else if (event.key === 'Enter' || event.key === ' ') add(x, y, 12);
  else return;
  event.preventDefault();
});
watch('value', show);
"""
WORDS = (
    "Draw what the model shall learn: click or drag, or move with the arrow keys (with Shift: larger steps) and press "
    "Enter to put some points there."
)
CONTENT = (
    f'<div class="draw" tabindex="0" role="application" aria-label="{WORDS}">'
    '<svg viewBox="0 0 1 1" aria-hidden="true"><path class="made" d=""/>'
    '<circle class="spot" cx=".5" cy=".5" r=".02"/></svg></div>'
    '<div class="draw-foot"><span class="count" role="status">0 points</span>'
    '<button type="button" class="clear">Clear</button></div>'
)


def component() -> gr.HTML:
    """The pad; its `input` event carries all points, rows of two numbers in [0, 1]."""
    return gr.HTML(CONTENT, js_on_load=SCRIPT, elem_id="train-pad", apply_default_css=False, padding=False,
                   visible=False)  # fmt: skip

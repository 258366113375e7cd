"""Look for yourself: one picture at a time, a button and a key for each group; the answers become an interval."""

import base64
import html
from dataclasses import replace
from typing import Any

import gradio as gr

from genlab.studio import bias_audit as studio
from genlab.studio import labelling, shelf
from genlab.studio.bias_audit import Asked
from genlab.studio.collect import Collected
from genlab.studio.labelling import UNSURE, Labelling
from genlab.tabs.audit_charts import text
from genlab.tabs.errors import guarded
from genlab.tabs.files import stored_bytes, uploaded_path

OUTPUTS = 7
PRIVATE = {"preprocess": False, "api_visibility": "private", "show_progress": "hidden"}
KEYS = "1234567890qw"
# Everything is heard on the component's own element, which stays when its content is replaced.
SCRIPT = """
const say = (answer) => trigger('input', {answer: answer});
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-answer]');
  if (button) say(button.dataset.answer);
});
element.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const key = event.key.toLowerCase();
  const button = element.querySelector('button[data-key="' + (key === 'backspace' ? 'z' : key) + '"]');
  if (!/^[a-z0-9]$/.test(key) && key !== 'backspace') return;
  if (!button) return;
  event.preventDefault();
  say(button.dataset.answer);
});
let focused = false;
element.addEventListener('focusin', () => { focused = true; });
document.addEventListener('focusin', (event) => { if (!element.contains(event.target)) focused = false; });
watch('value', () => {
  const panel = element.querySelector('.labelling');
  if (focused && panel) panel.focus({preventScroll: true});
});
"""
UNDO = "undo"
EMPTY = '<p class="note">A set with pictures can be looked at here once it has been gathered.</p>'


def build(held: gr.State, results: list, shown) -> list:
    """The section's contents and events; `shown` fills `results` from what is held and a new audit."""
    with gr.Accordion("Look for yourself: 100 clicks make the figures yours", open=False, elem_id="label-box"):
        gr.Markdown(
            "A classifier errs, and on generated pictures more than on those it was tested on. Pictures are drawn at "
            "random within each predicted group, in an order that gives nothing away. What you say corrects the "
            "shares, and raises an alarm where it contradicts the classifier's measured errors.",
            elem_classes="note",
        )
        with gr.Row(elem_classes="tight"):
            column = gr.Textbox(label="Attribute", max_length=60, min_width=140)
            groups = gr.Textbox(label="Groups, with commas between", max_length=400, scale=2, min_width=200)
            count = gr.Number(labelling.USUAL, label="How many", min_width=90, precision=0)
            start = gr.Button("Start", variant="primary", min_width=90)
        panel = gr.HTML(EMPTY, js_on_load=SCRIPT, elem_id="labeller", apply_default_css=False, padding=False)
        with gr.Row(elem_classes=["tight", "downloads"]):
            use = gr.Button("Use the labels", variant="primary", interactive=False, min_width=140)
            save = gr.DownloadButton("Save labels (CSV)", size="md", interactive=False, min_width=140)
        resume = gr.File(label="Go on from saved labels (CSV)", file_types=[".csv"], height=110)
    round_ = gr.State(None, time_to_live=3600)
    view = [round_, panel, use, save]
    start.click(guarded(_start), [held, column, groups, count], view, **PRIVATE)
    panel.input(guarded(_answer), [held, round_], view, trigger_mode="multiple", **PRIVATE)
    resume.upload(guarded(_resume), [held, round_, column, groups, count, resume], view, **PRIVATE)

    def apply(now: Any, round_now: Labelling | None) -> list:
        return shown(*_used(now, round_now))

    use.click(guarded(apply), [held, round_], results, **PRIVATE)
    return [round_, column, groups, panel, use, save, resume]


def ready(collected: Collected, asked: Asked) -> list:
    """The section after a new set was gathered; OUTPUTS updates."""
    first = next((c for c in asked.columns if c in collected.expected), asked.columns[0] if asked.columns else "group")
    known = collected.expected.get(first, ())
    told = EMPTY if not collected.thumbs else '<p class="note">Press Start to look at pictures of this set.</p>'
    off = gr.update(interactive=False)
    return [None, first, ", ".join(known), told, off, gr.update(value=None, interactive=False), None]


def _start(held: Any, column: str, groups: str, count: object) -> list:
    return _view(held, _begun(held, column, groups, count))


def _begun(held: Any, column: str, groups: str, count: object) -> Labelling:
    if held is None:
        raise shelf.StudioError("There is nothing to look at yet: audit a set of pictures first.")
    return labelling.begin(
        held.collected, str(column or "").strip() or "group", str(groups or "").split(","), count=count
    )


def _answer(held: Any, round_now: Labelling | None, event: gr.EventData) -> list:
    if held is None or round_now is None:
        raise shelf.StudioError("Press Start first.")
    answer = event._data.get("answer")
    return _view(held, round_now.undone() if answer == UNDO else round_now.answered(answer))


def _resume(held: Any, round_now: Labelling | None, column: str, groups: str, count: object, payload: object) -> list:
    from genlab.studio.uploads import read_file

    begun = round_now or _begun(held, column, groups, count)
    return _view(held, labelling.resumed(begun, read_file(uploaded_path(payload))))


def _used(held: Any, round_now: Labelling | None):
    if held is None or round_now is None or not len(round_now.labels()):
        raise shelf.StudioError("No picture has been labelled yet: press Start and say what you see.")
    labels = {**held.labels, round_now.column: round_now.labels()}
    asked = held.asked
    if round_now.column not in asked.columns:
        asked = replace(asked, columns=(*(c for c in asked.columns if c in held.collected.columns), round_now.column))
    held = replace(held, labels=labels, asked=asked)
    return held, studio.audit(held.collected, asked, labels=labels)


def _view(held: Any, now: Labelling) -> list:
    labels = len(now.labels())
    path = stored_bytes(labelling.to_csv(now), f"labels-{''.join(c for c in now.column if c.isalnum())[:30]}.csv")
    save = gr.update(value=path, interactive=bool(now.given))
    return [now, _panel(held.collected, now), gr.update(interactive=labels > 0), save]


def _panel(collected: Collected, now: Labelling) -> str:
    """The present picture with a button for each answer; the item's name and the prediction stay hidden."""
    done, total = len(now.given), len(now.queue)
    head = (
        f'<progress value="{done}" max="{total}" aria-label="Pictures looked at"></progress>'
        f'<p class="note">{done:,} of {total:,} looked at. Press Use the labels whenever you like.</p>'
    )
    undo = f'<button type="button" data-answer="{UNDO}" data-key="z"><kbd>Z</kbd> undo</button>' if done else ""
    item = now.now
    if item is None:
        return f'<div class="labelling" tabindex="-1">{head}<p>All of them are done.</p><div>{undo}</div></div>'
    png = studio.leaving(collected, collected.thumbs[item], "audit item", {"item": item})
    source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    buttons = "".join(
        f'<button type="button" data-answer="{html.escape(group)}" data-key="{key}"><kbd>{key.upper()}</kbd> '
        f"{text(group)}</button>"
        for key, group in zip(KEYS, now.groups, strict=False)
    )
    buttons += f'<button type="button" data-answer="{UNSURE}" data-key="s"><kbd>S</kbd> {UNSURE}</button>{undo}'
    return (
        f'<div class="labelling" tabindex="0" role="group" aria-label="{text(now.column)}: press the key of a group">'
        f'<img src="{source}" alt="Picture {done + 1} of {total}, to be labelled"><div>{head}'
        f'<p><strong>{text(now.column)}</strong>: which group is this?</p><div class="answers">{buttons}</div>'
        "</div></div>"
    )

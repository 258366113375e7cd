"""Cards: what each model is for and not for, what it learnt from, what was measured, and how it can be misused."""

import gradio as gr

from audits.provenance import Sealed
from genlab.studio import shelf
from genlab.studio.card import Part, card
from genlab.tabs.errors import guarded, sentence
from genlab.tabs.files import stored

PARTS = 3  # stretches of text on the page, with a picture between each two


def build(demo: gr.Blocks) -> None:
    """The tab's contents and events."""
    with gr.Row(elem_classes="tight"):
        model = gr.Dropdown(shelf.names(), label="Model", elem_id="card-model", filterable=False, scale=3)
        command = gr.Textbox(
            label="Copy as command", interactive=False, buttons=["copy"], elem_classes="command", scale=4
        )
    outputs = []
    for i in range(PARTS):
        outputs.append(gr.Markdown("", elem_classes="card-text"))
        if i < PARTS - 1:
            outputs.append(
                gr.Image(
                    label="Picture of the card", show_label=False, height=420, visible=False, interactive=False,
                    image_mode=None, buttons=["download", "fullscreen"], alt_text="", elem_classes="pixels",
                )
            )  # fmt: skip
    options = {"preprocess": False, "api_visibility": "private"}
    demo.load(guarded(_arrive), None, [model, command, *outputs], show_progress="hidden", **options)
    model.input(guarded(_show), model, [command, *outputs], **options)


def _arrive() -> list:
    names = shelf.names()
    if not names:
        return [gr.skip(), "", "No model is on the shelf yet: train one with python -m genlab train."] + [
            gr.skip() for _ in range(2 * (PARTS - 1))
        ]
    return [gr.update(choices=names, value=names[0]), *_show(names[0])]


def _show(name: str) -> list:
    try:
        parts = list(card(name))
    except (ValueError, RuntimeError) as error:
        parts = [Part(f"## {name}\n\nThis card cannot be shown: {_plain(sentence(error))}")]
    while len(parts) > PARTS:  # a card with more pictures than we have places: its text is kept whole
        last = parts.pop()
        parts[-1] = Part(f"{parts[-1].text}\n\n{last.text}")
    parts += [Part("")] * (PARTS - len(parts))
    shown = []
    for i, part in enumerate(parts):
        shown.append(part.text)
        if i < PARTS - 1:
            shown.append(_picture(part.picture, part.alt))
    return [f"python -m genlab card {name}", *shown]


def _plain(words: str | None) -> str:
    """A sentence without what Markdown or HTML would take for more."""
    return "".join(c for c in words or "something went wrong here." if c not in "<>*_`[]()\\")


def _picture(picture: Sealed | None, alt: str):
    if picture is None:
        return gr.update(value=None, visible=False)
    return gr.update(value=stored(picture, "card"), visible=True, alt_text=alt, label=alt)

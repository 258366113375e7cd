"""The part of the Generate tab that draws with a diffusers pipeline of the Hub, a bar on the way."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

import gradio as gr

from genlab.studio import generate_hub as studio
from genlab.studio.generate import Generated
from genlab.tabs import watching
from genlab.tabs.watching import Stopped

WHAT = "hub"
QUIET = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}


@dataclass(frozen=True)
class Controls:
    """A name, prompts, a class, a place for the bar, and the buttons."""

    name: gr.Textbox
    prompts: gr.Textbox
    label: gr.Textbox
    bar: gr.HTML
    go: gr.Button
    halt: gr.Button


def build() -> Controls:
    """A closed section; prompts and class are shown once a name stands there."""
    with gr.Accordion("Or a diffusers pipeline of the Hub", open=False):
        name = gr.Textbox(
            label="Pipeline", placeholder="owner/model", max_length=300, elem_id="generate-hub",
            info=f"Safetensors only; none of its code is run. Seed and number are those above, {studio.MOST} at most.",
        )  # fmt: skip
        prompts = gr.Textbox(
            label="Prompts, one a line", lines=2, visible=False, max_length=9_000,
            info="For pipelines that draw what a text says. Pictures take them in turn.",
        )  # fmt: skip
        label = gr.Textbox(
            label="Class",
            visible=False,
            max_length=200,
            info="For pipelines with classes: a name or number, or nothing.",
        )
        with gr.Row(elem_classes="tight"):
            go = gr.Button("Draw with it", scale=2)
            halt = gr.Button("Stop", scale=1)
        bar = gr.HTML("", padding=False, elem_id="generate-hub-state")
    name.input(lambda text: [gr.update(visible=bool(text.strip()))] * 2, name, [prompts, label], **QUIET)
    return Controls(name, prompts, label, bar, go, halt)


def draw(
    request: gr.Request, name: str, prompts: str, label: str, seed: object, count: object
) -> Iterator[str | tuple[Generated, str]]:
    """Bars, and in the end what was made with the line that does the same in a terminal; a last bar if stopped."""
    model = studio.PREFIX + (name or "").strip().removeprefix(studio.PREFIX)
    if isinstance(count, int | float) and count > studio.MOST:
        count = studio.MOST
    knobs = {"prompt": prompts} if (prompts or "").strip() else {}
    work = studio.steps(model, label=(label or "").strip() or None, seed=seed, count=count, knobs=knobs)
    try:
        made = yield from watching.steps(work, watching.key_of(request, WHAT), lambda bar: bar)
    except Stopped:
        yield watching.told("Stopped. What was there before is still there.")
        return
    yield made, _command(model, label, made, prompts)


def begin(request: gr.Request) -> str:
    """A bar to show while the work waits for its turn."""
    return watching.begin(watching.key_of(request, WHAT))


def stop(request: gr.Request) -> str:
    """Stop at the next picture."""
    watching.stop(watching.key_of(request, WHAT))
    return watching.told("Stopping after this picture ...")


def _command(model: str, label: str, made: Generated, prompts: str) -> str:
    first = made.pictures[0].claim
    words = ["python", "-m", "genlab", "sample", model, "--count", str(len(made.pictures)), "--seed", str(first.seed)]
    words += ["--label", label.strip()] if (label or "").strip() else []
    for line in (prompts or "").splitlines():
        words += ["--prompt", line.strip()] if line.strip() else []
    return shlex.join([*words, "--out", "samples"])

"""Generate: choose a model, a class, a seed and the model's own knobs; look, download, make again."""

import html
import secrets
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

import gradio as gr

from audits.provenance import Claim
from genlab.studio import generate as studio
from genlab.studio import shelf, uploads
from genlab.studio.generate import Generated
from genlab.studio.regenerate import regenerate
from genlab.studio.shelf import Entry
from genlab.tabs import generate_hub, knobs
from genlab.tabs.api import AT_ONCE, HEAVY
from genlab.tabs.errors import guarded
from genlab.tabs.files import stored, stored_bytes, uploaded_path

EVERY = "every class in turn"
RANDOM = 10**6  # a fresh seed is below this: short enough to read aloud


@dataclass(frozen=True)
class Controls:
    """What a visitor sets, in the order in which handlers get it."""

    model: gr.Dropdown
    label: gr.Dropdown
    seed: gr.Number
    count: gr.Slider
    knobs: list

    def inputs(self) -> list:
        return [self.model, self.label, self.seed, self.count, *self.knobs]


def build(demo: gr.Blocks) -> None:
    """The tab's contents and events."""
    made = gr.State(None)
    with gr.Row(elem_classes="result-first"):
        with gr.Column(scale=4, min_width=300):
            controls = _controls()
            with gr.Row(elem_classes="tight"):
                go = gr.Button("Generate", variant="primary", scale=2)
                fresh = gr.Button("New seed", scale=1)
            command = gr.Textbox(
                label="Copy as command", lines=2, interactive=False, buttons=["copy"], elem_classes="command"
            )
            hub = generate_hub.build()
        with gr.Column(scale=7, min_width=320, elem_classes="result"):
            gallery = gr.Gallery(
                label="Samples", show_label=False, columns=4, height="auto", object_fit="contain", preview=False,
                buttons=["fullscreen"], elem_classes=["gallery-of-items", "pixels"], elem_id="samples",
                allow_preview=False,
            )  # fmt: skip
            facts = gr.HTML(_facts(None), elem_id="facts", padding=False)
            with gr.Row(elem_classes=["tight", "downloads"]):
                one = gr.DownloadButton("This picture (PNG)", size="md", interactive=False, min_width=150)
                everything = gr.DownloadButton("All of them (zip)", size="md", interactive=False, min_width=150)
                raw = gr.DownloadButton("Raw pixel grid (PNG)", size="md", interactive=False, min_width=150)
            gr.Markdown(
                "Pictures are enlarged, nothing is smoothed. Every file carries a signed claim of how it was made, and "
                "an invisible mark in its pixels; the raw grid carries the claim alone.",
                elem_classes="note",
            )
    _again_box()

    shown = [made, gallery, facts, one, everything, raw, command]
    filled = [controls.model, controls.label, *controls.knobs]
    options = {"concurrency_id": HEAVY, "concurrency_limit": AT_ONCE, "preprocess": False, "api_visibility": "private"}
    demo.load(guarded(_arrive), None, [*filled, *shown], show_progress="hidden", **options)
    controls.model.input(
        guarded(_change_model), [controls.model, controls.seed, controls.count], [*filled, *shown],
        trigger_mode="always_last", **options,
    )  # fmt: skip
    fresh.click(guarded(_fresh_seed), None, controls.seed, api_visibility="private", queue=False).then(
        guarded(_generate), controls.inputs(), shown, show_progress="minimal", **options
    )
    triggers = [go.click, controls.seed.submit, controls.label.input, controls.count.release]
    triggers += [c.input if isinstance(c, gr.Radio) else c.release for c in controls.knobs]
    gr.on(
        triggers, guarded(_generate), controls.inputs(), shown, show_progress="minimal",
        trigger_mode="always_last", **options,
    )  # fmt: skip
    hub.go.click(guarded(generate_hub.begin), None, hub.bar, **generate_hub.QUIET).then(
        guarded(_hub), [hub.name, hub.prompts, hub.label, controls.seed, controls.count], [hub.bar, *shown],
        show_progress="hidden", **options,
    )  # fmt: skip
    hub.halt.click(guarded(generate_hub.stop), None, hub.bar, **generate_hub.QUIET)
    gallery.select(guarded(_choose), made, [facts, one], show_progress="hidden", api_visibility="private")


def _controls() -> Controls:
    model = gr.Dropdown([], label="Model", elem_id="generate-model", filterable=False)
    label = gr.Dropdown([EVERY], value=EVERY, label="Class", filterable=False)
    seed = gr.Number(0, label="Seed", info="The same seed gives the same pixels, today and after a restart.")
    count = gr.Slider(1, studio.MOST, value=16, step=1, label="How many")
    return Controls(model, label, seed, count, knobs.controls())


def _again_box() -> None:
    with gr.Accordion("Make it again from its file", open=False):
        gr.Markdown(
            "Give a PNG, GIF or MP4 that was made here. Its claim is read and the same thing is made again, pixel for "
            "pixel, or you are told why that cannot be.",
            elem_classes="note",
        )
        with gr.Row():
            upload = gr.File(label="File made here", file_types=[".png", ".gif", ".mp4"], height=140)
            with gr.Column():
                again = gr.Image(
                    label="Made again", height=240, interactive=False, image_mode=None, buttons=["download"],
                    alt_text="The picture made again from the claim inside the file", elem_classes="pixels",
                )  # fmt: skip
                verdict = gr.HTML("", padding=False)
                copy = gr.DownloadButton("Download it", size="md", interactive=False)
    upload.upload(
        guarded(_again), upload, [again, verdict, copy], preprocess=False, concurrency_id=HEAVY,
        concurrency_limit=AT_ONCE, api_visibility="private",
    )  # fmt: skip


# ---- events


def _arrive() -> list:
    entries = shelf.generators()
    if not entries:
        raise shelf.StudioError("No model on the shelf can generate yet: train one with python -m genlab train.")
    first = next((e for e in entries if e.classes), entries[0])  # one that can be asked for something
    return _filled(first, [e.name for e in entries]) + _made(first, None, 0, 16, {})


def _change_model(name: str, seed: object, count: object) -> list:
    entry = shelf.require(name, "generate")
    return _filled(entry, None) + _made(entry, None, seed, count, {})


def _fresh_seed() -> int:
    return secrets.randbelow(RANDOM)


def _generate(name: str, label: str, seed: object, count: object, *turned: object) -> list:
    entry = shelf.require(name, "generate")
    return _made(entry, None if label == EVERY else label, seed, count, knobs.values(entry, turned))


def _hub(request: gr.Request, name: str, prompts: str, label: str, seed: object, count: object) -> Iterator[list]:
    """A pipeline of the Hub; what was there before stays until something new is."""
    before = [gr.skip()] * 7
    try:
        for step in generate_hub.draw(request, name, prompts, label, seed, count):
            yield [step, *before] if isinstance(step, str) else ["", *_shown(*step)]
    except Exception:
        yield ["", *before]
        raise


def _choose(made: Generated | None, event: gr.SelectData) -> list:
    if made is None or not 0 <= event.index < len(made.pictures):
        return [_facts(None), gr.update(interactive=False)]
    return _chosen(made, event.index)


def _again(payload: object) -> list:
    again = regenerate(uploads.read_file(uploaded_path(payload)))
    path = stored(again, f"again-{again.claim.model}-{again.claim.seed}")
    words = '<p class="note">The same content, made again from the claim:</p>' + _facts(again.claim)
    return [None if again.media_type == "video/mp4" else path, words, gr.update(value=path, interactive=True)]


# ---- what they fill in


def _filled(entry: Entry, names: list[str] | None) -> list:
    model = gr.skip() if names is None else gr.update(choices=names, value=entry.name)
    label = gr.update(choices=[EVERY, *entry.classes], value=EVERY, visible=bool(entry.classes))
    return [model, label, *knobs.updates(entry)]


def _made(entry: Entry, label: str | None, seed: object, count: object, turned: dict) -> list:
    made = studio.generate(entry.name, label=label, seed=seed, count=count, knobs=turned)
    return _shown(made, command_of(entry, label, made.pictures[0].claim.seed, len(made.pictures), turned))


def _shown(made: Generated, command: str) -> list:
    """What fills the right of the page, and the command."""
    paths = [stored(s, name) for s, name in zip(made.pictures, made.names, strict=True)]
    captions = [s.claim.inputs.get("label") or f"seed {s.claim.seed}" for s in made.pictures]
    facts, one = _chosen(made, 0, paths[0])
    archive = stored_bytes(made.archive, f"{made.pictures[0].claim.model}-{made.pictures[0].claim.seed}.zip")
    raw = stored(made.sheet, made.sheet_name)
    return [
        made,
        gr.update(value=list(zip(paths, captions, strict=True)), selected_index=None),
        facts,
        one,
        gr.update(value=archive, interactive=True),
        gr.update(value=raw, interactive=True),
        command,
    ]


def _chosen(made: Generated, index: int, path: str | None = None) -> list:
    path = path or stored(made.pictures[index], made.names[index])
    return [_facts(made.pictures[index].claim, index + 1), gr.update(value=path, interactive=True)]


def command_of(entry: Entry, label: str | None, seed: int, count: int, turned: dict) -> str:
    """The line that does the same in a terminal."""
    words = ["python", "-m", "genlab", "sample", entry.name, "--count", str(count), "--seed", str(seed)]
    words += ["--label", label] if label else []
    for name, value in knobs.changed(entry, turned).items():
        words += ["--knob", f"{name}={value}"]
    return shlex.join([*words, "--out", "samples"])


def _facts(claim: Claim | None, number: int | None = None) -> str:
    """A claim as a small table; all of it escaped."""
    if claim is None:
        return '<p class="note">Choose a picture to see how it was made.</p>'
    rows = [("picture", str(number))] if number else []
    rows += [("model", claim.model), ("weights", f"{claim.weights[:16]}…"), ("action", claim.action)]
    rows += [("seed", str(claim.seed))] if claim.action == "generate" else []
    rows += list(claim.inputs.items())
    turned = ", ".join(f"{k} {v}" for k, v in claim.knobs.items())
    rows += [("knobs", turned[:300])] if turned else []
    cells = "".join(f"<div><dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd></div>" for k, v in rows)
    return f'<dl class="facts">{cells}</dl>'

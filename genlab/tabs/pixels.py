"""Pixels: watch a picture being drawn value by value or out of noise, and let a model go on from one that is given."""

import html
import json

import gradio as gr

from genlab.studio import appear as studio_appear
from genlab.studio import complete as studio
from genlab.studio import shelf, uploads
from genlab.studio import vary as studio_vary
from genlab.tabs import easel
from genlab.tabs.api import AT_ONCE, HEAVY
from genlab.tabs.errors import guarded
from genlab.tabs.files import stored, uploaded_path

SOURCES = {"A real example": "example", "Draw": "drawing", "Your picture": "upload"}
TASKS = {"Erase a part, draw it anew": "complete", "Change all of it": "vary"}
OPTIONS = {"concurrency_id": HEAVY, "concurrency_limit": AT_ONCE, "preprocess": False, "api_visibility": "private"}
LIVE = OPTIONS | {"trigger_mode": "always_last", "show_progress": "hidden"}
QUIET = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}
NO_CLASS = ("None: whatever it looks like", "")
INTRO = (
    "A PixelCNN draws one grey value at a time, in reading order, each with chances that depend on all that was drawn "
    "before: the probability of a picture is exact, and half a picture a question it can answer. A diffusion model "
    "starts from noise and takes some of it away everywhere, step by step."
)


def build(tab: gr.Tab) -> None:
    """The tab's contents and events."""
    seen, drawn = gr.State(False), gr.State(None)
    gr.Markdown(INTRO, elem_classes="note")
    with gr.Row(elem_classes="result-first"):
        with gr.Column(scale=4, min_width=300):
            model = gr.Dropdown([], label="Model", filterable=False, elem_id="pixels-model")
            label = gr.Dropdown([], label="Class", filterable=False, elem_id="pixels-label")
            with gr.Row(elem_classes="tight"):
                seed = gr.Number(0, label="Seed", precision=0, min_width=110, elem_id="pixels-seed")
                warmth = gr.Slider(0.3, 1.5, value=1, step=0.05, label="Temperature", min_width=160)
            go = gr.Button("Watch it appear", variant="primary", elem_id="pixels-go")
            command = gr.Textbox(
                label="Copy as Python", lines=3, max_lines=4, interactive=False, buttons=["copy"],
                elem_classes="command",
            )  # fmt: skip
        with gr.Column(scale=7, min_width=320, elem_classes="result"), gr.Row():
            film = gr.Image(
                label="As it appears", height=300, interactive=False, image_mode=None, buttons=["download"],
                alt_text="An animation of the picture coming about", elem_classes="pixels",
                elem_id="pixels-film", min_width=200,
            )  # fmt: skip
            item = gr.Image(
                label="Finished", height=300, interactive=False, image_mode=None, buttons=["download"],
                alt_text="The finished picture", elem_classes="pixels", elem_id="pixels-item", min_width=200,
            )  # fmt: skip
    gr.HTML('<h2 class="part">Go on from a picture</h2>', padding=False)
    with gr.Row(elem_classes="result-first"):
        with gr.Column(scale=4, min_width=300):
            task = gr.Radio(list(TASKS), value=next(iter(TASKS)), label="What to do with it", elem_id="complete-task")
            finisher = gr.Dropdown([], label="Model", filterable=False, elem_id="complete-model")
            source = gr.Radio(list(SOURCES), value="A real example", label="Picture", elem_id="complete-source")
            with gr.Row(elem_classes="tight"):
                number = gr.Number(3, label="Number of the example", precision=0, min_width=120)
                another = gr.Button("Another one", size="md", min_width=110)
            board = easel.component()
            upload = gr.Image(
                label="Your picture", sources=["upload", "clipboard"], type="filepath", image_mode=None, height=180,
                visible=False, buttons=[], alt_text="The picture you gave",
            )  # fmt: skip
            region = gr.Radio(list(studio.REGIONS), value=studio.REGIONS[0], label="Erased", elem_id="complete-region")
            kept = gr.Slider(0, 95, value=50, step=5, label="Kept (per cent of the side)", elem_id="complete-kept")
            change = gr.Slider(
                5, 100, value=70, step=5, label="Change (per cent of the way to noise)", visible=False,
                elem_id="vary-change",
            )  # fmt: skip
            named = gr.Dropdown([NO_CLASS], value="", label="Class to tell it", visible=False, elem_id="vary-label")
            again = gr.Button("Draw six", variant="primary", elem_id="complete-go")
        with gr.Column(scale=7, min_width=320, elem_classes="result"):
            told = gr.HTML("", elem_id="complete-told", padding=False)
            with gr.Row():
                shown = gr.Image(
                    label="What the model is shown", height=220, interactive=False, image_mode=None, buttons=[],
                    alt_text="The picture that was given, with its erased part striped", elem_classes="pixels",
                    min_width=150, scale=1, elem_id="complete-shown",
                )  # fmt: skip
                gallery = gr.Gallery(
                    label="Ways to go on", height=420, columns=3, interactive=False, preview=False,
                    buttons=["download", "fullscreen"], elem_classes=["pixels", "gallery-of-items"], scale=3,
                    elem_id="completions", min_width=260,
                )  # fmt: skip
            line = gr.Textbox(
                label="Copy as Python", lines=3, max_lines=4, interactive=False, buttons=["copy"],
                elem_classes="command",
            )  # fmt: skip

    asked, film_out = [model, label, seed, warmth], [film, item, command]
    given = [task, finisher, source, number, drawn, upload, region, kept, change, named, seed]
    made = [told, shown, gallery, line]
    tab.select(
        guarded(_arrive), seen, [seen, model, label, finisher], show_progress="hidden", **OPTIONS
    ).success(guarded(_appear), asked, film_out, show_progress="hidden", **OPTIONS).success(
        guarded(_go_on), given, made, show_progress="hidden", **OPTIONS
    )  # fmt: skip
    go.click(guarded(_appear), asked, film_out, show_progress="minimal", **OPTIONS)
    model.input(guarded(_chosen), model, [label, warmth], preprocess=False, **QUIET)
    task.input(guarded(_task), task, [finisher, region, kept, change, named], preprocess=False, **QUIET).success(
        guarded(_go_on), given, made, **LIVE
    )
    finisher.input(guarded(_classes), [task, finisher], named, preprocess=False, **QUIET).success(
        guarded(_go_on), given, made, **LIVE
    )
    source.input(guarded(_fields), source, [number, another, board, upload], preprocess=False, **QUIET)
    gr.on(
        [again.click, number.submit, upload.upload, region.input, kept.release, change.release, named.input],
        guarded(_go_on), given, made, **LIVE,
    )  # fmt: skip
    another.click(guarded(_another), given, [number, *made], **LIVE)
    board.input(guarded(_draw), [task, finisher, region, kept, change, named, seed], [drawn, *made], **LIVE)


# ---- events


def _arrive(seen: bool) -> list:
    if seen:
        return [gr.skip()] * 4
    watched, completed = studio_appear.models(), studio.models()
    if not watched or not completed:
        raise shelf.StudioError("No model on this shelf draws value by value or out of noise.")
    return [
        True, gr.update(choices=watched, value=watched[0]), _labels(watched[0]),
        gr.update(choices=completed, value=completed[0]),
    ]  # fmt: skip


def _labels(model: str):
    """The model's classes, the first one chosen; nothing where it has none."""
    classes = list(shelf.entry(model).classes)
    return gr.update(choices=classes, value=classes[0] if classes else None, visible=bool(classes))


def _chosen(model: str) -> list:
    return [_labels(model), gr.update(visible=studio_appear.takes_temperature(model))]


def _appear(model: str, label: str | None, seed: object, warmth: object) -> list:
    named = label or ""
    knobs = {"temperature": warmth} if studio_appear.takes_temperature(model) else {}
    made = studio_appear.appear(model, label=named, seed=seed, knobs=knobs)
    asked = f'"{model}", {json.dumps(named)}, {json.dumps(seed)}, {json.dumps(warmth)}'
    return [
        stored(made.animation, f"{model}-{seed}-appears"), stored(made.item, f"{model}-{seed}"),
        _python(f'file, film, claim = lab.predict({asked}, api_name="/appear")'),
    ]  # fmt: skip


def _fields(source: str) -> list:
    kind = SOURCES.get(source, source)
    return [
        gr.update(visible=kind == "example"), gr.update(visible=kind == "example"),
        gr.update(visible=kind == "drawing"), gr.update(visible=kind == "upload"),
    ]  # fmt: skip


def _task(task: str) -> list:
    """The models that can do it, and the controls that go with it."""
    varied = _is_vary(task)
    able = studio_vary.models() if varied else studio.models()
    if not able:
        raise shelf.StudioError("No model on this shelf can do that.")
    part = gr.update(visible=not varied)
    return [gr.update(choices=able, value=able[0]), part, part, gr.update(visible=varied), _classes(task, able[0])]


def _classes(task: str, model: str):
    """The classes that a model can be told, none of them chosen."""
    classes = list(shelf.entry(model).classes)
    choices = [NO_CLASS, *((name, name) for name in classes)]
    return gr.update(choices=choices, value="", visible=bool(classes) and _is_vary(task))


def _is_vary(task: str) -> bool:
    return TASKS.get(task, task) == "vary"


def _go_on(
    task, model, source, number, drawn: bytes | None, upload: object, region, kept: object, change: object, label, seed
) -> list:
    kind = SOURCES.get(source, source)
    if kind == "drawing" and not drawn:
        raise shelf.StudioError("Nothing is drawn yet: draw on the black square first.")
    media = drawn if kind == "drawing" else uploads.read_file(uploaded_path(upload)) if kind == "upload" else None
    item, origin = studio.item_of(model, kind, number=number, upload=media)
    picture = 'handle_file("picture.png")' if media else "None"
    asked = f'"{model}", "{kind}", {json.dumps(number)}, {picture}'
    if _is_vary(task):
        share = _share(change)
        made = studio_vary.vary(model, item, origin, change=share, label=label or None, seed=seed)
        state, verb = "partly", "varied"
        line = f"vary {asked}, {json.dumps(share)}, {json.dumps(label or '')}, {json.dumps(seed)}"
    else:
        share = _share(kept)
        made = studio.complete(model, item, origin, region=region, kept=share, seed=seed)
        state, verb = "yes" if made.exact else "partly", "completed"
        line = f'complete {asked}, "{region}", {json.dumps(share)}, {json.dumps(seed)}'
    endpoint, _, rest = line.partition(" ")
    files = [(stored(s, f"{model}-{verb}-{s.claim.seed}"), f"seed {s.claim.seed}") for s in made.items]
    return [
        f'<p class="sentence" data-made="{state}">{html.escape(made.sentence)}</p>',
        stored(made.shown, f"{model}-given"), files,
        _python(f'files, told = lab.predict({rest}, 6, api_name="/{endpoint}")'),
    ]  # fmt: skip


def _share(percent: object) -> object:
    return percent / 100 if isinstance(percent, int | float) else percent


def _another(task, model, source, number: object, *rest) -> list:
    at = 0 if isinstance(number, bool) or not isinstance(number, int | float) else int(number)
    step = (at * 7 + 11) % 500
    return [step, *_go_on(task, model, source, step, *rest)]


def _draw(task, model, region, kept, change, label, seed, event: gr.EventData) -> list:
    drawn = easel.drawing(event)
    return [drawn, *_go_on(task, model, "Draw", 0, drawn, None, region, kept, change, label, seed)]


def _python(line: str) -> str:
    return f'from gradio_client import Client, handle_file\nlab = Client("http://127.0.0.1:7860")\n{line}'

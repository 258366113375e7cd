"""Explore: point at a map of codes, turn single dimensions, and walk from one item to another."""

import functools
import html
from dataclasses import dataclass

import gradio as gr

from audits.provenance import Sealed
from genlab.studio import encode, latent_map, shelf, uploads
from genlab.studio.decode import REACH, decode, move
from genlab.studio.encode import Encoded
from genlab.tabs import pad, walk
from genlab.tabs.api import AT_ONCE, HEAVY
from genlab.tabs.errors import guarded
from genlab.tabs.files import stored, uploaded_path

SHOWN = 12  # sliders at a time
KINDS = {"A seed": "seed", "A real example": "example", "Your picture": "upload"}
OPTIONS = {"concurrency_id": HEAVY, "concurrency_limit": AT_ONCE, "preprocess": False, "api_visibility": "private"}


@dataclass(frozen=True)
class Held:
    """What a visitor is looking at: its code, the code it was before any slider moved, and its picture."""

    model: str
    now: Encoded
    before: Encoded
    picture: Sealed


def build(demo: gr.Blocks) -> None:
    """The tab's contents and events."""
    held, page = gr.State(None), gr.State(0)
    with gr.Row(elem_classes=["result-first", "explore"]):
        with gr.Column(scale=6, min_width=320):
            model = gr.Dropdown([], label="Model", elem_id="explore-model", filterable=False)
            place = pad.component()
            gr.Markdown(
                "Each thumbnail is a real test item, put next to those with similar codes. Point anywhere: the model "
                "decodes what lies between them.",
                elem_classes="note",
            )
            gr.HTML(
                '<h2 class="part">One slider per dimension of the code</h2>', padding=False, elem_classes="dimensions"
            )
            pages = gr.Dropdown(
                [], label="Dimensions, those that change pictures most first", filterable=False,
                elem_classes="dimensions",
            )  # fmt: skip
            sliders = _slider_grid()
        with gr.Column(scale=5, min_width=320, elem_classes=["result", "stays"]):
            picture = gr.Image(
                label="Decoded", height=300, interactive=False, image_mode=None, buttons=["fullscreen"],
                alt_text="The picture that the model decodes from the chosen code", elem_classes="pixels",
                elem_id="decoded",
            )  # fmt: skip
            words = gr.HTML(_words(None), elem_id="decoded-words", padding=False)
            with gr.Row(elem_classes=["tight", "downloads"]):
                reset = gr.Button("Undo sliders", size="md")
                copy = gr.DownloadButton("Download (PNG)", size="md", interactive=False)
            with gr.Row(elem_classes="tight"):
                to_start = gr.Button("Walk from here", size="md")
                to_end = gr.Button("Walk to here", size="md")
            start_from = _starting_points()
    walking = walk.build()

    view = [held, picture, words, copy]
    everything = [*view, page, pages, *sliders]
    arrival = [model, place, *everything, *walking.ends()]
    demo.load(guarded(_arrive), None, arrival, show_progress="hidden", **OPTIONS)
    model.input(guarded(_change_model), model, arrival[1:], trigger_mode="always_last", **OPTIONS)
    live = {**OPTIONS, "trigger_mode": "always_last", "show_progress": "hidden"}
    place.input(guarded(_point), [model, page], [*view, *sliders], **live)
    pages.input(guarded(_turn_page), [held, pages], [page, *sliders], **live)
    for i, slider in enumerate(sliders):
        slider.input(guarded(functools.partial(_turn, i)), [held, page, slider], view, **live)
    reset.click(guarded(_undo), [held, page], [*view, *sliders], **live)
    kind, number, label, upload, invert, show = start_from
    starting = [model, page, kind, number, label, upload, invert]
    gr.on([show.click, number.submit, upload.upload], guarded(_start), starting, [*view, *sliders], **OPTIONS)
    for button, end in ((to_start, walking.start), (to_end, walking.end)):
        button.click(guarded(_as_end), held, [end.code, end.picture], show_progress="hidden", **OPTIONS)


def _slider_grid() -> list[gr.Slider]:
    """Sliders for one page of dimensions, two in a row."""
    sliders = []
    for _ in range(SHOWN // 2):
        with gr.Row(elem_classes=["tight", "dimensions"]):
            sliders += [gr.Slider(-REACH, REACH, value=0, step=0.05, label="z", min_width=150) for _ in range(2)]
    return sliders


def _starting_points() -> list:
    """The controls that choose an item to begin with."""
    with gr.Accordion("Start from a seed, an example or your own picture", open=False, elem_id="start-from"):
        kind = gr.Radio(list(KINDS), value="A seed", label="Start from")
        with gr.Row(elem_classes="tight"):
            number = gr.Number(0, label="Seed or number of the example", min_width=140)
            label = gr.Dropdown([], label="Class", filterable=False, min_width=140)
        upload = gr.Image(
            label="Your picture", sources=["upload", "clipboard"], type="filepath", image_mode=None, height=180,
            visible=False, buttons=[], alt_text="The picture you gave",
        )  # fmt: skip
        invert = gr.Radio(
            [("Decide for me", "auto"), ("Yes", "yes"), ("No", "no")], value="auto", visible=False,
            label="Light background: make it dark", info="The model has seen only items on black.",
        )  # fmt: skip
        show = gr.Button("Show it", variant="primary")
    kind.input(
        guarded(_kind_fields), kind, [number, label, upload, invert, show], api_visibility="private", queue=False,
        show_progress="hidden",
    )  # fmt: skip
    return [kind, number, label, upload, invert, show]


# ---- events


def _arrive() -> list:
    entries = encode.explorables()
    if not entries:
        raise shelf.StudioError("No model on the shelf has codes to explore yet: train an autoencoder first.")
    names = [e.name for e in entries]
    return [gr.update(choices=names, value=names[0]), *_change_model(names[0])]


def _change_model(name: str) -> list:
    chart = latent_map.chart(name)
    key = latent_map.key_of(name)
    found, shares = latent_map.map_point(name, 0.5, 0.5)
    count = len(chart.order)
    pages = [f"{at + 1} to {min(at + SHOWN, count)} of {count}" for at in range(0, count, SHOWN)]
    ends = []
    for label in (key[0][0], key[-1][0]):
        at = next(i for i, c in enumerate(chart.labels) if key[c][0] == label)
        ends.append(encode.encode(name, kind="example", number=at))
    return [
        pad.content(latent_map.drawn_map(name), key),
        *_view(name, found, found, shares),
        0,
        gr.update(choices=pages, value=pages[0]),
        *_sliders(name, found, 0, labelled=True),
        *[part for end in ends for part in _end(name, end)],
    ]


def _point(name: str, page: int, event: gr.EventData) -> list:
    found, shares = latent_map.map_point(name, event._data.get("x"), event._data.get("y"))
    return [*_view(name, found, found, shares), *_sliders(name, found, page)]


def _start(name: str, page: int, kind: str, number: object, label: str, upload: object, invert: str) -> list:
    kind = KINDS.get(kind, kind)
    media = uploads.read_file(uploaded_path(upload)) if kind == "upload" else None
    found = encode.encode(name, kind=kind, number=number, label=label or None, upload=media, invert=invert)
    return [*_view(name, found, found), *_sliders(name, found, page)]


def _turn(which: int, held: Held | None, page: int, to: object) -> list:
    held = _something(held)
    dimensions = latent_map.chart(held.model).order[page * SHOWN : (page + 1) * SHOWN]
    if which >= len(dimensions):
        raise shelf.StudioError("This slider stands for no dimension of the model.")
    return _view(held.model, move(held.model, held.now, dimensions[which], to), held.before)


def _turn_page(held: Held | None, chosen: str) -> list:
    held = _something(held)
    first = str(chosen).partition(" ")[0]
    page = (int(first) - 1) // SHOWN if first.isdecimal() else 0
    return [page, *_sliders(held.model, held.now, page, labelled=True)]


def _undo(held: Held | None, page: int) -> list:
    held = _something(held)
    return [*_view(held.model, held.before, held.before), *_sliders(held.model, held.before, page)]


def _as_end(held: Held | None) -> list:
    held = _something(held)
    return _end(held.model, held.now, held.picture)


def _kind_fields(kind: str) -> list:
    upload = kind == "Your picture"
    return [
        gr.update(visible=not upload, label="Seed" if kind == "A seed" else "Number of the example"),
        gr.update(visible=kind == "A seed"),
        gr.update(visible=upload),
        gr.update(visible=upload),
        gr.update(visible=not upload),
    ]


# ---- what they fill in


def _something(held: Held | None) -> Held:
    if held is None:
        raise shelf.StudioError("There is nothing to change yet: point at the map first.")
    return held


def _view(name: str, now: Encoded, before: Encoded, shares: dict[str, float] | None = None) -> list:
    picture = decode(name, list(now.code), origin=now.origin)
    path = stored(picture, f"{name}-decoded")
    held = Held(name, now, before, picture)
    return [held, path, _words(held, shares), gr.update(value=path, interactive=True)]


def _end(name: str, code: Encoded, picture: Sealed | None = None) -> list:
    picture = picture or decode(name, list(code.code), origin=code.origin)
    return [(name, code), stored(picture, f"{name}-end")]


def _sliders(name: str, code: Encoded, page: int, *, labelled: bool = False) -> list:
    """Values of the sliders on a page, in standard deviations from the mean; with `labelled` their names too."""
    chart = latent_map.chart(name)
    total = float(chart.importance.sum()) or 1.0
    dimensions = chart.order[page * SHOWN : (page + 1) * SHOWN]
    made = []
    for i in dimensions:
        at = (code.code[i] - chart.mean[i]) / chart.deviation[i]
        at = round(max(-REACH, min(REACH, at)), 2)
        share = f"z {i} · {chart.importance[i] / total:.1%}"
        made.append(gr.update(value=at, label=share, visible=True) if labelled else at)
    empty = gr.update(visible=False) if labelled else gr.skip()
    return made + [empty] * (SHOWN - len(made))


def _words(held: Held | None, shares: dict[str, float] | None = None) -> str:
    if held is None:
        return '<p class="note" aria-live="polite">Point at the map.</p>'
    text = held.now.origin
    if shares:
        text = "between " + ", ".join(f"{name} {share:.0%}" for name, share in list(shares.items())[:3] if share > 0.02)
    return f'<p class="note" aria-live="polite">{html.escape(text[:1].upper() + text[1:])}</p>'

"""Autoencoders: every kind on one item, under noise and under small shifts, and items laid out by their codes."""

import html
import json

import gradio as gr

from genlab.studio import features as studio_features
from genlab.studio import flat_map, kinds, shelf, uploads
from genlab.tabs import easel, kind_cards, scatter
from genlab.tabs.api import AT_ONCE, HEAVY
from genlab.tabs.errors import guarded
from genlab.tabs.files import stored, stored_bytes, uploaded_path, uploaded_paths

SOURCES = {"A real example": "example", "Draw": "drawing", "Your picture": "upload", "Static": "static"}
NOISES = {"None": "none", "Gaussian": "gaussian", "Salt and pepper": "salt-and-pepper", "Masking": "masking"}
OPTIONS = {"concurrency_id": HEAVY, "concurrency_limit": AT_ONCE, "preprocess": False, "api_visibility": "private"}
LIVE = OPTIONS | {"trigger_mode": "always_last", "show_progress": "hidden"}
INTRO = (
    "Each of these networks learnt to give back what it is shown, through a code in between. What is asked of the code "
    "makes the kind. Put noise on the item and see who can take it off; choose **Static** and see who copies what is "
    "no garment."
)


def build(tab: gr.Tab) -> None:
    """The tab's contents and events."""
    seen, drawn = gr.State(False), gr.State(None)
    gr.Markdown(INTRO, elem_classes="note")
    with gr.Row(elem_classes="tight"):
        with gr.Column(scale=3, min_width=260):
            source = gr.Radio(list(SOURCES), value="A real example", label="Item", elem_id="kinds-source")
            with gr.Row(elem_classes="tight"):
                number = gr.Number(0, label="Number of the example", min_width=120, elem_id="kinds-number")
                another = gr.Button("Another one", size="md", min_width=110)
            board = easel.component()
            upload = gr.Image(
                label="Your picture", sources=["upload", "clipboard"], type="filepath", image_mode=None, height=180,
                visible=False, buttons=[], alt_text="The picture you gave",
            )  # fmt: skip
            invert = gr.Radio(
                [("Decide for me", "auto"), ("Yes", "yes"), ("No", "no")], value="auto", visible=False,
                label="Light background: make it dark", info="The models have seen only items on black.",
            )  # fmt: skip
        with gr.Column(scale=3, min_width=260):
            noise = gr.Radio(list(NOISES), value="None", label="Noise on it", elem_id="kinds-noise")
            amount = gr.Slider(
                0, kinds.MOST_NOISE, value=0.3, step=0.02, label="How much", elem_id="kinds-amount",
                info="Deviation of Gaussian noise, pixels being 0 to 1; share of pixels of the others.",
            )  # fmt: skip
            show = gr.Button("Show", variant="primary")
            command = gr.Textbox(
                label="Copy as Python", lines=4, max_lines=5, interactive=False, buttons=["copy"],
                elem_classes="command",
            )  # fmt: skip
    gr.HTML('<h2 class="part">What every kind makes of it</h2>', padding=False)
    about = gr.HTML("", elem_id="kinds-about", padding=False)
    shown = gr.HTML(
        '<p class="note">The models are at work.</p>', css_template=kind_cards.STYLE, elem_id="kinds-shown",
        apply_default_css=False, padding=False,
    )  # fmt: skip
    moving = _movements()
    looking = _filters()
    laid = _maps()

    item = [source, number, drawn, upload, invert]
    asked = [*item, noise, amount]
    outputs = [about, shown, command]
    model, picture = looking
    method, plot, scores = laid.components
    tab.select(
        guarded(_arrive), [seen, *asked], [seen, *outputs, model, picture, method, laid.chosen],
        show_progress="hidden", **OPTIONS,
    ).success(guarded(_first_map), [plot, method], [plot, scores], show_progress="hidden", **OPTIONS)  # fmt: skip
    source.input(
        guarded(_fields), source, [number, another, board, upload, invert], api_visibility="private", queue=False,
        show_progress="hidden",
    )  # fmt: skip
    gr.on([show.click, number.submit, upload.upload], guarded(_compare), asked, outputs, **OPTIONS)
    gr.on([noise.input, amount.release], guarded(_compare), asked, outputs, **LIVE)
    another.click(guarded(_another), asked, [number, *outputs], **LIVE)
    board.input(guarded(_draw), [noise, amount], [drawn, *outputs], **LIVE)
    go, table = moving
    go.click(guarded(_move), item, table, show_progress="minimal", **OPTIONS)
    model.input(guarded(_filter), model, picture, trigger_mode="always_last", **OPTIONS)
    method.input(guarded(_lay_out), method, [plot, scores], trigger_mode="always_last", **OPTIONS)
    taking = [laid.chosen, laid.files, laid.form]
    laid.take.click(guarded(_take), taking, [laid.file, laid.command], show_progress="minimal", **OPTIONS)


def _movements() -> tuple[gr.Button, gr.HTML]:
    gr.HTML('<h2 class="part">Whose code holds still?</h2>', padding=False)
    gr.Markdown(
        "The contractive kind pays for every bit that its code moves when pixels do. Measured at the item above, "
        "without noise.",
        elem_classes="note",
    )
    go = gr.Button("Measure", size="md")
    return go, gr.HTML("", elem_id="kinds-moved", padding=False)


def _filters() -> tuple[gr.Dropdown, gr.Image]:
    gr.HTML('<h2 class="part">What does a network look for?</h2>', padding=False)
    with gr.Row(elem_classes="tight"):
        with gr.Column(scale=2, min_width=240):
            model = gr.Dropdown([], label="Model", filterable=False, elem_id="filters-model")
            gr.Markdown(
                "Weights of its first layer, grey where they are zero. Fully connected units see the whole item, and "
                "penalties turn them from static into strokes and parts; convolutions see a few pixels, wherever they "
                "are.",
                elem_classes="note",
            )
        with gr.Column(scale=3, min_width=280):
            picture = gr.Image(
                label="Filters", height=420, interactive=False, image_mode=None, buttons=["download", "fullscreen"],
                alt_text="The weights of the first layer, one tile a unit", elem_classes="pixels", elem_id="filters",
            )  # fmt: skip
    return model, picture


class _Maps:
    """The components of the last part."""

    def __init__(self):
        gr.HTML('<h2 class="part">Codes as coordinates</h2>', padding=False)
        with gr.Row(elem_classes="tight"):
            with gr.Column(scale=3, min_width=300):
                method = gr.Dropdown([], label="Laid out by", filterable=False, elem_id="map-method")
                plot = scatter.component()
            with gr.Column(scale=3, min_width=300):
                gr.Markdown(
                    "Example items that no model was trained on. **Trustworthiness** falls when strangers are put "
                    "together, **continuity** when neighbours are torn apart; **k-NN accuracy** is how often the "
                    "nearest points name an item rightly. PCA, t-SNE and UMAP were fitted to these very items; a code "
                    "learnt from others also places the next item, which t-SNE cannot.",
                    elem_classes="note",
                )
                scores = gr.HTML("", elem_id="map-scores", padding=False)
        self.components = [method, plot, scores]
        gr.HTML('<h2 class="part">Features to take away</h2>', padding=False)
        with gr.Row(elem_classes="tight"):
            with gr.Column(scale=3, min_width=280):
                self.chosen = gr.Dropdown([], label="Codes of", filterable=False, elem_id="features-model")
                self.files = gr.File(
                    label="Your pictures (none: the example items)", file_count="multiple", height=140,
                    file_types=[".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"],
                )  # fmt: skip
            with gr.Column(scale=3, min_width=280):
                self.form = gr.Radio(["csv", "npz"], value="csv", label="As")
                self.take = gr.Button("Write the file", variant="primary")
                self.file = gr.DownloadButton("Download features", size="md", interactive=False)
                self.command = gr.Textbox(
                    label="Copy as command", interactive=False, buttons=["copy"], elem_classes="command"
                )


def _maps() -> _Maps:
    return _Maps()


# ---- events


def _arrive(seen: bool, *asked) -> list:
    if seen:
        return [gr.skip()] * 8
    names = [(kinds.title_of(known), known.name) for known in kinds.kinds()]
    able = flat_map.methods()
    first, laid_out = names[0][1], [(flat_map.title_of(name), name) for name in able]
    return [
        True, *_compare(*asked), gr.update(choices=names, value=first), _filter(first),
        gr.update(choices=laid_out, value=able[0]), gr.update(choices=names, value=first),
    ]  # fmt: skip


def _first_map(there: str, method: str) -> list:
    return [gr.skip()] * 2 if "plot" in str(there) else _lay_out(method)


def _fields(source: str) -> list:
    kind = SOURCES.get(source, source)
    counted = kind in ("example", "static")
    return [
        gr.update(visible=counted, label="Seed of the static" if kind == "static" else "Number of the example"),
        gr.update(visible=counted),
        gr.update(visible=kind == "drawing"),
        gr.update(visible=kind == "upload"),
        gr.update(visible=kind == "upload"),
    ]


def _item(source: str, number: object, drawn: bytes | None, upload: object, invert: str):
    kind = SOURCES.get(source, source)
    if kind == "drawing":
        if not drawn:
            raise shelf.StudioError("Nothing is drawn yet: draw on the black square first.")
        return kinds.item_of(kind, upload=drawn)
    media = uploads.read_file(uploaded_path(upload)) if kind == "upload" else None
    return kinds.item_of(kind, number=number, upload=media, invert=invert)


def _compare(source, number, drawn, upload, invert, noise: str, amount: object) -> list:
    item, origin = _item(source, number, drawn, upload, invert)
    noise = NOISES.get(noise, noise)
    looks = kinds.compare(item, origin, noise=noise, amount=amount)
    words = origin[:1].upper() + origin[1:] + (f", with {noise.replace('-', ' ')} noise" if noise != "none" else "")
    return [
        f'<p class="note" aria-live="polite">{html.escape(words)}</p>',
        kind_cards.cards(looks),
        command_of(SOURCES.get(source, source), number, noise, amount),
    ]


def _another(source, number: object, *rest) -> list:
    at = 0 if isinstance(number, bool) or not isinstance(number, int | float) else int(number)
    step = (at * 7 + 11) % 500 if source == "A real example" else at + 1
    return [step, *_compare(source, step, *rest)]


def _draw(noise: str, amount: object, event: gr.EventData) -> list:
    drawn = easel.drawing(event)
    return [drawn, *_compare("Draw", 0, drawn, None, "no", noise, amount)]


def _move(source, number, drawn, upload, invert) -> str:
    return kind_cards.movement_table(kinds.movements(_item(source, number, drawn, upload, invert)[0]))


def _filter(name: str) -> str:
    return stored(kinds.filters(name), f"{name}-filters")


def _lay_out(method: str) -> list:
    return [
        scatter.content(flat_map.layout(method)),
        kind_cards.map_table(flat_map.comparison(), method, flat_map.methods()),
    ]


def _take(name: str, files: object, form: str) -> list:
    given = [(told, uploads.read_file(path)) for told, path in uploaded_paths(files or [])]
    made = studio_features.of_pictures(name, given)
    path = stored_bytes(made.file(form), f"{name}-features.{form}")
    where = "FOLDER" if given else "examples"
    command = f"python -m genlab encode {name} {where} --out {name}-features.{form}"
    return [gr.update(value=path, interactive=True), command]


def command_of(source: str, number: object, noise: str, amount: object) -> str:
    """Python that asks a running app for the same comparison."""
    picture = 'handle_file("picture.png")' if source in ("upload", "drawing") else "None"
    name = "Client, handle_file" if source in ("upload", "drawing") else "Client"
    asked = f'"{source}", {json.dumps(number)}, {picture}, "auto", "{noise}", {json.dumps(amount)}, 0'
    return (
        f'from gradio_client import {name}\nlab = Client("http://127.0.0.1:7860")\n'
        f'files, told = lab.predict({asked}, api_name="/reconstruct")'
    )

"""The attack bench: edit an item made here with sliders, and watch each layer of evidence survive or die."""

import dataclasses
import html
from collections.abc import Iterator
from typing import Any

import gradio as gr

from genlab.studio import attack as studio
from genlab.studio import mark_limits, shelf
from genlab.studio.attack import Attacked, Edit, Row
from genlab.tabs import watching
from genlab.tabs.api import AT_ONCE, HEAVY, endpoint
from genlab.tabs.errors import guarded
from genlab.tabs.files import stored

WAITING = '<p class="note">Nothing was edited yet: move a slider.</p>'
COLUMNS = {
    "manifest": "Signed manifest", "mark": "Mark in the pixels", "noise": "Signs in the noise",
    "look": "Look, in the ledger", "verdict": "The verdict names it",
}  # fmt: skip
WHAT = "battery"
LABELS = {"jpeg": "JPEG"}


def build(demo: gr.Blocks) -> None:
    """Two sections of the Verify tab, and the public endpoint `attack`."""
    with gr.Accordion("Attack bench: edit a picture and see what still knows it", open=False) as bench:
        inputs, shown, go = _bench()
        gr.Markdown("The same for thirty edits, on several items at once:", elem_classes="note")
        with gr.Row(elem_classes="tight"):
            count = gr.Slider(1, studio.MOST, value=4, step=1, label="Items", min_width=160)
            run = gr.Button("Run every edit", min_width=140)
            stop = gr.Button("Stop", min_width=90)
        bar = gr.HTML("", padding=False)
        table = gr.HTML("", elem_id="battery", padding=False)
    with gr.Accordion("What watermarks cannot do", open=False):
        gr.Markdown(mark_limits.words(), elem_classes="card-text", elem_id="mark-limits")

    private = {"api_visibility": "private", "concurrency_id": HEAVY, "concurrency_limit": AT_ONCE}
    demo.load(guarded(_models), None, inputs[0], show_progress="hidden", api_visibility="private")
    triggers = [go.click, bench.expand, inputs[0].input, inputs[1].submit]
    triggers += [c.input if isinstance(c, gr.Checkbox) else c.release for c in inputs[2:]]
    gr.on(triggers, guarded(_attack), inputs, shown, show_progress="minimal", trigger_mode="always_last", **private)
    run.click(guarded(_begin), None, bar, queue=False, api_visibility="private").success(
        guarded(_battery), [inputs[0], inputs[1], count], [bar, table], show_progress="hidden", **private
    )
    stop.click(guarded(_stop), None, None, queue=False, api_visibility="private")
    with gr.Row(visible=False):
        model, seed, edit, answer, file, button = (
            gr.Textbox(),
            gr.Number(),
            gr.JSON(),
            gr.JSON(),
            gr.File(),
            gr.Button(),
        )
    endpoint(button, attack, [model, seed, edit], [file, answer])


def _bench() -> tuple[list, list, gr.Button]:
    """The controls in the order of `_attack`'s arguments, what it fills, and the button."""
    with gr.Row(elem_classes="result-first"):
        with gr.Column(scale=5, min_width=300):
            with gr.Row():
                model = gr.Dropdown(
                    [], label="Model", elem_id="attack-model", allow_custom_value=True, min_width=180,
                    info="Or hub:owner/model, a pipeline of the Hub that needs no text.",
                )  # fmt: skip
                seed = gr.Number(0, label="Seed", precision=0, min_width=120)
            parts = {f.name: f for f in dataclasses.fields(Edit)}
            made: dict[str, Any] = {}
            sliders = [name for name in parts if name not in studio.BOXES]
            for pair in zip(sliders[::2], [*sliders[1::2], None], strict=False):
                with gr.Row(elem_classes="tight"):
                    for name in filter(None, pair):
                        told = parts[name].metadata
                        made[name] = gr.Slider(
                            told["low"], told["high"], value=parts[name].default, step=told["step"],
                            label=LABELS.get(name, name.capitalize()), info=told["help"], min_width=150,
                        )  # fmt: skip
            with gr.Row(elem_classes="tight"):
                for name in studio.BOXES:
                    made[name] = gr.Checkbox(
                        parts[name].default, label=name.replace("_", " ").capitalize(), min_width=130
                    )
            go = gr.Button("Edit it and look", variant="primary")
        with gr.Column(scale=6, min_width=300, elem_classes="result"):
            with gr.Row(elem_classes="tight"):
                pictures = [
                    gr.Image(
                        label=label, height=250, interactive=False, image_mode=None, buttons=["fullscreen"],
                        alt_text=alt, min_width=140,
                    )
                    for label, alt in (
                        ("As it was given out", "The item as the model made it, with its marks"),
                        ("As it comes back", "The same item after the edits"),
                    )
                ]  # fmt: skip
            evidence = gr.HTML(WAITING, elem_id="attacked", padding=False)
    return [model, seed, *(made[name] for name in parts)], [*pictures, evidence], go


def attack(model: str, seed: int, edit: dict) -> tuple[str, dict[str, Any]]:
    """Draw an item, edit it as a stranger could, and see which layers of evidence still know it.

    Args:
        model: a model that can generate, as `models` lists them, or hub:owner/model where that needs no text.
        seed: whole number from 0.
        edit: crop, turn, size, blur, noise, brightness, contrast, colour, jpeg, upside_down, mirrored, screenshot,
            metadata_gone; those left out change nothing, and metadata is taken away unless metadata_gone is false.

    Returns:
        The edited picture with a claim that says so, and {"sentence", "known", "layers", "by_look"} as found without
        that claim.
    """
    made = studio.attack(model, seed=seed, edit=_edit(edit or {}))
    layers = [vars(layer) for layer in made.layers]
    told = {"sentence": made.sentence, "known": made.known, "layers": layers, "by_look": made.by_look}
    return stored(made.shown, "edited"), told


def _edit(given: object) -> Edit:
    names = [f.name for f in dataclasses.fields(Edit)]
    if not isinstance(given, dict) or not set(given) <= set(names):
        raise shelf.StudioError(f"Edits are {', '.join(names)}; {str(given)[:60]!r} was given.")
    return Edit(**given)


# ---- events


def _models() -> Any:
    names = [entry.name for entry in shelf.generators()]
    return gr.update(choices=names, value=_first(names))


def _first(names: list[str]) -> str | None:
    return next((name for name in names if "portraits" in name), names[0] if names else None)


def _attack(model: str | None, seed: float, *turned: Any) -> list:
    """Opened before the list of models came, the section shows the first of them."""
    model = model or _first([entry.name for entry in shelf.generators()])
    names = [f.name for f in dataclasses.fields(Edit)]
    edit = _edit(dict(zip(names, turned, strict=True)))
    made = studio.attack(model, seed=seed, edit=edit)
    return [stored(made.before, "before"), stored(made.shown, "edited"), _told(made, edit)]


def _begin(request: gr.Request) -> str:
    return watching.begin(watching.key_of(request, WHAT))


def _stop(request: gr.Request) -> None:
    watching.stop(watching.key_of(request, WHAT))


def _battery(request: gr.Request, model: str, seed: float, count: float) -> Iterator[list]:
    work = studio.battery(model, count=count, seed=seed)
    try:
        rows = yield from watching.steps(work, watching.key_of(request, WHAT), lambda bar: [bar, gr.skip()])
    except watching.Stopped:
        yield [watching.told("Stopped; the table below is of the last whole run."), gr.skip()]
        return
    yield ["", _table(model, rows)]


# ---- what they fill in


def _told(made: Attacked, edit: Edit) -> str:
    """The verdict, and for each layer whether it lived."""
    states = {layer.layer: layer for layer in made.layers}
    mark = states.get("pixel mark")
    lived = [
        ("Signed manifest", states["manifest"].state == "valid", states["manifest"].detail),
        ("Mark in the pixels", bool(mark) and mark.state == "found",
         f"p = {mark.p_value:.2g}. {mark.detail}" if mark else "The picture is too small to carry one."),
        ("Look, in the ledger", made.by_look in ("looks like", "this content"), LOOKS.get(made.by_look, made.by_look)),
    ]  # fmt: skip
    if "noise mark" in states or "noise" in made.before.claim.inputs:
        noise = states.get("noise mark")
        detail = f"p = {noise.p_value:.2g}. {noise.detail}" if noise else "It no longer has the shape of an item."
        lived.insert(2, ("Signs in the noise", bool(noise) and noise.state == "found", detail))
    rows = "".join(
        f'<tr><th scope="row">{name}</th><td class="{"lives" if lives else "dies"}">{"lives" if lives else "dies"}</td>'
        f"<td>{html.escape(detail)}</td></tr>"
        for name, lives, detail in lived
    )
    return (
        f'<p class="sentence" data-made="{"partly" if made.known else "no"}">{html.escape(made.sentence)}</p>'
        f'<p class="note">Done to it: {html.escape(edit.words)}.</p>'
        '<div class="evidence layers" tabindex="0" role="region" aria-label="What lives and what dies">'
        "<table><thead><tr>"
        '<th scope="col">Layer</th><th scope="col">After this</th><th scope="col">Detail</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


LOOKS = {
    "looks like": "The ledger holds an entry that looks the same, which alone proves nothing.",
    "this content": "The ledger holds an entry with exactly these pixels.",
    "absent": "No entry of the ledger looks like it.",
    "plain": "The picture is too plain to be told from others by its look.",
}


def _table(model: str, rows: tuple[Row, ...]) -> str:
    """A row an edit, a column a layer, the shade the share of items that it knows."""
    columns = [name for name in COLUMNS if getattr(rows[0], name) is not None]
    cells = "".join(
        f'<tr><th scope="row">{html.escape(row.edit)}</th>'
        + "".join(
            f'<td style="--heat:{100 * getattr(row, c) // row.n}%">{getattr(row, c)} of {row.n}</td>' for c in columns
        )
        + "</tr>"
        for row in rows
    )
    means = "".join(f"<td>{sum(getattr(r, c) for r in rows) / sum(r.n for r in rows):.0%}</td>" for c in columns)
    heads = "".join(f'<th scope="col">{COLUMNS[c]}</th>' for c in columns)
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Every edit and every layer">'
        f'<table class="heat"><caption>{html.escape(model)}: of {rows[0].n} items, how many each layer knows after '
        f'each edit. Every edit takes the metadata away.</caption><thead><tr><th scope="col">Edit</th>{heads}</tr>'
        f'</thead><tbody>{cells}<tr><th scope="row">all edits</th>{means}</tr></tbody></table></div>'
    )

"""Named endpoints of models that draw bit by bit: how an item appears, and what one that is given may become."""

from typing import Any

import gradio as gr

from genlab.studio import appear as studio_appear
from genlab.studio import complete as studio_complete
from genlab.studio import uploads
from genlab.studio import vary as studio_vary
from genlab.tabs.api import endpoint
from genlab.tabs.files import stored, uploaded_path


def appear(model: str, label: str, seed: int, temperature: float) -> tuple[str, str, dict[str, Any]]:
    """Draw one item value by value, or out of noise, and get it with an animation of how it appeared.

    Args:
        model: a model that can be watched: a PixelCNN, a PixelRNN or a diffusion model.
        label: a class by name or number; empty for the first.
        seed: whole number from 0; the same seed gives the same pixels.
        temperature: 0.3 to 1.5; 1 draws from the model itself (diffusion models have none and ignore it).

    Returns:
        The item as a signed PNG, the animation as a signed GIF, and the item's claim.
    """
    knobs = {"temperature": temperature} if studio_appear.takes_temperature(model) else {}
    made = studio_appear.appear(model, label=label, seed=seed, knobs=knobs)
    return stored(made.item, f"{model}-{seed}"), stored(made.animation, f"{model}-appears"), made.item.claim.as_dict()


def complete(
    model: str, source: str, number: int, picture: str, erased: str, kept: float, seed: int, count: int
) -> tuple[list[str], dict[str, Any]]:
    """Erase a part of an item and let a model draw it, in several ways.

    Args:
        model: a model that can complete.
        source: example (one of those shipped), upload or drawing (a picture file).
        number: of the example.
        picture: a PNG, JPEG, WebP, GIF or BMP file, for upload and drawing.
        erased: below a row, right of a column, or in the middle.
        kept: share of the side that stays, 0 to 1.
        seed: of the first completion.
        count: how many, 1 to 12.

    Returns:
        The completions as signed PNGs, and {"exact": whether they follow the model's distribution given all that was
        kept, "sentence", "from": where the item came from}.
    """
    item, origin = _item(model, source, number, picture)
    found = studio_complete.complete(model, item, origin, region=erased, kept=kept, seed=seed, count=count)
    files = [stored(s, f"{model}-completed-{s.claim.seed}") for s in found.items]
    return files, {"exact": found.exact, "sentence": found.sentence, "from": origin}


def vary(
    model: str, source: str, number: int, picture: str, change: float, label: str, seed: int, count: int
) -> tuple[list[str], dict[str, Any]]:
    """Cover an item, or a sketch, with noise part of the way, and let a diffusion model draw from there.

    Args:
        model: a model that can start from a picture.
        source: example (one of those shipped), upload or drawing (a picture file).
        number: of the example.
        picture: a PNG, JPEG, WebP, GIF or BMP file, for upload and drawing.
        change: share of the way to noise, 0.05 to 1; 1 keeps nothing of the picture.
        label: a class that the model is told, by name or number; empty for none.
        seed: of the first picture.
        count: how many, 1 to 12.

    Returns:
        The pictures as signed PNGs, and {"sentence", "from": where the item came from}.
    """
    item, origin = _item(model, source, number, picture)
    found = studio_vary.vary(model, item, origin, change=change, label=label, seed=seed, count=count)
    files = [stored(s, f"{model}-varied-{s.claim.seed}") for s in found.items]
    return files, {"sentence": found.sentence, "from": origin}


def _item(model: str, source: str, number: int, picture: str):
    media = uploads.read_file(uploaded_path(picture)) if source in ("upload", "drawing") else None
    return studio_complete.item_of(model, source, number=number, upload=media)


def build() -> None:
    """Declare the endpoints; nothing of this shows on the page."""
    with gr.Row(visible=False):
        model, label, source = gr.Textbox(label="model"), gr.Textbox(label="label"), gr.Textbox(label="source")
        erased = gr.Textbox(label="erased", value=studio_complete.REGIONS[0])
        seed, number, count = (gr.Number(label=name, value=0) for name in ("seed", "number", "count"))
        temperature, kept = gr.Number(label="temperature", value=1), gr.Number(label="kept", value=0.5)
        change = gr.Number(label="change", value=0.7)
        picture, file, film = (gr.File(label=name) for name in ("picture", "file", "film"))
        files, told = gr.File(label="files", file_count="multiple"), gr.JSON(label="told")
        button = gr.Button()
    endpoint(button, appear, [model, label, seed, temperature], [file, film, told])
    endpoint(button, complete, [model, source, number, picture, erased, kept, seed, count], [files, told])
    endpoint(button, vary, [model, source, number, picture, change, label, seed, count], [files, told])

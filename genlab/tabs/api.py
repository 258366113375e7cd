"""Named endpoints for programs and MCP clients: every action of the tabs, with plain inputs and sealed files out.

Files leave as files and not as inline pictures, because whoever inlines a picture encodes it again and loses the seal.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import gradio as gr

from genlab.studio import card as studio_card
from genlab.studio import decode as studio_decode
from genlab.studio import encode as studio_encode
from genlab.studio import generate as studio_generate
from genlab.studio import latent_map, shelf, uploads
from genlab.studio import regenerate as studio_regenerate
from genlab.studio import walk as studio_walk
from genlab.studio.encode import Encoded
from genlab.tabs.errors import guarded
from genlab.tabs.files import stored, stored_bytes, uploaded_path

HEAVY = "model"  # the queue that everything shares which runs a network
AT_ONCE = 2


def models() -> list[dict[str, Any]]:
    """List the models on the shelf: what each can do, its classes, its knobs with ranges, the size of its codes."""
    found = {
        e.name: e
        for capability in ("generate", "autoencode", "write", "fill")
        for e in shelf.with_capability(capability)
    }
    return [dataclasses.asdict(e) for e in found.values()]


def generate(model: str, label: str, seed: int, count: int, knobs: dict) -> tuple[list[str], str, str, list[dict]]:
    """Draw new items from a generative model and get them as signed PNG files.

    Args:
        model: a model that can generate, as `models` lists them, or hub:owner/model, a diffusers pipeline of the Hub.
        label: a class by name or number; empty for every class in turn.
        seed: whole number from 0; item i has seed + i, and the same seed gives the same pixels.
        count: how many items, 1 to 64; 1 to 8 of a pipeline of the Hub.
        knobs: the model's own settings by name; those left out keep their defaults. Pipelines that draw what a text
            says take {"prompt": text}, several lines in turn.

    Returns:
        The PNG files, the raw grid of pixels as one PNG, a zip of all with manifest.json, and each item's claim.
    """
    made = studio_generate.generate(model, label=label, seed=seed, count=count, knobs=knobs)
    paths = [stored(s, name) for s, name in zip(made.pictures, made.names, strict=True)]
    archive = stored_bytes(made.archive, f"{model}.zip")
    return paths, stored(made.sheet, made.sheet_name), archive, [s.claim.as_dict() for s in made.pictures]


def regenerate(file: str) -> tuple[str, dict]:
    """Make a file again from the signed claim inside it; fails in one sentence where that cannot be done.

    Args:
        file: a PNG, GIF or MP4 that was made here.

    Returns:
        The file made again, and its claim.
    """
    made = studio_regenerate.regenerate(uploads.read_file(uploaded_path(file)))
    return stored(made, "again"), made.claim.as_dict()


def encode(model: str, kind: str, number: int, label: str, picture: str, invert: str) -> dict:
    """Turn an item into its code: the list of numbers that an autoencoder describes it by.

    Args:
        model: a model that can autoencode.
        kind: seed (draw an item), example (take a shipped one) or upload (read a picture).
        number: the seed, or the number of the example.
        label: the class of a drawn item.
        picture: a PNG, JPEG, WebP, GIF or BMP file, for kind upload.
        invert: auto, yes or no: whether light backgrounds become dark.

    Returns:
        {"code": numbers, "origin": where the code came from, in words}.
    """
    media = uploads.read_file(uploaded_path(picture)) if kind == "upload" else None
    made = studio_encode.encode(model, kind=kind, number=number, label=label, upload=media, invert=invert or "auto")
    return {"code": list(made.code), "origin": made.origin}


def decode(model: str, code: list[float]) -> tuple[str, dict]:
    """Turn a code back into its picture, as a signed PNG.

    Args:
        model: a model that can autoencode.
        code: as many numbers as the model's codes have.

    Returns:
        The PNG file and its claim.
    """
    made = studio_decode.decode(model, code)
    return stored(made, "decoded"), made.claim.as_dict()


def dimensions(model: str) -> list[dict]:
    """List the dimensions of a model's codes, the one that changes pictures most first.

    Args:
        model: a model that can autoencode.

    Returns:
        For each its number, mean and deviation over real items, and the mean squared change of a picture when it
        alone moves by one deviation.
    """
    chart = latent_map.chart(model)
    return [
        {
            "dimension": i,
            "importance": float(chart.importance[i]),
            "mean": float(chart.mean[i]),
            "deviation": float(chart.deviation[i]),
        }
        for i in chart.order
    ]


def map_point(model: str, x: float, y: float) -> tuple[dict, str]:
    """Decode a place on the two-dimensional map of a model's codes.

    Args:
        model: a model that can autoencode.
        x: from 0 (left) to 1 (right).
        y: from 0 (top) to 1 (bottom).

    Returns:
        {"code", "origin", "classes": share of each class among the nearest real items}, and the PNG file.
    """
    found, shares = latent_map.map_point(model, x, y)
    made = studio_decode.decode(model, list(found.code), origin=found.origin)
    return {"code": list(found.code), "origin": found.origin, "classes": shares}, stored(made, "place")


def walk(model: str, start: list[float], end: list[float], frames: int, path: str) -> tuple[str, str, str, dict]:
    """Walk from one code to another and get the frames as a strip (PNG), an animation (GIF) and a video (MP4).

    Args:
        model: a model that can autoencode.
        start: a code, as `encode` gives it.
        end: another one.
        frames: how many, 3 to 60.
        path: spherical or linear.

    Returns:
        The three signed files and their claim.
    """
    ends = [Encoded(tuple(code) if isinstance(code, list) else code, "a code given") for code in (start, end)]
    made = studio_walk.walk(model, *ends, frames=frames, path=path)
    return stored(made.strip, "walk"), stored(made.gif, "walk"), stored(made.mp4, "walk"), made.gif.claim.as_dict()


def card(model: str) -> str:
    """Read the card of a model in Markdown: intended use, training data, measured figures, limits, misuse.

    Args:
        model: a model on the shelf.
    """
    return "\n\n".join(part.text for part in studio_card.card(model))


def build() -> None:
    """Declare the endpoints; nothing of this shows on the page."""
    with gr.Row(visible=False):
        model = gr.Textbox(label="model")
        text = gr.Textbox(label="label", value="")
        number = gr.Number(label="number", value=0)
        x, y = gr.Number(label="x", value=0.5), gr.Number(label="y", value=0.5)
        count, frames = gr.Number(label="count", value=16), gr.Number(label="frames", value=24)
        kind, path = gr.Textbox(label="kind", value="seed"), gr.Textbox(label="path", value="spherical")
        invert = gr.Textbox(label="invert", value="auto")
        knobs, first, second = gr.JSON(label="knobs", value={}), gr.JSON(label="code"), gr.JSON(label="end")
        file, files, sheet, archive = (
            gr.File(label="file"),
            gr.File(label="files", file_count="multiple"),
            gr.File(label="sheet"),
            gr.File(label="archive"),
        )
        upload, told = gr.File(label="upload"), gr.JSON(label="claim")
        button = gr.Button()
    endpoint(button, models, [], [told])
    endpoint(button, generate, [model, text, number, count, knobs], [files, sheet, archive, told])
    endpoint(button, regenerate, [upload], [file, told])
    endpoint(button, encode, [model, kind, number, text, upload, invert], [told])
    endpoint(button, decode, [model, first], [file, told])
    endpoint(button, dimensions, [model], [told])
    endpoint(button, map_point, [model, x, y], [told, file])
    endpoint(button, walk, [model, first, second, frames, path], [file, sheet, archive, told])
    endpoint(button, card, [model], [text])


def endpoint(
    button: gr.Button, handler: Callable, inputs: list, outputs: list, *, queue: str = HEAVY, at_once: int = AT_ONCE
) -> None:
    """One named endpoint; inputs arrive as they were sent, and the studio checks them."""
    button.click(
        guarded(handler),
        inputs,
        outputs,
        api_name=handler.__name__,
        preprocess=False,
        concurrency_id=queue,
        concurrency_limit=at_once,
    )

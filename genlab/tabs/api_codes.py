"""Named endpoints around codes: what every kind of autoencoder brings back, features of pictures, and maps of items."""

import dataclasses
from typing import Any

import gradio as gr

from genlab.studio import features as studio_features
from genlab.studio import flat_map, kinds, uploads
from genlab.tabs.api import endpoint
from genlab.tabs.files import stored, stored_bytes, uploaded_path, uploaded_paths


def reconstruct(
    source: str, number: int, picture: str, invert: str, noise: str, amount: float, seed: int
) -> tuple[list[str], list[dict[str, Any]]]:
    """Show one item, with noise if asked, to every kind of autoencoder and get back what each makes of it.

    Args:
        source: example (one of those shipped), upload or drawing (a picture file), static (grey noise).
        number: of the example, or the seed of the static.
        picture: a PNG, JPEG, WebP, GIF or BMP file, for upload and drawing.
        invert: auto, yes or no: whether light backgrounds become dark.
        noise: none, gaussian, salt-and-pepper or masking.
        amount: deviation of Gaussian noise, or share of the pixels that the others change, 0 to 0.8.
        seed: of the noise.

    Returns:
        A signed PNG a kind (what was shown, what came back, the error), and for each its model, the peak
        signal-to-noise ratios in dB, its code and the share of the code that is silent.
    """
    media = uploads.read_file(uploaded_path(picture)) if source in ("upload", "drawing") else None
    item, origin = kinds.item_of(source, number=number, upload=media, invert=invert or "auto")
    looks = kinds.compare(item, origin, noise=noise, amount=amount, seed=seed)
    told = [
        {
            "model": look.model,
            "kind": look.title,
            "psnr": look.psnr,
            "shown_psnr": look.shown_psnr,
            "silent": look.quiet,
            "code": [round(v, 4) for v in look.code],
        }
        for look in looks
    ]
    return [stored(look.picture, f"{look.model}-reconstructed") for look in looks], told


def features(model: str, pictures: list[str], form: str) -> str:
    """Turn pictures into the codes of an autoencoder and get them as one file.

    Args:
        model: a model that can autoencode.
        pictures: picture files; none for the example items.
        form: csv or npz.

    Returns:
        A file with a row a picture: its name and the numbers of its code.
    """
    given = [(name, uploads.read_file(path)) for name, path in uploaded_paths(pictures or [])]
    return stored_bytes(studio_features.of_pictures(model, given).file(form), f"{model}-features.{form}")


def layout(method: str) -> dict[str, Any]:
    """Lay the example items out in two dimensions and judge the map.

    Args:
        method: PCA, t-SNE, UMAP, or a model with a two-dimensional code.

    Returns:
        {"points": x, y in [0, 1] and class number of each item, "classes", "scores": k-NN accuracy, trustworthiness
        and continuity with their 95 % intervals, "fitted": whether the method was fitted to these items}.
    """
    made = flat_map.layout(method)
    points = [[float(x), float(y), int(c)] for (x, y), c in zip(made.points, made.labels, strict=True)]
    scores = {name: dataclasses.asdict(getattr(made.row, name)) for name in ("knn", "trustworthiness", "continuity")}
    return {"points": points, "classes": list(made.names), "scores": scores, "fitted": made.row.fitted}


def build() -> None:
    """Declare the endpoints; nothing of this shows on the page."""
    with gr.Row(visible=False):
        source, invert = gr.Textbox(label="source", value="example"), gr.Textbox(label="invert", value="auto")
        number, seed = gr.Number(label="number", value=0), gr.Number(label="seed", value=0)
        noise, amount = gr.Textbox(label="noise", value="none"), gr.Number(label="amount", value=0)
        model, form = gr.Textbox(label="model"), gr.Textbox(label="form", value="csv")
        method = gr.Textbox(label="method", value="PCA")
        picture, pictures = gr.File(label="picture"), gr.File(label="pictures", file_count="multiple")
        files, file, told = gr.File(label="files", file_count="multiple"), gr.File(label="file"), gr.JSON(label="told")
        button = gr.Button()
    endpoint(button, reconstruct, [source, number, picture, invert, noise, amount, seed], [files, told])
    endpoint(button, features, [model, pictures, form], [file])
    endpoint(button, layout, [method], [told])

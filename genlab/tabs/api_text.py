"""Named endpoints of language models: write, fill gaps, and say how surprising a text is."""

from typing import Any

import gradio as gr

from genlab.studio import read as studio_read
from genlab.studio import write as studio_write
from genlab.tabs.api import endpoint
from genlab.tabs.files import stored, stored_bytes


def write(
    model: str, prompt: str, country: str, gender: str, seed: int, count: int, length: int, knobs: dict
) -> tuple[list[str], list[str], dict[str, Any]]:
    """Write texts, or names, with a small language model; every file comes with its signed claim.

    Args:
        model: a model that can write, as `models` lists them.
        prompt: what a text goes on from; of a long one the end is kept. Empty for names.
        country: of names; empty for whichever the model draws.
        gender: of names, female or male; empty for either.
        seed: whole number from 0; text i has seed + i, and the same seed gives the same text.
        count: how many, 1 to 64.
        length: tokens of a text at most, 1 to 600.
        knobs: temperature, top_k and top_p by name; those left out keep their defaults.

    Returns:
        The texts as files (names: one file, a line each), their signed claims, and {"texts": [{"text", "ended", and of
        names country and gender}], "notes": what should be told}.
    """
    made = studio_write.write(
        model, prompt=prompt or "", groups={"country": country, "gender": gender} if country or gender else None,
        seed=seed, count=count, length=length, knobs=knobs,
    )  # fmt: skip
    files = [stored(sealed, name) for sealed, name in zip(made.sealed, made.names, strict=True)]
    claims = [
        stored_bytes(sealed.sidecar or b"", studio_write.claim_name(name))
        for sealed, name in zip(made.sealed, made.names, strict=True)
    ]
    texts = [{"text": text.text, "ended": text.ended, **text.groups} for text in made.texts]
    return files, claims, {"texts": texts, "notes": list(made.notes)}


def fill(model: str, text: str) -> dict[str, Any]:
    """Guess the words that belong into the gaps of a text, the five likeliest for each.

    Args:
        model: a model that can fill, as `models` lists them.
        text: up to some seventy words; [MASK] or ___ stands for a word that is to be guessed.

    Returns:
        {"text", "gaps": [[{"word", "chance"}]]}, a list for each gap, likeliest first.
    """
    found = studio_read.fill(model, text)
    return {"text": found.text, "gaps": [[{"word": w, "chance": c} for w, c in gap] for gap in found.gaps]}


def surprise(model: str, text: str) -> dict[str, Any]:
    """Say how unlikely each token of a text is to a language model, given those before it.

    Args:
        model: a model that can write, as `models` lists them.
        text: up to 20,000 characters.

    Returns:
        {"bits_per_character", "tokens": [{"text", "chance"}], "notes"}.
    """
    found = studio_read.surprise(model, text)
    tokens = [{"text": token.text, "chance": token.chance} for token in found.tokens]
    return {"bits_per_character": found.bits_per_character, "tokens": tokens, "notes": list(found.notes)}


def build() -> None:
    """Declare the endpoints; nothing of this shows on the page."""
    with gr.Row(visible=False):
        model, prompt, text = gr.Textbox(label="model"), gr.Textbox(label="prompt"), gr.Textbox(label="text")
        country, gender = gr.Textbox(label="country"), gr.Textbox(label="gender")
        seed, count, length = (gr.Number(label=n, value=v) for n, v in (("seed", 0), ("count", 1), ("length", 200)))
        knobs, told = gr.JSON(label="knobs", value={}), gr.JSON(label="told")
        files, claims = (gr.File(label=name, file_count="multiple") for name in ("files", "claims"))
        button = gr.Button()
    endpoint(button, write, [model, prompt, country, gender, seed, count, length, knobs], [files, claims, told])
    endpoint(button, fill, [model, text], [told])
    endpoint(button, surprise, [model, text], [told])

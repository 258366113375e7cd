"""The door to the Hub: a diffusers pipeline to draw from, and a CLIP-like model that names groups by description.

Names are `owner/model`. A folder named in `GENLAB_HUB` that holds `owner/model` is asked first, so that a machine
without the Hub can keep copies. Only safetensors weights are loaded and no code of a repository is ever run.
"""

import functools
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from genlab.studio.shelf import StudioError

NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
STEPS = 30  # denoising steps a picture


def place(name: object) -> str:
    """Where a model is to be loaded from: a folder below `GENLAB_HUB`, else its name on the Hub.

    Raises:
        StudioError: the name is none that the Hub could have.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name.strip()) or ".." in name:
        raise StudioError(f"Models of the Hub are named owner/model; {str(name)[:60]!r} was given.")
    name, kept = name.strip(), os.environ.get("GENLAB_HUB")
    if kept and (Path(kept) / name).is_dir():
        return str(Path(kept) / name)
    return name


def _loaded(what: str, name: str, load):
    """What `load(place)` gives; one sentence where it cannot be had."""
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    source = place(name)
    try:
        return load(source)
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError, ConnectionError) as error:
        words = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
        raise StudioError(
            f"{name} cannot be loaded as {what}: the Hub cannot be reached from here, or it has no such model with "
            f"safetensors weights ({words}). Put a copy into the folder GENLAB_HUB, or audit a folder of pictures."
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise StudioError(f"{name} is not {what}: {str(error).splitlines()[0][:160]}") from None


# ---- pictures


@functools.lru_cache(maxsize=1)
def pipeline(name: str):
    """A diffusers pipeline, ready to draw, the last one kept."""
    from diffusers import DiffusionPipeline

    from genlab.device import serving_device

    found = _loaded(
        "a diffusers pipeline", name, lambda source: DiffusionPipeline.from_pretrained(source, use_safetensors=True)
    )
    found.set_progress_bar_config(disable=True)
    return found.to(serving_device())


def revision(name: str) -> str:
    """A sha256 over the names, sizes and hashes of the pipeline's weight files: what says which weights these are."""
    import hashlib

    folder = Path(pipeline(name).config.get("_name_or_path") or place(name))
    if not folder.is_dir():
        from huggingface_hub import snapshot_download

        folder = Path(snapshot_download(place(name), local_files_only=True, allow_patterns=["*.safetensors"]))
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.safetensors")):
        with file.open("rb") as stream:
            digest.update(f"{file.relative_to(folder)}:{file.stat().st_size}:".encode())
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def draw(name: str, count: int, *, seed: int, prompts: Sequence[str] = (), batch: int = 4) -> Iterator[list[Any]]:
    """Pictures of a pipeline in batches of PIL images (RGB): item i has seed `seed` + i and prompt i mod their number.

    Raises:
        StudioError: it cannot be loaded, or asks for a text where none was given.
    """
    import inspect

    import torch

    pipe = pipeline(name)
    takes = inspect.signature(pipe.__call__).parameters
    if "prompt" in takes and not prompts:
        raise StudioError(f"{name} draws what a text says: give one prompt or more, one a line.")
    if "image" in takes and takes["image"].default is inspect.Parameter.empty:
        raise StudioError(f"{name} changes pictures and draws none: name a pipeline that generates.")
    classes = "class_labels" in takes
    for first in range(0, count, batch):
        rows = range(first, min(first + batch, count))
        given: dict[str, Any] = {"generator": [torch.Generator().manual_seed(seed + i) for i in rows]}
        if "num_inference_steps" in takes:
            given["num_inference_steps"] = min(STEPS, pipe.scheduler.config.get("num_train_timesteps", STEPS))
        if "prompt" in takes:
            given["prompt"] = [prompts[i % len(prompts)] for i in rows]
        elif classes:
            known = getattr(pipe.transformer.config, "num_embeds_ada_norm", 1000)
            given["class_labels"] = [i % known for i in rows]
        else:
            given["batch_size"] = len(rows)
        with torch.inference_mode():
            made = pipe(**given).images
        yield [image.convert("RGB") for image in made]


# ---- groups


@functools.lru_cache(maxsize=1)
def _clip(name: str):
    from transformers import AutoModelForZeroShotImageClassification, AutoProcessor

    from genlab.device import serving_device

    def load(source: str):
        model = AutoModelForZeroShotImageClassification.from_pretrained(source, use_safetensors=True)
        return model.to(serving_device()).eval(), AutoProcessor.from_pretrained(source)

    return _loaded("a zero-shot image classifier", name, load)


def zero_shot(name: str, pictures: Sequence[Any], descriptions: Sequence[str]) -> np.ndarray:
    """How well each description fits each picture, (pictures, descriptions), as probabilities over the descriptions.

    Raises:
        StudioError: the model cannot be loaded, or is of another kind.
    """
    import torch

    model, processor = _clip(name)
    parts = []
    for start in range(0, len(pictures), 16):
        given = processor(
            text=list(descriptions), images=list(pictures[start : start + 16]), return_tensors="pt", padding=True,
            truncation=True,
        )  # fmt: skip
        with torch.inference_mode():
            parts.append(model(**given.to(model.device)).logits_per_image.softmax(1).float().cpu().numpy())
    return np.concatenate(parts)

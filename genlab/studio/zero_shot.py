"""A CLIP-like model of the Hub that names groups by description, under the limits of `hub`."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from genlab.studio import hub
from genlab.studio.shelf import StudioError

CLASSIFIER = "a zero-shot image classifier"


@functools.lru_cache(maxsize=1)
def _clip(name: str, revision: str, source: str):
    from transformers import AutoModelForZeroShotImageClassification, AutoProcessor

    from genlab.device import serving_device

    with hub.loading(name, CLASSIFIER):
        given = {"revision": revision or "main", "trust_remote_code": False}
        model = AutoModelForZeroShotImageClassification.from_pretrained(source, use_safetensors=True, **given)
        return model.to(serving_device()).eval(), AutoProcessor.from_pretrained(source, **given)


def zero_shot(name: str, pictures: Sequence[Any], descriptions: Sequence[str]) -> np.ndarray:
    """How well each description fits each picture, (pictures, descriptions), as probabilities over the descriptions.

    Raises:
        StudioError: the model is not allowed, too large, cannot be loaded, or is of another kind.
    """
    import torch

    model, processor = _clip(*_classifier(name))
    parts = []
    for start in range(0, len(pictures), 16):
        given = processor(
            text=list(descriptions), images=list(pictures[start : start + 16]), return_tensors="pt", padding=True,
            truncation=True,
        )  # fmt: skip
        with torch.inference_mode():
            parts.append(model(**given.to(model.device)).logits_per_image.softmax(1).float().cpu().numpy())
    return np.concatenate(parts)


def _classifier(text: str) -> tuple[str, str, str]:
    """Name, revision and place of a classifier that may be loaded; the commit that was looked at is the one loaded."""
    name, asked = hub.named(text)
    folder = hub.copy_of(name)
    if folder is not None and asked:
        raise StudioError(f"The copy of {name} in GENLAB_HUB has no revisions: leave the revision out.")
    commit, files = ("", hub.sizes_of(folder)) if folder is not None else _listed(name, asked)
    sizes = [size for file, size in files.items() if hub.is_weights(file)]
    hub.check_size(name, sizes or [size for file, size in files.items() if file.endswith(hub.PICKLES)])
    return name, commit if sizes else asked, str(folder or name)  # without safetensors the Hub may offer converted ones


@functools.lru_cache(maxsize=8)
def _listed(name: str, asked: str) -> tuple[str, dict[str, int]]:
    return hub.listed(name, asked, CLASSIFIER)  # asked once: pictures come in many chunks

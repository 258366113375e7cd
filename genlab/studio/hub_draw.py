"""Pictures of a diffusers pipeline, whatever it asks for: nothing, a class, or a text."""

import inspect
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from genlab.device import gpu
from genlab.studio import hub
from genlab.studio.hub import Found
from genlab.studio.shelf import StudioError

STEPS = 30  # denoising steps a picture at most

_at_work = threading.Lock()  # a scheduler remembers where it is: one drawing at a time


class Item(NamedTuple):
    """One picture to draw."""

    seed: int
    prompt: str = ""
    label: int = 0


@dataclass(frozen=True)
class Asks:
    """What a pipeline asks for.

    Attributes:
        text: whether it draws what a prompt says.
        classes: how many classes it knows; 0: none.
        names: numbers of classes by name; a class may have several names, or none.
        steps: denoising steps a picture; 0 where that cannot be set.
    """

    text: bool
    classes: int
    names: dict[str, int]
    steps: int

    def name(self, number: int) -> str:
        """The first name of a class, or its number as text."""
        return next((name for name, known in self.names.items() if known == number), str(number))


def asks(found: Found) -> Asks:
    """What the pipeline asks for.

    Raises:
        StudioError: it changes pictures instead of drawing them.
    """
    pipe, takes = hub.pipeline(found), _takes(found)
    image = takes.get("image")
    if image is not None and (image.default is inspect.Parameter.empty or "strength" in takes):
        raise StudioError(f"{found.name} changes pictures and draws none: name a pipeline that generates.")
    names = {str(name): int(number) for name, number in (getattr(pipe, "labels", None) or {}).items()}
    return Asks("prompt" in takes, _classes(pipe, takes), names, _steps(pipe, takes))


def _takes(found: Found) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(hub.pipeline(found).__call__).parameters)


def _classes(pipe: Any, takes: dict[str, inspect.Parameter]) -> int:
    if "class_labels" not in takes:
        return 0
    network = getattr(pipe, "transformer", None) or getattr(pipe, "unet", None)
    config = getattr(network, "config", {})
    return int(config.get("num_embeds_ada_norm") or config.get("num_class_embeds") or 0)


def _steps(pipe: Any, takes: dict[str, inspect.Parameter]) -> int:
    if "num_inference_steps" not in takes:
        return 0
    usual = takes["num_inference_steps"].default
    trained = pipe.scheduler.config.get("num_train_timesteps") or STEPS
    return min(STEPS, trained, usual if isinstance(usual, int) and usual > 0 else STEPS)


def draw_items(found: Found, items: Sequence[Item]) -> list[np.ndarray]:
    """The pictures of some items, uint8 (h, w, 3) each; every item has a random stream of its own.

    Raises:
        StudioError: the pipeline cannot draw them.
    """
    with _at_work:
        hub.pipeline(found)  # loaded before a device is borrowed
        return _drawn(found, list(items))


@gpu(60)
def _drawn(found: Found, items: list[Item]) -> list[np.ndarray]:
    import torch

    pipe, takes, wants = hub.pipeline(found), _takes(found), asks(found)
    given: dict[str, Any] = {"generator": [torch.Generator().manual_seed(item.seed) for item in items]}
    if wants.steps:
        given["num_inference_steps"] = wants.steps
    if wants.text:
        given["prompt"] = [item.prompt for item in items]
    elif "batch_size" in takes:
        given["batch_size"] = len(items)
    if wants.classes:
        given["class_labels"] = [item.label for item in items]
    try:
        with torch.inference_mode():
            made = pipe(**given)
        return [np.asarray(image.convert("RGB")) for image in made.images]
    except Exception as error:  # pipelines of strangers fail in their own ways
        words = hub.first_line(error)
        raise StudioError(f"{found.name} cannot draw pictures from a seed here ({words}): name another.") from None


def draw(found: Found, count: int, *, seed: int, prompts: Sequence[str] = (), batch: int = 4) -> Iterator[list[Any]]:
    """Pictures in batches of PIL images (RGB): item i has seed `seed` + i, prompt and class i mod their number.

    Raises:
        StudioError: it cannot be loaded, or asks for a text where none was given.
    """
    from PIL import Image

    wants = asks(found)
    if wants.text and not prompts:
        raise StudioError(f"{found.name} draws what a text says: give one prompt or more, one a line.")
    items = [
        Item(seed + i, prompts[i % len(prompts)] if wants.text else "", i % max(wants.classes, 1)) for i in range(count)
    ]
    for first in range(0, count, batch):
        yield [Image.fromarray(pixels) for pixels in draw_items(found, items[first : first + batch])]

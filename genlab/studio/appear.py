"""Watch an item appear, value by value or out of noise, as an animation."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from audits.provenance import Claim, Sealed
from genlab.device import gpu
from genlab.studio import fitted_steps, generate, noise_marks, pictures, shelf
from genlab.studio.marking import Drawn, mark_all
from genlab.studio.shelf import Entry, StudioError

ABLE = ("watch", "denoise")  # the capabilities that can be watched

FRAMES, RATE = 48, 16  # of an animation at most; frames a second
SHORTEST = 24  # frames that a film has at least, about
HELD = 12  # frames that the finished item stays
UNDRAWN = 58  # grey level of what is not drawn yet


@dataclass(frozen=True)
class Appeared:
    """An item, and how it came about.

    Attributes:
        item: the finished item, as Generate gives it out.
        animation: a GIF, sealed with action "appear".
    """

    item: Sealed
    animation: Sealed


def appear(
    model: str, *, label: object = None, seed: object = 0, knobs: Mapping[str, object] | None = None
) -> Appeared:
    """Draw one item of a model and keep what it looked like on the way.

    Raises:
        ValueError: one sentence about what was given and what is allowed.
    """
    known = watchable(model)
    first, asked = generate.whole_seed(seed), shelf.class_number(known, label)
    turned = generate.whole_knobs(known, knobs)
    labels = generate.labels_of(known, asked, 1)
    still = generate.generate(known.name, label=label, seed=first, count=1, knobs=knobs).pictures[0]
    key = noise_marks.key_of(known, turned)
    frames = _frames(known.name, first, labels, turned, noise_marks.signs(known, key, [still.claim]))
    frames = frames.repeat(max(1, SHORTEST // len(frames)), 0)  # so that few steps are not over in a blink
    inputs = noise_marks.input_of(key) | fitted_steps.input_of(known, turned)
    inputs |= {} if labels is None else {"label": known.classes[labels[0]]}
    shown = np.concatenate([frames, frames[-1:].repeat(HELD, 0)])
    drawn = Drawn(pictures.enlarge(shown), functools.partial(pictures.gif, per_second=RATE))
    (animation,) = mark_all([(drawn, "image/gif", Claim(known.name, known.weights, "appear", first, inputs, turned))])
    return Appeared(still, animation)


def models() -> list[str]:
    """Models that can be watched: those that draw value by value first."""
    return [known.name for able in ABLE for known in shelf.with_capability(able)]


def watchable(name: str) -> Entry:
    """The entry of a model that can be watched.

    Raises:
        StudioError: no such model, or it draws all at once.
    """
    known = shelf.entry(name)
    if not set(ABLE) & set(known.capabilities):
        raise StudioError(f"{name} draws all at once; those that can be watched are {', '.join(models()) or 'none'}.")
    return known


def takes_temperature(name: str) -> bool:
    """Whether a model that can be watched has a temperature."""
    return "temperature" in {knob.name for knob in watchable(name).knobs}


@gpu(10)
def _frames(name: str, seed: int, labels: list[int] | None, knobs: dict, signs: np.ndarray | None = None) -> np.ndarray:
    """uint8 (frames, c, h, w); what is not drawn yet is grey."""
    import torch

    from genlab.models.contract import check_knobs
    from genlab.seeds import Seeds

    model = shelf.model(name)
    device = next(model.parameters()).device
    wanted = None if labels is None else torch.tensor(labels, device=device)
    turned = check_knobs(model.Knobs, knobs)
    if hasattr(model, "denoised"):
        seeds = Seeds([seed], device, None if signs is None else torch.from_numpy(signs))
        return np.concatenate([pictures.to_bytes(x) for x in model.denoised(seeds, wanted, turned)])
    channels, height, width = model.shape
    every = -(-height * width * channels // FRAMES)
    found = []
    for step in model.trace(Seeds([seed], device), wanted, turned, every=every):
        values = pictures.to_bytes(step)[0].transpose(1, 2, 0).ravel()
        values[(len(found) + 1) * every :] = UNDRAWN
        found.append(values.reshape(height, width, channels).transpose(2, 0, 1))
    return np.stack(found)

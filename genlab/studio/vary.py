"""A picture that is given, and others like it: drowned in noise part of the way, and drawn from there."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from audits.provenance import Claim, Sealed
from genlab.device import gpu
from genlab.studio import complete, generate, pictures, shelf
from genlab.studio.shelf import StudioError

LEAST = 0.05  # share of the way to noise
MOST = complete.MOST  # pictures a request


@dataclass(frozen=True)
class Varied:
    """A picture, and what a model made of it.

    Attributes:
        shown: the picture as the model sees it, a sealed PNG.
        items: the pictures drawn from it, sealed PNGs with action "vary".
        sentence: what was done, in words.
    """

    shown: Sealed
    items: tuple[Sealed, ...]
    sentence: str


def models() -> list[str]:
    """Models that can start from a picture."""
    return [known.name for known in shelf.with_capability("vary")]


def vary(
    model: str,
    item: np.ndarray,
    origin: str,
    *,
    change: object = 0.7,
    label: object = None,
    seed: object = 0,
    count: object = 6,
    knobs: Mapping[str, object] | None = None,
) -> Varied:
    """Let a model draw pictures that are like an item, or what a sketch may stand for.

    Args:
        item: uint8 (c, h, w) of the model's shape.
        origin: where it came from, in words.
        change: share of the way to noise that it goes, 0.05 to 1; 1 keeps nothing of it.
        label: a class that the model is told; None or empty for none.
        seed: of the first picture; picture i has `seed + i`.

    Raises:
        ValueError: one sentence about what was given and what is allowed.
    """
    known = shelf.require(model, "vary")
    if item.shape != tuple(known.shape):
        raise StudioError(f"{known.name} changes items of {known.shape}; one of {item.shape} was given.")
    if isinstance(change, bool) or not isinstance(change, int | float) or not LEAST <= change <= 1:
        raise StudioError(f"The change is a number from {LEAST} to 1; {str(change)[:40]!r} was given.")
    count = shelf.whole(count, "number of pictures", 1, MOST)
    first, asked = generate.whole_seed(seed, count), shelf.class_number(known, label)
    turned = generate.whole_knobs(known, knobs)
    drawn = _drawn(known.name, item, float(change), first, count, asked, turned)
    name = None if asked is None else known.classes[asked]
    inputs = {"from": origin[:200], "change": f"{change:g}"} | ({} if name is None else {"label": name})
    claims = [Claim(known.name, known.weights, "vary", first + i, inputs, turned) for i in range(count)]
    before = Claim(known.name, known.weights, "show", 0, {"from": origin[:200]}, {})
    shown, items = complete.sealed(item, before, drawn, claims)
    return Varied(shown, items, sentence(float(change), name))


def sentence(change: float, name: str | None) -> str:
    """What was done, in words."""
    told = "no class was told" if name is None else f"the class told was {name}"
    return (
        f"Noise covered the picture {change:.0%} of the way and was taken out again: what is coarser than that noise "
        f"stays, what is finer is drawn anew; {told}."
    )


@gpu(10)
def _drawn(
    name: str, item: np.ndarray, change: float, seed: int, count: int, label: int | None, knobs: dict
) -> np.ndarray:
    """Pictures uint8 (n, c, h, w)."""
    import torch

    from genlab.models.contract import check_knobs
    from genlab.seeds import Seeds

    model = shelf.model(name)
    device = next(model.parameters()).device
    images = torch.from_numpy(item.astype(np.float32) / 255).to(device).expand(count, *item.shape)
    labels = None if label is None else torch.full((count,), label, device=device)
    seeds = Seeds.count_from(seed, count, device)
    return pictures.to_bytes(model.vary(images, seeds, labels, check_knobs(model.Knobs, knobs), change=change))

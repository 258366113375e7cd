"""Half an item, and several ways in which a model goes on; some of them are drawn from its very distribution."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from audits.provenance import Claim, Sealed
from genlab.device import gpu
from genlab.studio import fitted_steps, generate, pictures, shelf, uploads
from genlab.studio.encode import examples_of
from genlab.studio.marking import Drawn, mark_all
from genlab.studio.shelf import StudioError

REGIONS = ("below a row", "right of a column", "in the middle")
MOST = 12  # completions a request
ERASED = 58  # grey level of what is missing, with lighter stripes


@dataclass(frozen=True)
class Completed:
    """An item with a part missing, and what a model drew there.

    Attributes:
        shown: the item with its missing part striped, a sealed PNG.
        items: the completions, sealed PNGs with action "complete".
        exact: whether they are draws from the model's distribution given all that was kept.
        sentence: the same in words.
    """

    shown: Sealed
    items: tuple[Sealed, ...]
    exact: bool
    sentence: str


def models() -> list[str]:
    """Models that can complete: those that do so exactly below a row first."""
    known = shelf.with_capability("complete")
    return [entry.name for entry in sorted(known, key=lambda entry: "watch" not in entry.capabilities)]


def missing(shape: tuple[int, int, int], region: str, kept: object) -> np.ndarray:
    """Which places of an item are erased, bool (h, w).

    Args:
        region: one of `REGIONS`.
        kept: share of the side that stays, from the upper or left edge; in the middle, of the side around the hole.

    Raises:
        StudioError: an unknown region, a share out of range, or nothing would be missing.
    """
    if region not in REGIONS:
        raise StudioError(f"What is erased lies {', '.join(REGIONS)}; {str(region)[:40]!r} was given.")
    if isinstance(kept, bool) or not isinstance(kept, int | float) or not 0 <= kept <= 1:
        raise StudioError(f"The share that stays is a number from 0 to 1; {str(kept)[:40]!r} was given.")
    _, height, width = shape
    found = np.zeros((height, width), bool)
    if region == REGIONS[0]:
        found[round(kept * height) :] = True
    elif region == REGIONS[1]:
        found[:, round(kept * width) :] = True
    else:
        top, left = round(kept * height / 2), round(kept * width / 2)
        found[top : height - top, left : width - left] = True
    if not found.any():
        raise StudioError(f"Nothing would be missing with {kept:.0%} of the item kept: keep less.")
    return found


def item_of(model: str, source: str, *, number: object = 0, upload: bytes | None = None) -> tuple[np.ndarray, str]:
    """The item uint8 (c, h, w) that a completion or a change starts from, and where it came from in words.

    Args:
        source: "example" takes one of those shipped, "upload" and "drawing" read a picture.
        number: of the example.

    Raises:
        ValueError: one sentence about what was given and what is allowed.
    """
    known = shelf.entry(model)
    if not {"complete", "vary"} & set(known.capabilities):
        shelf.require(model, "complete")
    if source == "example":
        data = examples_of(known)
        at = shelf.whole(number, "example's number", 0, len(data) - 1)
        return data.items[at], f"example {at}, {data.names[data.labels[at]]}"
    if source not in ("upload", "drawing"):
        raise StudioError(f"Items come from example, upload, drawing; {str(source)[:40]!r} was given.")
    item = uploads.as_item(upload or b"", known, "no" if source == "drawing" else "auto")
    return item, f"{source} {hashlib.sha256(upload or b'').hexdigest()[:12]}"


def complete(
    model: str,
    item: np.ndarray,
    origin: str,
    *,
    region: str = REGIONS[0],
    kept: object = 0.5,
    label: object = None,
    seed: object = 0,
    count: object = 6,
    knobs: Mapping[str, object] | None = None,
) -> Completed:
    """Erase a part of an item and let a model draw it.

    Args:
        item: uint8 (c, h, w) of the model's shape.
        origin: where it came from, in words.
        label: a class that the model is told; None for none.
        seed: of the first completion; completion i has `seed + i`.

    Raises:
        ValueError: one sentence about what was given and what is allowed.
    """
    known = shelf.require(model, "complete")
    if item.shape != tuple(known.shape):
        raise StudioError(f"{known.name} completes items of {known.shape}; one of {item.shape} was given.")
    count = shelf.whole(count, "number of completions", 1, MOST)
    first, asked = generate.whole_seed(seed, count), shelf.class_number(known, label)
    holes, turned = missing(known.shape, region, kept), generate.whole_knobs(known, knobs)
    drawn, exact = _drawn(known.name, item, holes, first, count, asked, turned)
    inputs = {"from": origin[:200], "erased": region, "kept": f"{kept:g}"}
    inputs |= fitted_steps.input_of(known, turned) | ({} if asked is None else {"label": known.classes[asked]})
    claims = [Claim(known.name, known.weights, "complete", first + i, inputs, turned) for i in range(count)]
    before = Claim(known.name, known.weights, "erase", 0, inputs, {})
    shown = np.where(holes, _stripes(holes.shape), item)
    first_sealed, rest = sealed(shown, before, drawn, claims)
    sentence = EXACT if exact else APPROXIMATE if "watch" in known.capabilities else REPLACED
    return Completed(first_sealed, rest, exact, sentence)


def sealed(
    shown: np.ndarray, before: Claim, drawn: np.ndarray, claims: list[Claim]
) -> tuple[Sealed, tuple[Sealed, ...]]:
    """What a model was shown and what it drew from it, uint8 (c, h, w) and (n, c, h, w), as sealed PNGs."""
    made = [(Drawn(pictures.enlarge(shown), pictures.png), "image/png", before)]
    made += [
        (Drawn(pictures.enlarge(one), pictures.png), "image/png", claim)
        for one, claim in zip(drawn, claims, strict=True)
    ]
    first, *rest = mark_all(made)
    return first, tuple(rest)


EXACT = (
    "Exact: the model draws in reading order, and everything that was kept comes before what is missing, so these are "
    "draws from its own distribution given the rest."
)
APPROXIMATE = (
    "Approximate: the model draws in reading order and cannot look ahead, so what was kept further down does not speak "
    "up; seams on the lower and right edges show it."
)


REPLACED = (
    "Approximate: the model takes noise away all over the picture, and at every step what was kept is put back with "
    "its share of noise; it never learnt to be given a part."
)


def _stripes(shape: tuple[int, int]) -> np.ndarray:
    """A grey that no item has: two levels in slanting stripes."""
    y, x = np.indices(shape)
    return np.where((x + y) % 4 < 2, ERASED, ERASED + 24).astype(np.uint8)


@gpu(10)
def _drawn(
    name: str, item: np.ndarray, holes: np.ndarray, seed: int, count: int, label: int | None, knobs: dict
) -> tuple[np.ndarray, bool]:
    """Completions uint8 (n, c, h, w), and whether they are exact."""
    import torch

    from genlab.models.contract import check_knobs
    from genlab.models.pixel import in_reading_order
    from genlab.seeds import Seeds

    model = shelf.model(name)
    device = next(model.parameters()).device
    images = torch.from_numpy(item.astype(np.float32) / 255).to(device).expand(count, *item.shape)
    mask = torch.from_numpy(holes).to(device).expand(count, *holes.shape)
    labels = None if label is None else torch.full((count,), label, device=device)
    seeds = Seeds.count_from(seed, count, device)
    made = model.complete(images, mask, seeds, labels, check_knobs(model.Knobs, knobs))
    return pictures.to_bytes(made), hasattr(model, "trace") and in_reading_order(mask[:1])

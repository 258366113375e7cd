"""Draw new items: item i of a request has seed `seed + i`, and with no class asked for the class i mod classes."""

import functools
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from audits.provenance import Claim, Sealed
from genlab.device import gpu
from genlab.studio import fitted_steps, noise_marks, pictures, shelf
from genlab.studio.marking import Drawn, mark_all
from genlab.studio.shelf import Entry

MOST = 64  # items a request
COLUMNS = 8  # of the raw sheet


@dataclass(frozen=True)
class Generated:
    """What one request made.

    Attributes:
        pictures: one sealed PNG an item, enlarged with nearest neighbour.
        sheet: all items in their own pixels side by side, a sealed PNG that carries the manifest only.
        names: a file name for each picture.
        sheet_name: a file name for the sheet.
    """

    pictures: tuple[Sealed, ...]
    sheet: Sealed
    names: tuple[str, ...]
    sheet_name: str

    @functools.cached_property
    def archive(self) -> bytes:
        """A zip file of all PNGs with `manifest.json`: a list of {"file", "sha256", "claim"}."""
        files = [*zip(self.names, self.pictures, strict=True), (self.sheet_name, self.sheet)]
        listed = [
            {"file": name, "sha256": hashlib.sha256(s.media).hexdigest(), "claim": s.claim.as_dict()}
            for name, s in files
        ]
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:  # PNGs do not shrink
            for name, sealed in files:
                archive.writestr(zipfile.ZipInfo(name), sealed.media)
            archive.writestr(zipfile.ZipInfo("manifest.json"), json.dumps(listed, indent=1) + "\n")
        return packed.getvalue()


def generate(
    model: str,
    *,
    label: object = None,
    seed: object = 0,
    count: object = 16,
    knobs: Mapping[str, object] | None = None,
    offset: int = 0,
    noise: str | None = None,
) -> Generated:
    """Draw `count` items of a model.

    Args:
        model: a model on the shelf that can generate, or a pipeline of the Hub as `generate_hub.steps` takes it.
        label: a class by name or number; None for every class in turn.
        seed: of the first item; item i has `seed + i`.
        count: 1 to 64.
        knobs: values by name; those left out keep the model's defaults.
        offset: where this part starts in a longer request: seeds and classes go on from there.
        noise: id of the key whose signs the first noise has, "" for none; None for the key in use, where the model
            can be walked back.

    Raises:
        ValueError: one sentence about what was given and what is allowed.
    """
    if isinstance(model, str) and model.startswith("hub:"):
        from genlab.studio import generate_hub

        return generate_hub.generate(model, label=label, seed=seed, count=count, knobs=knobs, offset=offset)
    known = shelf.require(model, "generate")
    count = shelf.whole(count, "count", 1, MOST)
    first = whole_seed(seed, offset + count) + offset
    asked = shelf.class_number(known, label)
    turned = whole_knobs(known, knobs)
    labels = labels_of(known, asked, count, offset)
    key = noise_marks.key_of(known, turned, noise)
    keyed = noise_marks.input_of(key) | fitted_steps.input_of(known, turned)
    claims = [
        Claim(known.name, known.weights, "generate", first + i, _label_input(known, labels, i) | keyed, turned)
        for i in range(count)
    ]
    items = draw(known.name, first, labels, count, turned, noise_marks.signs(known, key, claims))
    large = pictures.enlarge(items)
    labelled = {} if asked is None else {"label": known.classes[asked]}
    inputs = keyed | {"sheet": str(count), "offset": str(offset)} | labelled
    raw = pictures.png(pictures.grid(items, min(count, COLUMNS)))
    made = [(Drawn(item, pictures.png), "image/png", claim) for item, claim in zip(large, claims, strict=True)]
    made.append((raw, "image/png", Claim(known.name, known.weights, "generate", first, inputs, turned)))
    *sealed, sheet = mark_all(made)
    names = [file_name(known, first + i, claims[i].inputs.get("label")) for i in range(count)]
    height, width = items.shape[-2:]
    return Generated(tuple(sealed), sheet, tuple(names), f"{known.name}-{first}-raw-{width}x{height}.png")


@gpu(10)
def draw(
    name: str, first: int, labels: list[int] | None, count: int, knobs: dict, signs: np.ndarray | None = None
) -> np.ndarray:
    """Items as uint8 (n, c, h, w); only plain values and arrays cross this border."""
    import torch

    from genlab.models.contract import check_knobs
    from genlab.seeds import Seeds

    model = shelf.model(name)
    device = next(model.parameters()).device
    wanted = None if labels is None else torch.tensor(labels, device=device)
    seeds = Seeds.count_from(first, count, device, None if signs is None else torch.from_numpy(signs))
    return pictures.to_bytes(model.sample(seeds, wanted, check_knobs(model.Knobs, knobs)))


def whole_seed(seed: object, count: int = 1) -> int:
    """The seed of the first of `count` items.

    Raises:
        ValueError: it is no whole number, or the last item's seed would be too large.
    """
    from genlab.seeds import LARGEST, check_seed

    first = check_seed(seed)
    if first + count - 1 > LARGEST:
        raise shelf.StudioError("The seed is too large for that many items: the last one's must stay below 2^63.")
    return first


def whole_knobs(known: Entry, knobs: Mapping[str, object] | None) -> dict[str, float | str]:
    """Every knob of the model with the value it has in this request.

    Raises:
        ValueError: an unknown name, or a value out of its range.
    """
    import dataclasses

    from genlab.models.contract import check_knobs

    if knobs is not None and not isinstance(knobs, Mapping):
        raise shelf.StudioError(f"Knobs are names with values, such as {{}}; {str(knobs)[:40]!r} was given.")
    model = shelf.model(known.name)
    return dataclasses.asdict(check_knobs(model.Knobs, shelf.default_knobs(model) | dict(knobs or {})))


def labels_of(known: Entry, asked: int | None, count: int, offset: int = 0) -> list[int] | None:
    """The class number of every item, None for a model without classes."""
    if not known.classes:
        return None
    return [(offset + i) % len(known.classes) if asked is None else asked for i in range(count)]


def file_name(known: Entry, seed: int, label: str | None) -> str:
    """A plain file name for one picture."""
    slug = re.sub(r"[^a-z0-9]+", "-", (label or "").lower()).strip("-")
    return "-".join(part for part in (known.name, str(seed), slug) if part) + ".png"


def _label_input(known: Entry, labels: list[int] | None, i: int) -> dict[str, str]:
    return {} if labels is None else {"label": known.classes[labels[i]]}

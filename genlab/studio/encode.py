"""From an item, drawn, shipped or uploaded, to its code: where every walk through a model's codes starts."""

import hashlib
from dataclasses import dataclass

import numpy as np

from genlab.data import examples
from genlab.device import gpu
from genlab.studio import generate, pictures, shelf, uploads
from genlab.studio.shelf import Entry, StudioError

KINDS = ("seed", "example", "upload")
DIGITS = 4  # decimals of a code wherever it leaves: what is written in a claim decides the picture exactly
LARGEST = 1e4
WALKABLE = 192  # numbers a code that is looked at one by one, or written into a claim, has at most


@dataclass(frozen=True)
class Encoded:
    """A code and where it came from.

    Attributes:
        code: d numbers with four decimals.
        origin: in words, for claims and captions; an upload is named by its hash.
    """

    code: tuple[float, ...]
    origin: str


def encode(
    model: str,
    *,
    kind: str = "seed",
    number: object = 0,
    label: object = None,
    upload: bytes | None = None,
    invert: str = "auto",
) -> Encoded:
    """The code of an item: the mean of the model's posterior.

    Args:
        model: an autoencoder on the shelf.
        kind: "seed" draws the item, "example" takes one of those shipped, "upload" reads a picture.
        number: the seed, or the example's number.
        label: the class of a drawn item (None: the first).
        upload: the bytes of a picture file.
        invert: for uploads: "yes", "no", or "auto" (light backgrounds become dark).

    Raises:
        ValueError: one sentence about what was given and what is allowed.
    """
    known = explorable(model)
    if kind == "seed":
        if "generate" not in known.capabilities:
            raise StudioError(f"{model} draws no items: start from an example or an upload.")
        seed = generate.whole_seed(number)
        asked = shelf.class_number(known, label)
        labels = generate.labels_of(known, asked, 1)
        item = generate.draw(model, seed, labels, 1, generate.whole_knobs(known, None))
        origin = f"seed {seed}" + (f", {known.classes[labels[0]]}" if labels else "")
    elif kind == "example":
        data = examples_of(known)
        at = shelf.whole(number, "example's number", 0, len(data) - 1)
        item, origin = data.items[at : at + 1], f"example {at}, {data.names[data.labels[at]]}"
    elif kind == "upload":
        item = uploads.as_item(upload or b"", known, invert)[None]
        origin = f"upload {hashlib.sha256(upload or b'').hexdigest()[:12]}"
    else:
        raise StudioError(f"Kinds of starting items are {', '.join(KINDS)}; {str(kind)[:40]!r} was given.")
    return Encoded(tuple(rounded(codes_of(model, item))[0].tolist()), origin)


def explorable(model: str) -> Entry:
    """The entry of an autoencoder whose code alone decides a picture, and is short enough to walk in.

    Raises:
        StudioError: no such model, or it has no such code.
    """
    known = shelf.require(model, "autoencode")
    if not known.latent:
        raise StudioError(f"{model} needs a class beside its code, so its codes cannot be explored alone.")
    if known.latent > WALKABLE:
        raise StudioError(f"A code of {model} has {known.latent:,} numbers; up to {WALKABLE} can be explored.")
    return known


def explorables() -> list[Entry]:
    """Every model on the shelf that can be explored, those first that also draw: their codes have a prior."""
    found = [known for known in shelf.with_capability("autoencode") if 0 < known.latent <= WALKABLE]
    return sorted(found, key=lambda known: "generate" not in known.capabilities)


def examples_of(known: Entry):
    """The shipped items of the data that the model was trained on, as `Data`.

    Raises:
        StudioError: there are none, or they have another shape.
    """
    try:
        data = examples.load(known.data)
    except ValueError:
        raise StudioError(f"No example items of {known.data} are shipped: start from a seed or an upload.") from None
    if data.items.shape[1:] != known.shape:
        raise StudioError(f"The example items of {known.data} do not have the shape that {known.name} takes.")
    return data


@gpu(10)
def codes_of(name: str, items: np.ndarray) -> np.ndarray:
    """Codes (n, d), float32, of items uint8 (n, c, h, w)."""
    import torch

    model = shelf.model(name)
    device = next(model.parameters()).device
    return model.encode(torch.from_numpy(items.copy()).to(device).float() / 255).float().cpu().numpy()


@gpu(10)
def pictures_of(name: str, codes: np.ndarray) -> np.ndarray:
    """Items uint8 (n, c, h, w) of codes (n, d), nothing drawn at random."""
    import torch

    model = shelf.model(name)
    device = next(model.parameters()).device
    return pictures.to_bytes(model.decode(torch.from_numpy(codes.astype(np.float32)).to(device)))


def rounded(codes: np.ndarray) -> np.ndarray:
    """Codes as they leave: four decimals, float64, no negative zero."""
    return np.round(np.asarray(codes, np.float64), DIGITS) + 0.0


def checked(known: Entry, code: object) -> np.ndarray:
    """A code given from outside as an array (d,).

    Raises:
        StudioError: it is not d finite numbers of a sane size.
    """
    wrong = f"A code of {known.name} is a list of {known.latent} numbers from -10,000 to 10,000."
    if not isinstance(code, list | tuple | np.ndarray) or len(code) != known.latent:
        raise StudioError(wrong)
    if any(isinstance(v, bool) or not isinstance(v, int | float | np.floating) for v in code):
        raise StudioError(wrong)
    if not all(abs(v) <= LARGEST for v in code):  # NaN fails the comparison
        raise StudioError(wrong)
    return rounded(np.asarray(code, np.float64))


def written(code: np.ndarray) -> str:
    """A code as claims hold it."""
    return ",".join(f"{v:.{DIGITS}f}" for v in code)


def parsed(text: object) -> list[float]:
    """What `written` wrote.

    Raises:
        StudioError: it is something else.
    """
    try:
        return [float(v) for v in str(text).split(",")]
    except ValueError:
        raise StudioError("The claim's code is not a list of numbers.") from None

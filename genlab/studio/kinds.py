"""Every kind of autoencoder on one item, side by side: what each makes of it, spoiled too, and of its small shifts."""

import hashlib
import re
from collections import Counter
from dataclasses import dataclass

import numpy as np

from audits.provenance import Claim, Sealed
from genlab.card_text import section
from genlab.device import gpu
from genlab.studio import encode, pictures, shelf, uploads
from genlab.studio.generate import whole_seed
from genlab.studio.marking import Drawn, mark, mark_all
from genlab.studio.shelf import Entry, StudioError

SOURCES = ("example", "upload", "drawing", "static")
NOISES = ("none", "gaussian", "salt-and-pepper", "masking")
MOST_NOISE = 0.8
SHIFTS = (1, 2, 3)  # pixels to the right
DIRECTIONS = 32  # random ones that the Jacobian's norm is estimated from
STEP = 0.01  # of pixels in [0, 1], each way
TILES = 64  # filters shown
QUIET = 0.1  # of the largest number of a code: below it a unit counts as silent


@dataclass(frozen=True)
class Look:
    """What one model makes of an item.

    Attributes:
        title: the kind, in a word or two.
        sentence: what the kind is, from the model's own card.
        picture: what it was shown, what came back, and the error, side by side, sealed.
        shown_psnr, psnr: of what it was shown and of what came back, against the clean item, dB.
        code: its numbers.
        quiet: the share of them below a tenth of the largest.
    """

    model: str
    title: str
    sentence: str
    picture: Sealed
    shown_psnr: float
    psnr: float
    code: tuple[float, ...]
    quiet: float


@dataclass(frozen=True)
class Movement:
    """How much a model's code moves, in units of the usual distance between the codes of two items.

    Attributes:
        jacobian: Frobenius norm of d code / d pixels at the item, from `DIRECTIONS` random directions.
        shifted: distance of the code when the item is moved by each of `SHIFTS` pixels.
    """

    model: str
    title: str
    jacobian: float
    shifted: tuple[float, ...]


def kinds() -> list[Entry]:
    """The autoencoders that take the same items: those of the data set that most of them were trained on.

    Raises:
        StudioError: there is none.
    """
    found = [known for known in shelf.with_capability("autoencode") if known.latent]
    if not found:
        raise StudioError("No autoencoder is on the shelf yet: train one with python -m genlab train.")
    data = Counter(known.data for known in found).most_common(1)[0][0]
    return [known for known in found if known.data == data]


def title_of(known: Entry) -> str:
    """What is left of a name without family and data: the kind."""
    rest = known.name.removeprefix(f"{known.family}-").removeprefix(known.data).strip("-").replace("-", " ")
    return rest[:1].upper() + rest[1:] if rest else known.family.upper()


def sentence_of(known: Entry) -> str:
    """The first sentence of the model's own summary."""
    try:
        words = section((shelf.folder_of(known.name) / "about.md").read_text(encoding="utf-8"), "Summary")
    except OSError:
        words = ""
    return re.split(r"(?<=[.!?])\s", " ".join(words.split()), maxsplit=1)[0]


def item_of(source: str, *, number: object = 0, upload: bytes | None = None, invert: str = "auto"):
    """The item (c, h, w), uint8, that a comparison starts from, and its origin in words.

    Args:
        source: "example" takes one of those shipped, "upload" and "drawing" read a picture, "static" is grey noise.
        number: of the example, or the seed of the static.

    Raises:
        ValueError: one sentence about what was given and what is allowed.
    """
    known = kinds()[0]
    if source == "example":
        data = encode.examples_of(known)
        at = shelf.whole(number, "example's number", 0, len(data) - 1)
        return data.items[at], f"example {at}, {data.names[data.labels[at]]}"
    if source == "static":
        seed = whole_seed(number)
        return np.random.default_rng(seed).integers(0, 256, known.shape, dtype=np.uint8), f"static {seed}"
    if source in ("upload", "drawing"):
        item = uploads.as_item(upload or b"", known, "no" if source == "drawing" else invert)
        return item, f"{source} {hashlib.sha256(upload or b'').hexdigest()[:12]}"
    raise StudioError(f"Items come from {', '.join(SOURCES)}; {str(source)[:40]!r} was given.")


def compare(item: np.ndarray, origin: str, *, noise: str = "none", amount: object = 0.0, seed: object = 0):
    """What every kind makes of an item, a `Look` each.

    Args:
        noise: one of `NOISES`, put on before any model sees the item.
        amount: the deviation of Gaussian noise, or the share of pixels that the others change.
        seed: of the noise.

    Raises:
        ValueError: one sentence about what was given and what is allowed.
    """
    if noise not in NOISES:
        raise StudioError(f"Kinds of noise are {', '.join(NOISES)}; {str(noise)[:40]!r} was given.")
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 <= amount <= MOST_NOISE:
        raise StudioError(f"The amount of noise goes from 0 to {MOST_NOISE:g}; {str(amount)[:40]!r} was given.")
    seed, entries = whole_seed(seed), kinds()
    seen, backs, codes = _through([known.name for known in entries], item, noise, float(amount), seed)
    clean, media, found = item.astype(np.float64) / 255, [], []
    for known, back in zip(entries, backs, strict=True):
        error = np.abs(back - clean)
        panels = np.stack([np.clip(seen, 0, 1), back, error])
        sheet = pictures.grid((panels * 255).round().astype(np.uint8), 3, gap=1)
        inputs = {"from": origin, "form": "shown, brought back, error"}
        knobs = {"noise": noise, "amount": round(float(amount), 4)} if noise != "none" else {}
        claim = Claim(known.name, known.weights, "reconstruct", seed, inputs, knobs)
        media.append((Drawn(pictures.enlarge(sheet, 4), pictures.png), "image/png", claim))
        found.append((psnr(seen, clean), psnr(back, clean)))
    sealed = mark_all(media)
    return tuple(
        Look(known.name, title_of(known), sentence_of(known), picture, *told, tuple(code.tolist()), quiet(code))
        for known, picture, told, code in zip(entries, sealed, found, codes, strict=True)
    )


def quiet(code: np.ndarray) -> float:
    """The share of a code's numbers that are below a tenth of its largest."""
    size = np.abs(code)
    return float((size < QUIET * max(size.max(), 1e-12)).mean())


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB, 99 at most."""
    return float(min(99.0, -10 * np.log10(max(np.square(a - b).mean(), 1e-12))))


@gpu(15)
def _through(names: list[str], item: np.ndarray, noise: str, amount: float, seed: int):
    """What the models are shown (c, h, w), what each brings back, and its code."""
    import torch

    from genlab.models.corruption import corrupt
    from genlab.seeds import Seeds

    backs, codes = [], []
    seen = torch.from_numpy(item.astype(np.float32))[None] / 255
    if noise != "none":
        seen = corrupt(seen, noise, amount, seeds=Seeds([seed]))
    for name in names:
        model = shelf.model(name)
        shown = seen.to(next(model.parameters()).device)
        backs.append(model.reconstruct(shown)[0].double().cpu().numpy())
        codes.append(model.encode(shown)[0].float().cpu().numpy())
    return seen[0].double().numpy(), backs, codes


# ---- how much codes move

_usual: dict[str, float] = {}  # distance between the codes of two example items, by weights


def movements(item: np.ndarray) -> tuple[Movement, ...]:
    """How much every kind's code moves when the item does."""
    entries = kinds()
    data = encode.examples_of(entries[0])
    rows = np.random.default_rng(0).permutation(len(data))[:200]
    found = []
    for known in entries:
        if known.weights not in _usual:
            codes = encode.codes_of(known.name, data.items[rows]).astype(np.float64)
            _usual[known.weights] = float(np.sqrt(2 * codes.var(0).sum())) + 1e-9
        norm, moved = _moved(known.name, item)
        usual = _usual[known.weights]
        found.append(Movement(known.name, title_of(known), norm / usual, tuple((moved / usual).tolist())))
    return tuple(found)


@gpu(15)
def _moved(name: str, item: np.ndarray) -> tuple[float, np.ndarray]:
    """The Jacobian's norm at the item, and how far the code goes at each shift."""
    import torch

    from genlab.seeds import Seeds

    model = shelf.model(name)
    image = torch.from_numpy(item.astype(np.float32))[None].to(next(model.parameters()).device) / 255
    directions = Seeds.count_from(0, DIRECTIONS, image.device).randn(*image.shape[1:])
    ends = model.encode(torch.cat([image + STEP * directions, image - STEP * directions])).double()
    slopes = (ends[:DIRECTIONS] - ends[DIRECTIONS:]) / (2 * STEP)
    shifted = torch.cat([torch.cat([image[..., :1].expand(-1, -1, -1, s), image[..., :-s]], -1) for s in SHIFTS])
    codes = model.encode(torch.cat([image, shifted])).double()
    norm = float(slopes.square().sum(1).mean().sqrt())
    return norm, (codes[1:] - codes[0]).norm(dim=1).cpu().numpy()


# ---- what a network looks for


def filters(model: str) -> Sealed:
    """The weights of the first layer as pictures, largest first, light for positive and dark for negative, sealed.

    Raises:
        StudioError: no such autoencoder, or its first layer is no set of pictures.
    """
    known = shelf.require(model, "autoencode")
    weights = next(p for p in shelf.model(model).parameters() if p.ndim > 1).detach().float().cpu().numpy()
    if weights.ndim == 2 and weights.shape[1] == int(np.prod(known.shape)):
        weights = weights.reshape(-1, *known.shape)
    if weights.ndim != 4:
        raise StudioError(f"The first layer of {model} has no weights that could be looked at as pictures.")
    tiles = weights[:, :1]
    order = np.argsort(-np.abs(tiles).sum((1, 2, 3)), kind="stable")[:TILES]
    tiles = tiles[order] / np.abs(tiles[order]).max((1, 2, 3), keepdims=True).clip(1e-9)
    sheet = pictures.grid((127.5 + 127.5 * tiles).round().astype(np.uint8), 8, gap=1)
    large = pictures.enlarge(sheet, -(-440 // max(sheet.shape[1:])))
    claim = Claim(known.name, known.weights, "filters", 0, {}, {})
    return mark(Drawn(large, pictures.png), "image/png", claim)

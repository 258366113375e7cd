"""Edit what a model made here, as anybody could, and see which layers of evidence still know it."""

from __future__ import annotations

import io
from collections.abc import Generator
from dataclasses import dataclass, field, fields

import numpy as np

from audits.provenance import Claim, Layer, Sealed
from audits.provenance.containers import join_png, png_chunks
from audits.provenance.examine import examine
from audits.watermark import attacks
from genlab.studio import generate, ledger, marking, pictures, shelf
from genlab.studio.shelf import StudioError, whole
from genlab.studio.verify import Verified, detectors, verify

MOST = 16  # items under the whole battery
BOXES = ("upside_down", "mirrored", "screenshot", "metadata_gone")
NOTHING = "nothing but its metadata taken away"


def slider(low: float, high: float, neutral: float, help: str, step: float):
    """A field of `Edit` with its range, its step, and what it does in words."""
    return field(default=neutral, metadata={"low": low, "high": high, "step": step, "help": help})


@dataclass(frozen=True)
class Edit:
    """What is done to a picture, in this order; the defaults do nothing but take its metadata away.

    Raises:
        StudioError: a number that is none, or out of its range.
    """

    crop: float = slider(0.3, 1.0, 1.0, "share of each side that is kept, from the middle", 0.05)
    turn: float = slider(-45.0, 45.0, 0.0, "degrees anticlockwise, in its frame", 1.0)
    size: float = slider(0.3, 2.0, 1.0, "both sides times this", 0.05)
    blur: float = slider(0.0, 3.0, 0.0, "deviation of a Gaussian, in pixels", 0.25)
    noise: float = slider(0.0, 0.1, 0.0, "deviation, a share of the range", 0.01)
    brightness: float = slider(0.4, 1.6, 1.0, "times this", 0.1)
    contrast: float = slider(0.4, 1.6, 1.0, "times this", 0.1)
    colour: float = slider(0.0, 1.6, 1.0, "saturation times this; 0 is grey", 0.1)
    jpeg: float = slider(10, 100, 100, "quality that it is saved with; 100 leaves it out", 5)
    upside_down: bool = False
    mirrored: bool = False
    screenshot: bool = False
    metadata_gone: bool = True

    def __post_init__(self):
        for known in fields(self):
            value = getattr(self, known.name)
            if known.name in BOXES:
                if not isinstance(value, bool):
                    raise StudioError(f"{known.name} is yes or no; {str(value)[:40]!r} was given.")
                continue
            low, high = known.metadata["low"], known.metadata["high"]
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                given = str(value)[:40]
                raise StudioError(f"{known.name} is a number from {low:g} to {high:g}; {given!r} was given.")

    @property
    def words(self) -> str:
        """What is done, in words."""
        said = [f"{f.name} {getattr(self, f.name):g}" for f in fields(self) if f.name not in BOXES and self._set(f)]
        said += [name.replace("_", " ") for name in BOXES[:-1] if getattr(self, name)]
        if not self.metadata_gone:
            return ", ".join(said) + ", metadata kept" if said else "nothing at all"
        return ", ".join(said) or NOTHING

    def _set(self, known) -> bool:
        return getattr(self, known.name) != known.default

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels (h, w, 3) uint8 after every edit."""
        steps = {
            "crop": attacks.crop, "turn": attacks.turn, "size": attacks.scale, "blur": attacks.blur,
            "noise": attacks.add_noise,
            "brightness": lambda p, by: attacks.enhance(p, "Brightness", by),
            "contrast": lambda p, by: attacks.enhance(p, "Contrast", by),
            "colour": lambda p, by: attacks.enhance(p, "Color", by),
        }  # fmt: skip
        pixels = pixels[::-1] if self.upside_down else pixels
        pixels = np.ascontiguousarray(pixels[:, ::-1] if self.mirrored else pixels)
        for known in fields(self):
            if known.name in steps and self._set(known):
                pixels = steps[known.name](pixels, getattr(self, known.name))
        if self.screenshot:
            pixels = attacks.ATTACKS["screenshot"](pixels)
        return attacks.compress(pixels, "JPEG", round(self.jpeg)) if self.jpeg < 100 else pixels


@dataclass(frozen=True)
class Attacked:
    """One edited picture and what still knows it.

    Attributes:
        before: the item as it was given out.
        shown: the edited picture, sealed again so that it leaves with a claim (action "edit"); the evidence is of the
            picture without that seal.
        sentence: the verdict in plain words.
        known: whether the verdict names the item.
        layers: the evidence of every layer.
        by_look: what the ledger says of the picture's look where no mark is read: "looks like", "absent"...
    """

    before: Sealed
    shown: Sealed
    sentence: str
    known: bool
    layers: tuple[Layer, ...]
    by_look: str


def attack(model: str, *, seed: object = 0, edit: Edit | None = None) -> Attacked:
    """Draw an item, give it out as the app does, edit it, and look at it as a stranger's file.

    Raises:
        ValueError: one sentence about what was given and what is allowed.
    """
    edit = edit or Edit()
    made = generate.generate(model, seed=seed, count=1).pictures[0]
    before, grey = _pixels(made.media)
    pixels = edit.apply(before)
    media = _png(pixels, grey)
    if not edit.metadata_gone:
        media = _with_manifest(media, made.media)
    known = ledger.ledger()
    found = examine(media, key=marking.key(), ledger=known, detectors=detectors())
    bare = examine(_png(pixels, grey), key=marking.key(), ledger=known)
    claim = made.claim
    shown = marking.exhibit(
        _png(pixels, grey), "image/png",
        Claim(claim.model, claim.weights, "edit", claim.seed, claim.inputs | {"edit": edit.words}, claim.knobs),
    )  # fmt: skip
    named = found.verdict.verdict in ("made here", "altered") and found.verdict.claim == claim
    return Attacked(made, shown, found.sentence, named, found.verdict.layers, bare.verdict.layers[-1].state)


def example() -> tuple[str, Verified]:
    """An item of the shelf's largest pictures, edited as people do, and what Verify says of it.

    Returns:
        What it is, in a sentence, and the verdict.
    """
    known = max(shelf.generators(), key=lambda entry: entry.shape[-1])
    made = generate.generate(known.name, seed=42, count=1).pictures[0]
    pixels, grey = _pixels(made.media)
    edit = Edit(crop=0.8, mirrored=True, jpeg=70)
    words = (
        f"An example, until you give a file of your own: {known.name}, seed 42, mirrored, cut to 80 % of each side "
        "and saved with a JPEG's quality of 70; its metadata is gone."
    )
    return words, verify(_png(edit.apply(pixels), grey))


@dataclass(frozen=True)
class Row:
    """One edit of the battery: of `n` items, how many each layer knows, and the verdict; `noise` is None for models
    whose pictures start from no noise that has signs."""

    edit: str
    n: int
    manifest: int
    mark: int
    noise: int | None
    look: int
    verdict: int


def battery(
    model: str, *, count: object = 4, seed: object = 0
) -> Generator[tuple[int, int, str], None, tuple[Row, ...]]:
    """Every edit of `attacks.ATTACKS`, and the loss of metadata alone, on items of a model.

    Yields:
        (edits done, edits in all, the one at work).

    Returns:
        A row an edit.

    Raises:
        ValueError: one sentence about what was given and what is allowed.
    """
    items = generate.generate(model, seed=seed, count=whole(count, "number of items", 1, MOST)).pictures
    before = [_pixels(item.media) for item in items]
    signed = "noise" in items[0].claim.inputs
    edits = {"metadata removed": lambda pixels: pixels} | attacks.ATTACKS
    rows = []
    for name, change in edits.items():
        yield len(rows), len(edits), name
        hits = np.zeros(5, int)
        for item, (pixels, grey) in zip(items, before, strict=True):
            media = _png(change(pixels), grey)
            found = examine(media, key=marking.key(), ledger=ledger.ledger(), detectors=detectors())
            look = found
            if found.verdict.layers[-1].state in ("named", "unlike"):
                look = examine(media, key=marking.key(), ledger=ledger.ledger())
            states = {layer.layer: layer.state for layer in found.verdict.layers}
            seen = look.verdict.layers[-1].state in ("this content", "looks like") and look.verdict.claim == item.claim
            known = found.verdict.verdict in ("made here", "altered") and found.verdict.claim == item.claim
            marks = [states.get(layer) == "found" for layer in ("pixel mark", "noise mark")]
            hits += [states["manifest"] == "valid", *marks, seen, known]
        manifest, mark, noise, look, verdict = hits.tolist()
        rows.append(Row(name, len(items), manifest, mark, noise if signed else None, look, verdict))
    return tuple(rows)


def _pixels(media: bytes) -> tuple[np.ndarray, bool]:
    """RGB pixels (h, w, 3), and whether the picture is grey."""
    from PIL import Image

    with Image.open(io.BytesIO(media)) as image:
        return np.asarray(image.convert("RGB")), image.mode == "L"


def _png(pixels: np.ndarray, grey: bool) -> bytes:
    return pictures.png(pixels.transpose(2, 0, 1)[: 1 if grey else 3])


def _with_manifest(media: bytes, source: bytes) -> bytes:
    """The PNG with the manifest of another, as an editor leaves it that keeps metadata."""
    head, *rest = png_chunks(media)
    kept = {kind for kind, _ in (head, *rest)}
    return join_png([head, *[chunk for chunk in png_chunks(source) if chunk[0] not in kept], *rest])

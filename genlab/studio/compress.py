"""Pictures to `.glz` files and back.

A visitor's own picture comes back as it was, unmarked. Where a picture was made here, the file keeps its claim, signed
anew for the pixels that will come out; what is decoded is sealed again only where that signature holds.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from audits.provenance import Claim, ClaimError, Sealed, content_digest
from audits.provenance import verify as verify_manifest
from audits.provenance.statement import Statement, parsed
from genlab.codec import archive, classical, pixels
from genlab.codec.lossless import Learned, kind_of
from genlab.studio import marking, shelf
from genlab.studio.shelf import StudioError

PNG = "image/png"
LOSSY = ("compress", "compress-items")  # capabilities
QUALITIES = (1.0, 100.0)
SMALL = 256 * 256  # pixels up to which a likelihood may exist for pictures of a size
VISITOR = archive.Limits(pictures=512, pixels=24_000_000, learned=128)  # of one file; models take a second for ten


@dataclass(frozen=True)
class Compressed:
    """A file, and how its pictures were coded.

    Attributes:
        file: the `.glz`.
        coders: how each was coded, in words.
        items: the pictures that went in, uint8 (h, w, c).
        back: what comes out of the file; the same where nothing is lost.
    """

    file: bytes
    names: tuple[str, ...]
    coders: tuple[str, ...]
    items: tuple[np.ndarray, ...]
    back: tuple[np.ndarray, ...]

    @property
    def pixels(self) -> int:
        return sum(item.shape[0] * item.shape[1] for item in self.items)

    @property
    def bits_per_pixel(self) -> float:
        return 8 * len(self.file) / self.pixels


@dataclass(frozen=True)
class Returned:
    """One picture that came out: sealed where its claim held, else a plain PNG of somebody's own."""

    name: str
    item: np.ndarray
    media: bytes
    sealed: Sealed | None
    coder: str
    note: str


def compress(
    names: Sequence[str],
    media: Sequence[bytes],
    *,
    model: str | None = None,
    quality: object = None,
    limits: archive.Limits = VISITOR,
    progress: Callable[[], None] | None = None,
) -> Compressed:
    """One file of some picture files; without `quality` every pixel comes back.

    Args:
        model: a model of the shelf that shall code (None: whichever makes the file smaller).
        quality: from 0 to 100, for the lossy codecs of the shelf.
        limits: of pictures, and of the pixels of each.
        progress: called twice for every picture and model.

    Raises:
        ValueError: one sentence.
    """
    if not names or len(names) != len(media):
        raise StudioError("No picture was given: choose one or more files.")
    if len(names) > limits.pictures:
        raise StudioError(f"{len(names):,} pictures were given; {limits.pictures:,} are allowed here.")
    items = []
    for name, content in zip(names, media, strict=True):
        try:
            items.append(pixels.pixels_of(content, most=limits.pixels))
        except ValueError as error:
            raise StudioError(f"{name[:60]}: {error}" if len(names) > 1 else str(error)) from None
    wanted = _quality(quality)
    models = _models(model, items, wanted) if model or len(items) <= limits.learned else []
    back: list[np.ndarray] = []

    def claims(shown: Sequence[np.ndarray]) -> list[bytes]:
        back.extend(shown)
        return [_restated(file, item, wanted) for file, item in zip(media, shown, strict=True)]

    file = archive.encode(names, items, models=models, quality=wanted, claims=claims, progress=progress)
    held = archive.read(file)
    coders = tuple(archive.words(stream) for stream in held.streams for _ in stream.shapes)
    return Compressed(file, held.names, coders, tuple(items), tuple(back))


def decompress(
    file: bytes, *, limits: archive.Limits = VISITOR, progress: Callable[[], None] | None = None
) -> list[Returned]:
    """The pictures of a `.glz` file as PNGs.

    Raises:
        ValueError: the file is damaged, or needs a model or weights that are not here; one sentence.
    """
    held = archive.decode(file, load, limits=limits, progress=progress)
    note = "" if held.exact else "Single grey levels may differ from what the encoder saw on another machine."
    found = []
    for name, item, claim, coder in zip(held.names, held.items, held.claims, held.coders, strict=True):
        png = classical.png(item)
        sealed, why = _sealed(png, claim)
        found.append(Returned(name, item, sealed.media if sealed else png, sealed, coder, why or note))
    return found


# ---- models


def load(name: str) -> Learned:
    """A model of the shelf as files name it.

    Raises:
        StudioError: it is not here.
    """
    if name not in shelf.names():
        raise StudioError(f"The file needs the model {name[:60]!r}, which is not here: get its folder.")
    return Learned(name, shelf.entry(name).weights, shelf.model(name))


def codecs() -> list[shelf.Entry]:
    """Models that code with a loss: one picture of any size, or many items of one."""
    able = [known for capability in LOSSY for known in shelf.with_capability(capability)]
    return list({known.name: known for known in able}.values())


def _quality(quality: object) -> float | None:
    if quality is None:
        return None
    low, high = QUALITIES
    number = isinstance(quality, int | float) and not isinstance(quality, bool)
    if not number or not low <= quality <= high:
        raise StudioError(f"The quality is a number from {low:g} to {high:g}; {str(quality)[:40]!r} was given.")
    return float(quality)


def _models(name: str | None, items: Sequence[np.ndarray], quality: float | None) -> list[Learned]:
    """Who may code: the model asked for, or all that can."""
    if quality is not None:
        able = [known.name for known in codecs()]
        if not able:
            raise StudioError("No model on the shelf codes with a loss yet: leave the quality out.")
        if name and name not in able:
            raise StudioError(f"Models that code with a loss are {', '.join(able)}; {name[:60]!r} was given.")
        return [load(each) for each in ([name] if name else able)]
    if name:
        shelf.folder_of(name)
        learned = load(name)
        if kind_of(learned.model) is None:
            raise StudioError(f"{name} codes nothing without loss: only a likelihood of 8-bit values can.")
        return [learned]
    shapes = {item.shape for item in items if item.shape[0] * item.shape[1] <= SMALL}
    return [learned for learned in map(load, _of_shapes(shapes)) if kind_of(learned.model)] if shapes else []


def _of_shapes(shapes: set[tuple[int, ...]]) -> list[str]:
    """Models whose recipes promise a likelihood of pictures (h, w, c) of these shapes; none is loaded for that."""
    from genlab.models import FAMILIES

    found = []
    for name in shelf.names():
        recipe = shelf.config_of(name).get("recipe", {})
        family = FAMILIES.get(recipe.get("family"))
        if family is None or not hasattr(family, "log_prob"):
            continue
        usual = inspect.signature(family).parameters["shape"].default
        channels, height, width = recipe["model"].get("shape", usual)
        if (height, width, channels) in shapes:
            found.append(name)
    return found


# ---- claims


def _restated(media: bytes, item: np.ndarray, quality: float | None) -> bytes:
    """The claim of a file that was made here, signed for the pixels that will come out; b"" for anybody's own."""
    verdict = verify_manifest(media, key=marking.key())
    if verdict.verdict != "made here" or verdict.claim is None:
        return b""
    claim = verdict.claim
    if quality is not None:
        inputs = {**claim.inputs, "made by": claim.action}
        claim = Claim(claim.model, claim.weights, "compress", claim.seed, inputs, {**claim.knobs, "quality": quality})
    return Statement(claim, PNG, content_digest(classical.png(item))).signed(marking.key())


def _sealed(png: bytes, claim: bytes) -> tuple[Sealed | None, str]:
    """The PNG with its seal where a claim of it holds, else None and why not."""
    if not claim:
        return None, ""
    try:
        said = parsed(claim)
    except ClaimError:
        return None, "The claim in the file cannot be read, so the picture is not sealed."
    key = marking.key()
    if said.key != key.id or not said.is_signed_by(key):
        return None, "The claim in the file was not signed here, so the picture is not sealed."
    if said.media_type != PNG or said.digest != content_digest(png):
        return None, "The claim in the file is of other pixels, so the picture is not sealed."
    return marking.mark(png, PNG, said.claim), ""

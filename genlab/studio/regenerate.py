"""Make a file again from the claim inside it, and compare."""

import numpy as np

from audits.provenance import Claim, Sealed, content_digest, pixel_marks, read_claim, verify
from genlab.studio import (
    complete,
    fitted_steps,
    generate,
    generate_hub,
    hub_text,
    kinds,
    marking,
    mitigate,
    shelf,
    uploads,
    vary,
    walk,
    write,
)
from genlab.studio.decode import decode
from genlab.studio.encode import Encoded, parsed
from genlab.studio.noise_marks import key_named
from genlab.studio.shelf import Entry, StudioError

TOLERANCE = 1  # of 255: what another machine or version may differ by
MARKED = 3  # the same after the mark, whose strength follows the pixels
OTHER_MARK = 33.0  # decibels: PSNR of one picture under the marks of two keys


def regenerate(media: bytes) -> Sealed:
    """The file that the claim inside `media` describes, made again.

    Raises:
        ValueError: one sentence: there is no claim, the model is unknown or has other weights now, or the
            pixels are not those that the claim's settings give.
    """
    if not isinstance(media, bytes) or not media:
        raise StudioError("No file was uploaded: choose one that was made here.")
    claim = read_claim(media)
    if claim is None:
        raise StudioError("This file carries no claim: it was not made here, or its claim was removed.")
    again = make_again(claim)
    _compare(media, again, fitted="fitted" in claim.inputs)
    return again


def make_again(claim: Claim) -> Sealed:
    """What a claim describes, made again; there is nothing to compare it with.

    Raises:
        ValueError: as `repeatable`.
    """
    known = repeatable(claim)
    if known is None and "length" in claim.knobs:
        return write.again(hub_text.opened(f"{claim.model}@{claim.weights}", "write")[0], claim)
    if known is None:
        return generate_hub.remade(claim)
    return ACTIONS[claim.action](known, claim)


def repeatable(claim: Claim) -> Entry | None:
    """The model that can make what a claim describes; None for a pipeline of the Hub, which nothing asks for yet.

    Raises:
        StudioError: the action cannot be repeated, the model is not on this shelf or has other weights or other fitted
            steps, or its noise had signs of a key that is not known here.
    """
    if claim.action not in ACTIONS:
        raise StudioError(f"This file was made by {claim.action[:40]!r}, which cannot be repeated here.")
    if generate_hub.is_hub(claim.model):
        generate_hub.check_repeatable(claim)
        return None
    if claim.model not in shelf.names():
        raise StudioError(f"The file's claim names the model {claim.model[:60]!r}, which is not on this shelf.")
    known = shelf.entry(claim.model)
    if claim.weights != known.weights:
        raise StudioError(
            f"The file was made with other weights of {known.name} ({claim.weights[:12]!r} and not "
            f"{known.weights[:12]!r}), so it cannot be made again here."
        )
    key_named(claim.inputs.get("noise", ""))
    fitted_steps.check(known, claim)
    return known


def _generated(known: Entry, claim: Claim) -> Sealed:
    if "method" in claim.inputs:
        return mitigate.remade(claim)
    if "write" in known.capabilities:
        return write.again(known, claim)
    count, noise = claim.inputs.get("sheet"), claim.inputs.get("noise", "")
    if count is None:
        return generate.generate(
            known.name, label=claim.inputs.get("label"), seed=claim.seed, count=1, knobs=claim.knobs, noise=noise
        ).pictures[0]
    size, offset = (_whole(claim.inputs.get(key, "0"), key) for key in ("sheet", "offset"))
    made = generate.generate(
        known.name,
        label=claim.inputs.get("label"),
        seed=claim.seed - offset,
        count=size,
        knobs=claim.knobs,
        offset=offset,
        noise=noise,
    )
    return made.sheet


def _decoded(known: Entry, claim: Claim) -> Sealed:
    return decode(known.name, parsed(claim.knobs.get("code")), origin=claim.inputs.get("from", ""))


def _walked(known: Entry, claim: Claim) -> Sealed:
    start = Encoded(tuple(parsed(claim.knobs.get("start"))), claim.inputs.get("from", ""))
    end = Encoded(tuple(parsed(claim.knobs.get("end"))), claim.inputs.get("to", ""))
    form = claim.inputs.get("form")
    if form not in walk.FORMS:
        raise StudioError(f"The claim's form is one of {', '.join(walk.FORMS)}; {str(form)[:40]!r} was given.")
    made = walk.walk(known.name, start, end, frames=claim.knobs.get("frames"), path=str(claim.knobs.get("path")))
    return getattr(made, form)


def _reconstructed(known: Entry, claim: Claim) -> Sealed:
    source, _, rest = claim.inputs.get("from", "").partition(" ")
    if source not in ("example", "static"):
        raise StudioError("This was made from a picture that was given by somebody, which is not kept here.")
    item, origin = kinds.item_of(source, number=_whole(rest.partition(",")[0], "item"))
    knobs = {"noise": str(claim.knobs.get("noise", "none")), "amount": claim.knobs.get("amount", 0.0)}
    found = {look.model: look.picture for look in kinds.compare(item, origin, **knobs, seed=claim.seed)}
    if known.name not in found:
        raise StudioError(f"{known.name} is no longer among the autoencoders that are compared here.")
    return found[known.name]


def _completed(known: Entry, claim: Claim) -> Sealed:
    told = {"region": claim.inputs.get("erased"), "kept": _share(claim.inputs.get("kept", ""), "share that stays")}
    return complete.complete(known.name, *_example(known, claim), **told, **_one(claim)).items[0]


def _varied(known: Entry, claim: Claim) -> Sealed:
    share = _share(claim.inputs.get("change", ""), "change")
    return vary.vary(known.name, *_example(known, claim), change=share, **_one(claim)).items[0]


def _one(claim: Claim) -> dict:
    return {"label": claim.inputs.get("label"), "seed": claim.seed, "count": 1, "knobs": claim.knobs}


def _example(known: Entry, claim: Claim) -> tuple[np.ndarray, str]:
    """The example item that something was made from, and its name."""
    source, _, rest = claim.inputs.get("from", "").partition(" ")
    if source != "example":
        raise StudioError("This was made from a picture that was given by somebody, which is not kept here.")
    return complete.item_of(known.name, source, number=_whole(rest.partition(",")[0], "item"))


ACTIONS = {
    "generate": _generated,
    "decode": _decoded,
    "walk": _walked,
    "reconstruct": _reconstructed,
    "complete": _completed,
    "vary": _varied,
}


def _share(text: str, what: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise StudioError(f"The claim's {what} is no number.") from None


def _whole(text: str, what: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise StudioError(f"The claim's {what} is not a whole number.")
    return int(text)


def _compare(media: bytes, again: Sealed, *, fitted: bool) -> None:
    """Raise StudioError where a PNG's pixels differ by more than machines do; other files, where any byte does.

    What was `fitted` before it was drawn may come out differently on another machine, and the sentence says so.
    """
    if content_digest(media) == content_digest(again.media):
        return
    if again.media_type != "image/png":
        raise StudioError("The file's content is not what its claim's settings give here: it was changed since.")
    given = np.asarray(uploads.open_picture(media), np.int16)
    made = np.asarray(uploads.open_picture(again.media), np.int16)
    if given.shape != made.shape:
        raise StudioError("The picture's size is not what its claim's settings give: it was changed since.")
    largest = int(np.abs(given - made).max())
    if _of_another_key(media) and np.mean((given - made) ** 2.0) <= 255**2 / 10 ** (OTHER_MARK / 10):
        return
    if largest > (MARKED if pixel_marks.fits(*made.shape[:2]) else TOLERANCE):
        raise StudioError(
            f"The pixels are not those that the claim's settings give (largest difference {largest} of 255): "
            "the picture was changed since, or its claim was"
            + (", or the method was fitted on another kind of machine." if fitted else ".")
        )


def _of_another_key(media: bytes) -> bool:
    """Whether the file comes from another installation, so that its pixels carry another mark."""
    return verify(media, key=marking.key()).verdict == "no evidence"


def describe(claim: Claim) -> str:
    """A claim in one line of words, for captions."""
    parts = [claim.model, claim.action]
    if claim.action == "generate":
        parts += [f"seed {claim.seed}", claim.inputs.get("label", "")]
    else:
        parts += [claim.inputs.get("from", ""), claim.inputs.get("to", "")]
    return ", ".join(part for part in parts if part)

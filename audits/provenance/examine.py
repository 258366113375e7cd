"""The combined verdict on any file: its manifest, any watermark, and the ledger, in one sentence and layer by layer.

A watermark alone never proves origin, since a mark can be copied, and a likeness proves none either: "made here" needs
our signature over this content, this very file or content in the ledger, or a mark that names an entry of the ledger
whose picture this one shows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audits.provenance import content, looks, sealing
from audits.provenance.claim import Claim
from audits.provenance.containers import MediaError, media_type_of
from audits.provenance.crops import fitted, whole_slopes
from audits.provenance.keys import Key
from audits.provenance.ledger import Entry, Ledger, LedgerProblem
from audits.provenance.looks import Look
from audits.provenance.perceptual import VIEWS
from audits.provenance.sealing import Layer, Verdict

if TYPE_CHECKING:
    from audits.watermark.image import View

RADIUS = 40  # bits of 256 within which two pictures may be one: unrelated ones differ in about 128
ALIKE = 0.99  # correlation with the thumbnail from which on two pictures may be one
SAME = 0.9945  # and of their slopes: drawings by one hand reach .993, a JPEG of quality 30 keeps .995
PART = 0.97  # the same for a cut-out and a part of a thumbnail
SLOPES = 0.95  # and of their slopes, where it is a cut-out indeed and not the whole
WHOLE = 0.93  # of a side: more is taken for the whole
SHOWN = 0.85  # correlation with the thumbnail of the entry that a mark names
CHANCE = 1e-6  # that any detector here takes an unmarked file for a marked one
SHORT = 64  # bytes: a text any shorter may well be written twice


@dataclass(frozen=True)
class Detection:
    """What a detector of one kind of watermark found.

    Attributes:
        layer: its name in the verdict, such as "watermark" or "learned watermark".
        p_value: of an unmarked file, everything that the detector tried counted.
        detail: one sentence.
        payload: what the mark says, None where that cannot be read.
        view: how the picture lies against the one that was marked, None where that is not known.
    """

    layer: str
    p_value: float
    detail: str
    payload: int | None = None
    view: View | None = None


Detector = Callable[[np.ndarray], Detection | None]
"""Pixels (h, w) or (h, w, 3) uint8 to what was found, None where the detector cannot work on them. One per mark."""


@dataclass(frozen=True)
class Examined:
    """A verdict with everything it rests on.

    Attributes:
        sentence: the verdict in plain words.
        verdict: as `audits verify` prints it; its claim is the one that the sentence is about.
        entry: the ledger's entry that the file is, or looks like.
        changes: what was done to the file since, as far as it can be told.
    """

    sentence: str
    verdict: Verdict
    entry: Entry | None = None
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Found:
    """What the ledger knows: state "this file", "this content", "named" (by a mark, and it shows the same), "unlike"
    (named, and it shows something else), "looks like", "absent", "plain", "off", "unusable"."""

    layer: Layer
    entry: Entry | None = None
    view: str = ""
    done: tuple[str, ...] = ()  # what was done to the picture, as far as view and mark tell

    @property
    def state(self) -> str:
        return self.layer.state


def examine(
    media: bytes,
    *,
    key: Key | bytes | None = None,
    sidecar: bytes | None = None,
    ledger: Ledger | LedgerProblem | None = None,
    detectors: Sequence[Detector] = (),
) -> Examined:
    """Everything that can be said about where `media` comes from. Never raises on hostile bytes.

    Args:
        key: whose manifests count as ours.
        sidecar: the signed claim beside a text.
        ledger: None where there is none to ask; one that could not be opened, or fails now, is told in its layer.
        detectors: one for each mark that is looked for.
    """
    manifest = sealing.verify(media, key=key, sidecar=sidecar)
    layers = list(manifest.layers)
    seen, unreadable = _look(media)
    marks = [d for d in (detect(seen.pixels) for detect in detectors) if d is not None] if seen else []
    found_marks = [d for d in marks if d.p_value * len(detectors) <= CHANCE]
    layers += [Layer(d.layer, d.p_value, "found" if d in found_marks else "absent", d.detail) for d in marks]
    known = _known(media, seen, ledger, manifest.claim, found_marks)
    layers.append(known.layer)
    stripped = manifest.layers[0].state == "absent"
    changes = _changes(media, seen, known, stripped) if known.state in ("looks like", "named") else ()
    word, sentence = _combined(manifest, bool(found_marks), known, changes, unreadable)
    claim = known.entry.claim if known.entry and manifest.layers[0].state != "valid" else manifest.claim
    return Examined(sentence, Verdict(word, claim, tuple(layers)), known.entry, changes)


def _look(media: bytes) -> tuple[Look | None, str]:
    """The picture's look, or why it cannot be had."""
    try:
        content.check_size(media)
        return looks.look(media, media_type_of(media)), ""
    except MediaError as error:
        return None, str(error)


def _known(
    media: bytes,
    seen: Look | None,
    ledger: Ledger | LedgerProblem | None,
    claim: Claim | None,
    marks: Sequence[Detection],
) -> _Found:
    """What the ledger knows of this file, of its content, of what its mark names, or of a picture like it."""
    if ledger is None:
        return _found("off", "There is no ledger here to ask.")
    if isinstance(ledger, LedgerProblem):
        return _found("unusable", str(ledger))
    if not isinstance(media, bytes) or not media:
        return _found("absent", "There is nothing to look up.")
    try:
        same = ledger.by_sha256(hashlib.sha256(media).hexdigest())
        if same and (same.media_type in content.CARRIERS or _telling(media, seen)):  # a text is not changed by a seal
            return _found("this file", f"Entry {same.id} of {same.made} is this very file, byte for byte.", same)
        equal = _equal(media, ledger, claim)
        if equal and _telling(media, seen):
            what = "pixels" if equal.media_type == "image/png" else "content"
            detail = f"Entry {equal.id} of {equal.made} has the same {what}; other bytes of the file are not the same."
            return _found("this content", detail, equal)
        if seen is None:
            return _found("absent", "No entry is this file, and only pictures are looked up by what they show.")
        named = _named(seen, ledger, marks)
        if named is not None:
            return named
        if seen.plain:
            return _found("plain", "No entry is this file, and the picture is too plain to be told from others.")
        return _alike(seen, ledger)
    except LedgerProblem as error:
        return _found("unusable", str(error))


def _found(state: str, detail: str, entry: Entry | None = None, view: str = "") -> _Found:
    return _Found(Layer("ledger", None, state, detail), entry, view)


def _equal(media: bytes, ledger: Ledger, claim: Claim | None) -> Entry | None:
    """An entry with the same content, rather one with the claim that the file makes."""
    try:
        entries = ledger.by_content(content.content_digest(media))
    except MediaError:
        return None
    return next((e for e in entries if e.claim == claim), entries[0] if entries else None)


def _telling(media: bytes, seen: Look | None) -> bool:
    """Whether equal content is no coincidence: not a plain picture, not a short text."""
    return not seen.plain if seen else len(media) >= SHORT


def _named(seen: Look, ledger: Ledger, marks: Sequence[Detection]) -> _Found | None:
    """The entry that a mark in the picture names, compared with what the picture shows; None where none is named."""
    best, most = None, -2.0
    if any(mark.payload is not None for mark in marks):
        from audits.provenance.placing import placed, words  # scipy is slow to load
    for mark in marks:
        for entry in ledger.by_payload(mark.payload) if mark.payload is not None else ():
            if entry.thumbnail is None:
                laid, alike = None, -1.0
            else:
                laid = placed(seen.pixels, mark.view, looks.decoded(entry.thumbnail, "image/jpeg"),
                              (entry.width, entry.height))  # fmt: skip
                alike = laid.likeness
            if alike > most:
                best, most = (entry, mark.view, laid), alike
    if best is None:
        return None
    entry, view, laid = best
    start = f"Entry {entry.id} of {entry.made} is the one that the mark names"
    if laid is None:
        near = next((n for n in ledger.near(seen.print, RADIUS) if n.entry.id == entry.id), None)
        if near is not None and not seen.plain:
            return _found("named", f"{start}, and {near.distance} of 256 bits of its look differ.", entry, near.view)
        return _found("unlike", f"{start}; no picture of it is kept that could be compared.", entry)
    if most < SHOWN:
        return _found("unlike", f"{start}, and it shows something else (correlation {most:.2f}).", entry)
    done = tuple(words(laid, view, (entry.width, entry.height), seen.size))
    layer = Layer("ledger", None, "named", f"{start}, and it shows the same (correlation {most:.2f}).")
    return _Found(layer, entry, "", done)


def _alike(seen: Look, ledger: Ledger) -> _Found:
    """The entry that the picture looks most like, confirmed by its thumbnail where there is one."""
    best, most = None, -1.0
    for near in ledger.near(seen.print, RADIUS):
        if near.entry.thumbnail is None:
            continue  # hashes of two drawings by one hand may differ in two bits only
        alike = looks.likeness(seen.pixels, near.entry.thumbnail, near.view)
        if alike >= ALIKE and alike > most:
            thumb = looks.decoded(near.entry.thumbnail, "image/jpeg")
            if whole_slopes(looks.turned(seen.pixels, near.view), thumb) >= SAME:
                best, most = near, alike
    if best is None:
        return _part_of(seen, ledger)
    detail = f"Entry {best.entry.id} of {best.entry.made} looks the same: {best.distance} of 256 bits differ."
    return _found("looks like", detail, best.entry, best.view)


def _part_of(seen: Look, ledger: Ledger) -> _Found:
    """The entry that the picture is cut out of, confirmed by its thumbnail."""
    best, most, place = None, PART, None
    for part in ledger.parts(seen.pixels):
        if part.entry.thumbnail is not None:
            whole = looks.decoded(part.entry.thumbnail, "image/jpeg")
            fit = fitted(seen.pixels, whole, part.place)
            if fit.luma >= most and fit.slopes >= (SAME if fit.place.side > WHOLE else SLOPES):
                best, most, place = part.entry, fit.luma, fit.place
    if best is None:
        return _found("absent", "No entry is this file, and none looks like it, or has it as a part.")
    share = place.side * max(seen.size) / min(seen.size) * place.side * min(best.width, best.height)
    share = min(1.0, share / max(best.width, best.height))
    detail = f"Entry {best.id} of {best.made} has a part that looks the same: about {share:.0%} of it."
    return _found("looks like", detail, best, f"cut to about {share:.0%} of its area")


def _changes(media: bytes, seen: Look, known: _Found, stripped: bool) -> tuple[str, ...]:
    """What was done to the picture since it was made, as far as entry and picture tell."""
    entry, changes = known.entry, list(known.done)
    if known.view not in ("", "as it is"):
        changes.append(known.view)
    now = media_type_of(media)
    if now != entry.media_type:
        changes.append(f"saved as {now.partition('/')[2].upper()}")
    size = seen.size if known.view in ("as it is", "mirrored", "upside down", "turned by 180°") else seen.size[::-1]
    if known.view in VIEWS and entry.width and size != (entry.width, entry.height):
        changes.append(f"resized from {entry.width} x {entry.height} to {size[0]} x {size[1]}")
    return (*changes, "its manifest is gone") if stripped else tuple(changes)


def _combined(
    manifest: Verdict, marked: bool, known: _Found, changes: tuple[str, ...], unreadable: str
) -> tuple[str, str]:
    """(verdict, sentence) of all layers together."""
    first = manifest.layers[0]
    entry = known.entry
    maker = words_of(entry.claim if entry else manifest.claim) if (entry or manifest.claim) else ""
    if first.state == "valid":
        rest = {
            "this file": "this is the very file that was given out",
            "this content": "some bytes beside the content are not those that were given out",
        }.get(known.state, "its signature fits the content")
        return "made here", f"Made here by {words_of(manifest.claim)}; {rest}."
    if known.state == "this file":
        return "made here", f"Made here by {maker}: the ledger holds this very file."
    if manifest.verdict == "altered" and manifest.claim is not None:
        claimed = words_of(manifest.claim)
        if known.state in ("named", "looks like", "this content") and entry.claim == manifest.claim:
            return "altered", f"Made here by {claimed}; edited since{': ' * bool(changes)}{', '.join(changes)}."
        return "altered", f"Says that {claimed} made it here, and that was signed for other content than this."
    if known.state == "this content":
        gone = "its manifest was removed" if first.state == "absent" else f"its manifest does not hold ({first.state})"
        return "made here", f"Made here by {maker}: the content is what was given out; {gone}."
    if known.state == "named" or (known.state == "looks like" and marked):
        return "altered", f"Made here by {maker}; edited since{': ' * bool(changes)}{', '.join(changes)}."
    if known.state == "unlike":
        return "altered", f"Carries the mark of an item made here by {maker}, {_unlike(known)}: a mark can be copied."
    if known.state == "looks like":
        rest = "nothing in the file itself says so" if first.state == "absent" else f"its manifest is {first.state}"
        done = f" ({', '.join(changes)})" if changes else ""
        if entry.payload is not None:
            rest += ", and the mark that was in its pixels is not in these"
        return "altered", f"Looks like an item made here by {maker}{done}; {rest}: it may be another picture."
    if marked:
        rest = "" if first.state == "absent" else f" (its manifest: {first.state})"
        return (
            "altered",
            f"Carries this lab's watermark, and nothing else here vouches for it{rest}: a mark can be copied.",
        )
    if manifest.verdict == "altered":
        return "altered", f"The evidence contradicts itself: {_lowered(first.detail)}"
    if manifest.verdict == "unreadable":
        return "unreadable", f"This file cannot be read: {_lowered(first.detail)}"
    if unreadable:
        return "unreadable", f"This file cannot be read: {_lowered(unreadable)}"
    if first.state == "absent":
        return "no evidence", "No mark of this lab found; that does not prove it is real."
    return "no evidence", f"No mark of this lab found: {_lowered(first.detail)}"


def _unlike(known: _Found) -> str:
    return "and no picture of it is kept" if known.entry.thumbnail is None else "and shows something else"


def words_of(claim: Claim) -> str:
    """Who made an item and how, in a few words: gan-fashion, seed 7."""
    parts = [_short(claim.model)]
    if claim.action != "generate":
        parts.append(_short(claim.action))
    if claim.action == "generate" or claim.seed:
        parts.append(f"seed {claim.seed}")
    return ", ".join(parts)


def _short(text: str) -> str:
    """A stranger's text as printable words of bounded length."""
    return "".join(c if c.isprintable() else "?" for c in text[:60])


def _lowered(sentence: str) -> str:
    """A sentence to stand after a colon."""
    first, _, rest = sentence.partition(" ")
    return f"{first.lower()} {rest}" if first in ("The", "This", "No", "Our", "It", "Its") else sentence

"""What the ledger knows of a file: this very one, its content, the entry its mark names, or one that looks alike."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from audits.provenance import content, looks
from audits.provenance.claim import Claim
from audits.provenance.containers import MediaError
from audits.provenance.crops import fitted, whole_slopes
from audits.provenance.detection import Detection
from audits.provenance.ledger import Entry, Ledger, LedgerProblem
from audits.provenance.looks import Look
from audits.provenance.sealing import Layer

RADIUS = 40  # bits of 256 within which two pictures may be one: unrelated ones differ in about 128
ALIKE = 0.99  # correlation with the thumbnail from which on two pictures may be one
SAME = 0.9945  # and of their slopes: drawings by one hand reach .993, a JPEG of quality 30 keeps .995
PART = 0.97  # the same for a cut-out and a part of a thumbnail
SLOPES = 0.95  # and of their slopes, where it is a cut-out indeed and not the whole
WHOLE = 0.93  # of a side: more is taken for the whole
SHOWN = 0.85  # correlation with the thumbnail of the entry that a mark names
SHORT = 64  # bytes: a text any shorter may well be written twice


@dataclass(frozen=True)
class Found:
    """What the ledger knows: state "this file", "this content", "named" (by a mark, and it shows the same), "unlike"
    (named, and it shows something else), "looks like", "absent", "plain", "off", "unusable"."""

    layer: Layer
    entry: Entry | None = None
    view: str = ""
    done: tuple[str, ...] = ()  # what was done to the picture, as far as view and mark tell

    @property
    def state(self) -> str:
        return self.layer.state


def known(
    media: bytes,
    seen: Look | None,
    ledger: Ledger | LedgerProblem | None,
    claim: Claim | None,
    marks: Sequence[Detection],
) -> Found:
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
        equal = _equal(media, seen, ledger, claim)
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


def _found(state: str, detail: str, entry: Entry | None = None, view: str = "") -> Found:
    return Found(Layer("ledger", None, state, detail), entry, view)


def _equal(media: bytes, seen: Look | None, ledger: Ledger, claim: Claim | None) -> Entry | None:
    """An entry with the same content, rather one with the claim that the file makes."""
    try:
        entries = ledger.by_content(content.content_digest(media, seen.pixels if seen else None))
    except MediaError:
        return None
    return next((e for e in entries if e.claim == claim), entries[0] if entries else None)


def _telling(media: bytes, seen: Look | None) -> bool:
    """Whether equal content is no coincidence: not a plain picture, not a short text."""
    return not seen.plain if seen else len(media) >= SHORT


def _named(seen: Look, ledger: Ledger, marks: Sequence[Detection]) -> Found | None:
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
    return Found(layer, entry, "", done)


def _alike(seen: Look, ledger: Ledger) -> Found:
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


def _part_of(seen: Look, ledger: Ledger) -> Found:
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

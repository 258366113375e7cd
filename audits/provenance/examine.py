"""The combined verdict on any file: its manifest, any watermark, and the ledger, in one sentence and layer by layer.

A watermark alone never proves origin, since a mark can be copied, and a likeness proves none either: "made here" needs
our signature over this content, this very file or content in the ledger, or a mark that names an entry of the ledger
whose picture this one shows.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass, replace

from audits.provenance import content, looks, lookup, sealing
from audits.provenance.claim import Claim
from audits.provenance.containers import MediaError, media_type_of
from audits.provenance.detection import Detector, Reader
from audits.provenance.keys import Key
from audits.provenance.ledger import Entry, Ledger, LedgerProblem
from audits.provenance.looks import Look
from audits.provenance.lookup import Found
from audits.provenance.perceptual import VIEWS
from audits.provenance.sealing import Layer, Verdict

CHANCE = 1e-6  # that any detector here takes an unmarked file for a marked one
MAX_TEXT = 2**20  # bytes of a text that readers look at: its beginning


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


def examine(
    media: bytes,
    *,
    key: Key | bytes | None = None,
    old: Sequence[Key] = (),
    sidecar: bytes | None = None,
    ledger: Ledger | LedgerProblem | None = None,
    detectors: Sequence[Detector] = (),
    readers: Sequence[Reader] = (),
) -> Examined:
    """Everything that can be said about where `media` comes from. Never raises on hostile bytes.

    Args:
        key: whose manifests count as ours.
        old: keys in use here before it, whose manifests count as ours too.
        sidecar: the signed claim beside a text.
        ledger: None where there is none to ask; one that could not be opened, or fails now, is told in its layer.
        detectors: one for each mark that is looked for in pictures.
        readers: one for each mark that is looked for in texts: UTF-8, of which the first 1 MiB is looked at.
    """
    manifest = _manifest(media, key, old, sidecar)
    layers = list(manifest.layers)
    seen, unreadable = _look(media)
    text = _text(media) if readers else None
    tried = [detect(seen.pixels) for detect in detectors] if seen else []
    tried += [read(text) for read in readers] if text is not None else []
    marks = [d for d in tried if d is not None]
    found_marks = [d for d in marks if d.p_value * len(tried) <= CHANCE]
    layers += [Layer(d.layer, d.p_value, "found" if d in found_marks else "absent", d.detail) for d in marks]
    known = lookup.known(media, seen, ledger, manifest.claim, found_marks)
    layers.append(known.layer)
    stripped = manifest.layers[0].state == "absent"
    changes = _changes(media, seen, known, stripped) if known.state in ("looks like", "named") else ()
    word, sentence = _combined(manifest, bool(found_marks), known, changes, unreadable)
    claim = known.entry.claim if known.entry and manifest.layers[0].state != "valid" else manifest.claim
    return Examined(sentence, Verdict(word, claim, tuple(layers)), known.entry, changes)


def _manifest(media: bytes, key: Key | bytes | None, old: Sequence[Key], sidecar: bytes | None) -> Verdict:
    """The verdict on the manifest by the key that signed it, or by the first key where none of ours did."""
    first = sealing.verify(media, key=key, sidecar=sidecar)
    if first.layers[0].state == "unknown key":
        for other in old:
            again = sealing.verify(media, key=other, sidecar=sidecar)
            if again.layers[0].state != "unknown key":
                layer = again.layers[0]
                return replace(
                    again, layers=(replace(layer, detail=f"{layer.detail} The key is an older one of ours."),)
                )
    return first


def _look(media: bytes) -> tuple[Look | None, str]:
    """The picture's look, or why it cannot be had."""
    try:
        content.check_size(media)
        return looks.look(media, media_type_of(media)), ""
    except MediaError as error:
        return None, str(error)


def _text(media: bytes) -> str | None:
    """The beginning of a text, None where the media is none."""
    if not isinstance(media, bytes) or not media or media_type_of(media) is not None:
        return None
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(media[:MAX_TEXT], final=len(media) <= MAX_TEXT)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text.removeprefix("\ufeff")


def _changes(media: bytes, seen: Look, known: Found, stripped: bool) -> tuple[str, ...]:
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
    manifest: Verdict, marked: bool, known: Found, changes: tuple[str, ...], unreadable: str
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


def _unlike(known: Found) -> str:
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

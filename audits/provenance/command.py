"""`python -m audits {seal, verify, ledger, certificate}`: files in, words and exit statuses out."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from audits.provenance.claim import Claim
from audits.provenance.containers import media_type_of
from audits.provenance.content import MAX_MEDIA
from audits.provenance.database import LedgerProblem
from audits.provenance.keys import FILE, Key, KeyProblem, development_key, key_folder, key_from_env, old_keys
from audits.provenance.sealing import Layer, seal

EXIT = {"made here": 0, "no evidence": 1, "unreadable": 3, "altered": 4}
TEXT_TYPES = {".json": "application/json", ".csv": "text/csv", ".txt": "text/plain"}
SIDECAR = ".claim.json"  # the claim of notes.txt is notes.txt.claim.json


def add_parsers(commands: argparse._SubParsersAction) -> None:
    """The four commands, under `python -m audits`."""
    sealing = commands.add_parser("seal", help="put a signed claim into a file, and write it to the ledger")
    sealing.add_argument("file", type=Path, metavar="FILE", help="PNG, GIF, JPEG, WebP, WAV, MP4 or text")
    sealing.add_argument("--claim", type=Path, required=True, metavar="JSON_FILE", help="the claim")
    sealing.add_argument("--out", type=Path, required=True, metavar="FILE", help="the sealed file")
    sealing.add_argument("--mark", action="store_true", help="mark the pixels too: of PNG, which changes them a little")
    _key_option(sealing)
    sealing.set_defaults(command=_seal)

    verifying = commands.add_parser("verify", help="say whether a file was made here")
    verifying.add_argument("file", type=Path, metavar="FILE")
    verifying.add_argument("--json", action="store_true", help="print the verdict as JSON")
    _key_option(verifying)
    verifying.set_defaults(command=_verify)

    checking = commands.add_parser("ledger", help="check the chain of everything that was sealed here")
    checking.add_argument("--link", metavar="HASH", help="a link written down earlier: is it still in the chain?")
    checking.set_defaults(command=_ledger)

    showing = commands.add_parser("certificate", help="print the public certificates that manifests are signed with")
    _key_option(showing)
    showing.set_defaults(command=_certificate)


def _key_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--key-folder", type=Path, metavar="DIR", help="where the development key is kept")


def _seal(arguments) -> int:
    from audits.provenance import pixel_marks
    from audits.provenance.ledger import Ledger, ledger_url
    from audits.provenance.recording import entry_of

    claim = Claim.from_json(contents(arguments.claim))
    media = contents(arguments.file)
    media_type = media_type_of(media) or TEXT_TYPES.get(arguments.file.suffix.lower())
    if media_type is None:
        raise ValueError(f"{arguments.file} is of a type that cannot be sealed.")
    key = _key(arguments, make=True)
    if arguments.mark:
        media = _marked(media, media_type, key, claim)
    sealed = seal(media, media_type, claim, key=key)
    if not arguments.out.parent.is_dir():
        raise ValueError(f"{arguments.out}: there is no such folder.")
    payload = pixel_marks.payload_of(claim) if arguments.mark else None
    with Ledger(ledger_url(os.environ)) as ledger:
        ledger.append([entry_of(sealed, thumbnail=False, payload=payload)])  # anybody's file: no picture of it is kept
    if sealed.sidecar is not None:
        beside(arguments.out).write_bytes(sealed.sidecar)
    arguments.out.write_bytes(sealed.media)
    print(f"{arguments.out}: sealed with the key {key.id}, and written to {ledger.where}")
    return 0


def _marked(media: bytes, media_type: str, key: Key, claim: Claim) -> bytes:
    """The PNG with the mark of its claim in its pixels; other metadata and transparency are left behind."""
    import io

    from PIL import Image

    from audits.provenance import looks, pixel_marks

    if media_type != "image/png":
        raise ValueError(f"Only the pixels of PNG files are marked; this is {media_type}: save it as PNG first.")
    pixels = pixel_marks.marked(looks.decoded(media, media_type), key, claim)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _verify(arguments) -> int:
    from audits.provenance.examine import examine

    try:
        media, sidecar = given(arguments.file)
    except OSError as error:
        print(f"python -m audits: {arguments.file}: {error.strerror or error}.", file=sys.stderr)
        return EXIT["unreadable"]
    key, old = _key(arguments, make=False), old_keys(os.environ)
    with _known_ledger() as known:
        found = examine(media, key=key, old=old, sidecar=sidecar, ledger=known, detectors=_detectors(key, old))
    verdict = found.verdict
    said = verdict.to_json() if arguments.json else spoken(found.sentence, verdict.claim, verdict.layers) + "\n"
    print(said, end="")
    return EXIT[verdict.verdict]


def _detectors(key: Key | None, old: tuple[Key, ...]) -> list:
    """What looks for our marks; where there is no key, nothing was marked here."""
    keys = [*([key] if key else []), *old]
    if not keys:
        return []
    from audits.provenance import pixel_marks

    return [pixel_marks.detector(keys, learned=bool(importlib.util.find_spec("torch")))]


def _ledger(arguments) -> int:
    with _known_ledger() as ledger:
        return _checked(ledger, arguments.link)


def _checked(ledger, link: str | None) -> int:
    """Check the chain of the ledger, if there is one, and say what was found."""
    if isinstance(ledger, LedgerProblem):
        raise ledger
    if ledger is None:
        print("There is no ledger here: nothing was sealed yet.")
        return EXIT["no evidence"]
    checked = ledger.check(link)
    if checked.broken is not None:
        print(f"{ledger.where}: entry {checked.broken} is not what was written; the {checked.entries:,} before it are.")
        return EXIT["altered"]
    print(f"{ledger.where}: {checked.entries:,} entries, every one as it was written\n  last link {checked.link}")
    if checked.holds is False:
        print("  the link that was given is not in it: entries were taken away, or this is another ledger")
        return EXIT["altered"]
    return 0


def _certificate(arguments) -> int:
    from audits.provenance.certificates import public_certificate

    key = _key(arguments, make=False)
    if key is None:
        print("There is no signing key here yet: nothing was sealed.", file=sys.stderr)
        return EXIT["no evidence"]
    print(public_certificate(key).decode(), end="")
    return 0


@contextlib.contextmanager
def _known_ledger() -> Iterator:
    """The ledger, why it cannot be opened, or None where none was begun: looking begins none. Closed at the end."""
    from audits.provenance.ledger import Ledger, exists, ledger_url

    try:
        ledger = Ledger(ledger_url(os.environ)) if exists(os.environ) else None
    except LedgerProblem as problem:
        yield problem
        return
    with contextlib.nullcontext() if ledger is None else ledger:
        yield ledger


def _key(arguments, *, make: bool) -> Key | None:
    """The key with the certificates of the environment. Looking makes none: where none is, nothing was signed here."""
    from dataclasses import replace

    from audits.provenance.certificates import given_certificates

    folder = arguments.key_folder or key_folder(os.environ)
    key = key_from_env(os.environ)
    if key is None and (make or (folder / FILE).exists()):
        key = development_key(folder)
    given = given_certificates(os.environ)
    if given and key is None:
        raise KeyProblem("GENLAB_CERTIFICATES is set and GENLAB_SIGNING_KEY is not; set both.")
    return replace(key, certificates=given) if given else key


def spoken(sentence: str, claim: Claim | None, layers: Sequence[Layer]) -> str:
    """A verdict as lines of text: the sentence first, then the claim, then every layer."""
    lines = [sentence]
    if claim is not None:
        lines.append(f"  claim: {claim.to_json()}")  # ASCII: a claim cannot move the cursor
    for layer in layers:
        chance = "" if layer.p_value is None else f" (p = {layer.p_value:.2g})"
        lines.append(f"  {layer.layer}: {layer.state}{chance}. {layer.detail}")
    return "\n".join(lines)


def given(path: Path) -> tuple[bytes, bytes | None]:
    """A file, and the claim that lies beside a text.

    Raises:
        OSError: one of them cannot be read.
    """
    media, claimed = contents(path), beside(path)
    apart = media_type_of(media) is None and claimed.is_file()
    return media, contents(claimed) if apart else None


def contents(path: Path) -> bytes:
    """The bytes of a file, never more than one over the limit."""
    with path.open("rb") as file:
        return file.read(MAX_MEDIA + 1)


def beside(path: Path) -> Path:
    """Where the claim of a text file lies."""
    return path.with_name(path.name + SIDECAR)

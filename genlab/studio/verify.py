"""Say of any file whether it was made here: one sentence, then the evidence of every layer."""

from dataclasses import dataclass

from audits.provenance import Claim, Layer, pixel_marks
from audits.provenance.detection import Detector
from audits.provenance.examine import examine
from audits.provenance.ledger import LedgerProblem
from genlab.studio import ledger, marking, noise_marks, text_marks, uploads
from genlab.studio.regenerate import repeatable
from genlab.studio.shelf import StudioError

LARGEST = uploads.LARGEST  # bytes of a file


def detectors() -> tuple[Detector, ...]:
    """One for each kind of mark that this installation puts on."""
    return (pixel_marks.detector([marking.key(), *marking.old_keys()]), *noise_marks.detectors())


@dataclass(frozen=True)
class Verified:
    """What can be said about where a file comes from.

    Attributes:
        sentence: the verdict in plain words.
        verdict: "made here", "no evidence", "unreadable" or "altered".
        claim: what the sentence is about: of the file, or of the ledger's entry that it looks like; None for neither.
        layers: every layer's evidence.
        changes: what was done to the file since it was made, as far as that can be told.
        obstacle: why the claim cannot be made again here, in a sentence; empty where it can.
        json: as `python -m audits verify --json` prints it.
    """

    sentence: str
    verdict: str
    claim: Claim | None
    layers: tuple[Layer, ...]
    changes: tuple[str, ...]
    obstacle: str
    json: str


def verify(media: bytes, *, sidecar: bytes | None = None) -> Verified:
    """Look at any file: picture, sound, text or video. Nothing of it is kept.

    Args:
        sidecar: the signed claim that came beside a text.

    Raises:
        StudioError: no file, or one over the limit.
    """
    if not isinstance(media, bytes) or not media:
        raise StudioError("No file was uploaded: choose one first.")
    if len(media) > LARGEST:
        raise StudioError(f"The file is larger than {LARGEST // 2**20} MiB: make it smaller.")
    try:
        known = ledger.ledger()
    except LedgerProblem as problem:
        known = problem
    found = examine(
        media,
        key=marking.key(),
        old=marking.old_keys(),
        sidecar=sidecar,
        ledger=known,
        detectors=detectors(),
        readers=text_marks.readers(),
    )
    verdict = found.verdict
    obstacle = _obstacle(verdict.claim)
    return Verified(
        found.sentence, verdict.verdict, verdict.claim, verdict.layers, found.changes, obstacle, verdict.to_json()
    )


def _obstacle(claim: Claim | None) -> str:
    if claim is None:
        return "There is no claim to make it again from."
    try:
        repeatable(claim)
    except (ValueError, RuntimeError) as error:
        return str(error)
    return ""

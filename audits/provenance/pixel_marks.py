"""The mark in the pixels as a layer of provenance: its message is drawn from the claim, and the ledger knows it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from audits.provenance.claim import Claim
from audits.provenance.detection import Detection, Detector
from audits.provenance.keys import Key
from audits.provenance.placing import lies
from audits.watermark import image

READERS = 2  # the fixed filter, and the network where the filter sees nothing
LAYER = "pixel mark"


def payload_of(claim: Claim) -> int:
    """The 32 bits that pixels made by this claim carry. They name an entry of the ledger, and never a person."""
    return int(claim.digest[:8], 16)


def fits(height: int, width: int) -> bool:
    """Whether a picture is large enough to carry a mark."""
    return min(height, width) >= image.SMALLEST


def marked(pixels: np.ndarray, key: Key, claim: Claim) -> np.ndarray:
    """The picture (h, w) or (h, w, 3) uint8 with the mark of its claim; the same claim and picture, the same pixels."""
    return image.embed(pixels, key.secret, payload_of(claim))


def detector(keys: Sequence[Key], *, learned: bool = True) -> Detector:
    """What looks for the mark of any of these keys.

    The fixed filter comes first and the network after it, where the filter found nothing; the p-value pays for both.

    Args:
        learned: whether the network may be asked; it needs torch.
    """
    secrets = [key.secret for key in keys]

    def detect(pixels: np.ndarray) -> Detection | None:
        height, width = pixels.shape[:2]
        if min(height, width) < image.SMALLEST // 2:
            return None
        found = image.detect(pixels, secrets)
        if learned and found.payload is None:
            from audits.watermark.learned import detect as detect_learned

            found = min(found, detect_learned(pixels, secrets), key=lambda d: (d.payload is None, d.p_value))
        p_value = min(1.0, READERS * found.p_value)
        return Detection(LAYER, p_value, _words(found, p_value), found.payload, found.view)

    return detect


def _words(found: image.Detection, p_value: float) -> str:
    tried = f"{found.tried:,} ways that the picture may lie were tried, and the figure pays for all of them."
    if p_value > image.RATE:
        return f"No mark of a key here: {tried}"
    message = "its message cannot be read" if found.payload is None else f"it says {found.payload:08x}"
    seen = "".join(f", {part}" for part in lies(found.view))
    return f"A mark of a key here{seen}; {message}. {tried}"

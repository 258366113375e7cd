"""The mark in a diffusion model's first noise as a layer of provenance: which signs a picture starts from follows from
its claim, and whoever has key and model reads them back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from audits.provenance.claim import Claim
from audits.provenance.detection import Detection, Detector
from audits.provenance.keys import Key
from audits.watermark import noise

LAYER = "noise mark"


def nonce_of(claim: Claim) -> int:
    """Which signs an item of this claim starts from."""
    return int(claim.digest[:4], 16)


def signs(key: Key, claims: Sequence[Claim], size: int) -> np.ndarray:
    """Signs for the first noise of items of these claims, int8 of +1 and -1, (n, size)."""
    return noise.signs(key.secret, [nonce_of(claim) for claim in claims], size)


def detector(keys: Sequence[Key], maker: str, recovered: Callable[[np.ndarray], np.ndarray | None]) -> Detector:
    """What looks for signs of any of these keys in what a model may have made.

    Args:
        maker: the model's name.
        recovered: pixels -> the noise that the model would have made them from, (n, size), a row a reading: what they
            may show as they are, mirrored, or side by side; None where they are nothing that it could have made.
    """
    secrets = [key.secret for key in keys]

    def detect(pixels: np.ndarray) -> Detection | None:
        rows = recovered(pixels)
        if rows is None or not len(rows):
            return None
        found = noise.detect(rows, secrets)
        return Detection(LAYER, found.p_value, _words(found, len(rows), maker))

    return detect


def _words(found: noise.Shade, rows: int, maker: str) -> str:
    tried = f"{found.tried:,} sets of signs were tried, and the figure pays for all of them."
    if not found.nonces:
        return f"The noise that {maker} would have made it from has no signs of a key here: {tried}"
    some = "" if rows == 1 else f", in {len(found.nonces)} of {rows} readings"
    return f"{maker} made it from noise with signs of a key here{some}. {tried}"

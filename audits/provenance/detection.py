"""What a detector of one kind of watermark reports, and what a detector is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from audits.watermark.image import View


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

Reader = Callable[[str], Detection | None]
"""A text to what was found, None where the reader cannot work on it. One per mark."""

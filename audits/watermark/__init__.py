"""Invisible marks: put into pixels or a text's tokens under a key, read after edits, with a p-value that is proved."""

from __future__ import annotations

from audits.watermark.image import Detection, View, detect, embed
from audits.watermark.streams import WatermarkError

__all__ = ["Detection", "View", "WatermarkError", "detect", "embed"]

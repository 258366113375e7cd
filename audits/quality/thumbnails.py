"""Pictures as features where no judge is at hand: thumbnails, which know colours and layout and nothing else."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from audits.quality.features import FeatureError

SIDE = 8  # pixels of a thumbnail: 8 x 8 x 3 numbers
CAVEAT = (
    f"Pictures were measured by their thumbnails of {SIDE} x {SIDE} pixels: colours and layout, not content or detail. "
    "Give the features of a trained judge to measure more."
)


def thumbnails(source: Path) -> np.ndarray:
    """Features (n, 192) in [0, 1] of every readable picture of a folder or zip; FeatureError where there is none."""
    from PIL import Image

    from audits.bias.pictures import FORMATS, contents, readable

    found = []
    try:
        for _, content in contents(source):
            if content is not None and readable(io.BytesIO(content)):
                with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                    small = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
                found.append(np.asarray(small, np.float64).ravel() / 255)
    except ValueError as error:
        raise FeatureError(str(error)) from error
    if not found:
        raise FeatureError(f"{source.name} holds no readable picture.")
    return np.stack(found)

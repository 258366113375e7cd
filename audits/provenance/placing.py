"""Where in a stored picture the picture at hand lies, once its mark has said how it is turned and enlarged.

Turn, size and mirroring are undone at the scale of the thumbnail; what is left is a shift, which the correlation of
the two over their common part shows (Padfield 2012: normalised correlation under masks, by Fourier transforms).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import fft

from audits.provenance.perceptual import luma
from audits.watermark import lattice
from audits.watermark.image import View

OVERLAP = 0.6  # of the picture at hand that must lie on the stored one: turned corners may not
SMALLEST = 12  # pixels of the thumbnail a side: less shows nothing


@dataclass(frozen=True)
class Placed:
    """Where it lies best: the correlation there, the share of the stored picture it shows, and its scale."""

    likeness: float
    share: float
    scale: float


def placed(pixels: np.ndarray, view: View, thumbnail: np.ndarray, size: tuple[int, int]) -> Placed:
    """Lay the picture on the thumbnail of the one it is said to come from.

    Args:
        pixels: (h, w) or (h, w, 3) uint8.
        view: how it lies against that one, as its mark says.
        thumbnail: (h, w) or (h, w, 3) uint8.
        size: (width, height) of the stored picture itself.
    """
    width, height = size
    scale = view.scale * lattice.reduction(*pixels.shape[:2]) / lattice.reduction(height, width)
    whole = luma(thumbnail)
    cut, mask = _upright(luma(pixels), view, whole.shape[1] / width / scale)
    if min(cut.shape) < SMALLEST:
        return Placed(0.0, 0.0, scale)
    fit, common = _correlation(whole, cut, mask)
    fit = np.where(common >= OVERLAP * mask.sum(), fit, -1.0)
    best = np.unravel_index(int(fit.argmax()), fit.shape)
    return Placed(float(fit[best]), min(1.0, float(common[best]) / whole.size), scale)


def _upright(grey: np.ndarray, view: View, zoom: float) -> tuple[np.ndarray, np.ndarray]:
    """The picture with its turn and mirroring undone, times `zoom`, and where it has pixels (0 or 1)."""
    from PIL import Image

    tall, wide = (max(1, round(side * zoom)) for side in grey.shape)
    small = Image.fromarray(np.ascontiguousarray(grey, np.float32)).resize((wide, tall), Image.Resampling.BILINEAR)
    full = Image.new("F", small.size, 1.0)
    turned = [part.rotate(view.degrees, Image.Resampling.BILINEAR, expand=True) for part in (small, full)]
    picture, mask = (np.asarray(part)[:, ::-1] if view.mirrored else np.asarray(part) for part in turned)
    return picture, (mask > 0.99).astype(np.float32)


def _correlation(whole: np.ndarray, cut: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Correlation and common pixels for every shift of the cut over the whole."""
    shape = [fft.next_fast_len(a + b - 1) for a, b in zip(whole.shape, cut.shape, strict=True)]
    whole, cut = (whole - whole.mean()) / 255, (cut - cut[mask > 0].mean()) / 255 * mask

    def over(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return fft.irfft2(fft.rfft2(a, shape) * np.conj(fft.rfft2(b, shape)), shape)

    here = np.ones_like(whole)
    common = np.maximum(np.round(over(here, mask)), 1.0)
    a, b = over(whole, mask), over(here, cut)
    cross = over(whole, cut) - a * b / common
    spread = (over(whole * whole, mask) - a * a / common) * (over(here, cut * cut) - b * b / common)
    return np.where(spread > 1e-6, cross / np.sqrt(np.maximum(spread, 1e-6)), 0.0), common


def lies(view: View) -> list[str]:
    """How a picture is mirrored and turned, in words; nothing where it is not."""
    turned = abs(view.degrees) >= 1
    if view.mirrored and abs(view.degrees) > 179:
        return ["upside down"]
    return ["mirrored"] * view.mirrored + [f"turned by {view.degrees % 360:.0f}°"] * turned


def words(placement: Placed, view: View, size: tuple[int, int], now: tuple[int, int]) -> list[str]:
    """What was done to the picture, as its mark tells: turned, mirrored, cut, resized.

    Args:
        size: (width, height) of the stored picture; `now`, of the picture at hand.
    """
    told, quarter = lies(view), round(view.degrees / 90) * 90
    straight = abs(view.degrees - quarter) < 1
    seen = now[::-1] if quarter % 180 else now
    kept = seen[0] * seen[1] / (placement.scale**2 * size[0] * size[1]) if straight else placement.share
    if kept < 0.97:
        told.append(f"cut to about {kept:.0%} of its area")
    if abs(math.log(placement.scale)) > 0.02:
        told.append(f"resized to about {placement.scale:.0%}")
    return told

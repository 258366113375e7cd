"""What other codecs make of the same picture: at the same size or the same quality, and along their whole range."""

import functools
import io
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from genlab.codec import classical
from genlab.studio.shelf import StudioError

MOST = 4_000_000  # pixels of a picture that is compared: every codec is tried several times
ALONG = (5, 25, 50, 75, 92)  # qualities of a curve
AIMS = ("the same size", "the same quality")
LOSSLESS = ("PNG", "WebP, lossless")


@dataclass(frozen=True)
class Coded:
    """One picture as one codec wrote it.

    Attributes:
        setting: the quality asked for, in words.
        size: bytes.
        file: the lossy file; b"" where nothing was lost.
        psnr: peak signal-to-noise ratio over all channels in dB; infinite where nothing was lost.
    """

    codec: str
    setting: str
    size: int
    file: bytes
    psnr: float


def lossy_codecs() -> tuple[str, ...]:
    """JPEG and WebP, and AVIF where Pillow was built with it."""
    from PIL import features

    return ("JPEG", "WebP", "AVIF") if features.check("avif") else ("JPEG", "WebP")


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """10 log10(255^2 / mean squared error) in dB, over all channels."""
    error = float(np.mean((a.astype(np.float32) - b) ** 2))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def written(item: np.ndarray, codec: str, quality: int) -> bytes:
    """A picture (h, w, 1 or 3) as a file of a lossy codec; 0 to 100."""
    from PIL import Image

    options = {"JPEG": {"optimize": True}, "WebP": {"method": 4}, "AVIF": {"speed": 8, "max_threads": 1}}[codec]
    file = io.BytesIO()
    flat = item[..., 0] if item.shape[2] == 1 else item
    Image.fromarray(np.ascontiguousarray(flat)).save(file, codec.upper(), quality=quality, **options)
    return file.getvalue()


def coded(item: np.ndarray, codec: str, quality: int) -> Coded:
    """A picture at one quality of a lossy codec."""
    file = written(item, codec, quality)
    return Coded(codec, f"quality {quality}", len(file), file, psnr(item, opened(file, codec, item.shape)))


def opened(file: bytes, codec: str, shape: tuple[int, ...]) -> np.ndarray:
    """The pixels of a file that `written` made of a picture of that shape."""
    from PIL import Image

    with Image.open(io.BytesIO(file), formats=[codec.upper()]) as image:
        return np.asarray(image.convert("L" if shape[2] == 1 else "RGB")).reshape(shape)


def opaque(item: np.ndarray) -> np.ndarray:
    """A picture as lossy codecs take it: transparency laid on white."""
    if item.shape[2] in (1, 3):
        return item
    alpha = item[..., -1:].astype(np.float32) / 255
    return np.round(item[..., :-1] * alpha + 255 * (1 - alpha)).astype(np.uint8)


def check_size(item: np.ndarray) -> None:
    """Raises StudioError where a picture is too large to be compared."""
    if item.shape[0] * item.shape[1] > MOST:
        raise StudioError(
            f"Pictures of up to {MOST // 10**6} million pixels are compared here; this one has "
            f"{item.shape[0] * item.shape[1]:,}: python -m genlab compress takes larger ones."
        )


def rivals(item: np.ndarray, *, size: int, quality: float, aim: str) -> list[Coded]:
    """Every other codec on one picture, the lossless ones as they are.

    Args:
        size: bytes of our file.
        quality: PSNR of ours in dB.
        aim: of `AIMS`: the best quality that is no larger than ours, or the smallest file that is no worse. Where a
            codec cannot go that far, its nearest end is given.
    """
    if aim not in AIMS:
        raise StudioError(f"Others are compared at {' or at '.join(AIMS)}; {str(aim)[:40]!r} was given.")
    check_size(item)
    found = [Coded("PNG", "lossless", len(classical.png(item)), b"", math.inf)]
    webp = classical.webp(item)
    if webp is not None:
        found.append(Coded("WebP, lossless", "lossless", len(webp), b"", math.inf))
    flat = opaque(item)
    for codec in lossy_codecs():
        try:
            found.append(_search(functools.partial(coded, flat, codec), size, quality, aim))
        except (OSError, ValueError):  # such as a side of more than 16,383 pixels
            continue
    return found


def _search(at: Callable[[int], Coded], size: int, quality: float, aim: str) -> Coded:
    """The last quality whose file is no larger, or the first that is no worse, by halving."""
    low, high = 0, 100
    best = None
    while low <= high:
        middle = (low + high) // 2
        made = at(middle)
        if aim == AIMS[0]:
            fits = made.size <= size
            low, high = (middle + 1, high) if fits else (low, middle - 1)
        else:
            fits = made.psnr >= quality
            low, high = (low, middle - 1) if fits else (middle + 1, high)
        best = made if fits else best
    return best or at(0 if aim == AIMS[0] else 100)


def curve(item: np.ndarray, codec: str) -> list[tuple[float, float]]:
    """(bits per pixel, PSNR) of a picture along a codec's range; lossless points are left out."""
    pixels = item.shape[0] * item.shape[1]
    points = [coded(opaque(item), codec, quality) for quality in ALONG]
    return [(8 * p.size / pixels, p.psnr) for p in points if math.isfinite(p.psnr)]

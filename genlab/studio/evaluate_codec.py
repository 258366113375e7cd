"""Figures of codecs, from whole files of pictures that nobody trained on."""

import io
from collections.abc import Callable, Iterator

import numpy as np
from torch import nn

from genlab.data import Data, photographs
from genlab.metrics.rate_distortion import bd_rate, psnr

QUALITIES = (1, 20, 40, 60, 80, 100)
JPEG = (5, 10, 20, 30, 45, 60, 75, 85, 90, 94)
GRAY = ("brick.png", "camera.png", "coins.png", "grass.png", "gravel.png", "moon.png", "page.png")
SIDE, FEW = 768, 6  # pixels of the longer side; photographs of a quick measurement
ARCHIVE, PARTS, AIM = 1000, 20, 0.30  # items of an archive, parts its interval is taken over, bits a pixel


def photographs_to_code() -> list[tuple[str, np.ndarray]]:
    """Names and pixels, uint8 (h, w, 3), of the test photographs in colour, `SIDE` pixels at most."""
    from PIL import Image

    found = []
    for path in photographs.test_files():
        if path.name in GRAY:
            continue
        with Image.open(path, formats=["JPEG", "PNG"]) as image:
            whole = image.convert("RGB")
        whole.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        found.append((path.name, np.asarray(whole)))
    return found


def jpeg(pixels: np.ndarray, quality: int) -> tuple[int, np.ndarray]:
    """Bytes of a JPEG file (4:2:0, optimised) and what comes back."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, optimize=True, subsampling="4:2:0")
    with Image.open(file, formats=["JPEG"]) as image:
        return len(file.getvalue()), np.asarray(image)


def curve(pixels: np.ndarray, coded: list[tuple[int, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Bits a pixel and PSNR of what one picture became: bytes and pixels."""
    rates = [8 * size / (pixels.shape[0] * pixels.shape[1]) for size, _ in coded]
    return np.array(rates), np.array([psnr(pixels, back) for _, back in coded])


def codec_figures(model: nn.Module, mean: Callable, *, quick: bool) -> Iterator[tuple[str, dict | None]]:
    """Bits against JPEG at equal PSNR, and bits and PSNR at the middle quality.

    Args:
        mean: values and a unit -> a figure.
    """
    yield "bits_against_jpeg", None
    chosen = photographs_to_code()
    saved, bits, quality = [], [], []
    for _, pixels in chosen[:: len(chosen) // FEW] if quick else chosen:
        rates, marks = [], []
        for q in QUALITIES:
            raw = model.compress(pixels, quality=q)
            rates.append(8 * len(raw) / (pixels.shape[0] * pixels.shape[1]))
            marks.append(psnr(pixels, model.decompress(raw)))
        sizes, theirs = zip(*[jpeg(pixels, q) for q in JPEG], strict=True)
        against = (
            np.array(sizes) * 8 / (pixels.shape[0] * pixels.shape[1]),
            np.array([psnr(pixels, t) for t in theirs]),
        )
        saved.append(100 * bd_rate(np.array(rates), np.array(marks), against))
        bits.append(rates[QUALITIES.index(60)])
        quality.append(marks[QUALITIES.index(60)])
    yield "bits_against_jpeg", mean(np.array(saved), "% more bits than JPEG at equal PSNR (BD-rate)")
    yield "bits_per_pixel", mean(np.array(bits), "bits/pixel at quality 60")
    yield "psnr", mean(np.array(quality), "dB at quality 60")


def archive_figures(model: nn.Module, test: Data, *, quick: bool) -> Iterator[tuple[str, dict | None]]:
    """Pooled PSNR of one archive of test items at the finest quality within `AIM` bits a pixel, or at the coarsest."""
    yield "archive_psnr", None
    items = test.items[: ARCHIVE // 2 if quick else ARCHIVE]

    def bits(quality: float) -> float:
        return 8 * len(model.compress_items(items, quality=quality)) / items.size

    low, high = model.qualities
    for _ in range(12):  # bisection: finer quality, more bits
        middle = (low + high) / 2
        low, high = (middle, high) if bits(middle) <= AIM else (low, middle)
    raw = model.compress_items(items, quality=low)
    back, rate = model.decompress_items(raw), 8 * len(raw) / items.size
    parts = [psnr(a, b) for a, b in zip(np.split(items, PARTS), np.split(back, PARTS), strict=True)]
    half = 1.96 * float(np.std(parts, ddof=1)) / PARTS**0.5
    value = psnr(items, back)
    yield (
        "archive_psnr",
        {"value": value, "low": value - half, "high": value + half, "n": len(items), "floor": None,
         "unit": f"dB, pooled, one archive at {rate:.3f} bits/pixel"},
    )  # fmt: skip
    figure = {
        "value": rate,
        "low": rate,
        "high": rate,
        "n": len(items),
        "floor": None,
        "unit": "bits/pixel of the file",
    }
    yield "archive_bits_per_pixel", figure

"""Photographs nobody trained on: our files beside JPEG, WebP and AVIF. `python benchmarks/photo_codec.py`.

Bits are those of whole files (ours: the payload of a `.glz`), at PSNR and MS-SSIM over red, green and blue. BD-rate is
the mean difference of bits at equal quality, per picture, over the qualities that both codecs reach; its interval is
the normal one over pictures. No fallback to another codec. Written to benchmarks/results/photo_codec.json.

- photographs: Lomiri wallpapers, scikit-image's and scikit-learn's photographs in colour, 768 pixels a side at most;
- gray: scikit-image's gray pictures, as three equal channels;
- drawn: a scanned page, text and line art that this file draws: what the codec never learnt;
- time: CPU seconds per megapixel on one thread, seconds of the clock on two (`--times`: these alone), and for
  24 megapixels the memory it takes.
"""

import argparse
import functools
import io
import json
import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from serving import machine

from genlab.codec import lossy
from genlab.data import photographs
from genlab.metrics.rate_distortion import bd_rate, ms_ssim, psnr
from genlab.studio import shelf

RESULTS = Path(__file__).resolve().parent / "results" / "photo_codec.json"
NAME, SIDE = "photo-codec", 768
OURS = (1, 15, 30, 45, 60, 75, 90, 100)
OTHERS = {"JPEG": (5, 10, 20, 30, 45, 60, 75, 85, 90, 94), "WebP": (1, 10, 30, 50, 75, 90, 95),
          "AVIF": (10, 25, 40, 55, 70, 85)}  # fmt: skip
OPTIONS = {
    "JPEG": {"optimize": True, "subsampling": "4:2:0"},
    "WebP": {"method": 6},
    "AVIF": {"speed": 7, "subsampling": "4:2:0", "max_threads": 1},
}
PAGES, GRAY = ("page.png",), ("brick.png", "camera.png", "coins.png", "grass.png", "gravel.png", "moon.png")


def pictures() -> dict[str, list[tuple[str, np.ndarray]]]:
    """Names and pixels, uint8 (h, w, 3), by group."""
    from PIL import Image

    found = {"photographs": [], "gray": [], "drawn": drawings()}
    for path in photographs.test_files():
        with Image.open(path, formats=["JPEG", "PNG"]) as image:
            whole = image.convert("RGB")
        whole.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        group = "drawn" if path.name in PAGES else "gray" if path.name in GRAY else "photographs"
        found[group].append((path.name, np.asarray(whole)))
    return found


def drawings() -> list[tuple[str, np.ndarray]]:
    """Black text on white in three sizes, and coloured lines and boxes."""
    from PIL import Image, ImageDraw, ImageFont

    page, plan = (Image.new("RGB", (640, 400), "white") for _ in range(2))
    pen = ImageDraw.Draw(page)
    top = 8
    for size in (11, 16, 24) * 4:
        pen.text(
            (10, top), "Sphinx of black quartz, judge my vow: 0123456789 " * 2, "black", ImageFont.load_default(size)
        )
        top += size + 14
    pen, rng = ImageDraw.Draw(plan), np.random.default_rng(0)
    for _ in range(40):
        x, y, w, h = rng.integers(0, (600, 360, 120, 90))
        colour = tuple(int(c) for c in rng.integers(0, 200, 3))
        pen.rectangle((x, y, x + w + 4, y + h + 4), outline=colour)
        pen.line((x, y, int(rng.integers(640)), int(rng.integers(400))), colour)
    return [("text", np.asarray(page)), ("lines", np.asarray(plan))]


def ours(model, pixels: np.ndarray, quality: float) -> tuple[bytes, np.ndarray]:
    raw = lossy.encode(model, pixels, quality)
    return raw, lossy.decode(model, raw)


def theirs(kind: str, pixels: np.ndarray, quality: int) -> tuple[bytes, np.ndarray]:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind.upper(), quality=quality, **OPTIONS[kind])
    with Image.open(file) as image:
        return file.getvalue(), np.asarray(image.convert("RGB"))


def curve(code: Callable, qualities: tuple, pixels: np.ndarray) -> dict[str, list[float]]:
    """Bits a pixel, PSNR and MS-SSIM (in dB) of one picture along a codec's qualities."""
    points = {"bpp": [], "psnr": [], "ms_ssim": []}
    for quality in qualities:
        raw, back = code(pixels, quality)
        points["bpp"].append(8 * len(raw) / (pixels.shape[0] * pixels.shape[1]))
        points["psnr"].append(psnr(pixels, back))
        points["ms_ssim"].append(-10 * math.log10(max(1 - ms_ssim(pixels, back), 1e-6)))
    return points


def summary(curves: list[dict], against: str, measure: str) -> dict:
    """Mean BD-rate in per cent over pictures against one codec, with its interval."""
    rates = [
        100 * bd_rate(np.array(c["ours"]["bpp"]), np.array(c["ours"][measure]),
                      (np.array(c[against]["bpp"]), np.array(c[against][measure])))
        for c in curves
    ]  # fmt: skip
    half = 1.96 * np.std(rates, ddof=1) / len(rates) ** 0.5
    value = float(np.mean(rates))
    return {"percent": round(value, 2), "low": round(value - half, 2), "high": round(value + half, 2), "n": len(rates),
            "worst": round(max(rates), 2), "best": round(min(rates), 2)}  # fmt: skip


def mean_curve(curves: list[dict], codec: str) -> dict[str, list[float]]:
    """The mean over pictures at each quality."""
    return {key: np.round(np.mean([c[codec][key] for c in curves], 0), 4).tolist() for key in curves[0][codec]}


def tiled(height: int, width: int) -> np.ndarray:
    """A photograph beside and below itself, mirrored, until that size is full."""
    pixels = pictures()["photographs"][0][1]
    down, across = -(-height // pixels.shape[0]), -(-width // pixels.shape[1])
    rows = np.concatenate([pixels[:: 1 if i % 2 == 0 else -1] for i in range(down)])
    whole = np.concatenate([rows[:, :: 1 if i % 2 == 0 else -1] for i in range(across)], 1)
    return np.ascontiguousarray(whole[:height, :width])


def times(model) -> dict[str, float]:
    """Median seconds to encode and decode 768x512 pixels, on one thread (CPU time) and on two (as the clock goes)."""
    pixels = tiled(512, 768)
    found, megapixels = {}, pixels.shape[0] * pixels.shape[1] / 1e6
    for threads, clock in ((1, time.process_time), (2, time.perf_counter)):
        torch.set_num_threads(threads)
        taken = []
        for _ in range(6):
            start = clock()
            raw = lossy.encode(model, pixels, 50)
            middle = clock()
            lossy.decode(model, raw)
            taken.append((middle - start, clock() - middle))
        encode, decode = np.median(taken[1:], axis=0)
        found |= {
            f"encode_{threads}_threads": round(float(encode), 3),
            f"decode_{threads}_threads": round(float(decode), 3),
        }
        if threads == 1:
            found |= {"encode_cpu_s_per_megapixel": round(encode / megapixels, 3),
                      "decode_cpu_s_per_megapixel": round(decode / megapixels, 3)}  # fmt: skip
    torch.set_num_threads(1)
    return found


def large() -> dict[str, float]:
    """In a process of its own: 24 megapixels there and back, seconds and the most memory held."""
    code = "import sys; sys.argv = ['']; sys.path.insert(0, 'benchmarks'); import photo_codec as p; p.large_here()"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                         cwd=Path(__file__).resolve().parent.parent)  # fmt: skip
    return json.loads(ran.stdout)


def large_here() -> None:
    """Print what `large` returns."""
    model = shelf.model(NAME)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pixels = tiled(4000, 6000)
    start = time.process_time()
    raw = lossy.encode(model, pixels, 50)
    middle = time.process_time()
    back = lossy.decode(model, raw)
    end = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({
        "megapixels": 24, "encode_cpu_s": round(middle - start, 1), "decode_cpu_s": round(end - middle, 1),
        "psnr": round(psnr(pixels, back), 2), "bytes": len(raw), "peak_mb": round(peak / 1024),
        "peak_mb_before": round(before / 1024),
    }))  # fmt: skip


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--few", type=int, default=0, help="only so many pictures of each group, nothing written")
    parser.add_argument("--times", action="store_true", help="only the seconds, put beside what is there")
    arguments = parser.parse_args()
    started, model = time.monotonic(), shelf.model(NAME)
    if arguments.times:
        result = json.loads(RESULTS.read_text())
        result["time"] = {"machine": machine(), **times(model)}
        print(result["time"])
        RESULTS.write_text(json.dumps(result, indent=1) + "\n")
        return
    codecs = {"ours": (functools.partial(ours, model), OURS)}
    codecs |= {kind: (functools.partial(theirs, kind), qualities) for kind, qualities in OTHERS.items()}
    result = {"command": "python benchmarks/photo_codec.py", "machine": machine(),
              "weights_sha256": shelf.config_of(NAME)["weights_sha256"],
              "setting": f"longer side {SIDE} at most; JPEG, WebP and AVIF of Pillow, 4:2:0: {OPTIONS}"}  # fmt: skip
    for group, items in pictures().items():
        curves = []
        for name, pixels in items[: arguments.few or None]:
            curves.append({codec: curve(code, qualities, pixels) for codec, (code, qualities) in codecs.items()})
            against = {kind: summary([curves[-1]] * 2, kind, "psnr")["percent"] for kind in OTHERS}
            print(f"{group:12} {name:44} {pixels.shape[1]}x{pixels.shape[0]}  bits against {against}", flush=True)
        result[group] = {
            "pictures": [name for name, _ in items],
            "bd_rate": {kind: {m: summary(curves, kind, m) for m in ("psnr", "ms_ssim")} for kind in OTHERS},
            "curves": {codec: mean_curve(curves, codec) for codec in codecs},
        }
        for kind, found in result[group]["bd_rate"].items():
            print(f"{group:12} against {kind}: {found}")
    if arguments.few:
        return
    result["time"], result["large"] = {"machine": machine(), **times(model)}, large()
    print(result["time"], result["large"])
    result["seconds"] = round(time.monotonic() - started)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()

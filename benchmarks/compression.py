"""Lossless coding of 1,000 Fashion-MNIST test images: one archive, all headers counted, beside bounds and others.

`python benchmarks/compression.py` writes benchmarks/results/compression.json. The first 1,000 test items, which no
model here was trained on, become one `.glz` file; its bits per pixel stand beside the model's one-sample bound and its
importance-weighted bound on the same items, beside PNG, WebP, JPEG-XL (where imagecodecs is installed; `--jpegxl`
names another interpreter that has it), one sheet of all, xz and brotli. Then single pictures, what the weights would
add, round trips with one and two threads and in archives of 1, 7 and 64, and speed. `--items N` takes fewer: a trial,
which writes nothing. `--exact` measures the autoregressive model alone and puts it beside what is there.
"""

import argparse
import io
import json
import lzma
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import brotli
import numpy as np
import torch
from PIL import Image
from serving import machine

from genlab import checkpoint, data
from genlab.codec import archive, autoregressive, bits_back, classical
from genlab.codec.lossless import Learned
from genlab.metrics.likelihood import bits_per_dimension

RESULTS = Path(__file__).resolve().parent / "results" / "compression.json"
MODEL, EXACT = "vae-fashion", "pixelcnn-fashion"
SINGLE, CHECKED = 100, 64  # pictures coded one by one; pictures of each further round trip
PUBLISHED = {
    "Bit-Swap (Kingma, Abbeel and Ho 2019)": 3.28,
    "sparse probabilistic circuit (Dang, Liu and Van den Broeck 2022)": 3.27,
    "BB-ANS, as Kingma, Abbeel and Ho 2019 report it": 3.66,
}
JPEGXL = """
import sys, numpy, imagecodecs
items = numpy.load(sys.argv[1])
sheet = numpy.load(sys.argv[2])
code = lambda x: imagecodecs.jpegxl_encode(x, lossless=True, effort=9)
for x in (items[0], sheet):
    assert (imagecodecs.jpegxl_decode(code(x)).reshape(x.shape) == x).all()
print(sum(len(code(x)) for x in items), len(code(sheet)), imagecodecs.__version__)
"""


def saved(pixels: np.ndarray, kind: str, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def others(items: np.ndarray, jpegxl: str | None) -> dict[str, float | str]:
    """Bits per pixel of other codecs on grey pictures (n, h, w)."""
    count = items.size
    sheet = classical.sheet_of(items[..., None])[..., 0]
    raw = items.tobytes()
    webp = {"lossless": True, "quality": 100, "method": 6}
    found: dict[str, float | str] = {
        "PNG, each": sum(len(saved(x, "PNG", optimize=True)) for x in items),
        "WebP, each": sum(len(saved(x, "WEBP", **webp)) for x in items),
        "PNG, one sheet": len(saved(sheet, "PNG", optimize=True)),
        "WebP, one sheet": len(saved(sheet, "WEBP", **webp)),
        "xz, all": len(lzma.compress(raw, preset=9 | lzma.PRESET_EXTREME)),
        "brotli, all": len(brotli.compress(raw, quality=11, lgwin=24)),
        "our container without a model": len(archive.encode(names(len(items)), pictures(items))),
    }
    found = {name: 8 * size / count for name, size in found.items()}
    with tempfile.TemporaryDirectory() as folder:
        paths = [f"{folder}/items.npy", f"{folder}/sheet.npy"]
        for path, array in zip(paths, (items, sheet), strict=True):
            np.save(path, array)
        done = subprocess.run([jpegxl or sys.executable, "-c", JPEGXL, *paths], capture_output=True, text=True)
    if done.returncode:
        print("JPEG-XL is not run: imagecodecs is not installed", file=sys.stderr)
        return found | {"JPEG-XL": "not run: imagecodecs is not installed"}
    each, whole, version = done.stdout.split()
    print(f"JPEG-XL by imagecodecs {version}")
    return found | {"JPEG-XL, each": 8 * int(each) / count, "JPEG-XL, one sheet": 8 * int(whole) / count}


def names(n: int) -> list[str]:
    return [f"fashion-{i:05d}" for i in range(n)]


def pictures(items: np.ndarray) -> list[np.ndarray]:
    return list(items[..., None])


def timed(work: Callable) -> tuple[object, float]:
    began = time.perf_counter()
    return work(), time.perf_counter() - began


def round_trips(items: np.ndarray, learned: Learned, reference: bytes) -> dict[str, bool]:
    """Whether archives come back bit for bit, whatever the threads and the number of pictures given at a time."""
    found = {}
    for threads in (1, 2):
        torch.set_num_threads(threads)
        for batch in (1, 7, 64):
            good = True
            for start in range(0, min(CHECKED, len(items)), batch):
                part = pictures(items[start : min(start + batch, CHECKED)])
                raw = archive.encode(names(len(part)), part, models=[learned])
                back = archive.decode(raw, lambda name: learned)
                good &= all(np.array_equal(a, b) for a, b in zip(back.items, part, strict=True))
            found[f"{threads} thread(s), archives of {batch}"] = good
            print(f"{threads} thread(s), archives of {batch}: {'bit exact' if good else 'WRONG'}", flush=True)
        raw = archive.encode(names(len(items[:CHECKED])), pictures(items[:CHECKED]), models=[learned])
        found[f"{threads} thread(s): the same file"] = raw == reference
    return found


def exact(items: np.ndarray, images: torch.Tensor) -> dict:
    """The autoregressive model on grey pictures (n, h, w): its archive beside its likelihood, round trips and speed."""
    folder = checkpoint.SHELF / EXACT
    model, config = checkpoint.load(folder), checkpoint.read(folder)
    learned, scale = Learned(EXACT, config["weights_sha256"], model), 8 / items.size
    coder = autoregressive.Coder(model)
    payload, encoding = timed(lambda: coder.encode(items[:, None]))
    back, decoding = timed(lambda: coder.decode(payload, len(items)))
    assert np.array_equal(back[:, 0], items)
    raw = archive.encode(names(len(items)), pictures(items), models=[learned])
    ideal = float(bits_per_dimension(model, images, k=1).mean())
    print(f"{EXACT}: archive {scale * len(raw):.4f} bits/pixel, likelihood {ideal:.4f}", flush=True)
    alone = [len(coder.encode(item[None, None])) * 8 / item.size for item in items[:SINGLE]]
    size = sum(path.stat().st_size for path in folder.glob(checkpoint.WEIGHTS + "*"))  # as they are kept: packed
    first = archive.encode(names(min(CHECKED, len(items))), pictures(items[:CHECKED]), models=[learned])
    return {
        "one archive, all headers counted": scale * len(raw),
        "exact likelihood, bits per pixel": ideal,
        "archive over likelihood": scale * len(raw) / ideal - 1,
        "one picture alone, coded": float(np.mean(alone)),
        "bytes of weights": size,
        "weights, bits per pixel over 1,000 items": 8 * size / (1000 * items[0].size),
        "weights, bits per pixel over 60,000 items": 8 * size / (60_000 * items[0].size),
        "encode, items a second": len(items) / encoding,
        "decode, items a second": len(items) / decoding,
        "round trip": round_trips(items, learned, first),
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--items", type=int, default=1000)
    arguments.add_argument("--jpegxl", metavar="PYTHON", help="an interpreter with imagecodecs")
    arguments.add_argument("--exact", action="store_true", help="only the autoregressive model")
    given = arguments.parse_args()
    items = data.load("fashion", "test").items[: given.items, 0]
    images = torch.from_numpy(items[:, None].copy()).float() / 255
    if given.exact:
        kept = json.loads(RESULTS.read_text()) | {EXACT: exact(items, images) | {"machine": machine()}}
        print(json.dumps(kept[EXACT], indent=1))
        if given.items == 1000:
            RESULTS.write_text(json.dumps(kept, indent=1) + "\n")
        return
    folder = checkpoint.SHELF / MODEL
    model = checkpoint.load(folder)
    needed = sum(v.numel() for key, v in model.state_dict().items() if not key.startswith(("flow.", "mixture.")))
    weights = 2 * needed  # bytes in bf16; the fitted priors are for drawing, not for coding
    learned = Learned(MODEL, checkpoint.read(folder)["weights_sha256"], model)
    scale = 8 / items.size

    coder = bits_back.Coder(model)
    payload, encoding = timed(lambda: coder.encode(items[:, None]))
    back, decoding = timed(lambda: coder.decode(payload, len(items)))
    assert np.array_equal(back[:, 0], items)
    raw = archive.encode(names(len(items)), pictures(items), models=[learned])
    ours = scale * len(raw)
    elbo = float(bits_per_dimension(model, images, k=1).mean())
    bound = float(bits_per_dimension(model, images, k=16).mean())
    print(f"archive {ours:.4f} bits/pixel, one-sample ELBO {elbo:.4f} ({ours / elbo - 1:+.2%}), 16 samples {bound:.4f}")

    alone = [
        (len(coder.encode(item[None, None])), len(archive.encode(["item"], pictures(item[None]), models=[learned])))
        for item in items[:SINGLE]
    ]
    payloads, files = np.mean(alone, 0) * 8 / items[0].size
    bounds = float(bits_per_dimension(model, images[:SINGLE], k=1).mean())
    found = {
        "command": "python benchmarks/compression.py",
        "machine": machine(),
        "data": f"the first {len(items):,} test items of Fashion-MNIST",
        "bits per pixel": {
            f"{MODEL}, one archive, all headers counted": ours,
            "one-sample bound (ELBO)": elbo,
            "bound with 16 samples": bound,
            "archive over one-sample bound": ours / elbo - 1,
            "headers": scale * (len(raw) - len(payload)),
            **others(items, given.jpegxl),
        },
        "one picture alone, bits per pixel": {
            "items": min(SINGLE, len(items)),
            "coded": float(payloads),
            "file, all headers counted": float(files),
            "one-sample bound (ELBO) of these": bounds,
            "WebP": float(np.mean([len(classical.webp(p)) for p in pictures(items[:SINGLE])])) * 8 / items[0].size,
        },
        "published, bits per pixel": PUBLISHED,
        "weights": {
            "bytes that coding needs": weights,
            "bits per pixel over 1,000 items": 8 * weights / (1000 * items[0].size),
            "bits per pixel over 60,000 items": 8 * weights / (60_000 * items[0].size),
        },
        "speed": {
            "encode, items a second": len(items) / encoding,
            "decode, items a second": len(items) / decoding,
            "encode, MB of pixels a second": items.size / encoding / 1e6,
            "decode, MB of pixels a second": items.size / decoding / 1e6,
            "threads": 1,
        },
    }
    first = archive.encode(names(min(CHECKED, len(items))), pictures(items[:CHECKED]), models=[learned])
    found["round trip"] = round_trips(items, learned, first)
    if (checkpoint.SHELF / EXACT / "config.json").exists():
        found[EXACT] = exact(items, images)
    print(json.dumps(found, indent=1))
    if given.items == 1000:
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

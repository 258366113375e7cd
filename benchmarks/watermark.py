"""Our mark beside four peers: what is still read after thirty edits, at what distortion and cost.

`python benchmarks/watermark.py` writes benchmarks/results/watermark.json after every method. A random 32-bit message
is drawn for every picture; a decoder that knows nothing matches each bit with probability 1/2, so a picture counts as
found when so many bits are right that chance gives as many in at most 1e-6 of all cases (30 of 32). The decoder is not
told which edit was made. Peers are measured where they can be imported (`invisible-watermark`, `blind-watermark`);
they refuse some sizes, which counts as not found. Pictures are photographs nobody trained on, at 256 and 512 pixels;
fresh ones of 256 pixels that were not looked at either while the mark and its search were made; and what our own models
make, enlarged as it is delivered; every one is listed with the hash of its pixels.

`--null 10000` looks at so many unmarked pictures of many kinds instead and counts how small our p-values get.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from scipy.stats import binom
from serving import machine
from statsmodels.stats.proportion import proportion_confint

from audits.watermark import codeword, image, lattice
from audits.watermark.attacks import ATTACKS

RESULTS = Path(__file__).resolve().parent / "results" / "watermark.json"
BITS, RATE = 32, 1e-6
NEEDED = next(m for m in range(BITS + 1) if binom.sf(m - 1, BITS, 0.5) <= RATE)
KEY = hashlib.sha256(b"the key of the benchmark").digest()
EACH = 10  # own outputs a model


# ---- methods: embed(pixels, bits) -> pixels; decode(pixels) -> 32 bits


class Ours:
    """The keyed mark, read through the fixed filter or through the network."""

    def __init__(self, learned: bool):
        self.seen = image.residual
        if learned:
            from audits.watermark.learned import residual

            self.seen = residual

    def embed(self, pixels, bits):
        return image.embed(pixels, KEY, int("".join(map(str, bits)), 2))

    def decode(self, pixels):
        word = image.best_reading(pixels, KEY, seen=self.seen).word
        return word[codeword.VERSION_BITS :][:BITS]


class InvisibleWatermark:
    """invisible-watermark's three methods."""

    def __init__(self, method: str):
        import imwatermark

        self.package, self.method = imwatermark, method
        if method == "rivaGan":
            imwatermark.WatermarkEncoder.loadModel()

    def embed(self, pixels, bits):
        encoder = self.package.WatermarkEncoder()
        encoder.set_watermark("bits", [int(b) for b in bits])
        return np.ascontiguousarray(encoder.encode(np.ascontiguousarray(pixels[..., ::-1]), self.method)[..., ::-1])

    def decode(self, pixels):
        decoder = self.package.WatermarkDecoder("bits", BITS)
        return np.asarray(decoder.decode(np.ascontiguousarray(pixels[..., ::-1]), self.method)).astype(int)


class BlindWatermark:
    """blind-watermark, which is told nothing but the length of the message."""

    def __init__(self):
        import blind_watermark

        blind_watermark.bw_notes.close()
        self.package = blind_watermark

    def embed(self, pixels, bits):
        mark = self.package.WaterMark(password_img=1, password_wm=1)
        mark.read_img(img=np.ascontiguousarray(pixels[..., ::-1]))
        mark.read_wm([bool(b) for b in bits], mode="bit")
        return np.clip(np.round(mark.embed()), 0, 255).astype(np.uint8)[..., ::-1].copy()

    def decode(self, pixels):
        mark = self.package.WaterMark(password_img=1, password_wm=1)
        found = mark.extract(embed_img=np.ascontiguousarray(pixels[..., ::-1]), wm_shape=BITS, mode="bit")
        return (np.asarray(found) > 0.5).astype(int)


METHODS = {
    "ours, fixed filter": lambda: Ours(False),
    "ours, learned reader": lambda: Ours(True),
    "dwtDct": lambda: InvisibleWatermark("dwtDct"),
    "dwtDctSvd": lambda: InvisibleWatermark("dwtDctSvd"),
    "rivaGan": lambda: InvisibleWatermark("rivaGan"),
    "blind-watermark": BlindWatermark,
}


# ---- pictures


def own_outputs() -> list[tuple[str, np.ndarray]]:
    """Items of every generator on the shelf, enlarged as they are delivered."""
    from genlab.studio import generate, pictures, shelf

    found = []
    for entry in shelf.with_capability("generate"):
        labels = generate.labels_of(entry, None, EACH)
        items = pictures.enlarge(generate.draw(entry.name, 0, labels, EACH, generate.whole_knobs(entry, None)))
        for i, item in enumerate(items):
            pixels = item.repeat(3, 0) if item.shape[0] == 1 else item
            found.append((f"{entry.name}, seed {i}", np.ascontiguousarray(pixels.transpose(1, 2, 0))))
    return found


def corpus(name: str) -> list[tuple[str, np.ndarray]]:
    """ "256", "512", "fresh" (photographs) or "own"."""
    from genlab.data.photograph_tiles import mate_files
    from genlab.data.photographs import squares, test_pictures

    if name == "fresh":
        return squares(mate_files(), 256, 50)
    return own_outputs() if name == "own" else test_pictures(int(name))


# ---- measuring


def decibels(a: np.ndarray, b: np.ndarray) -> float:
    error = np.mean((a.astype(np.float64) - b) ** 2)
    return 99.0 if error == 0 else float(10 * np.log10(255**2 / error))


def measure(method, pictures: list[tuple[str, np.ndarray]]) -> dict:
    """Figures of one method on some pictures; the messages are the same for every method."""
    from skimage.metrics import structural_similarity

    rng = np.random.default_rng(7)
    found = {name: [] for name in ("none", *ATTACKS)}
    distortion, likeness, embedding, decoding, refused = [], [], [], [], 0
    for _, pixels in pictures:
        bits = rng.integers(0, 2, BITS)
        began = time.process_time()
        try:
            marked = method.embed(pixels, bits)
        except Exception:  # peers refuse in their own ways
            refused += 1
            for matches in found.values():
                matches.append(False)
            continue
        embedding.append(time.process_time() - began)
        distortion.append(decibels(pixels, marked))
        likeness.append(float(structural_similarity(pixels, marked, channel_axis=2)))
        for name, matches in found.items():
            edited = marked if name == "none" else ATTACKS[name](marked)
            began = time.process_time()
            try:
                right = int((method.decode(edited) == bits).sum())
            except Exception:
                right = 0
            decoding.append(time.process_time() - began)
            matches.append(right >= NEEDED)
    after = [name for name in found if name != "none"]
    rates = np.array([np.mean(found[name]) for name in after])
    by_picture = np.mean([found[name] for name in after], 0)
    resampled = np.random.default_rng(0).choice(by_picture, (2000, len(by_picture))).mean(1)
    return {
        "mean": float(rates.mean()), "low": float(np.quantile(resampled, 0.025)),
        "high": float(np.quantile(resampled, 0.975)), "worst": float(rates.min()), "n": len(pictures),
        "refused": refused, "psnr": float(np.mean(distortion)) if distortion else None,
        "psnr lowest": float(np.min(distortion)) if distortion else None,
        "ssim": float(np.mean(likeness)) if likeness else None,
        "embed ms": 1000 * float(np.median(embedding)) if embedding else None,
        "decode ms": 1000 * float(np.median(decoding)) if decoding else None,
        "edits": {
            name: dict(zip(("value", "low", "high"), interval(matches), strict=True)) for name, matches in found.items()
        },
    }  # fmt: skip


def interval(matches: list[bool]) -> tuple[float, float, float]:
    """Share and Wilson's interval, rounded."""
    low, high = proportion_confint(sum(matches), len(matches), method="wilson")
    return round(float(np.mean(matches)), 4), round(float(low), 4), round(float(high), 4)


# ---- pictures that nobody marked


def unmarked(count: int):
    """Photograph crops, portraits, flat, gradients, noise and drawings, in turn, 128 pixels a side."""
    from genlab.data import load

    rng = np.random.default_rng(11)
    photographs = np.concatenate([load("photographs", split).items[:, :, :128, :128] for split in ("train", "test")])
    portraits = load("portraits-balanced", "test").items
    ramp = np.linspace(0, 1, 128)
    for i in range(count):
        kind = i % 6
        if kind == 0:
            pixels = np.rot90(photographs[rng.integers(len(photographs))].transpose(1, 2, 0), rng.integers(4))
        elif kind == 1:
            pixels = portraits[rng.integers(len(portraits))].transpose(1, 2, 0).repeat(2, 0).repeat(2, 1)
        elif kind == 2:
            pixels = np.full((128, 128, 3), rng.integers(0, 256, 3))
        elif kind == 3:
            pixels = np.outer(ramp, np.ones(128))[..., None] * rng.integers(0, 256, 3)
        elif kind == 4:
            pixels = rng.normal(128, rng.uniform(1, 60), (128, 128, 3))
        else:
            pixels = rng.integers(0, 256, (16, 16, 3)).repeat(8, 0).repeat(8, 1)
        yield np.ascontiguousarray(np.clip(pixels, 0, 255).astype(np.uint8))


def null(count: int, seen) -> dict:
    """P-values on unmarked pictures, each under a key of its own: of the bare bound, and of `detect` on a tenth.

    The bare one is exp(-T^2 / 2) for the 432 signs of the upright alignment. A valid p-value is at most a with
    probability a; a bound is smaller still. `detect` also pays for its search.
    """
    bare, whole = [], []
    for i, pixels in enumerate(unmarked(count)):
        key = hashlib.sha256(b"null %d" % i).digest()
        pilots, message = image.key_signs(key)
        signs = np.concatenate([lattice.chips(pilots), message])
        values = lattice.upright_waves(seen(pixels))
        t = lattice.statistic(lattice.chips(values[np.concatenate([lattice.PILOTS, lattice.CARRIERS])]), signs)
        bare.append(float(np.exp(-(max(t, 0.0) ** 2) / 2)))
        if i % 60 < 6:  # all kinds alike
            whole.append(image.detect(pixels, [key], seen=seen).p_value)
        if i % 1000 == 999:
            print(f"  {i + 1} unmarked: bound {min(bare):.3g}, detect {min(whole):.3g}", flush=True)
    return {"bound": small_ones(bare), "detect": small_ones(whole)}


def small_ones(p_values: list[float]) -> dict:
    """How many p-values there are, the smallest, and the share that is at most each of some levels."""
    p = np.array(p_values)
    levels = (0.5, 0.1, 0.05, 0.01, 0.001)
    return {"n": len(p), "smallest": float(p.min()), "at most": {str(a): float((p <= a).mean()) for a in levels}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", default=";".join(METHODS), help="names with ; between them")
    parser.add_argument("--corpora", default="256,512,fresh,own")
    parser.add_argument("--count", type=int, default=50, help="pictures of each corpus at most")
    parser.add_argument("--null", type=int, default=0, metavar="N", help="only look at N unmarked pictures")
    asked = parser.parse_args()
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    kept |= {"command": "python benchmarks/watermark.py", "machine": machine(), "bits needed": NEEDED}
    if asked.null:
        kept.setdefault("null", {})
        for name in asked.methods.split(";"):
            if name.startswith("ours"):
                kept["null"][name] = null(asked.null, METHODS[name]().seen)
                RESULTS.write_text(json.dumps(kept, indent=1) + "\n")
        return
    for name in asked.corpora.split(","):
        pictures = corpus(name)[: asked.count]
        entry = kept.setdefault("corpora", {}).setdefault(name, {"methods": {}})
        seen = {title: hashlib.sha256(pixels.tobytes()).hexdigest() for title, pixels in pictures}
        if not seen.items() <= entry.get("pictures", {}).items():  # a slow method may have looked at the first of them
            entry["pictures"] = seen
        for method in asked.methods.split(";"):
            try:
                built = METHODS[method]()
            except ImportError as error:
                print(f"{name} {method}: not here ({error})", flush=True)
                continue
            figures = entry["methods"][method] = measure(built, pictures)
            RESULTS.write_text(json.dumps(kept, indent=1) + "\n")
            print(
                f"{name} {method}: mean {figures['mean']:.3f} [{figures['low']:.3f}, {figures['high']:.3f}], worst "
                f"{figures['worst']:.2f}, PSNR {figures['psnr'] or 0:.2f}, embed {figures['embed ms'] or 0:.0f} ms, "
                f"decode {figures['decode ms'] or 0:.0f} ms, n {figures['n']}",
                flush=True,
            )


if __name__ == "__main__":
    main()

"""The combined verdict: how many sealed files are known after an edit, and how many strangers are called ours.

`python benchmarks/verdict.py` writes benchmarks/results/verdict.json. Items of every generator on the shelf are drawn,
marked, sealed and written to a ledger as the app does it, photographs as if one of the models had made them; then each
is edited in the thirty ways of `audits/watermark/attacks.py` and once more by losing nothing but its metadata, saved as
PNG, and examined. It is found where the verdict names its claim. Each layer is counted alone too.

`--strangers 20000` looks at so many pictures that nobody sealed (photograph crops, avatars, one colour, gradients,
noise, drawings and emoji, a sixth each) against a ledger of `ENTRIES` items: none may be called ours. What only looks
like an item is counted beside it. It goes on where it stopped.

`--times` measures one core at 512 x 512: marking, sealing whole, and the verdict on marked and unmarked pictures.
"""

import argparse
import functools
import hashlib
import io
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["GENLAB_LEDGER"] = tempfile.mkdtemp(prefix="verdict-")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from scipy.stats import beta
from serving import machine
from watermark import interval

from audits.provenance import Claim, Key, pixel_marks
from audits.provenance.examine import examine
from audits.watermark.attacks import ATTACKS
from genlab.studio import generate, ledger, marking, pictures, shelf
from genlab.studio.verify import detectors as all_detectors

RESULTS = Path(__file__).resolve().parent / "results" / "verdict.json"
KEY = Key.of(hashlib.sha256(b"the key of the benchmark").digest())
marking.key = lambda: KEY
EACH = 20  # items a generator under the battery
ENTRIES = 1000  # of the ledger that strangers are looked up in
ALONE = {
    "manifest": ("valid",), "pixel mark": ("found",), "noise mark": ("found",),
    "ledger": ("this file", "this content", "looks like"),
}  # fmt: skip


def png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "PNG", compress_level=1)
    return file.getvalue()


def opened(media: bytes) -> np.ndarray:
    from PIL import Image

    with Image.open(io.BytesIO(media)) as image:
        return np.asarray(image.convert("RGB"))


def own(each: int) -> list:
    """Sealed items of every generator."""
    found = []
    for entry in shelf.with_capability("generate"):
        for first in range(0, each, 20):
            found += generate.generate(entry.name, seed=first, count=min(20, each - first)).pictures
    return found


def photographs(side: int) -> list:
    """Photographs nobody trained on, sealed as if made here."""
    from genlab.data.photographs import test_pictures

    items = []
    for number, (title, pixels) in enumerate(test_pictures(side)):
        claim = Claim(f"photographs-{side}", "0" * 64, "generate", number, {"title": title}, {})
        items.append((marking.Drawn(pixels.transpose(2, 0, 1), pictures.png), "image/png", claim))
    return list(marking.mark_all(items))


def look(media: bytes, detectors=None):
    detectors = all_detectors() if detectors is None else detectors
    return examine(media, key=KEY, ledger=ledger.ledger(), detectors=detectors)


def battery(sealed: list) -> dict:
    """Shares of sealed files that the verdict names, edit by edit, and by each layer alone."""
    edits = {"no metadata": lambda pixels: pixels} | ATTACKS
    named = {edit: [] for edit in edits}
    alone = {layer: {edit: [] for edit in edits} for layer in ALONE}
    for item in sealed:
        before = opened(item.media)
        for edit, change in edits.items():
            media = png(change(before))
            result = look(media)
            known = result.verdict.verdict in ("made here", "altered")
            named[edit].append(known and result.verdict.claim == item.claim)
            states = {layer.layer: layer.state for layer in result.verdict.layers}
            if states["ledger"] in ("named", "unlike"):  # what the ledger would have said without the mark
                bare = examine(media, key=KEY, ledger=ledger.ledger())
                states["ledger"] = bare.verdict.layers[-1].state if bare.verdict.claim == item.claim else "absent"
            for layer, good in ALONE.items():
                alone[layer][edit].append(states.get(layer) in good)
    every = [hit for hits in named.values() for hit in hits]
    by_item = np.mean(list(named.values()), 0)
    resampled = np.random.default_rng(0).choice(by_item, (2000, len(by_item))).mean(1)
    return {
        "found": float(np.mean(every)), "low": float(np.quantile(resampled, 0.025)),
        "high": float(np.quantile(resampled, 0.975)), "n": len(sealed),
        "edits": {e: dict(zip(("value", "low", "high"), interval(h), strict=True)) for e, h in named.items()},
        "alone": {
            layer: {"mean": float(np.mean(list(hits.values())))} | {e: float(np.mean(h)) for e, h in hits.items()}
            for layer, hits in alone.items()
        },
    }  # fmt: skip


def strangers(count: int, kept: dict) -> None:
    """Look at pictures nobody sealed, in runs that are written down as they end."""
    own(ENTRIES // len(shelf.with_capability("generate")))  # no photographs: a crop of one is a part of it indeed
    told = kept.setdefault("strangers", {"n": 0, "called ours": 0, "looks like": {}, "smallest p": 1.0})
    told["entries in the ledger"] = len(ledger.ledger())
    while told["n"] < count:
        for kind, pixels in (stranger(told["n"] + i) for i in range(200)):
            result = look(png(pixels))
            states = {layer.layer: layer for layer in result.verdict.layers}
            like = states["ledger"].state == "looks like"
            if like:
                told["looks like"][kind] = told["looks like"].get(kind, 0) + 1
            elif result.verdict.verdict != "no evidence":
                told["called ours"] += 1
            p = states["pixel mark"].p_value if "pixel mark" in states else 1.0
            told["smallest p"] = min(told["smallest p"], p)
        told["n"] += 200
        told["at most, 95 %"] = float(beta.ppf(0.95, told["called ours"] + 1, told["n"] - told["called ours"]))
        RESULTS.write_text(json.dumps(kept, indent=1) + "\n")
        print({k: v for k, v in told.items()}, flush=True)


@functools.cache
def items_of(name: str, split: str) -> np.ndarray:
    from genlab.data import load

    return load(name, split).items


KINDS = ("photograph", "avatar", "one colour", "gradient", "noise", "drawing")


def stranger(number: int) -> tuple[str, np.ndarray]:
    """Picture `number` that nobody sealed, and of what kind it is; 192 or 256 pixels a side, photographs from 96."""
    rng = np.random.default_rng([17, number])
    kind, side = KINDS[number % len(KINDS)], 192
    if kind == "photograph":
        items = items_of("photographs", ("train", "test")[number // 6 % 2])
        side = rng.integers(96, items.shape[-1] + 1)
        top, left = rng.integers(0, np.array(items.shape[-2:]) - side + 1)
        item = items[rng.integers(len(items))][:, top : top + side, left : left + side]
        return kind, np.rot90(item.transpose(1, 2, 0), rng.integers(4))
    if kind == "avatar":
        items = items_of(("portraits-balanced", "portraits-biased")[number // 6 % 2], "test")
        return kind, items[rng.integers(len(items))].transpose(1, 2, 0).repeat(4, 0).repeat(4, 1)
    if kind == "one colour":
        return kind, np.full((side, side, 3), rng.integers(0, 256, 3), np.uint8)
    if kind == "gradient":
        y, x = np.mgrid[:side, :side] / side
        slope = np.cos(t := rng.uniform(0, 2 * np.pi)) * x + np.sin(t) * y
        slope = (slope - slope.min()) / (slope.max() - slope.min())
        a, b = rng.uniform(0, 255, (2, 3))
        return kind, (a + (b - a) * slope[..., None]).round().astype(np.uint8)
    if kind == "noise":
        return kind, rng.normal(128, rng.uniform(1, 60), (side, side, 3)).clip(0, 255).round().astype(np.uint8)
    if number // 6 % 2:
        items = items_of("professions", "test")
        kind = "emoji"
        return kind, items[rng.integers(len(items))].transpose(1, 2, 0).repeat(4, 0).repeat(4, 1)
    return kind, shapes(rng, side)


def shapes(rng: np.random.Generator, side: int) -> np.ndarray:
    """Ellipses and boxes of plain colours over one another."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (side, side), tuple(rng.integers(0, 256, 3).tolist()))
    pen = ImageDraw.Draw(image)
    for _ in range(rng.integers(2, 25)):
        x, y = np.sort(rng.integers(0, side, (2, 2)), axis=1)
        draw = (pen.ellipse, pen.rectangle)[rng.integers(2)]
        draw((int(x[0]), int(y[0]), int(x[1]), int(y[1])), fill=tuple(rng.integers(0, 256, 3).tolist()))
    return np.asarray(image)


def times(kept: dict, rounds: int = 15) -> None:
    """CPU milliseconds of one core for 512 x 512."""
    from genlab.data.photographs import test_pictures

    found = {"mark": [], "mark, seal and ledger": [], "verdict, marked": [], "verdict, marked and edited": [],
             "verdict, unmarked": [], "verdict, unmarked, fixed filter alone": []}  # fmt: skip

    def timed(name, run):
        began = time.process_time()
        made = run()
        found[name].append(1e3 * (time.process_time() - began))
        return made

    fixed = (pixel_marks.detector([KEY], learned=False),)
    for number, (title, pixels) in enumerate(test_pictures(512)[:rounds]):
        claim = Claim("photographs-times", "0" * 64, "generate", number, {"title": title}, {})
        timed("mark", lambda p=pixels, c=claim: pixel_marks.marked(p, KEY, c))
        drawn = marking.Drawn(pixels.transpose(2, 0, 1), pictures.png)
        sealed = timed("mark, seal and ledger", lambda d=drawn, c=claim: marking.mark(d, "image/png", c))
        timed("verdict, marked", lambda s=sealed: look(s.media))
        edited, plain = png(ATTACKS["jpeg70"](opened(sealed.media))), png(pixels)
        timed("verdict, marked and edited", lambda m=edited: look(m))
        timed("verdict, unmarked", lambda m=plain: look(m))
        timed("verdict, unmarked, fixed filter alone", lambda m=plain: look(m, fixed))
    told = {name: round(statistics.median(values[1:]), 1) for name, values in found.items()}
    kept["milliseconds at 512 x 512"] = told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--strangers", type=int, default=0, metavar="N")
    parser.add_argument("--times", action="store_true")
    parser.add_argument("--corpora", default="own,256,512")
    asked = parser.parse_args()
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    kept |= {"command": "python benchmarks/verdict.py", "machine": machine()}
    if asked.strangers:
        strangers(asked.strangers, kept)
    elif asked.times:
        times(kept)
        print(json.dumps(kept["milliseconds at 512 x 512"], indent=1))
    else:
        for corpus in asked.corpora.split(","):
            sealed = own(EACH) if corpus == "own" else photographs(int(corpus))
            figures = kept.setdefault("battery", {})[corpus] = battery(sealed)
            told = {layer: round(rates["mean"], 3) for layer, rates in figures["alone"].items()}
            worst = min(figures["edits"], key=lambda edit: figures["edits"][edit]["value"])
            print(f"{corpus}: {figures['found']:.4f} [{figures['low']:.4f}, {figures['high']:.4f}] of {len(sealed)} "
                  f"files, worst {worst} {figures['edits'][worst]['value']:.2f}; alone {told}", flush=True)  # fmt: skip
            RESULTS.write_text(json.dumps(kept, indent=1) + "\n")
    RESULTS.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()

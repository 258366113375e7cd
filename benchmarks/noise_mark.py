"""The mark in a diffusion model's first noise: what it costs, after which edits it is read, and how rarely by chance.

`python benchmarks/noise_mark.py` writes benchmarks/results/noise_mark.json after every part:

- `read`: items drawn as the app draws them, in their own pixels and enlarged as they are delivered, the latter after
  the thirty edits of `audits/watermark/attacks.py`; read where the p-value, which pays for all that was tried, is at
  most 1e-6.
- `knobs`: the same without edits, for other numbers of steps and other guidance.
- `null`: pictures that this key had no part in: real items, other models' and the same model's under another key.
- `cost`: the distance of marked draws to unmarked ones with other seeds, in the judge's features, beside the distance
  of two unmarked sets, with the p-value of a permutation test of the kernel distance.
"""

import argparse
import hashlib
import json
import os
import sys
from dataclasses import asdict, replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from serving import machine
from watermark import interval

from audits.provenance import Claim, Key, noise_marks
from audits.quality import frechet
from audits.watermark import noise
from audits.watermark.attacks import ATTACKS
from genlab.data import load
from genlab.models.diffusion import FITTED
from genlab.studio import generate, pictures, shelf
from genlab.studio.noise_marks import candidates, retraced

RESULTS = Path(__file__).resolve().parent / "results" / "noise_mark.json"
KEY, OTHER = (Key.of(hashlib.sha256(f"{which} key of the benchmark".encode()).digest()) for which in ("the", "another"))
RATE = 1e-6
ROWS = 256  # pictures that are walked back at a time


def drawn(name: str, first: int, count: int, knobs=None, key: Key | None = KEY) -> np.ndarray:
    """Items (n, c, h, w) uint8 as the app draws them, every class in turn, under a key."""
    known, model = shelf.entry(name), shelf.model(name)
    knobs = asdict(knobs or model.default_knobs())
    found = []
    for start in range(first, first + count, 64):
        rows = range(start, min(start + 64, first + count))
        labels = [seed % len(known.classes) for seed in rows] if known.classes else None
        signs = None
        if key is not None:
            claims = [Claim(name, known.weights, "generate", seed, {"noise": key.id}, knobs) for seed in rows]
            signs = noise_marks.signs(key, claims, int(np.prod(known.shape)))
        found.append(generate.draw(name, start, labels, len(rows), knobs, signs))
    return np.concatenate(found)


def p_values(name: str, items: np.ndarray) -> list[float]:
    """The mark's p-value of each item by itself."""
    values = []
    for start in range(0, len(items), ROWS):
        rows = retraced(name, items[start : start + ROWS])
        values += [noise.detect(row[None], [KEY.secret]).p_value for row in rows]
    return values


def verdict_of(name: str, rows: np.ndarray) -> float:
    """The p-value of one picture that may show several items."""
    return noise.detect(retraced(name, rows), [KEY.secret]).p_value


def shown(large: np.ndarray) -> np.ndarray:
    """An item (c, h, w) as pixels that edits work on."""
    return np.ascontiguousarray(large.repeat(4 - large.shape[0], 0)[:3].transpose(1, 2, 0))


def told(values) -> dict:
    hits = [p <= RATE for p in values]
    return dict(zip(("value", "low", "high"), interval(hits), strict=True)) | {"n": len(hits)}


def read(name: str, count: int) -> dict:
    items = drawn(name, 0, count)
    large = [shown(item) for item in pictures.enlarge(items)]
    shape = shelf.entry(name).shape
    found = {"own pixels": told(p_values(name, items))}
    for edit, change in ({"as delivered": lambda pixels: pixels} | ATTACKS).items():
        seen = [candidates(shape, change(pixels)) for pixels in large]
        found[edit] = told([1.0 if rows is None else verdict_of(name, rows) for rows in seen])
        print(edit, found[edit], flush=True)
    return found


def knobs(name: str, count: int) -> dict:
    start, found = shelf.model(name).default_knobs(), {}
    for steps, guidance in ((5, None), (20, None), (50, None), (None, 1.0), (None, 3.0)):
        turned = replace(start, **({"steps": steps} if steps else {}), **({"guidance": guidance} if guidance else {}))
        title = f"{turned.steps:g} steps, guidance {turned.guidance:g}"
        found[title] = told(p_values(name, drawn(name, 0, count, turned)))
        print(title, found[title], flush=True)
    if shelf.model(name).few_steps is not None:
        found[FITTED] = told(p_values(name, drawn(name, 0, count, replace(start, solver=FITTED))))
        print(FITTED, found[FITTED], flush=True)
    return found


def null(name: str, count: int) -> dict:
    kinds = {"real items": load("fashion", "test").items[:count], "another key": drawn(name, 0, count, key=OTHER)}
    kinds |= {"no key": drawn(name, count, count, key=None)}
    for other in shelf.with_capability("generate"):
        if other.shape == shelf.entry(name).shape and other.name != name and "gan" in other.name:
            labels = [i % len(other.classes) for i in range(count)] if other.classes else None
            settings = generate.whole_knobs(other, None)
            kinds[other.name] = generate.draw(other.name, 0, labels, count, settings)
    found = {}
    for kind, items in kinds.items():
        values = np.array(p_values(name, np.asarray(items)))
        found[kind] = {"n": len(values), "smallest p": float(values.min()), "read": int((values <= RATE).sum())}
        found[kind] |= {f"p at most {level}": float((values <= level).mean()) for level in (0.01, 0.1)}
        print(kind, found[kind], flush=True)
    return found


def cost(name: str, count: int, rounds: int = 500) -> dict:
    judge = shelf.model("judge-fashion")

    def features(items):
        parts = torch.from_numpy(items).split(256)
        with torch.no_grad():
            return np.concatenate([judge.features(part.float() / 255).numpy() for part in parts]).astype(np.float64)

    marked = features(drawn(name, 0, count))
    one, two = (features(drawn(name, (1 + i) * count, count, key=None)) for i in range(2))
    both = np.concatenate([marked[: count // 2], one[: count // 2]])
    kernel = (both @ both.T / both.shape[1] + 1) ** 3
    half = len(both) // 2

    def distance(order):
        a, b = order[:half], order[half:]
        return kernel[np.ix_(a, a)].mean() + kernel[np.ix_(b, b)].mean() - 2 * kernel[np.ix_(a, b)].mean()

    rng = np.random.default_rng(0)
    observed = distance(np.arange(len(both)))
    chance = [distance(rng.permutation(len(both))) for _ in range(rounds)]
    return {
        "n": count,
        "marked against unmarked": float(frechet.frechet_distance(marked, one)),
        "unmarked against unmarked": float(frechet.frechet_distance(two, one)),
        "kernel distance, permutation p": (1 + sum(c >= observed for c in chance)) / (1 + rounds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="ddpm-fashion")
    parser.add_argument("--only", choices=("read", "knobs", "null", "cost"))
    parser.add_argument("--count", type=int, default=200)
    asked = parser.parse_args()
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    kept |= {"command": "python benchmarks/noise_mark.py", "machine": machine()}
    parts = {"read": (read, 1), "knobs": (knobs, 1), "null": (null, 5), "cost": (cost, 20)}
    for part, (measure, times) in parts.items():
        if asked.only in (None, part):
            entry = kept.setdefault(asked.model, {})
            entry["weights"] = shelf.entry(asked.model).weights
            entry[part] = measure(asked.model, asked.count * times)
            RESULTS.write_text(json.dumps(kept, indent=1) + "\n")
            print(part, json.dumps(entry[part]) if part == "cost" else "", flush=True)


if __name__ == "__main__":
    main()

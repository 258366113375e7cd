"""Drawing value by value: what is kept from place to place, against the naive loop of the same network.

`python benchmarks/pixels.py` writes benchmarks/results/pixels.json. The naive loop gives the whole picture to the
network for every value and uses one answer of 784; the model looks at one place. Both run in the same whole-number
arithmetic, and must draw the same pixels. At batch 64 the naive loop is timed on `SOME` places spread over the picture,
since it would take an hour, and its time is scaled up; at batch 1 it draws the whole picture.

`python benchmarks/pixels.py --likelihood FOLDER` measures instead bits a dimension on the test items: PixelRNN beside a
PixelCNN of as many parameters on digits, and what a wider PixelCNN reaches on clothes. FOLDER holds the trained trials
(`python -m genlab train NAME --work FOLDER`); models of the shelf are taken from there.
"""

import argparse
import json
import math
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from serving import machine

from genlab import checkpoint
from genlab.models.exact import to_grid
from genlab.models.pixel import PixelCNN, counts_before, in_order
from genlab.models.pixel_reader import drawn, frequencies_of, on_grid
from genlab.seeds import Seeds

RESULTS = Path(__file__).resolve().parent / "results" / "pixels.json"
MODEL, SEED, SOME = "pixelcnn-fashion", 7, 16
MEASURED = ("pixelrnn-digits", "pixelcnn-digits", "pixelcnn-fashion", "pixelcnn-fashion-wide")


@torch.no_grad()
def naive(model: PixelCNN, flat: torch.Tensor, place: int, chances: torch.Tensor) -> torch.Tensor:
    """The values (n,) at a place, from the network's answers at every place of the picture."""
    n, layers = len(flat), model.exact()
    rows = torch.arange(n).repeat_interleave(model.count)
    places = torch.arange(model.count).repeat(n)
    counts = counts_before(flat).flatten(0, 1).double() if model.trust is not None else None
    seen = model.look(flat, rows, places, torch.full_like(rows, model.classes), counts, on_grid)
    logits = model.logits(to_grid(seen.double()), counts, layers, to_grid)
    frequencies = frequencies_of(logits.view(n, model.count, -1)[:, place], 1.0)
    return drawn(frequencies, chances[:, place])


@torch.no_grad()
def kept(model: PixelCNN, count: int) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Pictures as values (n, count), the chances they were drawn with, and the CPU seconds that drawing took."""
    flat = torch.zeros(count, model.count, dtype=torch.long)
    seeds, began = Seeds.count_from(SEED, count), time.process_time()
    for _ in model.draw(flat, torch.ones_like(flat, dtype=torch.bool), seeds, None, None):
        pass
    spent = time.process_time() - began
    return flat, Seeds.count_from(SEED, count).rand(model.count).double(), spent


def likelihoods(folder: Path) -> dict:
    """Bits a dimension of the test items by model, with a normal interval at 95 %."""
    from genlab.data import load
    from genlab.studio import shelf

    found, device = {}, "cuda" if torch.cuda.is_available() else "cpu"
    for name in MEASURED:
        place = folder / name if (folder / name / "config.json").exists() else shelf.folder() / name
        if not (place / "config.json").exists():
            continue
        model, config = checkpoint.load(place).to(device), checkpoint.read(place)
        items = torch.from_numpy(load(config["recipe"]["data"], "test").items)
        nats = torch.cat([model.log_prob(part.to(device).float() / 255).cpu() for part in items.split(100)])
        bits = -nats.double() / (model.count * math.log(2))
        half = 1.96 * float(bits.std()) / len(bits) ** 0.5
        found[name] = {
            "bits per dimension": round(float(bits.mean()), 4), "low": round(float(bits.mean()) - half, 4),
            "high": round(float(bits.mean()) + half, 4), "n": len(bits), "parameters": config["parameters"],
            "steps": config["recipe"]["steps"], "trained on": config["trained_on"]["device"],
            "training seconds": config["trained_on"]["seconds"],
        }  # fmt: skip
        print(name, found[name], flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--likelihood", type=Path, metavar="FOLDER", help="measure likelihoods instead of speed")
    asked = parser.parse_args()
    if asked.likelihood:
        before = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        told = before.get("likelihood", {}) | likelihoods(asked.likelihood)
        RESULTS.write_text(json.dumps(before | {"likelihood": told}, indent=1) + "\n")
        return
    torch.set_num_threads(1)
    model = checkpoint.load(checkpoint.SHELF / MODEL)
    before = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    told = {"command": "python benchmarks/pixels.py", "machine": machine(), "model": MODEL, "threads": 1}
    told |= {key: before[key] for key in ("likelihood",) if key in before}
    for count in (1, 64):
        values, chances, ours = kept(model, count)
        assert torch.equal(in_order(model.complete(
            torch.zeros(count, *model.shape), torch.ones(count, *model.shape[1:], dtype=torch.bool),
            Seeds.count_from(SEED, count))), values)  # fmt: skip
        places = range(model.count) if count == 1 else range(0, model.count, model.count // SOME)
        flat, same, began = torch.zeros_like(values), True, time.process_time()
        for place in places:
            flat[:, :place] = values[:, :place]
            same &= torch.equal(naive(model, flat, place, chances), values[:, place])
        naive_seconds = (time.process_time() - began) * model.count / len(places)
        told[f"batch {count}"] = {
            "seconds": ours, "naive seconds": naive_seconds, "naive places timed": len(places),
            "times as fast": naive_seconds / ours, "identical pixels": same,
        }  # fmt: skip
        print(count, told[f"batch {count}"], flush=True)
        RESULTS.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()

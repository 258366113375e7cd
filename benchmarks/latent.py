"""Diffusion in codes beside diffusion in pixels: `python benchmarks/latent.py [--work DIR] [--count N]`.

`latent-portraits` (an AutoencoderKL that learns first, then a U-Net over its codes) and `flow-portraits` (a U-Net over
pixels) draw from the same mix of portraits. Of both: Fréchet and kernel distance to the test items in the features of
`judge-portraits`, and CPU seconds an item; of the autoencoder alone what it loses of test items, as a PSNR and as a
distance. A model that is missing in the folder `--work` is trained there first. Written to results/latent.json, with a
sheet of the samples.
"""

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from gans import sheet, trained
from serving import machine

from audits.quality import frechet_finding, kernel_distance
from genlab.data import load
from genlab.seeds import Seeds
from genlab.studio import shelf
from genlab.studio.evaluate import draw, features, judge_of

RESULTS = Path(__file__).resolve().parent / "results" / "latent.json"
LATENT, PIXELS, DATA = "latent-portraits", "flow-portraits", "portraits-balanced"
TIMED, ROUNDS = 32, 3  # items drawn at once, and how often
SHEET = (6, 16)  # rows and columns


def shown(finding) -> dict:
    """A finding's figures, as the file keeps them."""
    return {key: float(f"{getattr(finding, key):.4g}") for key in ("value", "low", "high")} | {"n": finding.n}


def drawn(model, judge, real: np.ndarray, count: int) -> dict:
    """How far a model's draws are from real items, and what they cost."""
    made = features(judge, draw(model, count)[0])
    began = time.process_time()
    for _ in range(ROUNDS):
        model.sample(Seeds.count_from(0, TIMED))
    return {
        "frechet": shown(frechet_finding(real, made)),
        "kernel": shown(kernel_distance(real, made)),
        "cpu_seconds_an_item": round((time.process_time() - began) / ROUNDS / TIMED, 4),
    }


def kept_by(model, judge, real: np.ndarray, items: np.ndarray) -> dict:
    """What the autoencoder makes of test items: pooled PSNR, and the distance of the results to the items."""
    images = torch.from_numpy(items).float() / 255
    again = torch.cat([model.decoded(model.posteriors(part).chunk(2, 1)[0]) for part in images.split(256)])
    error = float((again - images).double().square().mean())
    values = int(np.prod(model.diffusion.shape))
    return {
        "values": values, "of": int(np.prod(model.shape)),
        "psnr": round(-10 * float(np.log10(error)), 2),
        "frechet": shown(frechet_finding(real, features(judge, (again * 255).round().byte().numpy()))),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path(".cache/trials"), help="where trained models lie")
    parser.add_argument("--count", type=int, default=10_000, help="items drawn of each (default: 10,000)")
    asked = parser.parse_args()
    model, facts = trained(LATENT, asked.work)
    data, judge = load(DATA, "test"), judge_of(DATA)
    real = features(judge, data.items)
    found = {
        "machine": machine(), "items": len(data), LATENT: facts | drawn(model, judge, real, asked.count),
        "autoencoder": kept_by(model, judge, real, data.items),
        PIXELS: {"weights": shelf.config_of(PIXELS)["weights_sha256"]}
        | drawn(shelf.model(PIXELS), judge, real, asked.count),
    }  # fmt: skip
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))
    rows, columns = SHEET
    sheet(model.sample(Seeds.count_from(1_000_000, rows * columns)), RESULTS.with_suffix(".webp"), columns)


if __name__ == "__main__":
    main()

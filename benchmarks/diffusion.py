"""Diffusion models: which guidance, how few steps, and how fast beside diffusers' own loop.

    python benchmarks/diffusion.py [guidance] [steps] [speed] [--model ddpm-fashion]

The guidance is chosen on the last 10,000 items of the training split, so that no knob ever saw the test items; the
distance by number of network evaluations is of unguided samples against the test items, as in the model's card.
"""

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from serving import machine

from audits.quality import frechet_finding
from genlab.data import load
from genlab.models.diffusion import Knobs, solver
from genlab.seeds import Seeds
from genlab.studio import shelf
from genlab.studio.evaluate import draw, features, judge_of

RESULTS = Path(__file__).resolve().parent / "results" / "diffusion.json"
SECTIONS = ("guidance", "steps", "speed")
PUSHES = (1.0, 1.5, 2.0, 3.0)
CALLS = (50, 8, 4)  # of the network an item
CHOSEN_ON, COUNT = 3_000, 10_000  # items drawn
ITEMS, STEPS, ROUNDS = 64, 8, 9  # of the timing


def told(finding) -> dict:
    """A distance as the file of results keeps it."""
    return {key: round(getattr(finding, key), 4) for key in ("value", "low", "high")} | {"n": finding.n}


def guidance(model, data: str) -> dict:
    """Distance of a few items to the held-out part of the training split, by guidance."""
    judge = judge_of(data)
    held_out = features(judge, load(data).items[-COUNT:])
    found = {}
    for push in PUSHES:
        found[f"{push:g}"] = told(frechet_finding(held_out, features(judge, draw(model, CHOSEN_ON, guidance=push)[0])))
        print("guidance", push, found[f"{push:g}"], flush=True)
    return {"held out": f"training items from {len(load(data)) - COUNT}", "distance": found}


def steps(model, data: str) -> dict:
    """Distance of unguided samples to the test items, by solver and number of network evaluations."""
    judge, found = judge_of(data), {}
    real = features(judge, load(data, "test").items)
    for calls in CALLS:
        made = features(judge, draw(model, COUNT, guidance=1.0, steps=float(calls))[0])
        found[str(calls)] = told(frechet_finding(real, made))
        print("calls", calls, found[str(calls)], flush=True)
    fifty = found[str(CALLS[0])]["value"]
    return {"distance": found, "over fifty": {calls: round(row["value"] / fifty, 3) for calls, row in found.items()}}


def speed(model, data: str) -> dict:
    """CPU seconds of 64 unguided items in 8 steps: ours, and the same network in a loop over diffusers' solver."""
    labels = torch.arange(ITEMS) % model.classes
    turned = Knobs(steps=STEPS, guidance=1.0)

    @torch.no_grad()
    def plain() -> torch.Tensor:
        scheduler = solver(model.process, turned.solver)
        scheduler.set_timesteps(STEPS)
        z = Seeds.count_from(0, ITEMS).randn(*model.folded(torch.zeros(1, *model.shape)).shape[1:])
        for t in scheduler.timesteps:
            z = scheduler.step(model.unet(z, t, class_labels=labels).sample, t, z).prev_sample
        return model.unfolded(z)

    runs = {"ours": lambda: model.sample(Seeds.count_from(0, ITEMS), labels, turned), "diffusers": plain}
    seconds, drawn = {name: [] for name in runs}, {}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            began = time.process_time()
            drawn[name] = run()
            seconds[name].append(time.process_time() - began)
    found = {name: round(float(np.median(taken[1:])), 3) for name, taken in seconds.items()}
    apart = float((drawn["ours"] - drawn["diffusers"]).abs().max())
    return found | {"times as fast": round(found["diffusers"] / found["ours"], 2), "pixels apart by": round(apart, 6)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", choices=[[], *SECTIONS], help="which figures (default: all)")
    parser.add_argument("--model", default="ddpm-fashion")
    asked = parser.parse_args()
    model, config = shelf.model(asked.model), shelf.config_of(asked.model)
    for section in asked.sections or SECTIONS:
        figures = globals()[section](model, config["recipe"]["data"])
        kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        about = {"weights": config["weights_sha256"], "machine": machine()}
        kept.setdefault(asked.model, {})[section] = figures | about
        RESULTS.write_text(json.dumps(kept, indent=1) + "\n")
        print(section, json.dumps(figures, indent=1), flush=True)


if __name__ == "__main__":
    main()

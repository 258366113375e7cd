"""Diffusion models: which guidance, how few steps, and how fast beside diffusers' own loop.

    python benchmarks/diffusion.py [guidance] [steps] [fitted] [speed] [--model ddpm-fashion]

The guidance is chosen on the last 10,000 items of the training split, so that no knob ever saw the test items; the
distance by number of network evaluations is of unguided samples against the test items, as in the model's card.
"""

import argparse
import copy
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from serving import machine

from audits.quality import frechet_finding
from genlab.data import load
from genlab.models.diffusion import FITTED, Knobs
from genlab.models.diffusion_path import solver
from genlab.seeds import Seeds
from genlab.studio import shelf
from genlab.studio.evaluate import draw, features, judge_of

RESULTS = Path(__file__).resolve().parent / "results" / "diffusion.json"
SECTIONS = ("guidance", "steps", "fitted", "speed")
PUSHES = (1.0, 1.1, 1.25, 1.5)
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


def fitted(model, data: str) -> dict:
    """The same for the fitted steps of a model that has them."""
    if model.few_steps is None:
        return {}
    judge = judge_of(data)
    real = features(judge, load(data, "test").items)
    row = told(frechet_finding(real, features(judge, draw(model, COUNT, guidance=1.0, solver=FITTED)[0])))
    return {"calls": len(model.few_steps), "distance": row}


def over_fifty(value: float, kept: dict) -> dict:
    """A distance over those of fifty calls that are kept of a model."""
    found = {name: section["distance"][str(CALLS[0])]["value"] for name, section in kept.items() if "steps" in name}
    return {f"over fifty, {name}": round(value / fifty, 3) for name, fifty in found.items()}


def speed(model, data: str) -> dict:
    """Seconds of 64 unguided items in 8 steps: ours, and the same network in a loop over diffusers' solver.

    CPU seconds of the process; on a CUDA device those of the clock, with the share of what a large matrix product in
    the same number format reaches there.
    """
    device = next(model.parameters()).device
    labels = torch.arange(ITEMS, device=device) % model.classes if model.classes else None
    turned = Knobs(steps=STEPS, guidance=1.0, solver=model.default_knobs().solver)
    there = device.type == "cuda"
    unet = copy.deepcopy(model.unet).to(memory_format=torch.contiguous_format)

    def now() -> float:
        if not there:
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()

    @torch.no_grad()
    def plain() -> torch.Tensor:
        scheduler = solver(model.process, turned.solver)
        scheduler.set_timesteps(STEPS, device=device)
        size = model.folded(torch.zeros(1, *model.shape)).shape[1:]
        z = Seeds.count_from(0, ITEMS, device).randn(*size)
        for t in scheduler.timesteps:
            z = scheduler.step(unet(z, t, class_labels=labels).sample, t, z).prev_sample
        return model.unfolded(z)

    def ours(precision: str = "float32") -> torch.Tensor:
        return model.sample(Seeds.count_from(0, ITEMS, device), labels, replace(turned, precision=precision))

    runs = {"ours": ours, "ours in bfloat16": lambda: ours("bfloat16"), "diffusers": plain}
    seconds, drawn = {name: [] for name in runs}, {}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            began = now()
            drawn[name] = run()
            seconds[name].append(now() - began)
    found = {name: round(float(np.median(taken[1:])), 4) for name, taken in seconds.items()}
    for name in list(runs)[:-1]:
        apart = (drawn[name] - drawn["diffusers"]).abs().flatten(1)
        found[name] = {
            "seconds": found[name], "times as fast": round(found["diffusers"] / found[name], 2),
            "pixels apart by": round(float(apart.max()), 6), "on average": round(float(apart.mean()), 6),
            "in the middle item": round(float(apart.mean(1).median()), 6),
        }  # fmt: skip
    if there:
        found |= share_of_peak(model, labels, ours, now)
    return found


def share_of_peak(model, labels, run, now) -> dict:
    """Operations a second of a run over those of a product of two 8,192 x 8,192 matrices, both in float32."""
    from torch.utils.flop_counter import FlopCounterMode

    device = next(model.parameters()).device
    size = model.folded(torch.zeros(1, *model.shape)).shape[1:]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        z = torch.zeros(ITEMS, *size, device=device)
        model.unet(z, torch.full((ITEMS,), 500.0, device=device), class_labels=labels)
    a, b = torch.randn(2, 8192, 8192, device=device)
    rates = []
    for _ in range(5):
        began = now()
        a @ b
        rates.append(2 * 8192**3 / (now() - began))
    began = now()
    for _ in range(10):
        run()
    reached = 10 * STEPS * counter.get_total_flops() / (now() - began)
    return {
        "TFLOP/s": round(reached / 1e12, 3),
        "TFLOP/s of a matrix product": round(max(rates) / 1e12, 1),
        "share of it": round(reached / max(rates), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", choices=[[], *SECTIONS], help="which figures (default: all)")
    parser.add_argument("--model", default="ddpm-fashion")
    asked = parser.parse_args()
    model, config = shelf.model(asked.model), shelf.config_of(asked.model)
    there = next(model.parameters()).is_cuda  # as the app does, where there is such a device
    for section in asked.sections or SECTIONS:
        figures = globals()[section](model, config["recipe"]["data"])
        kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        if section == "fitted" and figures:
            figures |= over_fifty(figures["distance"]["value"], kept.get(asked.model, {}))
        about = {"weights": config["weights_sha256"], "machine": machine()}
        if there:
            about["device"] = torch.cuda.get_device_name()
        kept.setdefault(asked.model, {})[section + (" on a GPU" if there else "")] = figures | about
        RESULTS.write_text(json.dumps(kept, indent=1) + "\n")
        print(section, json.dumps(figures, indent=1), flush=True)


if __name__ == "__main__":
    main()

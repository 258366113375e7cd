"""The collapse detector on toy runs: how many failures it sees, and how many healthy runs it leaves in peace.

`python benchmarks/collapse.py` trains on rings of 8 and of 5 and a grid of 25 Gaussians, run after run, and goes on
where it stopped; benchmarks/results/collapse.json has every run. What a run is planted to be decides nothing: its
label is the verdict of an oracle that knows the modes, on 2,000 final samples (see `oracle`). The watch has 30 looks,
each at 500 samples, losses, and the KL of latents, and is not told of modes. An alarm counts whenever it is raised.

`--tuning` runs the seeds that the constants of genlab/metrics/collapse.py were chosen on; the others were not looked at
before. Runs that the oracle finds neither healthy nor failed are counted as "between" and belong to neither rate.
"""

import argparse
import functools
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from serving import machine

from genlab.data import toys
from genlab.fit import Batches, fit
from genlab.metrics.collapse import Watch
from genlab.models.gan import GAN
from genlab.models.vae import VAE

MODES = {**toys.MODES, "five": toys.Modes(toys.ring_of(5, 0.4), toys.MODES["ring"].deviation)}
RESULTS = Path(__file__).resolve().parent / "results" / "collapse.json"
TUNING, TEST = 0, 300_000  # first seeds; those from 100,000 and 200,000 on were tests that failed, and became tuning
BATCH, LOOKS, SAMPLES, FINAL = 256, 30, 500, 2_000
REACHED, HEALTHY = 0.2, 0.5  # of an equal share: below the one a mode is not reached, above the other nothing ails it
STEADY = {"latent": 8, "width": 16, "depth": 0, "spectral": False, "penalty_every": 1}
BARE = {"latent": 4, "width": 8, "depth": 0, "spectral": False}
# Planted as: family, its arguments, steps, and the range of learning rates that each seed draws from.
PLANTS: dict[str, tuple[type, dict, int, tuple[float, float]]] = {
    "Wasserstein, penalty": (GAN, {**STEADY, "loss": "wasserstein", "gradient_penalty": 0.3}, 750, (2e-3, 4e-3)),
    "minimax": (GAN, {**BARE, "loss": "minimax"}, 360, (5e-4, 2e-3)),
    "non-saturating, penalty": (GAN, {**STEADY, "loss": "non-saturating", "gradient_penalty": 0.3}, 750, (2e-3, 4e-3)),
    "rate too high": (GAN, {**BARE, "loss": "non-saturating"}, 300, (2e-2, 2e-1)),
    "VAE": (VAE, {"latent": 2, "width": 128}, 600, (3e-3, 6e-3)),
    "VAE, strong beta": (VAE, {"latent": 2, "width": 64, "beta": 400.0}, 300, (1e-3, 4e-3)),
    "non-saturating": (GAN, {**BARE, "loss": "non-saturating"}, 360, (5e-4, 2e-3)),
    "tiny generator": (GAN, {**BARE, "loss": "hinge", "latent": 1, "width": 1}, 300, (2e-3, 1e-2)),
    "VAE, weak beta": (VAE, {"latent": 2, "width": 128, "beta": 0.5}, 600, (3e-3, 6e-3)),
    "unbounded critic": (GAN, {**BARE, "loss": "wasserstein"}, 300, (2e-3, 2e-2)),
}
STEADY_ONES = ("Wasserstein, penalty", "non-saturating, penalty", "VAE", "VAE, weak beta")
# Every plant on every set in turn; those that are to go well not on the grid, which takes them longer than a toy run.
ORDER = [(p, data) for p in PLANTS for data in MODES if not (p in STEADY_ONES and data == "grid")]


def plant(number: int) -> tuple[str, str]:
    """What run `number` is planted as, and the data."""
    return ORDER[number % len(ORDER)]


@functools.cache
def points(data: str, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, 2) and the numbers of their modes (n,)."""
    if data in toys.NAMES:
        return toys.load(data, split).items, toys.load(data, split).labels
    drawn, labels = toys.gaussians(MODES[data], 10_000, np.random.default_rng([9, split == "train"]))
    return drawn.astype(np.float32), labels


def train(number: int, seed: int) -> Iterator[tuple[int, np.ndarray, dict, np.ndarray | None, torch.nn.Module]]:
    """The looks of a run: step, samples (500, 2), losses, KL per latent (d,) or None, and the model."""
    planted, data = plant(number)
    family, arguments, steps, rates = PLANTS[planted]
    rate = float(np.exp(np.random.default_rng(seed).uniform(*np.log(rates))))
    held = torch.from_numpy(points(data, "test")[0][:200])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = family(shape=(2,), **arguments)
    noise = torch.Generator().manual_seed(seed)
    batches = Batches(*points(data, "train"), batch=BATCH, seed=seed)
    for now in fit(model, batches, steps=steps, lr=rate, ema=0, seed=seed, every=steps // LOOKS):
        kl = None
        if family is VAE:
            mean, deviation = model.posteriors(held)
            kl = ((mean**2 + deviation**2 - 1) / 2 - deviation.log()).mean(0).numpy()
        yield now.step, drawn(model, SAMPLES, noise), now.losses, kl, model


@torch.no_grad()
def drawn(model: torch.nn.Module, count: int, noise: torch.Generator) -> np.ndarray:
    """Samples (count, 2) of the weights as they are."""
    z = torch.randn(count, model.latent, generator=noise)
    model.eval()
    items = model.decode(z) if isinstance(model, VAE) else model.paint(z)
    model.train()
    return items.numpy()


def oracle(model: torch.nn.Module, data: str) -> tuple[str, dict]:
    """The verdict of one who knows the modes.

    A point is near a mode within a quarter of the distance between neighbouring centres, and a mode is reached when it
    has at least `REACHED` of an equal share of the points that are near one. "divergence": not a number anywhere, or
    most points beyond three times the data's radius; "posterior collapse": a VAE brings back at most twice as many
    held-out points to their own mode as chance would; "mode collapse": fewer than 90 % of the modes are reached;
    "healthy": all have half of an equal share at least, and half of all points are near one.
    """
    modes, (held, labels) = MODES[data], points(data, "test")
    made = drawn(model, FINAL, torch.Generator().manual_seed(1))
    if not np.isfinite(made).all():
        return "divergence", {}
    apart = np.sqrt(((modes.centres[:, None] - modes.centres) ** 2).sum(2))
    within = apart[apart > 0].min() / 4
    distances = np.sqrt(((made[:, None] - modes.centres) ** 2).sum(2))
    near, k = distances.min(1) <= within, len(modes.centres)
    shares = np.bincount(distances.argmin(1)[near], minlength=k) / max(near.sum(), 1)
    reached = int((shares >= REACHED / k).sum())
    told = {
        "reached": reached,
        "of": k,
        "near": round(float(near.mean()), 3),
        "least": round(float(k * shares.min()), 2),
    }
    if isinstance(model, VAE):
        back = model.reconstruct(torch.from_numpy(held[:FINAL])).numpy()
        own = ((back[:, None] - modes.centres) ** 2).sum(2).argmin(1) == labels[:FINAL]
        told["brought back"] = round(float(own.mean()), 3)
        if own.mean() <= 2 / k:
            return "posterior collapse", told
    centre = modes.centres.mean(0)
    radius = np.sqrt(((modes.centres - centre) ** 2).sum(1)).max()
    if (np.sqrt(((made - centre) ** 2).sum(1)) > 3 * radius).mean() > 0.5:
        return "divergence", told
    if reached < 0.9 * k:
        return "mode collapse", told
    return ("healthy" if k * shares.min() >= HEALTHY and near.mean() >= 0.5 else "between"), told


def run(number: int, first: int) -> dict:
    """One run, watched and judged."""
    seed = first + number
    planted, data = plant(number)
    began = time.perf_counter()
    watch = Watch(points(data, "test")[0][:1000], steps=PLANTS[planted][2], seed=seed)
    for step, items, losses, kl, trained in train(number, seed):
        watch.look(step, items, losses=losses, kl=kl)
        model = trained
    label, told = oracle(model, data)
    return {
        "seed": seed, "data": data, "planted": planted, "label": label, **told,
        "alarms": {kind: {"step": a.step, "since": a.since} for kind, a in watch.alarms.items()},
        "seconds": round(time.perf_counter() - began, 1),
    }  # fmt: skip


def interval(hits: int, n: int) -> dict:
    """A share with its exact 95 % interval (Clopper and Pearson)."""
    from scipy.stats import beta

    low = 0.0 if hits == 0 else float(beta.ppf(0.025, hits, n - hits + 1))
    high = 1.0 if hits == n else float(beta.ppf(0.975, hits + 1, n - hits))
    return {"hits": hits, "n": n, "value": hits / n if n else None, "low": low, "high": high}


def rates(runs: list[dict]) -> dict:
    """Failures raised, by label too and with the right name, and healthy runs left in peace."""
    failed = [r for r in runs if r["label"] not in ("healthy", "between")]
    healthy = [r for r in runs if r["label"] == "healthy"]
    kinds = sorted({r["label"] for r in failed})
    return {
        "runs": len(runs),
        "labels": dict(Counter(r["label"] for r in runs)),
        "raised on failures": interval(sum(bool(r["alarms"]) for r in failed), len(failed)),
        "silent on healthy runs": interval(sum(not r["alarms"] for r in healthy), len(healthy)),
        "raised, by label": {
            kind: interval(sum(bool(r["alarms"]) for r in failed if r["label"] == kind),
                           sum(r["label"] == kind for r in failed))
            for kind in kinds
        },
        "raised under the label's name, by label": {
            kind: interval(sum(kind in r["alarms"] for r in failed if r["label"] == kind),
                           sum(r["label"] == kind for r in failed))
            for kind in kinds
        },
        "raised between": sum(bool(r["alarms"]) for r in runs if r["label"] == "between"),
        "labels by plant": {p: dict(Counter(r["label"] for r in runs if r["planted"] == p)) for p in PLANTS},
    }  # fmt: skip


def main() -> None:
    """Run what is not yet there and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=208)
    parser.add_argument("--tuning", action="store_true", help="the seeds that the constants were chosen on")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    name, first = ("tuning", TUNING) if arguments.tuning else ("test", TEST)
    kept = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    part = kept.setdefault(name, {})
    runs = part.setdefault("runs", [])
    while len(runs) < arguments.runs:
        runs.append(run(len(runs), first))
        part |= {"command": "python benchmarks/collapse.py" + " --tuning" * arguments.tuning, "machine": machine()}
        part["rates"] = rates(runs)
        partial = arguments.out.with_suffix(".partial")
        partial.write_text(json.dumps(kept, indent=1) + "\n")
        partial.replace(arguments.out)
        print(json.dumps(runs[-1]), flush=True)
    print(json.dumps({name: part["rates"] for name, part in kept.items()}, indent=1))


if __name__ == "__main__":
    main()

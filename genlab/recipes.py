"""Every shipped training run: which family, on which data, with which numbers."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from genlab import checkpoint
from genlab.data import Data, load
from genlab.device import describe
from genlab.fit import Batches, Progress, fit, save_state
from genlab.models import build
from genlab.models.vae import VAE


@dataclass(frozen=True)
class Stage:
    """A second fit on the codes of the first one's model: the flow prior of a VAE."""

    steps: int
    batch: int
    lr: float
    ema: float = 0.999


@dataclass(frozen=True)
class Recipe:
    """All that decides a trained model, with the versions of the libraries."""

    family: str
    data: str
    model: dict[str, Any]
    steps: int
    batch: int
    lr: float
    ema: float = 0.999
    seed: int = 0
    prior: Stage | None = None


RECIPES: dict[str, Recipe] = {
    "judge-fashion": Recipe("judge", "fashion", {}, steps=5000, batch=128, lr=3e-3, ema=0.998),
    "vae-fashion": Recipe(
        "vae",
        "fashion",
        {
            "classes": 10,
            "latent": 32,
            "local": [16, 4],
            "depth": 2,
            "free_bits": 1.25,
            "local_from": 0.05,
            "priors": ["flow", "mixture"],
        },
        steps=12000,
        batch=64,
        lr=2e-3,
        prior=Stage(steps=12000, batch=512, lr=1e-3),
    ),
    "gan-fashion": Recipe(
        "gan",
        "fashion",
        {"classes": 10, "width": 24, "augment": 1, "r1": 0.1, "critic_rate": 3.0, "auxiliary": 0.2},
        steps=14000,
        batch=64,
        lr=4e-4,
        ema=0.999,
    ),
}


def recipe_of(name: str) -> Recipe:
    """The recipe of that exact name.

    Raises:
        ValueError: there is none.
    """
    if name not in RECIPES:
        raise ValueError(f"Recipes are {', '.join(RECIPES)}; {name!r} was given.")
    return RECIPES[name]


def train(name: str, work: Path, *, device: str = "cpu", steps: int | None = None) -> Iterator[tuple[str, Progress]]:
    """Run a recipe into the folder `work`/name, yielding (stage, Progress); killed, it goes on from its last save.

    Args:
        steps: a shorter run than the recipe's (a trial; the config says so).
    """
    recipe = recipe_of(name)
    if steps:
        recipe = replace(recipe, steps=steps, prior=recipe.prior and replace(recipe.prior, steps=steps))
    data, folder = load(recipe.data), work / name
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        model = build(recipe.family, recipe.model).to(device, memory_format=torch.channels_last)
    seconds = {}
    finished = folder / "first.pt"  # the first of two stages
    if finished.exists():
        state = torch.load(finished, map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        seconds[recipe.family] = state["seconds"]
    else:
        run = fit(
            model,
            Batches(data.items, data.labels, batch=recipe.batch, seed=recipe.seed, device=device),
            steps=recipe.steps,
            lr=recipe.lr,
            ema=recipe.ema,
            seed=recipe.seed,
            resume=folder / "resume.pt",
            every=max(1, recipe.steps // 1000),
        )
        for progress in run:
            seconds[recipe.family] = progress.seconds
            yield recipe.family, progress
    if recipe.prior and isinstance(model, VAE):
        save_state(finished, {"model": model.state_dict(), "seconds": seconds[recipe.family]})
        for progress in fit_priors(model, data, recipe, folder, device):
            seconds["prior"] = progress.seconds
            yield "prior", progress
    trained_on = {
        "data": recipe.data,
        "split": data.split,
        "items": len(data),
        "licence": data.licence,
        "attribution": data.attribution,
        "seconds": math.ceil(sum(seconds.values())),
        "device": describe(device),
    }
    checkpoint.save(model, folder, name=name, recipe=checkpoint.plain(recipe), trained_on=trained_on)
    finished.unlink(missing_ok=True)


def fit_priors(model: VAE, data: Data, recipe: Recipe, folder: Path, device: str) -> Iterator[Progress]:
    """Fit the mixture and the flow of a trained VAE on the codes of its training items."""
    items, labels = torch.from_numpy(data.items), torch.from_numpy(data.labels)
    parts = [model.posteriors(part.to(device).float() / 255) for part in items.split(1024)]
    mean, deviation = (torch.cat(halves) for halves in zip(*parts, strict=True))
    if model.mixture is not None:
        with torch.random.fork_rng():
            torch.manual_seed(recipe.seed)
            model.mixture.fit(mean + deviation * torch.randn_like(mean), labels, seed=recipe.seed)
    if model.flow is not None and recipe.prior:
        stage = recipe.prior
        model.flow.standardise(mean, deviation)
        model.flow.requires_grad_(True)
        codes = Batches(torch.cat([mean, deviation], 1), labels, batch=stage.batch, seed=recipe.seed, device=device)
        yield from fit(
            model.flow,
            codes,
            steps=stage.steps,
            lr=stage.lr,
            ema=stage.ema,
            seed=recipe.seed + 1,
            resume=folder / "prior.pt",
            every=max(1, stage.steps // 200),
        )

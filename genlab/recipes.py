"""Training runs: a recipe of the table, from data to a folder of the shelf."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from genlab import checkpoint
from genlab.data import Corpus, Data, load
from genlab.device import describe
from genlab.fit import Batches, Progress, fit, save_state
from genlab.models import build
from genlab.models.judge import Judge, joint
from genlab.models.latent_diffusion import LatentDiffusion
from genlab.models.vae import VAE
from genlab.recipe_table import MARKS, RECIPES, Recipe


def recipe_of(name: str) -> Recipe:
    """The recipe of that exact name.

    Raises:
        ValueError: there is none.
    """
    from genlab.trials import TRIALS

    known = RECIPES | TRIALS | MARKS
    if name not in known:
        raise ValueError(f"Recipes are {', '.join(known)}; {name!r} was given.")
    return known[name]


def home_of(name: str) -> Path | None:
    """Where a published run lives that is no model of the shelf; None for a model."""
    if name not in MARKS:
        return None
    from audits.watermark.learned import WEIGHTS

    return WEIGHTS


def untrained(recipe: Recipe) -> nn.Module:
    """The recipe's network: a family's, or the watermark's own."""
    if recipe.family == "watermark":
        from audits.watermark.learned import Reader

        return Reader(**recipe.model)
    return build(recipe.family, recipe.model)


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
        model = untrained(recipe)
    if isinstance(data, Corpus):
        model.learn_tokens(data)
        items, labels = model.items_of(data), None
    else:
        items, labels = data.items, labels_for(model, data)
    model = model.to(device, memory_format=torch.channels_last)
    seconds = {}
    finished = folder / "first.pt"  # the first of two stages
    if finished.exists():
        state = torch.load(finished, map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        seconds[recipe.family] = state["seconds"]
    else:
        run = fit(
            model,
            Batches(items, labels, batch=recipe.batch, seed=recipe.seed, device=device),
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
    if recipe.prior and type(model) in SECOND_STAGES:
        save_state(finished, {"model": model.state_dict(), "seconds": seconds[recipe.family]})
        for progress in SECOND_STAGES[type(model)](model, data, recipe, folder, device):
            seconds["prior"] = progress.seconds
            yield "prior", progress
    if isinstance(model, Judge) and model.attributes:
        train_items, held_out = (images_of(load(recipe.data, split), device) for split in ("train", "validate"))
        model.learn_limit(train_items, held_out)
    trained_on = {
        "data": recipe.data,
        "split": data.split,
        "items": len(data),
        **({"shares": data.shares()} if data.groups else {}),
        "licence": data.licence,
        "attribution": data.attribution,
        "seconds": math.ceil(sum(seconds.values())),
        "device": describe(device),
    }
    checkpoint.save(model, folder, name=name, recipe=checkpoint.plain(recipe), trained_on=trained_on)
    finished.unlink(missing_ok=True)


def labels_for(model: nn.Module, data: Data) -> Any:
    """Class numbers; for a judge of several attributes, their place in the product."""
    return joint(data.attributes, model.attributes) if isinstance(model, Judge) and model.attributes else data.labels


def images_of(data: Data, device: str, most: int = 5000) -> torch.Tensor:
    """Up to `most` items of a split, drawn at random, in [0, 1]."""
    order = np.random.default_rng(0).permutation(len(data))[:most]
    return torch.from_numpy(data.items[order]).to(device).float() / 255


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
        model.flow.standardise(mean, deviation)
        model.flow.requires_grad_(True)
        yield from fit_second(model.flow, torch.cat([mean, deviation], 1), labels, recipe, folder, device)


def fit_diffusion(model: LatentDiffusion, data: Data, recipe: Recipe, folder: Path, device: str) -> Iterator[Progress]:
    """Fit the diffusion model of codes to those of the training items, once the autoencoder has learnt."""
    codes = [model.posteriors(part.to(device).float() / 255) for part in torch.from_numpy(data.items).split(256)]
    yield from fit_second(model.diffusion, model.standardise(torch.cat(codes)), data.labels, recipe, folder, device)


def fit_second(
    part: nn.Module, codes: torch.Tensor, labels: Any, recipe: Recipe, folder: Path, device: str
) -> Iterator[Progress]:
    """Fit a part of a model to codes, as the recipe's second stage says."""
    stage = recipe.prior
    yield from fit(
        part,
        Batches(codes, labels, batch=stage.batch, seed=recipe.seed, device=device),
        steps=stage.steps,
        lr=stage.lr,
        ema=stage.ema,
        seed=recipe.seed + 1,
        resume=folder / "prior.pt",
        every=max(1, stage.steps // 200),
    )


SECOND_STAGES = {VAE: fit_priors, LatentDiffusion: fit_diffusion}

"""Every shipped training run: which family, on which data, with which numbers."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from genlab import checkpoint
from genlab.data import Corpus, Data, load, names, portraits, professions
from genlab.device import describe
from genlab.fit import Batches, Progress, fit, save_state
from genlab.models import build
from genlab.models.judge import Judge, joint
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


PORTRAIT_VAE = Recipe(
    "vae",
    "portraits-biased",
    {
        "shape": [3, 64, 64],
        "latent": 64,
        "width": 64,
        "depth": 2,
        "patch": 2,
        "likelihood": "laplace",
        "free_bits": 0.5,
        "priors": ["flow", "mixture"],
    },
    steps=6000,
    batch=64,
    lr=2e-3,
    prior=Stage(steps=6000, batch=512, lr=1e-3),
)
PORTRAIT_GAN = Recipe(
    "gan",
    "portraits-biased",
    {
        "shape": [3, 64, 64],
        "patch": 2,
        "width": 32,
        "depth": 0,
        "stages": 3,
        "detail": 48,
        "palette": 8,
        "latent": 96,
        "augment": 2,
        "r1": 0.1,
        "critic_rate": 3.0,
        "rehearsal": 0.25,
    },
    steps=12000,
    batch=32,
    lr=4e-4,
)
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
    "judge-portraits": Recipe(
        "judge",
        "portraits",
        {
            "shape": [3, 64, 64],
            "attributes": {name: len(groups) for name, groups in portraits.ATTRIBUTES.items()},
            "patch": 2,
        },
        steps=2000,
        batch=128,
        lr=3e-3,
        ema=0.998,
    ),
    "vae-portraits-biased": PORTRAIT_VAE,
    "vae-portraits-balanced": replace(PORTRAIT_VAE, data="portraits-balanced"),
    "gan-portraits-biased": PORTRAIT_GAN,
    "gan-portraits-balanced": replace(PORTRAIT_GAN, data="portraits-balanced"),
    "gan-professions": Recipe(
        "gan",
        "professions",
        {
            "shape": [3, 64, 64],
            "classes": len(professions.TRAINED),
            "patch": 2,
            "width": 16,
            "augment": 3,
            "r1": 0.1,
            "critic_rate": 3.0,
            "auxiliary": 0.2,
        },
        steps=5000,
        batch=64,
        lr=4e-4,
    ),
    "dcgan-fashion": Recipe(
        "gan",
        "fashion",
        {"width": 15, "depth": 0, "loss": "non-saturating", "spectral": False, "critic_rate": 1.0},
        steps=8000,
        batch=64,
        lr=4e-4,
    ),
    "wgan-gp-fashion": Recipe(
        "gan",
        "fashion",
        {
            "width": 15,
            "depth": 0,
            "loss": "wasserstein",
            "spectral": False,
            "gradient_penalty": 10.0,
            "penalty_every": 1,
            "critic_steps": 5,
            "critic_rate": 1.0,
        },
        steps=20000,
        batch=64,
        lr=4e-4,
    ),
    "progan-emoji": Recipe(
        "gan",
        "emoji",
        {
            "shape": [3, 64, 64],
            "patch": 2,
            "growing": True,
            "stages": 3,
            "width": 20,
            "latent": 96,
            "loss": "non-saturating",
            "spectral": False,
            "r1": 1.0,
            "critic_rate": 1.0,
        },
        steps=2000,
        batch=32,
        lr=1e-3,
        ema=0.995,
    ),
    "ae-fashion-undercomplete": Recipe(
        "ae", "fashion", {"latent": 64, "hidden": [112], "tied": True}, steps=10000, batch=256, lr=3e-3
    ),
    "ae-fashion-contractive": Recipe(
        "ae",
        "fashion",
        {"latent": 64, "hidden": [112], "tied": True, "penalty": "contractive", "weight": 3e-4},
        steps=2000,
        batch=128,
        lr=3e-3,
    ),
    "ae-fashion-sparse": Recipe(
        "ae",
        "fashion",
        {"latent": 120, "hidden": [], "tied": True, "code": "sigmoid", "penalty": "kl", "weight": 1e-3},
        steps=3000,
        batch=256,
        lr=5e-3,
    ),
    "ae-fashion-overcomplete": Recipe(
        "ae", "fashion", {"latent": 1568, "network": "map", "width": 32, "depth": 0}, steps=4000, batch=64, lr=3e-3
    ),
    "ae-fashion-denoising": Recipe(
        "ae",
        "fashion",
        {
            "latent": 1568,
            "network": "map",
            "width": 32,
            "depth": 2,
            "coarse": 48,
            "noise": ["gaussian", "gaussian", "gaussian", "salt-and-pepper", "masking"],
            "amount": [0.02, 0.6],
        },
        steps=30000,
        batch=32,
        lr=2e-3,
    ),
    "ae-fashion-convolutional": Recipe(
        "ae", "fashion", {"latent": 64, "network": "convolutional", "width": 24}, steps=30000, batch=32, lr=2e-3
    ),
    "ae-fashion-convolutional-16": Recipe(
        "ae", "fashion", {"latent": 16, "network": "convolutional", "width": 16}, steps=8000, batch=32, lr=2e-3
    ),
    "ae-fashion-neighbours": Recipe(
        "ae",
        "fashion",
        {"latent": 2, "hidden": [96, 96], "tied": True, "penalty": "neighbours", "weight": 0.05, "target": 20.0},
        steps=1600,
        batch=512,
        lr=3e-3,
    ),
    "pixelcnn-fashion": Recipe(
        "pixelcnn", "fashion", {"classes": 10, "width": 224, "depth": 3}, steps=30000, batch=64, lr=2e-3, ema=0.9995
    ),
    "pixelrnn-digits": Recipe(
        "pixelrnn", "mnist", {"classes": 10, "width": 48, "layers": 2}, steps=12000, batch=32, lr=2e-3, ema=0.999
    ),
    "ddpm-fashion": Recipe(
        "diffusion",
        "fashion",
        {"classes": 10, "guidance": 1.5},  # chosen by benchmarks/diffusion.py
        steps=6500,
        batch=64,
        lr=1.5e-3,
        ema=0.998,
    ),
    "gpt-names": Recipe(
        "gpt",
        "names",
        {
            "vocabulary": 160,
            "units": "characters",
            "width": 96,
            "layers": 4,
            "heads": 4,
            "context": 32,
            "dropout": 0.1,
            "controls": {"country": names.COUNTRIES, "gender": names.GENDERS},
        },
        steps=4000,
        batch=128,
        lr=2e-3,
        ema=0.998,
    ),
    "bert-stories": Recipe(
        "bert",
        "stories",
        {"vocabulary": 3072, "width": 128, "layers": 4, "heads": 2, "context": 96},
        steps=6000,
        batch=32,
        lr=2e-3,
        ema=0.998,
    ),
    "gpt-shakespeare": Recipe(
        "gpt",
        "shakespeare",
        {"vocabulary": 2048, "width": 192, "layers": 6, "heads": 3, "context": 256, "dropout": 0.1},
        steps=5000,
        batch=16,
        lr=2e-3,
        ema=0.998,
    ),
    "photo-codec": Recipe("photo-codec", "photograph-tiles", {}, steps=11000, batch=4, lr=1e-3, ema=0.998),
    "fashion-codec": Recipe("item-codec", "fashion", {}, steps=12500, batch=32, lr=2e-3, ema=0.998),
}

MARKS: dict[str, Recipe] = {  # no model of the shelf: what audits/watermark reads marks with
    "watermark": Recipe("watermark", "photographs", {"width": 20, "depth": 2}, steps=900, batch=8, lr=4e-3, ema=0.99),
}


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
    if recipe.prior and isinstance(model, VAE):
        save_state(finished, {"model": model.state_dict(), "seconds": seconds[recipe.family]})
        for progress in fit_priors(model, data, recipe, folder, device):
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

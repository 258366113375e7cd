"""The table of every shipped training run: which family, on which data, with which numbers."""

from dataclasses import dataclass, replace
from typing import Any

from genlab.data import names, portraits, professions


@dataclass(frozen=True)
class Stage:
    """A second fit on the codes of the first one's model: a VAE's flow prior, latent diffusion's U-Net."""

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
        {"width": 10, "depth": 0, "loss": "non-saturating", "spectral": False, "critic_rate": 1.0},
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
        steps=5000,
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
            "spin": True,
        },
        steps=50000,
        batch=128,
        lr=2e-3,
    ),
    "ae-fashion-convolutional": Recipe(
        "ae", "fashion", {"latent": 64, "network": "convolutional", "width": 32}, steps=50000, batch=128, lr=2e-3
    ),
    "ae-fashion-convolutional-16": Recipe(
        "ae", "fashion", {"latent": 16, "network": "convolutional", "width": 24}, steps=30000, batch=32, lr=2e-3
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
        "pixelcnn", "fashion", {"classes": 10, "width": 224, "depth": 3}, steps=50000, batch=512, lr=2e-3, ema=0.9995
    ),
    "pixelrnn-digits": Recipe(
        "pixelrnn", "mnist", {"classes": 10, "width": 48, "layers": 2}, steps=7000, batch=128, lr=2e-3, ema=0.999
    ),
    "ddpm-fashion": Recipe(
        "diffusion",
        "fashion",
        {"classes": 10, "guidance": 1.1},  # chosen by benchmarks/diffusion.py
        steps=40000,
        batch=256,
        lr=1.5e-3,
        ema=0.9995,
    ),
    "flow-portraits": Recipe(
        "diffusion",
        "portraits-balanced",
        {"shape": [3, 64, 64], "process": "flow", "widths": [32, 40, 56]},
        steps=28000,
        batch=128,
        lr=1.5e-3,
        ema=0.9995,
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
        {"vocabulary": 3072, "width": 128, "layers": 4, "heads": 4, "context": 64},
        steps=15_000,
        batch=128,
        lr=1.2e-3,
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

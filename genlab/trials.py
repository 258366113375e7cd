"""Training runs of no model on the shelf: what the scripts in benchmarks/ train to hold others against."""

from dataclasses import replace

from genlab.recipe_table import Recipe, Stage

TOY_GAN = Recipe(
    "gan",
    "ring",
    {
        "shape": [2],
        "latent": 8,
        "width": 16,
        "depth": 0,
        "loss": "relativistic",
        "spectral": False,
        "r1": 0.01,
        "r2": 0.01,
        "penalty_every": 4,
        "noise": 0.5,
    },
    steps=3500,
    batch=256,
    lr=1e-3,
    ema=0.99,
)

TRIALS: dict[str, Recipe] = {
    "gan-ring": TOY_GAN,
    "gan-grid": replace(TOY_GAN, data="grid", model=TOY_GAN.model | {"width": 24}, batch=512),
    "judge-emoji": Recipe(
        "judge",
        "emoji",
        {"shape": [3, 64, 64], "classes": 8, "patch": 2, "width": 16},
        steps=600,
        batch=64,
        lr=3e-3,
        ema=0.99,
    ),
    "dcgan-emoji": Recipe(
        "gan",
        "emoji",
        {
            "shape": [3, 64, 64],
            "patch": 2,
            "stages": 3,
            "width": 24,
            "depth": 0,
            "latent": 96,
            "loss": "non-saturating",
            "spectral": False,
            "critic_rate": 1.0,
        },
        steps=21500,
        batch=32,
        lr=4e-4,
        ema=0.995,
    ),
    "vae-stacked-digits": Recipe(
        "vae",
        "stacked-digits",
        {
            "shape": [3, 28, 28],
            "latent": 64,
            "width": 32,
            "likelihood": "bernoulli",
            "free_bits": 0.1,
            "priors": ["flow"],
        },
        steps=20000,
        batch=64,
        lr=2e-3,
        prior=Stage(steps=12000, batch=512, lr=1e-3),
    ),
    "flow-stacked-digits": Recipe(
        "diffusion",
        "stacked-digits",
        {"shape": [3, 28, 28], "process": "flow", "widths": [48, 64]},
        steps=18000,
        batch=256,
        lr=1.5e-3,
        ema=0.9995,
    ),
    "latent-portraits": Recipe(
        "latent-diffusion",
        "portraits-balanced",
        {"shape": [3, 64, 64], "coder": [16, 32, 48], "widths": [48, 64]},
        steps=2000,
        batch=32,
        lr=2e-3,
        ema=0.995,
        prior=Stage(steps=5000, batch=64, lr=1.5e-3),
    ),
    "dcgan-stacked-digits": Recipe(
        "gan",
        "stacked-digits",
        {
            "shape": [3, 28, 28],
            "width": 16,
            "loss": "non-saturating",
            "spectral": False,
            "critic_rate": 1.0,
        },
        steps=3000,
        batch=64,
        lr=4e-4,
    ),
    "pixelcnn-digits": Recipe(  # of as many parameters as pixelrnn-digits
        "pixelcnn", "mnist", {"classes": 10, "width": 64, "depth": 2}, steps=30000, batch=64, lr=2e-3, ema=0.999
    ),
    "pixelcnn-fashion-wide": Recipe(  # what 4.5 times the parameters gain
        "pixelcnn", "fashion", {"classes": 10, "width": 448, "depth": 5}, steps=40000, batch=512, lr=1e-3, ema=0.9995
    ),
    "judge-digits": Recipe("judge", "mnist", {"width": 16}, steps=1800, batch=128, lr=3e-3, ema=0.995),
    "gan-stacked-digits": Recipe(
        "gan",
        "stacked-digits",
        {
            "shape": [3, 28, 28],
            "width": 16,
            "loss": "relativistic",
            "spectral": False,
            "r1": 0.5,
            "r2": 0.5,
            "penalty_every": 4,
            "critic_rate": 1.0,
            "rehearsal": 0.4,
        },
        steps=8000,
        batch=64,
        lr=4e-4,
    ),
}

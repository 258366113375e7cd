"""Runs worth seeing: what goes wrong with GANs and VAEs, and what mends it. Settings only; each is trained live."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Preset:
    """A title, the sentence that says what will be seen, and the settings that differ from `Wanted`'s own."""

    title: str
    seen: str
    settings: dict[str, Any]


PRESETS = (
    Preset(
        "Side by side: minimax and WGAN-GP",
        "Same data, same seed: minimax falls onto a few of the eight blobs or none, while the gradient penalty lets "
        "the other reach them all.",
        {"data": "ring", "loss": "minimax", "against": "wasserstein-gp", "critic_steps": 1},
    ),
    Preset(
        "Mode collapse",
        "The generator sits on one blob at a time and jumps to the next as soon as the critic has learnt to see it: "
        "effective modes stay near 1 of 8.",
        {"data": "ring", "loss": "non-saturating"},
    ),
    Preset(
        "Mode collapse, cured",
        "The same run with a gradient penalty at real points (R1): the critic's slopes stay gentle, and the generator "
        "spreads over all eight.",
        {"data": "ring", "loss": "non-saturating", "penalty": 0.1},
    ),
    Preset(
        "Divergence",
        "A learning rate three hundred times too large: gradient norms climb until the losses are no numbers, and the "
        "run stops and says at which step.",
        {"data": "ring", "loss": "wasserstein-gp", "lr": 0.3, "steps": 2000},
    ),
    Preset(
        "Divergence, cured",
        "The same run at a learning rate of 0.001: the losses settle, and gradient norms stay near 1.",
        {"data": "ring", "loss": "wasserstein-gp", "lr": 1e-3},
    ),
    Preset(
        "Posterior collapse",
        "The KL term outweighs what a code could tell: every latent's bar falls to 0 and the decoder draws the mean "
        "of everything.",
        {"data": "moons", "family": "vae", "beta": 8.0, "steps": 2000},
    ),
    Preset(
        "Posterior collapse, cured by free bits",
        "The same weight, but the first half nat of every latent costs nothing: the bars stay up and the moons come "
        "back.",
        {"data": "moons", "family": "vae", "beta": 8.0, "free_bits": 0.5, "steps": 2000},
    ),
    Preset(
        "Posterior collapse, delayed by warming up",
        "The KL term's weight rises slowly: codes fill while it is small, and empty again as it grows past what they "
        "are worth.",
        {"data": "moons", "family": "vae", "beta": 8.0, "warm_up": 0.9, "steps": 2000},
    ),
    Preset(
        "Clothes from noise",
        "A small convolutional GAN on Fashion-MNIST: blobs after some dozen steps, outlines of clothes after some "
        "hundreds.",
        {"data": "fashion", "loss": "hinge", "batch": 32, "steps": 3000, "latent": 32, "lr": 5e-4},
    ),
)
BY_TITLE = {preset.title: preset for preset in PRESETS}

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
        "Same data, same seed: minimax saturates (its critic is always right, and its generator learns next to "
        "nothing), while the gradient penalty leads the other one to all eight blobs.",
        {"data": "ring", "loss": "minimax", "against": "wasserstein-gp"},
    ),
    Preset(
        "Mode collapse",
        "The generator gathers on a few blobs and stays there: effective modes end at 1 to 3 of 8, as the machine "
        "rounds its numbers, and before half of the run is over an alarm says so.",
        {"data": "ring", "loss": "non-saturating"},
    ),
    Preset(
        "Mode collapse, cured",
        "The same data and seed with the Wasserstein loss and a gradient penalty: all eight blobs are found by half of "
        "the run, and nearly every point lies on one at the end.",
        {"data": "ring", "loss": "wasserstein-gp"},
    ),
    Preset(
        "Divergence",
        "Nothing bounds the critic of a Wasserstein loss here: its loss falls into the millions, the generator "
        "follows it nowhere, and an alarm says since when.",
        {"data": "ring", "loss": "wasserstein", "steps": 2000},
    ),
    Preset(
        "Divergence, cured",
        "The same run with a gradient penalty: the critic's slope stays near 1, its loss below 1, and the points find "
        "the ring.",
        {"data": "ring", "loss": "wasserstein-gp", "steps": 2000},
    ),
    Preset(
        "Posterior collapse",
        "The KL term pushes every latent to its prior before the decoder has learnt to use it: all bars fall to 0, and "
        "every generated point is the same.",
        {"data": "ring", "family": "vae", "steps": 1500},
    ),
    Preset(
        "Posterior collapse, cured by warming up",
        "The same run, the weight of the KL rising from 0 over half of it: two latents fill, keep what they hold, and "
        "the ring appears.",
        {"data": "ring", "family": "vae", "steps": 1500, "warm_up": 0.5},
    ),
    Preset(
        "Posterior collapse, cured by free bits",
        "The same run, the first half nat of every latent free of charge: all bars rise to half a nat, whether they "
        "are needed or not.",
        {"data": "ring", "family": "vae", "steps": 1500, "free_bits": 0.5},
    ),
    Preset(
        "Clothes from noise",
        "A small convolutional GAN on Fashion-MNIST: grey blobs after some dozen steps, outlines of clothes after some "
        "hundreds.",
        {"data": "fashion", "loss": "hinge", "batch": 32, "steps": 3000, "latent": 32, "lr": 5e-4},
    ),
)
BY_TITLE = {preset.title: preset for preset in PRESETS}

"""Bits per dimension: how many bits a model needs for one real pixel, an upper bound where it gives a bound."""

import math

import torch
from torch import Tensor

from genlab.models.contract import Likelihood
from genlab.seeds import Seeds


@torch.no_grad()
def bits_per_dimension(model: Likelihood, images: Tensor, *, k: int, seed: int = 0, chunk: int = 512) -> Tensor:
    """-log2 p(x) / (real pixels) of each item, (n,); item i draws its noise from seed + i.

    Args:
        images: (n, c, h, w) in [0, 1].
        k: draws of the importance-weighted bound (1: evidence lower bound).
    """
    scale = 1 / (math.log(2) * math.prod(images.shape[1:]))
    parts = []
    for start in range(0, len(images), chunk):
        part = images[start : start + chunk]
        seeds = Seeds.count_from(seed + start, len(part), part.device)
        parts.append(-model.log_prob(part, seeds, k=k) * scale)
    return torch.cat(parts)

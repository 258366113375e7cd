"""Bits per dimension against a model whose likelihood is known exactly."""

import math

import torch

from genlab.metrics.likelihood import bits_per_dimension
from genlab.seeds import Seeds


class UniformBytes:
    """Every 8-bit value equally likely: log p(x) = -pixels ln 256, plus noise that its seeds decide."""

    def log_prob(self, images, seeds: Seeds, *, k: int = 1):
        return torch.full((len(images),), -math.log(256) * math.prod(images.shape[1:])) + 0 * seeds.randn(1)[:, 0]


class SeedTeller(UniformBytes):
    """Bits that are the item's own seed."""

    def log_prob(self, images, seeds: Seeds, *, k: int = 1):
        return -torch.tensor(seeds.seeds, dtype=torch.float64) * math.log(2) * math.prod(images.shape[1:])


def test_uniform_bytes_cost_eight_bits():
    bits = bits_per_dimension(UniformBytes(), torch.rand(5, 1, 28, 28), k=1)
    assert torch.allclose(bits, torch.full((5,), 8.0), atol=1e-5)


def test_each_item_has_its_own_seed_whatever_the_chunk():
    images = torch.zeros(7, 1, 4, 4)
    for chunk in (2, 3, 100):
        bits = bits_per_dimension(SeedTeller(), images, k=1, seed=11, chunk=chunk)
        assert bits.round().tolist() == list(range(11, 18))

"""Who is next to whom: the similarities of t-SNE, as a penalty that a network can learn a map from.

Similar items should get near codes. p_ij says how similar items i and j are (Gaussian, each item's width chosen for one
perplexity), q_ij how near their codes are (Student's t with one degree of freedom); the penalty is KL(p || q) over
the pairs of a batch (van der Maaten 2009, "Learning a parametric embedding by preserving local structure").
"""

import math

import torch
from torch import Tensor

ROUNDS = 30  # of bisection for the width of each item's Gaussian
SMALLEST = 1e-12


@torch.no_grad()
def similarities(items: Tensor, perplexity: float) -> Tensor:
    """p_ij, (n, n), symmetric, zero on the diagonal, summing to 1, from items (n, ...).

    Raises:
        ValueError: the perplexity is not above 1 and below the number of the other items.
    """
    n = len(items)
    if not 1 < perplexity < n - 1:
        raise ValueError(f"A perplexity lies between 1 and the {n - 1} other items; {perplexity:g} was given.")
    distances = torch.cdist(items.flatten(1), items.flatten(1)).square()
    distances.fill_diagonal_(math.inf)
    p = rows(distances, perplexity)
    return (p + p.T) / (2 * n)


def rows(distances: Tensor, perplexity: float) -> Tensor:
    """exp(-beta_i d_ij) normalised over j, beta_i such that each row's entropy is log(perplexity) nats."""
    nearest = distances.amin(1, keepdim=True)
    apart = distances - nearest  # infinite on the diagonal
    finite = torch.where(apart.isfinite(), apart, torch.zeros_like(apart))
    scale = finite.sum(1, keepdim=True) / (len(distances) - 1) + SMALLEST
    low, high = torch.full_like(scale, -12.0), torch.full_like(scale, 12.0)  # log of beta x scale
    for _ in range(ROUNDS):
        middle = (low + high) / 2
        weights = torch.exp(-middle.exp() / scale * apart)
        total = weights.sum(1, keepdim=True)
        entropy = total.log() + middle.exp() / scale * (weights * finite).sum(1, keepdim=True) / total
        wide = entropy > math.log(perplexity)
        low, high = torch.where(wide, middle, low), torch.where(wide, high, middle)
    return weights / total


def divergence(p: Tensor, codes: Tensor) -> Tensor:
    """KL(p || q) in nats over all pairs, q_ij proportional to 1 / (1 + |z_i - z_j|^2)."""
    gaps = (codes[:, None] - codes[None]).square().sum(2)
    kernel = 1 / (1 + gaps)
    kernel = kernel - torch.diag_embed(kernel.diagonal())
    q = (kernel / kernel.sum()).clamp(min=SMALLEST)
    return (p * (p.clamp(min=SMALLEST).log() - q.log())).sum()

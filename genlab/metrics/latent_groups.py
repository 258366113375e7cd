"""Where the groups lie among a generator's latents, and latents placed in the group that is asked for.

Three maps from latent to group, learnt once from latents whose pictures a classifier has read: a Gaussian mixture a
group, planes between groups, and a small network that has learnt the classifier's opinion (distillation: Hinton et al.
2015). Each gives a way to place a latent, and none decodes anything to do so.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlab.metrics.mitigation import FEWEST, Halves, Placer, Pool, streams
from genlab.models.prior import Mixture
from genlab.seeds import Seeds

PROPOSALS = 200  # latents tried an item, after which the best of them is kept


# ---- a mixture a group


def mixtures(latents: Tensor, groups: Tensor, count: int, *, components: int = 5, seed: int = 0) -> Mixture:
    """A Gaussian mixture of each group's latents, (m, d) and (m,), for `count` groups.

    Latents are whitened by their law over all groups; expectation maximisation parts a group, and each part's
    covariance is drawn towards the whole's as Ledoit and Wolf (2004) say, so that a group with few items stays close to
    the law it came from. A group with fewer than `FEWEST` items keeps the law of all.
    """
    from sklearn.covariance import ledoit_wolf
    from sklearn.mixture import GaussianMixture

    x = latents.double().cpu().numpy()
    centre, _, factor, white = whitened(x)
    size = x.shape[1]
    made = Mixture(latent=size, classes=count, components=components)
    made.weights.zero_()
    for group in range(count):
        rows = white[groups.cpu().numpy() == group]
        if len(rows) < FEWEST:
            rows = white
        parts = int(np.clip(len(rows) // (5 * size), 1, components))
        model = GaussianMixture(parts, covariance_type="full", reg_covar=1e-3, random_state=seed)
        part = model.fit(rows).predict(rows) if parts > 1 else np.zeros(len(rows), int)
        for k in range(parts):
            own = rows[part == k]
            if len(own) < 2:
                continue
            made.weights[group, k] = len(own) / len(rows)
            made.means[group, k] = torch.from_numpy(centre + factor @ own.mean(0))
            made.factors[group, k] = torch.from_numpy(factor @ np.linalg.cholesky(ledoit_wolf(own)[0]))
    return made


def whitened(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Centre (d,), covariance (d, d), its Cholesky factor (d, d), and rows of `x` (m, d) with covariance I."""
    centre, covariance = x.mean(0), np.cov(x.T).reshape(x.shape[1], x.shape[1]) + 1e-6 * np.eye(x.shape[1])
    factor = np.linalg.cholesky(covariance)
    return centre, covariance, factor, np.linalg.solve(factor, (x - centre).T).T


def by_mixture(cut: Halves, fitted: Mixture) -> Placer:
    """Places latents by a mixture a group: the prior of a VAE refitted group by group, or a GAN's noise."""

    def place(seeds: Seeds, asked: Tensor) -> Tensor:
        noise, choice = seeds.randn(cut.size), seeds.rand(1)[:, 0]
        drawn = fitted.draw(noise.cpu(), choice.cpu(), asked.cpu())
        return drawn.clamp(-cut.bound, cut.bound).to(noise.device)

    return place


# ---- planes between groups


class Planes(NamedTuple):
    """A linear reading of the group from a latent: scores z @ weight.T + bias, (K, d) and (K,)."""

    weight: Tensor
    bias: Tensor

    def scores(self, latents: Tensor) -> Tensor:
        """(n, K)."""
        return latents @ self.weight.T + self.bias


def planes(latents: Tensor, groups: Tensor, count: int) -> tuple[Planes, Tensor]:
    """Logistic regression of the group on whitened latents (scikit-learn); in latents' own coordinates.

    Returns the planes, groups never seen at minus infinity, and the covariance (d, d) that whitening used.
    """
    from sklearn.linear_model import LogisticRegression

    centre, covariance, factor, white = whitened(latents.double().cpu().numpy())
    model = LogisticRegression(C=0.1, max_iter=500).fit(white, groups.cpu().numpy())
    coefficients, intercepts = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        coefficients, intercepts = np.vstack([-coefficients, coefficients]) / 2, np.r_[-intercepts, intercepts] / 2
    weight, bias = np.zeros((count, len(centre))), np.full(count, -np.inf)
    weight[model.classes_] = np.linalg.solve(factor.T, coefficients.T).T
    bias[model.classes_] = intercepts - weight[model.classes_] @ centre
    found = Planes(torch.from_numpy(weight).float(), torch.from_numpy(bias).float())
    return found, torch.from_numpy(covariance).float()


def by_direction(cut: Halves, found: Planes, covariance: Tensor) -> Placer:
    """Places latents by reflection: what the model drew, mirrored in the plane between its group and the one asked for.

    The mirror is that of the latents' own metric, so a mirrored latent is as likely as before if their law is normal,
    and its scores for the two groups change places. Latents already in the group asked for stay as they are.
    (Directions of attributes in latent space: Shen et al. 2020, InterFaceGAN.)
    """

    def place(seeds: Seeds, asked: Tensor) -> Tensor:
        latents = cut.draw(seeds)
        weight, bias, metric = (x.to(latents.device) for x in (*found, covariance))
        own, asked = (latents @ weight.T + bias).argmax(1), asked.to(latents.device)
        normal = weight[asked] - weight[own]
        away = (latents * normal).sum(1) + bias[asked] - bias[own]
        across = normal @ metric
        length = (across * normal).sum(1).clamp(min=1e-12)
        moved = latents - (2 * away / length)[:, None] * across
        kept = (own == asked)[:, None]
        return torch.where(kept, latents, moved).clamp(-cut.bound, cut.bound)

    return place


# ---- a network that guesses what the classifier will say


class Guess(nn.Module):
    """Latents (n, d) to the logits of the groups (n, K), two hidden layers."""

    def __init__(self, pool: Pool, *, width: int = 256):
        super().__init__()
        self.register_buffer("centre", pool.latents.mean(0))
        self.register_buffer("scale", pool.latents.std(0) + 1e-6)
        sizes = (pool.latents.shape[1], width, width)
        hidden = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.SiLU(), nn.Dropout(0.2))]
        self.net = nn.Sequential(*hidden, nn.Linear(width, pool.chances.shape[1]))

    def forward(self, latents: Tensor) -> Tensor:
        return self.net((latents - self.centre) / self.scale)


def learn(pool: Pool, *, epochs: int = 40, seed: int = 0) -> Guess:
    """A Guess that has learnt the classifier's chances in a pool: cross-entropy, AdamW, a rate that falls to zero."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        guess = Guess(pool)
        optimiser = torch.optim.AdamW(guess.parameters(), lr=2e-3, weight_decay=0.05)
        steps = max(1, epochs * len(pool.latents) // 256)
        for step in range(steps):
            for part in optimiser.param_groups:
                part["lr"] = 2e-3 * (1 - step / steps)
            rows = torch.randint(len(pool.latents), (256,))
            loss = F.cross_entropy(guess(pool.latents[rows]), pool.chances[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return guess.eval().requires_grad_(False)


def by_screening(propose: Placer, guess: Guess, *, least: float = 0.9) -> Placer:
    """Places latents by rejection before decoding: proposals are drawn until one is guessed to be of the group asked.

    Von Neumann's rejection (1951) with the guess in the place of the classifier, so that a turned-down proposal costs
    a pass of a small network and no decode. After `PROPOSALS` tries the proposal with the highest chance is kept.
    """

    def place(seeds: Seeds, asked: Tensor) -> Tensor:
        waiting = np.arange(len(seeds))
        best, height = None, None
        for turn in range(1, PROPOSALS + 1):
            wanted = asked[torch.from_numpy(waiting)]
            drawn = propose(streams(seeds, waiting, turn), wanted)
            chances = guess(drawn.cpu()).softmax(1)[torch.arange(len(drawn)), wanted.cpu()].numpy()
            if best is None:
                best, height = drawn.clone(), chances.copy()
            higher = chances > height[waiting]
            best[torch.from_numpy(waiting[higher])] = drawn[torch.from_numpy(higher)]
            height[waiting] = np.maximum(height[waiting], chances)
            waiting = waiting[chances < least]
            if not len(waiting):
                break
        return best

    return place

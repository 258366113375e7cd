"""Figures of autoencoders: what comes back, from how noisy a picture, and what their codes are like."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from genlab.data import Data
from genlab.metrics import maps
from genlab.models.corruption import corrupt
from genlab.seeds import Seeds

Figure = dict[str, Any]
SIGMAS = {"01": 0.1, "02": 0.2, "05": 0.5}  # deviations of Gaussian noise, not clipped
FIRST_SEED = 3_000_000  # of the noise: item i has this + i
PLACED = 2_000  # items of trustworthiness and continuity, which compare all pairs


def code_figures(
    model: nn.Module, train: Data, test: Data, *, quick: bool, on_device: Callable[[nn.Module, np.ndarray], Tensor]
) -> Iterator[tuple[str, Figure | None]]:
    """Pooled reconstruction error on test items; under noise, of codes and of a map where the model is made for it."""
    images = on_device(model, test.items[: PLACED if quick else len(test)])
    yield "pooled_psnr", None
    yield "pooled_psnr", psnr_figure(squared_errors(model.reconstruct(images), images))
    if "gaussian" in getattr(model, "noise", ()):
        for key, sigma in SIGMAS.items():
            yield f"denoised_psnr_{key}", None
            seeds = Seeds.count_from(FIRST_SEED, len(images), images.device)
            seen = corrupt(images, "gaussian", sigma, seeds=seeds)
            floor = -10 * float(squared_errors(seen, images).mean().log10())
            yield f"denoised_psnr_{key}", psnr_figure(squared_errors(model.reconstruct(seen), images), floor)
    penalty = getattr(model, "penalty", "none")
    if penalty in ("l1", "kl"):
        yield "active_share", None
        yield "active_share", mean_of((model.encode(images) > 0.1).float().mean(1), "share of units above 0.1")
    if hasattr(model, "squared_jacobian") and hasattr(model.network, "squared_jacobian"):
        yield "jacobian_norm", None
        with torch.no_grad():
            norms = torch.cat([model.squared_jacobian(part) for part in images[:PLACED].split(250)]).sqrt()
        spread = model.encode(images[:PLACED]).var(0).sum().sqrt()
        yield "jacobian_norm", mean_of(norms / spread, "Frobenius norm over the spread of codes")
    if getattr(model, "latent", 0) == 2:
        yield from map_figures(model, train, test, on_device)


def map_figures(model: nn.Module, train: Data, test: Data, on_device) -> Iterator[tuple[str, Figure | None]]:
    """A two-dimensional code as a map of test items that it never saw."""
    yield "knn_accuracy", None
    places, known = (model.encode(on_device(model, data.items)).cpu().numpy() for data in (test, train))
    found = maps.knn_accuracy(places, test.labels, (known, train.labels))
    yield "knn_accuracy", from_score(found, f"share of test items, {maps.VOTERS} nearest training items")
    items = test.items[:PLACED].reshape(len(test.items[:PLACED]), -1)
    for name in ("trustworthiness", "continuity"):
        yield name, None
        found = getattr(maps, name)(items, places[:PLACED])
        yield name, from_score(found, f"share, {maps.NEIGHBOURS} neighbours in pixels")


def squared_errors(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared error of each item, (n,), float64."""
    return (a - b).double().square().flatten(1).mean(1)


def psnr_figure(errors: Tensor, floor: float | None = None) -> Figure:
    """-10 log10 of the mean squared error over all items, its interval from that mean's normal one."""
    value, half = float(errors.mean()), 1.96 * float(errors.std()) / len(errors) ** 0.5
    low, middle, high = (-10 * float(np.log10(max(e, 1e-10))) for e in (value + half, value, value - half))
    return {"value": middle, "low": low, "high": high, "n": len(errors), "floor": floor, "unit": "dB, pooled"}


def mean_of(values: Tensor, unit: str) -> Figure:
    """The mean over items."""
    return from_score(maps.mean_score(values.double().cpu().numpy()), unit)


def from_score(score: maps.Score, unit: str) -> Figure:
    """A score as a figure of a card."""
    return {"value": score.value, "low": score.low, "high": score.high, "n": score.n, "floor": None, "unit": unit}

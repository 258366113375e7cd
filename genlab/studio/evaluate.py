"""Measure a model again: every figure of a card comes out of here.

Distances are taken in the features of the data set's own judge, 10,000 generated items against the
10,000 test items, with the distance of 10,000 training items as the floor.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from audits.privacy import nearest_copies, nearest_distance_ratio
from audits.quality import (
    class_score_finding,
    class_shares,
    frechet_distance,
    frechet_finding,
    kernel_distance,
    neighbour_findings,
    prdc,
)
from audits.report import Finding
from audits.watermark import noise
from genlab.data import Data, load
from genlab.device import serving_device
from genlab.metrics.baselines import BASELINES, baseline
from genlab.metrics.likelihood import bits_per_dimension
from genlab.metrics.usefulness import accuracy_on_real
from genlab.models.contract import capabilities
from genlab.seeds import Seeds
from genlab.studio import shelf
from genlab.studio.evaluate_attributes import attribute_figures, named, share_figures
from genlab.studio.evaluate_codec import archive_figures, codec_figures
from genlab.studio.evaluate_codes import code_figures
from genlab.studio.evaluate_grid import GRIDS, grid_figures
from genlab.studio.evaluate_marks import noise_mark_figures, text_mark_figures
from genlab.studio.evaluate_text import text_parts
from genlab.studio.figures import FIRST_SEED, Figure, from_finding, mean_figure, share_figure

COUNT, FEW = 10_000, 2_000  # items of a full and of a quick measurement
TAUGHT = 20_000  # items that the classifier of `accuracy_on_real` learns from
DRAWS = 16  # of the importance-weighted bound


def evaluate(
    name: str, *, quick: bool = False, only: str | None = None, progress: Callable[[str], None] | None = None
) -> dict[str, Figure]:
    """Figures of a model by name: {"value", "low", "high", "n", "floor", "unit", "command"} each.

    Intervals are at 95 %. The same weights, versions and machine give the same figures.

    Args:
        quick: only figures that do not depend on the number of items, on fewer of them.
        only: "naming", "likelihood", "codes", "samples", "teaching", "marks", "files" or "filling" alone, for a model
            whose other figures take long.
        progress: told the name of each figure as it is begun.

    Raises:
        ValueError: no such model. CheckpointError: it or its judge is damaged.
    """
    model, config = shelf.model(name), shelf.config_of(name)
    able = capabilities(model)
    data = config["recipe"]["data"]
    command = f"python -m genlab evaluate {name}" + (" --quick" if quick else f" --only {only}" if only else "")
    figures: dict[str, Figure] = {}
    begun: set[str] = set()
    parts: list[tuple[str, Iterator[tuple[str, Figure | None]]]] = []
    if "classify" in able:
        parts.append(("naming", judge_figures(model, data, quick=quick)))
    if "likelihood" in able and getattr(model, "likelihood", "logistic") == "logistic":
        parts.append(("likelihood", likelihood_figures(model, load(data, "test"), quick=quick)))
    if "autoencode" in able:
        parts.append(("codes", autoencoder_figures(model, load(data, "test"), quick=quick)))
        if "generate" not in able:  # generators are measured by what they draw
            codes = code_figures(model, load(data), load(data, "test"), quick=quick, on_device=on_device)
            parts.append(("codes", codes))
    if "generate" in able:
        parts.append(("samples", generator_figures(model, data, quick=quick)))
        if getattr(model, "classes", 0) and kind_of(data) not in GRIDS and not quick:
            parts.append(("teaching", teaching_figures(model, data)))
    if "retrace" in able and math.prod(model.shape) <= noise.LARGEST:
        parts.append(("marks", noise_mark_figures(model, quick=quick)))
    if "compress" in able:
        parts.append(("files", codec_figures(model, mean_figure, quick=quick)))
    if "compress-items" in able:
        parts.append(("files", archive_figures(model, load(data, "test"), quick=quick)))
    if {"write", "fill"} & set(able):
        parts += text_parts(model, data, quick=quick)
    if "write" in able and not model.controls:
        parts.append(("marks", text_mark_figures(model, data, quick=quick)))
    if only is not None and only not in {kind for kind, _ in parts}:
        held = ", ".join(dict.fromkeys(kind for kind, _ in parts))
        raise ValueError(f"Figures of {name} are of {held}; {only[:40]!r} was given.")
    for kind, part in parts:
        if only not in (None, kind):
            continue
        for key, figure in part:
            if progress and key not in begun:
                begun.add(key)
                progress(key)
            if figure is not None:
                figures[key] = figure | {"command": command}
    return figures


# ---- the judge, and what its distances are compared with


def judge_of(data: str) -> nn.Module:
    """The judge of a data set: `judge-portraits` for every mix of portraits."""
    return shelf.model(f"judge-{kind_of(data)}")


def kind_of(data: str) -> str:
    """What a data set shows, whatever its mix: the first word of its name."""
    return data.partition("-")[0]


def features(judge: nn.Module, items: np.ndarray | Tensor) -> np.ndarray:
    """Judge's features, (n, width), float64, of items in [0, 1] or uint8.

    Items a whole number of times larger than the judge's are reduced to them: each pixel the mean of a square.
    """
    tensor, parts = torch.as_tensor(items).to(next(judge.parameters()).device), []
    factor = tensor.shape[-1] // judge.shape[-1]
    for part in tensor.split(2048):
        part = part.float() / 255 if part.dtype == torch.uint8 else part
        parts.append(judge.features(torch.nn.functional.avg_pool2d(part, factor) if factor > 1 else part))
    return torch.cat(parts).double().cpu().numpy()


def moved(*found: np.ndarray) -> list[np.ndarray | Tensor]:
    """Features where they are measured soonest: on the CUDA device where there is one."""
    return [torch.from_numpy(x).cuda() for x in found] if serving_device() == "cuda" else list(found)


def predictions(judge: nn.Module, found: np.ndarray) -> np.ndarray:
    """Class numbers that the judge reads off its own features."""
    device = next(judge.parameters()).device
    return judge.head(torch.nn.functional.silu(torch.as_tensor(found).float().to(device))).argmax(1).cpu().numpy()


def chances(judge: nn.Module, found: np.ndarray) -> np.ndarray:
    """Class probabilities (n, classes) from a judge's features; of all combinations where it has several attributes."""
    device = next(judge.parameters()).device
    with torch.no_grad():
        logits = judge.head(torch.nn.functional.silu(torch.as_tensor(found).float().to(device))).double().cpu()
    whole = np.ones((len(found), 1))
    for part in logits.split(list(judge.attributes.values()) or [logits.shape[1]], dim=1):
        whole = (whole[:, :, None] * part.softmax(1).numpy()[:, None]).reshape(len(found), -1)
    return whole


def judge_figures(judge: nn.Module, data: str, *, quick: bool) -> Iterator[tuple[str, Figure | None]]:
    """Accuracy; unless quick, the floor and the trivial generators in this judge's distance."""
    if judge.attributes:
        yield from attribute_figures(judge, data, share_figure)
        return
    test = load(data, "test")
    yield "test_accuracy", None
    found = features(judge, test.items)
    yield "test_accuracy", share_figure(int((predictions(judge, found) == test.labels).sum()), len(test), "accuracy")
    if quick:
        return
    train = load(data)
    key = f"{data}_fid"
    own = features(judge, train.items[:COUNT])
    yield f"{key}_floor", from_finding(frechet_finding(found, own))
    unit = "accuracy on real test items"
    yield "taught_by_real", None
    taught = train.items[:TAUGHT].astype(np.float32) / 255
    right = accuracy_on_real(taught, train.labels[:TAUGHT], test)
    yield "taught_by_real", share_figure(round(right * len(test)), len(test), unit)
    floor = frechet_finding(found, own).value
    for name in BASELINES:
        yield f"{key}_{name}", None
        items, labels = baseline(name, train, count=TAUGHT)
        made = features(judge, items[:COUNT])
        yield f"{key}_{name}", from_finding(frechet_finding(found, made, floor=floor))
        if name != "noise":
            yield f"taught_by_{name}", None
            right = accuracy_on_real(items, labels, test)
            yield f"taught_by_{name}", share_figure(round(right * len(test)), len(test), unit)


# ---- likelihood and reconstruction


def likelihood_figures(model: nn.Module, test: Data, *, quick: bool) -> Iterator[tuple[str, Figure | None]]:
    """Bits per dimension on test items: the exact figure, or the evidence lower and the importance-weighted bound."""
    images = on_device(model, test.items[: FEW // 2 if quick else COUNT])
    if getattr(model, "exact_likelihood", False):
        yield "bits_per_dim", None
        yield "bits_per_dim", mean_figure(bits_per_dimension(model, images, k=1).cpu().numpy(), "bits/dim, exact")
        return
    for key, k in (("bits_per_dim_elbo", 1), (f"bits_per_dim_iw{DRAWS}", DRAWS)):
        if quick and k > 1:
            continue
        yield key, None
        bits = bits_per_dimension(model, images, k=k).cpu().numpy()
        yield key, mean_figure(bits, f"bits/dim, bound with k = {k}")


def autoencoder_figures(model: nn.Module, test: Data, *, quick: bool) -> Iterator[tuple[str, Figure | None]]:
    """Peak signal-to-noise ratio of test items after encoding and decoding."""
    images = on_device(model, test.items[:FEW])
    yield "reconstruction_psnr", None
    error = (model.reconstruct(images) - images).square().flatten(1).mean(1).clamp(min=1e-10)
    yield "reconstruction_psnr", mean_figure((-10 * error.log10()).cpu().numpy(), "dB")


def on_device(model: nn.Module, items: np.ndarray) -> Tensor:
    """uint8 items as images in [0, 1] where the model is."""
    return torch.from_numpy(items).to(next(model.parameters()).device).float() / 255


# ---- generated sets


def draw(model: nn.Module, count: int, *, seed: int = FIRST_SEED, **knobs: Any) -> tuple[np.ndarray, np.ndarray]:
    """`count` items, float32 (n, c, h, w), and labels i mod classes; knobs left out keep the model's defaults."""
    device = next(model.parameters()).device
    turned = dataclasses.replace(default_knobs(model), **knobs)
    labels = torch.arange(count, device=device) % max(model.classes, 1)
    parts = []
    for start in range(0, count, 512):
        part = labels[start : start + 512]
        seeds = Seeds.count_from(seed + start, len(part), device)
        parts.append(model.sample(seeds, part if model.classes else None, turned).cpu().numpy())
    return np.concatenate(parts), labels.cpu().numpy()


def default_knobs(model: nn.Module) -> Any:
    """The knobs that a visitor starts with."""
    return model.Knobs(**shelf.default_knobs(model))


def generator_figures(model: nn.Module, data: str, *, quick: bool) -> Iterator[tuple[str, Figure | None]]:
    """Distances, neighbours, shares, copies and what samples teach."""
    count, test, train = FEW if quick else COUNT, load(data, "test"), load(data)
    if kind_of(data) in GRIDS:
        yield from grid_figures(model, train, test, draw, count, from_finding, share_figure)
        return
    judge = judge_of(data)
    key = f"{kind_of(data)}_fid"
    yield key, None
    real, own = features(judge, test.items), features(judge, train.items[:COUNT])
    items, labels = draw(model, count)
    made = features(judge, items)
    kernel_floor = kernel_distance(real, own).value
    yield "kernel_distance", from_finding(kernel_distance(real, made, floor=kernel_floor))
    if model.classes:
        told = predictions(judge, made)
        shares = class_shares(told, classes=list(test.names))
        yield "largest_share_deviation", from_finding(shares["largest deviation"])
        right = float((predictions(judge, real) == test.labels).mean())  # what the judge reads of real items
        yield "label_obeyed", share_figure(int((told == labels).sum()), count, "share of items read as asked", right)
    if judge.attributes:
        known = int(named(judge, items)["known"].sum())
        yield "known", share_figure(known, count, "share of items of the judge's kind")
        yield from share_figures(judge, items, train, from_finding)
    if quick:
        return
    floor = frechet_distance(*moved(real, own))
    whole = frechet_finding(real, made, floor=floor)
    yield key, from_finding(whole)
    for finding in neighbour_findings(real, made, floor=prdc(*moved(real, own))):
        yield finding.name, from_finding(finding)
    if not judge.attributes:
        yield "class_score", from_finding(class_score_finding(chances(judge, made), chances(judge, real)))
    asked = None if model.classes else np.random.default_rng(0).permutation(train.labels)[:COUNT]
    mixture = features(judge, baseline("mixture", train, count=TAUGHT, labels=asked)[0][:COUNT])
    against = frechet_finding(real, mixture)
    yield f"{key}_over_mixture", ratio_figure(whole, against, floor / against.value)
    if hasattr(model, "denoised") and model.classes:
        yield f"{key}_unguided", None
        plain = frechet_finding(real, features(judge, draw(model, COUNT, guidance=1.0)[0]), floor=floor)
        yield f"{key}_unguided", from_finding(plain)
        yield f"{key}_unguided_over_mixture", ratio_figure(plain, against, floor / against.value)
    if hasattr(model, "draw_codes"):
        yield from prior_figures(model, judge, real, data, floor=floor)
    yield "nearest_distance_ratio", None
    flat, held = items[:FEW].reshape(FEW, -1), test.items[:FEW].reshape(FEW, -1) / 255
    known = train.items.reshape(len(train), -1).astype(np.float32) / 255
    yield "nearest_distance_ratio", from_finding(nearest_distance_ratio(flat, known, held), floor=1.0)
    yield "near_copies", from_finding(nearest_copies(flat, known, held))


def teaching_figures(model: nn.Module, data: str) -> Iterator[tuple[str, Figure | None]]:
    """What a classifier that learns from samples alone makes of real items."""
    yield "taught_by_samples", None
    test, (taught, told) = load(data, "test"), draw(model, TAUGHT)
    right = accuracy_on_real(taught, told, test, device=serving_device())
    real = taught_by_real(data)
    yield "taught_by_samples", share_figure(round(right * len(test)), len(test), "accuracy on real test items", real)


def taught_by_real(data: str) -> float | None:
    """What as many real items teach the same classifier, as the judge's card states it; None where it does not."""
    stated = shelf.config_of(f"judge-{kind_of(data)}").get("metrics", {}).get("taught_by_real")
    return None if stated is None else stated["value"]


def ratio_figure(value: Finding, against: Finding, floor: float) -> Figure:
    """One distance over another, with the interval that their extremes allow."""
    return {
        "value": value.value / against.value,
        "low": value.low / against.high,
        "high": value.high / against.low,
        "n": min(value.n, against.n),
        "floor": floor,
        "unit": "ratio",
    }


def prior_figures(
    model: nn.Module, judge: nn.Module, real: np.ndarray, data: str, *, floor: float
) -> Iterator[tuple[str, Figure | None]]:
    """A VAE's priors against its ceiling: codes of training items, decoded in the same way."""
    key = f"{kind_of(data)}_fid"
    found = {}
    for name, knobs in (
        ("unguided", {"prior": "flow", "guidance": 1.0}),
        ("mixture_prior", {"prior": "mixture"}),
        ("normal_prior", {"prior": "normal"}),
    ):
        yield f"{key}_{name}", None
        found[name] = frechet_finding(real, features(judge, draw(model, COUNT, **knobs)[0]), floor=floor)
        yield f"{key}_{name}", from_finding(found[name])
    yield f"{key}_aggregate", None
    train, detail = load(data), default_knobs(model).detail
    parts = []
    for start in range(0, COUNT, 512):
        images = on_device(model, train.items[start : min(start + 512, COUNT)])
        seeds = Seeds.count_from(FIRST_SEED + start, len(images), images.device)
        parts.append(model.decode(model.encode(images, seeds=seeds), seeds=seeds, detail=detail))
    aggregate = frechet_finding(real, features(judge, torch.cat(parts)), floor=floor)
    yield f"{key}_aggregate", from_finding(aggregate)
    yield f"{key}_unguided_over_aggregate", ratio_figure(found["unguided"], aggregate, 1.0)

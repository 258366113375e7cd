"""Figures of a judge of several attributes, and of generators whose items it can name."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from audits.bias import representation
from genlab.data import Data, load
from genlab.models.judge import Judge, soften

FOREIGN = 2_000  # pictures of another data set, and of noise, that the judge should not claim to know


def named(judge: Judge, images: Tensor | np.ndarray) -> dict[str, np.ndarray]:
    """The judge's group of every attribute, (n,) each, and under "known" whether the picture is of its kind.

    Args:
        images: (n, c, h, w), uint8 or floats in [0, 1], in the judge's shape.
    """
    device = next(judge.parameters()).device
    parts: dict[str, list[Tensor]] = {}
    for chunk in torch.as_tensor(images).split(1024):
        chunk = chunk.to(device).float() / (255 if chunk.dtype == torch.uint8 else 1)
        for name, logits in judge.attribute_logits(chunk).items():
            parts.setdefault(name, []).append(logits.argmax(1))
        parts.setdefault("known", []).append(judge.strangeness(chunk) <= judge.limit)
    return {name: torch.cat(found).cpu().numpy() for name, found in parts.items()}


def confusions(judge: Judge, data: str) -> dict[str, dict]:
    """Confusion counts of every attribute on held-out items: {"names", "counts"}, rows true, columns predicted."""
    test = load(data, "test")
    found, tables = named(judge, test.items), {}
    for name, size in judge.attributes.items():
        counts = np.zeros((size, size), int)
        np.add.at(counts, (test.attributes[name], found[name]), 1)
        tables[name] = {"names": list(test.groups[name]), "counts": counts.tolist()}
    return tables


def attribute_figures(judge: Judge, data: str, share) -> Iterator[tuple[str, dict | None]]:
    """Accuracy of every attribute, crisp and softened; how many held-out and foreign pictures it says it knows.

    Args:
        share: (hits, n, unit) -> a figure.
    """
    test = load(data, "test")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        softened = torch.cat([soften(part.float() / 255) for part in torch.from_numpy(test.items).split(1024)])
    for kind, images in (("", test.items), ("_softened", softened)):
        found = named(judge, images)
        for name in judge.attributes:
            hits = int((found[name] == test.attributes[name]).sum())
            yield f"accuracy_{name}{kind}", share(hits, len(test), "accuracy")
        yield f"known{kind}", share(int(found["known"].sum()), len(test), "share of held-out pictures it knows")
    for name, images in foreign(judge.shape).items():
        yield f"refused_{name}", None
        refused = int((~named(judge, images)["known"]).sum())
        yield f"refused_{name}", share(refused, len(images), "share of foreign pictures it says it does not know")


def foreign(shape: tuple[int, ...]) -> dict[str, Tensor]:
    """Pictures that are no portraits, in the judge's shape: clothes on white, and uniform noise."""
    channels, side, _ = shape
    clothes = torch.from_numpy(load("fashion", "test").items[:FOREIGN]).float() / 255
    large = torch.nn.functional.interpolate(1 - clothes, size=(side, side), mode="bilinear")
    stream = torch.Generator().manual_seed(0)
    noise = torch.rand(FOREIGN, channels, side, side, generator=stream)
    return {"clothes": large.expand(-1, channels, -1, -1), "noise": noise}


def share_figures(judge: nn.Module, items: np.ndarray, train: Data, from_finding) -> Iterator[tuple[str, dict | None]]:
    """How far the shares of every attribute, as the judge names known items, are from the training shares."""
    if not getattr(judge, "attributes", None):
        return
    found, trained = named(judge, items), train.shares()
    known = found["known"]
    if not known.any():
        return
    tables = confusions(judge, train.name.partition("-")[0])
    for name in judge.attributes:
        groups = np.array(train.groups[name])
        report = representation(
            groups[found[name][known]], reference=trained[name], validation=validation(tables[name]),
        )  # fmt: skip
        finding = next(f for f in report.findings if f.name == "discrepancy")
        yield f"{name}_discrepancy", from_finding(finding)


def validation(table: dict):
    """Confusion counts as one row an item, columns `true` and `predicted`."""
    import pandas as pd

    names, counts = np.array(table["names"]), np.array(table["counts"])
    true, predicted = (np.repeat(axis.ravel(), counts.ravel()) for axis in np.indices(counts.shape))
    return pd.DataFrame({"true": names[true], "predicted": names[predicted]})

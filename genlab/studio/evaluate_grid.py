"""Figures of a generator of a small grid of drawings: everything is read off the nearest training drawing, in pixels.

With a few hundred drawings, every combination of groups drawn once, no judge can be trained whose features
mean anything for others; and a generator that memorises is best described by what it copies and what it drops.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import nn

from audits.bias import representation
from audits.privacy import nearest_copies, nearest_distance_ratio
from genlab.data import Data

GRIDS = ("professions", "emoji")
FEW = 2_000  # items that are looked at for copies


def nearest(items: np.ndarray, train: Data) -> np.ndarray:
    """Place (n,) of each item's nearest training drawing; items (n, c, h, w) in [0, 1], distance in pixels."""
    known = torch.from_numpy(train.items).flatten(1).float() / 255
    parts = torch.from_numpy(np.asarray(items, np.float32)).flatten(1).split(512)
    return torch.cat([torch.cdist(part, known).argmin(1) for part in parts]).numpy()


def grid_figures(
    model: nn.Module, train: Data, test: Data, draw: Callable, count: int, from_finding: Callable, share: Callable
) -> Iterator[tuple[str, dict | None]]:
    """Classes obeyed, drawings covered, shares of the groups, and copies.

    Args:
        draw: (model, count) -> items (n, c, h, w) in [0, 1], and the classes asked for.
        from_finding: a Finding -> a figure.
        share: (hits, n, unit) -> a figure.
    """
    yield "drawings_covered", None
    items, asked = draw(model, count)
    near = nearest(items, train)
    if model.classes:
        obeyed = int((train.labels[near] == asked).sum())
        yield "label_obeyed", share(obeyed, count, "share of items nearest to their class")
    covered = len(np.unique(near))
    yield "drawings_covered", share(covered, len(train), "share of training drawings that are nearest to some item")
    for name, groups in train.groups.items():
        report = representation(np.array(groups)[train.attributes[name][near]], reference=train.shares()[name])
        finding = next(f for f in report.findings if f.name == "discrepancy")
        yield f"{name}_discrepancy", from_finding(finding)
    flat = items[:FEW].reshape(len(items[:FEW]), -1)
    held, known = (part.items.reshape(len(part), -1).astype(np.float32) / 255 for part in (test, train))
    yield "nearest_distance_ratio", from_finding(nearest_distance_ratio(flat, known, held), floor=1.0)
    yield "near_copies", from_finding(nearest_copies(flat, known, held))

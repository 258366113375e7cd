"""Generators of a small set of drawings: what is read off the nearest one."""

from types import SimpleNamespace

import numpy as np

from genlab.data import Data
from genlab.studio.evaluate_grid import grid_figures


def drawings(split: str) -> Data:
    """Flat colours, one class each."""
    grey = np.arange(60, dtype=np.uint8) * 4 + (1 if split == "test" else 0)
    items = np.broadcast_to(grey[:, None, None, None], (60, 3, 4, 4)).copy()
    return Data("emoji", split, items, np.arange(60), tuple("x" * 60), "", "")


def figures(model, draw):
    found = grid_figures(
        model, drawings("train"), drawings("test"), draw, 40, lambda finding, **_: {"value": finding.value},
        lambda hits, n, unit: {"value": hits / n},
    )  # fmt: skip
    return {name: figure["value"] for name, figure in found if figure is not None}


def test_a_generator_without_classes_is_asked_for_none():
    items = drawings("train").items[np.arange(40) % 10] / 255  # ten drawings, copied
    found = figures(SimpleNamespace(classes=0), lambda model, count: (items, np.zeros(40)))
    assert "label_obeyed" not in found
    assert found["drawings_covered"] == 10 / 60
    assert found["near_copies"] == 1.0


def test_a_generator_of_classes_is_held_to_them():
    items = drawings("train").items[:40] / 255
    asked = np.where(np.arange(40) < 30, np.arange(40), 59)
    found = figures(SimpleNamespace(classes=60), lambda model, count: (items, asked))
    assert found["label_obeyed"] == 30 / 40

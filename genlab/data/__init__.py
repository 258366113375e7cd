"""Real data by name: `load("fashion")` fetches on first use, checks a hash and says under which licence."""

import functools
from dataclasses import dataclass, field

import numpy as np

SPLITS = ("train", "test")


@dataclass(frozen=True)
class Data:
    """One split of one data set.

    Attributes:
        name: the data set's name, as `load` takes it.
        split: "train" or "test"; where there is a third one, "validate".
        items: uint8 array, (n, c, h, w); of the toys float32 points, (n, 2).
        labels: int64 array, (n,), class numbers.
        attributes: further exact labels, each an array of (n,).
        groups: names of an attribute's groups, by the number in its array.
        names: class names, by class number.
        licence: SPDX identifier where there is one, else words.
        attribution: whom to credit, with a public address.
        caveats: what a user of the data must know.
    """

    name: str
    split: str
    items: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]
    licence: str
    attribution: str
    caveats: tuple[str, ...] = ()
    attributes: dict[str, np.ndarray] = field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.items)

    def shares(self) -> dict[str, dict[str, float]]:
        """The share of every named group in the split, by attribute."""
        return shares(self)


@dataclass(frozen=True)
class Corpus:
    """One split of a collection of texts.

    Attributes:
        name, split, licence, attribution, caveats, attributes, groups: as in `Data`.
        texts: a work or an item (a name) each.
        titles: of the works; none where the items have no titles.
    """

    name: str
    split: str
    texts: tuple[str, ...]
    titles: tuple[str, ...]
    licence: str
    attribution: str
    caveats: tuple[str, ...] = ()
    attributes: dict[str, np.ndarray] = field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.texts)

    def shares(self) -> dict[str, dict[str, float]]:
        """The share of every named group in the split, by attribute."""
        return shares(self)


def shares(data: Data | Corpus) -> dict[str, dict[str, float]]:
    """The share of every named group in a split, by attribute."""
    counts = {name: np.bincount(data.attributes[name], minlength=len(of)) for name, of in data.groups.items()}
    return {name: dict(zip(of, (counts[name] / len(data)).tolist(), strict=True)) for name, of in data.groups.items()}


def load(name: str, split: str = "train") -> Data | Corpus:
    """The named split.

    Raises:
        ValueError: the name or the split is unknown.
        DataError: the data is neither on this machine nor can it be fetched, or its hash is wrong.
    """
    from genlab.data import (
        emoji,
        fashion,
        mnist,
        names,
        photograph_tiles,
        photographs,
        portraits,
        professions,
        solar_cells,
        stacked_digits,
        texts,
        toys,
    )

    loaders = {"fashion": fashion.load, "professions": professions.load, "photographs": photographs.load}
    loaders |= {"mnist": mnist.load, "solar-cells": solar_cells.load, "photograph-tiles": photograph_tiles.load}
    loaders |= {"stacked-digits": stacked_digits.load, "emoji": emoji.load, "names": names.load}
    for source in texts.NAMES:
        loaders[source] = functools.partial(texts.load, source)
    for toy in toys.NAMES:
        loaders[toy] = functools.partial(toys.load, toy)
    for mix in portraits.STYLE_OF:
        loaders[mix] = functools.partial(portraits.load, mix)
    if name not in loaders:
        raise ValueError(f"Data sets are {', '.join(loaders)}; {name!r} was given.")
    splits = tuple(portraits.COUNTS) if name in portraits.STYLE_OF else SPLITS
    if split not in splits:
        raise ValueError(f"Splits are {' and '.join(splits)}; {split!r} was given.")
    return loaders[name](split)


class DataError(RuntimeError):
    """The data cannot be had; the message says what to do."""

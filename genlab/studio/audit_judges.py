"""Our judges as instruments of an audit: which groups they name, how often they err, and what they do not know."""

import functools
from dataclasses import dataclass

import numpy as np

from genlab.data import examples, portraits
from genlab.device import gpu
from genlab.studio import shelf
from genlab.studio.shelf import Entry, StudioError

CLASS = "class"  # the attribute of a judge that knows classes only


@dataclass(frozen=True)
class Instrument:
    """A judge and what is known of it.

    Attributes:
        attributes: group names by attribute.
        validation: by attribute a DataFrame with the columns true and predicted, held-out items; may lack some.
        about: what it is, in words for a report.
    """

    name: str
    attributes: dict[str, tuple[str, ...]]
    validation: dict
    about: str


def judges() -> list[str]:
    """Judges on the shelf that know attributes: those that can be asked about anybody's pictures."""
    return [name for name in shelf.names() if name.startswith("judge-") and "attributes" in _config(name)]


def judge_of(model: str) -> str | None:
    """The judge for items of a model: that of its data's family, None where there is none."""
    data = str(_config(model).get("recipe", {}).get("data", ""))
    name = "judge-" + data.partition("-")[0]
    return name if name in shelf.names() else None


def training_shares(model: str) -> dict[str, dict[str, float]]:
    """The share of every group in the items that a model learnt from, by attribute; empty where nothing is recorded."""
    found = _config(model).get("trained_on", {}).get("shares", {})
    return {a: dict(shares) for a, shares in found.items() if isinstance(shares, dict)}


@functools.lru_cache(maxsize=4)
def training_table(model: str):
    """The groups of every training item of a model on drawn portraits (a DataFrame), None where they are not known."""
    import pandas as pd

    told = _config(model)
    data, items = told.get("recipe", {}).get("data"), told.get("trained_on", {}).get("items", 0)
    styles = portraits.STYLE_OF.get(data, ())
    if data not in portraits.MIXES or len(styles) != 1:
        return None
    first = portraits.FIRST_SEED["train"]
    mix = portraits.MIXES[data]
    return pd.DataFrame([portraits.describe(seed, mix, styles[0]) for seed in range(first, first + int(items))])


@functools.lru_cache(maxsize=4)
def instrument(name: str) -> Instrument:
    """What is known of a judge.

    Raises:
        StudioError: it is not a judge on the shelf.
    """
    known = shelf.require(name, "classify")
    judge, told = shelf.model(name), _config(name)
    if getattr(judge, "attributes", None):
        tables = told.get("attributes", {})
        attributes = {a: _names(a, size, tables) for a, size in judge.attributes.items()}
        validation = {a: _rows(tables[a]) for a in attributes if a in tables and _complete(tables[a])}
    else:
        classes = examples.class_names(known.data, int(judge.n_classes))
        attributes, validation = {CLASS: classes}, _examples(known, classes)
    sizes = ", ".join(f"{a} on {len(v):,}" for a, v in validation.items())
    about = f"Groups were named by {name} (weights {known.weights[:12]})"
    about += (
        f", whose errors were measured on held-out items ({sizes})." if sizes else ", whose errors nobody measured."
    )
    return Instrument(name, attributes, validation, about)


@gpu(15)
def named(name: str, items: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Group numbers (n,) by attribute of items uint8 (n, c, h, w), and whether the judge knows such a picture (n,)."""
    import torch

    judge = shelf.model(name)
    images = torch.from_numpy(items).to(next(judge.parameters()).device).float() / 255
    with torch.inference_mode():
        if not getattr(judge, "attributes", None):
            return {CLASS: judge.logits(images).argmax(1).cpu().numpy()}, np.ones(len(items), bool)
        found = {a: part.argmax(1).cpu().numpy() for a, part in judge.attribute_logits(images).items()}
        return found, (judge.strangeness(images) <= judge.limit).cpu().numpy()


def _config(name: str) -> dict:
    try:
        return shelf.config_of(name)
    except StudioError:
        return {}


def _names(attribute: str, size: int, tables: dict) -> tuple[str, ...]:
    told = tuple(tables.get(attribute, {}).get("names", ())) or portraits.ATTRIBUTES.get(attribute, ())
    return tuple(map(str, told)) if len(told) == size else tuple(f"{attribute} {i}" for i in range(size))


def _complete(table: dict) -> bool:
    counts = np.asarray(table.get("counts", []))
    return counts.ndim == 2 and counts.shape[0] == counts.shape[1] > 0 and bool((counts.sum(1) > 0).all())


def _rows(table: dict):
    """Confusion counts (K, K), rows true, as one row an item."""
    import pandas as pd

    names, counts = np.array(table["names"], dtype=object), np.asarray(table["counts"], int)
    true, predicted = (np.repeat(axis.ravel(), counts.ravel()) for axis in np.indices(counts.shape))
    return pd.DataFrame({"true": names[true], "predicted": names[predicted]})


def _examples(known: Entry, classes: tuple[str, ...]) -> dict:
    """The judge on the shipped held-out items: a small validation, but a real one."""
    import pandas as pd

    try:
        data = examples.load(known.data)
    except ValueError:
        return {}
    if data.items.shape[1:] != known.shape or set(data.labels) != set(range(len(classes))):
        return {}
    names = np.array(classes, dtype=object)
    found, _ = named(known.name, data.items)
    return {CLASS: pd.DataFrame({"true": names[data.labels], "predicted": names[found[CLASS]]})}

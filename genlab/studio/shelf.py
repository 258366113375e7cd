"""The models on the shelf: what each can do, and a bounded cache of those in use."""

import dataclasses
import json
import logging
import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genlab.data import examples

KEPT = 16  # models in memory: a comparison of all autoencoders goes through as many
log = logging.getLogger(__name__)


class StudioError(ValueError):
    """The studio cannot do what was asked; the message is one sentence to whoever asked."""


@dataclass(frozen=True)
class KnobSpec:
    """One knob as an interface needs it: a number in [low, high], or one of `choices`."""

    name: str
    default: float | str
    low: float | None
    high: float | None
    help: str
    choices: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """What is known of a model.

    Attributes:
        weights: sha256 of the weights, hexadecimal.
        data: the data set it was trained on.
        shape: (channels, height, width) of an item.
        capabilities: names as in `genlab.models.contract.CAPABILITIES`.
        classes: class names that can be asked for (none: unconditional).
        latent: size of a code that alone decides a picture (0: it has none).
        groups: groups that a writer can be asked for, by attribute.
    """

    name: str
    weights: str
    family: str
    data: str
    shape: tuple[int, int, int]
    capabilities: tuple[str, ...]
    classes: tuple[str, ...]
    knobs: tuple[KnobSpec, ...]
    latent: int
    groups: tuple[tuple[str, tuple[str, ...]], ...] = ()


def folder() -> Path:
    """The shelf: the folder in `GENLAB_SHELF`, else `model_cards` of this repository."""
    here = Path(__file__).resolve().parent.parent.parent / "model_cards"
    return Path(os.environ.get("GENLAB_SHELF") or here)


def names() -> list[str]:
    """Models on the shelf, in alphabetical order. Opens no file."""
    return sorted(path.parent.name for path in folder().glob("*/config.json"))


def folder_of(name: object) -> Path:
    """The folder of a model by its exact name.

    Raises:
        StudioError: no such model.
    """
    known = names()
    if name not in known:
        raise StudioError(f"Models are {', '.join(known) or 'none yet'}; {str(name)[:60]!r} was given.")
    return folder() / str(name)


_cache: "OrderedDict[tuple, tuple[Any, Entry]]" = OrderedDict()
_entries: dict[tuple, Entry] = {}  # small, so that listing the shelf loads no weights twice
_lock = threading.Lock()
_loading: dict[tuple, threading.Lock] = {}


def _key(path: Path) -> tuple:
    """What tells this version of the model in a folder from others."""
    try:
        return str(path), (path / "config.json").stat().st_mtime_ns
    except OSError:
        raise StudioError(f"{path.name} is no longer on the shelf: choose another model.") from None


def _kept(path: Path) -> tuple[Any, Entry]:
    """The loaded model in a folder and its entry; each file version is loaded once, by one thread."""
    key = _key(path)
    with _lock:
        if key in _cache:
            _cache.move_to_end(key)
            return _cache[key]
        gate = _loading.setdefault(key, threading.Lock())
    with gate:
        with _lock:
            if key in _cache:
                return _cache[key]
        loaded = _load(path)
        with _lock:
            _cache[key], _entries[key] = loaded, loaded[1]
            _loading.pop(key, None)
            while len(_cache) > KEPT:
                _cache.popitem(last=False)
    return loaded


def _load(path: Path) -> tuple[Any, Entry]:
    from genlab import checkpoint
    from genlab.device import lasting_device, serving_device

    model, config = checkpoint.load(path), checkpoint.read(path)
    known = _describe(model, config)
    stays = {"write", "fill"} & set(known.capabilities)
    return model.to(lasting_device() if stays else serving_device()), known


def _describe(model: Any, config: dict[str, Any]) -> Entry:
    from genlab.models.contract import capabilities

    data, able = config["recipe"]["data"], capabilities(model)
    count = int(getattr(model, "classes", 0) or 0)
    free = "autoencode" in able and not getattr(model, "conditional", False)
    latent = int(getattr(model, "latent", 0)) if free else 0
    return Entry(
        name=config["name"],
        weights=config["weights_sha256"],
        family=config["recipe"]["family"],
        data=data,
        shape=tuple(model.shape),
        capabilities=able,
        classes=examples.class_names(data, count) if count else (),
        knobs=knob_specs(model) if {"generate", "write"} & set(able) else (),
        latent=latent,
        groups=tuple(getattr(model, "controls", {}).items()),
    )


def knob_specs(model: Any) -> tuple[KnobSpec, ...]:
    """What a visitor is shown: every knob but those that change nothing in this very model."""
    idle = getattr(model, "idle_knobs", ())
    defaults = default_knobs(model)
    return tuple(
        KnobSpec(
            f.name, defaults[f.name], f.metadata["low"], f.metadata["high"], f.metadata["help"], f.metadata["choices"]
        )
        for f in dataclasses.fields(model.Knobs)
        if f.name not in idle
    )


def default_knobs(model: Any) -> dict[str, float | str]:
    """A model's knobs as they stand when nobody turns them."""
    made = model.default_knobs() if hasattr(model, "default_knobs") else model.Knobs()
    return dataclasses.asdict(made)


def model(name: str) -> Any:
    """The model, loaded, its hash verified, in `eval()`; never change it, every visitor shares it.

    Raises:
        StudioError: no such model.
        CheckpointError: its folder is damaged, or the weights are not those of its config.
    """
    return _kept(folder_of(name))[0]


def entry(name: str) -> Entry:
    """What is known of a model; raises as `model` does."""
    return _entry_in(folder_of(name))


def _entry_in(path: Path) -> Entry:
    known = _entries.get(_key(path))
    return _kept(path)[1] if known is None else known


def with_capability(capability: str) -> list[Entry]:
    """Every usable model that has the capability; a damaged one is left out and named in the log."""
    found = []
    for name in names():
        try:
            known = _entry_in(folder() / name)
        except (ValueError, RuntimeError) as error:
            log.warning("%s is left out: %s", name, error)
            continue
        if capability in known.capabilities:
            found.append(known)
    return found


def generators() -> list[Entry]:
    """Models that draw new items: those that draw them at once before those that take many steps."""
    return sorted(with_capability("generate"), key=lambda known: bool({"watch", "denoise"} & set(known.capabilities)))


def require(name: str, capability: str) -> Entry:
    """The entry of a model that has the capability.

    Raises:
        StudioError: no such model, or it cannot do that.
    """
    known = entry(name)
    if capability not in known.capabilities:
        able = [e.name for e in with_capability(capability)]
        raise StudioError(f"{name} cannot {capability}; models that can are {', '.join(able) or 'none yet'}.")
    return known


def config_of(name: str) -> dict[str, Any]:
    """A model's `config.json` as it stands; imports no torch.

    Raises:
        StudioError: no such model, or the file cannot be read.
    """
    path = folder_of(name)
    try:
        whole = json.loads((path / "config.json").read_text(encoding="utf-8"))
        return whole.get("genlab", whole)  # a transformers model keeps our record under that key
    except (OSError, ValueError, AttributeError):
        raise StudioError(f"The config.json of {name} cannot be read: get its folder again.") from None


def class_number(known: Entry, label: object) -> int | None:
    """The number of a class given by name or number; None and "" stand for all classes.

    Raises:
        StudioError: the model has no such class.
    """
    if label is None or label == "":
        return None
    if not known.classes:
        raise StudioError(f"{known.name} has no classes: leave the label out.")
    text = str(label).strip().casefold()
    lookup = {name.casefold(): i for i, name in enumerate(known.classes)}
    if text in lookup:
        return lookup[text]
    if text.isascii() and text.isdigit() and int(text) < len(known.classes):
        return int(text)
    raise StudioError(f"Classes of {known.name} are {', '.join(known.classes)}; {str(label)[:40]!r} was given.")


def whole(value: object, what: str, low: int, high: int) -> int:
    """`value` as a whole number from low to high.

    Raises:
        StudioError: it is something else.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not low <= value <= high or value != int(value):  # NaN fails the comparison
        raise StudioError(f"The {what} must be a whole number from {low} to {high:,}; {str(value)[:40]!r} was given.")
    return int(value)

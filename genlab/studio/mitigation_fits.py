"""Where networks run for a mitigation, a piece at a time, and what is kept of it: pools and fits, a few of each."""

import threading
from collections import OrderedDict
from collections.abc import Generator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from genlab.data import portraits
from genlab.device import gpu
from genlab.studio import pictures, shelf
from genlab.studio.shelf import StudioError

JUDGE = "judge-portraits"
POOL, EACH = 2_000, 80  # items of a pool, and of each group in a calibration
PART, CALIBRATED, DRAWN = 128, 40, 64  # items a piece of a pool, of a calibration, and of drawing
REFERENCE, REFERENCE_SEED = 300, 2_000_000_000  # real portraits that reweighting is given; no split draws these seeds
POOLS_KEPT, FITS_KEPT = 4, 12


class Step(NamedTuple):
    """Progress: `done` of `total` items, and what is being done."""

    done: int
    total: int
    phase: str


class Wanted(NamedTuple):
    """What is to be mitigated, checked: plain values only, so that it is a key too.

    `target` is the share of each group of the attribute, in the order of `portraits.ATTRIBUTES`.
    """

    model: str
    weights: str
    judge: str
    attribute: str
    method: str
    target: tuple[float, ...]


_kept: dict[str, OrderedDict] = {"pools": OrderedDict(), "fits": OrderedDict()}
_lock = threading.Lock()


def _recall(kind: str, key: tuple) -> object | None:
    with _lock:
        if key in _kept[kind]:
            _kept[kind].move_to_end(key)
        return _kept[kind].get(key)


def _keep(kind: str, key: tuple, made: object, most: int) -> None:
    with _lock:
        _kept[kind][key] = made
        _kept[kind].move_to_end(key)
        while len(_kept[kind]) > most:
            _kept[kind].popitem(last=False)


def fit_of(wanted: Wanted) -> Generator[Step, None, object]:
    """The method, fitted: a Fit; yields progress. A pool that a visitor cancelled is gone on with.

    Raises:
        MitigationError: a group that is wanted is hardly ever drawn by the model.
    """
    from genlab.metrics.fitted import CHOSEN, PLACED, Fit, learn_from
    from genlab.metrics.mitigation import enough

    found, target = _recall("fits", wanted), np.array(wanted.target)
    if found is not None:
        return found
    if wanted.method in ("plain", "retouched"):
        return Fit(wanted.method, target)
    names = portraits.ATTRIBUTES[wanted.attribute]
    asked = np.flatnonzero(target).tolist() if wanted.method in PLACED else []
    total = POOL + EACH * len(asked)
    pool = yield from _pool(wanted, total)
    enough(pool, target, names)
    yield Step(POOL, total, "Learning where the groups lie")
    features = {}
    if wanted.method == "reweighting":
        real, _ = portraits.draw(REFERENCE, mix(wanted), first_seed=REFERENCE_SEED)
        features = {"drawn": pool_features(wanted.model, pool.latents), "reference": read(wanted.attribute, real)[2]}
    fit = learn_from(wanted.method, pool, target, **features)
    if asked:
        obeyed = np.zeros((len(target), len(target)))
        for place, group in enumerate(asked):
            for start in range(0, EACH, CALIBRATED):
                yield Step(POOL + place * EACH + start, total, f"Learning how well “{names[group]}” is obeyed")
                obeyed[group] += calibrate(wanted, fit, group, start)
        fit = replace(fit, obeyed=obeyed)
    if wanted.method not in CHOSEN:
        fit = replace(fit, pool=None)
    _keep("fits", wanted, fit, FITS_KEPT)
    return fit


def _pool(wanted: Wanted, total: int):
    """The model's pool with the chances of this attribute's groups; all attributes are read at once and kept."""
    from genlab.metrics.mitigation import Pool

    key = (wanted.model, wanted.weights, wanted.judge)
    pool = _recall("pools", key)
    while pool is None or len(pool.latents) < POOL:
        begun = 0 if pool is None else len(pool.latents)
        yield Step(begun, total, "Looking at what the model draws")
        pool = fill(wanted.model, pool, min(begun + PART, POOL))
        _keep("pools", key, pool, POOLS_KEPT)
    return Pool(pool.latents, pool.chances[:, columns(wanted.attribute)])


def columns(attribute: str) -> slice:
    """Where an attribute's groups stand among those of all attributes."""
    sizes = shelf.model(JUDGE).attributes
    before = list(sizes)[: list(sizes).index(attribute)]
    start = sum(sizes[name] for name in before)
    return slice(start, start + sizes[attribute])


def mix(wanted: Wanted) -> list[dict]:
    """Real portraits with the shares wanted, as `portraits.draw` takes them."""
    names = portraits.ATTRIBUTES[wanted.attribute]
    return [{"share": s, wanted.attribute: n} for s, n in zip(wanted.target, names, strict=True) if s]


# ---- what runs networks: plain values, arrays and CPU tensors cross this border


@gpu(15)
def fill(model: str, pool, count: int):
    """The Pool of a model gone on with until it has `count` items, the chances of all attributes side by side."""
    import torch

    from genlab.metrics.mitigation import fill_pool, finish

    judge, cut, device = _loaded(model)

    def chances(images):
        return torch.cat([part.softmax(1) for part in judge.attribute_logits(images).values()], 1)

    return finish(fill_pool(cut, chances, count, have=pool, device=device))


@gpu(15)
def calibrate(wanted: Wanted, fit, group: int, start: int) -> np.ndarray:
    """How `CALIBRATED` items asked to be of the group are read, counts (K,); `start` were asked before."""
    from genlab.metrics.fitted import placer
    from genlab.metrics.mitigation import obedience

    judge, cut, device = _loaded(wanted.model)
    return obedience(
        cut, placer(fit, cut), _reader(judge, wanted.attribute), group=group, groups=len(wanted.target), start=start,
        count=CALIBRATED, device=device,
    )  # fmt: skip


@gpu(15)
def draw(wanted: Wanted, fit, first: int) -> tuple[np.ndarray, np.ndarray]:
    """`DRAWN` items from seed `first` on, uint8 (n, c, h, w), and the network passes each cost (n,).

    The number is fixed so that an item never depends on how many were asked for.
    """
    from genlab.metrics.fitted import drawer
    from genlab.seeds import Seeds

    judge, cut, device = _loaded(wanted.model)

    def score(images):
        return judge.attribute_slopes(images)[wanted.attribute]

    drawn = drawer(fit, cut, _reader(judge, wanted.attribute), score)(Seeds.count_from(first, DRAWN, device))
    return pictures.to_bytes(drawn.images), drawn.decodes


@gpu(10)
def read(attribute: str, items: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the judge says of uint8 items: group (n,), whether it knows such pictures (n,), features (n, w) float64."""
    import torch

    judge = shelf.model(JUDGE)
    device = next(judge.parameters()).device
    images = torch.from_numpy(items).to(device).float() / 255
    found = judge.opinion(images)
    groups, known = found.logits[attribute].argmax(1), found.strangeness <= judge.limit
    return groups.cpu().numpy(), known.cpu().numpy(), found.features.double().cpu().numpy()


@gpu(15)
def pool_features(model: str, latents) -> np.ndarray:
    """The judge's features of the pictures of latents, (m, w) float64."""
    import torch

    judge, cut, device = _loaded(model)
    parts = [judge.features(cut.decode(part.to(device), None)) for part in latents.split(PART)]
    return torch.cat(parts).double().cpu().numpy()


def _loaded(name: str):
    from genlab.metrics.mitigation import halves

    model = shelf.model(name)
    return shelf.model(JUDGE), halves(model), next(model.parameters()).device


def _reader(judge, attribute: str):
    return lambda images: judge.attribute_logits(images)[attribute].softmax(1)


def candidates() -> list[str]:
    """Models that can be mitigated, by config alone: unconditional generators of portraits; none without the judge."""
    known = shelf.names()
    return [name for name in known if _able(name)] if JUDGE in known else []


def _able(name: str) -> bool:
    try:
        recipe = shelf.config_of(name)["recipe"]
        made_for = recipe["family"] in ("vae", "gan") and recipe["data"] in portraits.MIXES
        return made_for and not recipe["model"].get("classes")
    except (StudioError, KeyError, TypeError, AttributeError):
        return False

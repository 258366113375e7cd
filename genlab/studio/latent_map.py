"""A map of a model's codes: example items laid out in two dimensions, and which dimensions of the code matter."""

import logging
import os
import threading
import zipfile
from dataclasses import dataclass, fields

import numpy as np

from audits.provenance import Claim, Sealed
from genlab.data.fetch import cache_folder
from genlab.studio import encode, pictures, shelf
from genlab.studio.encode import Encoded, explorable, rounded
from genlab.studio.marking import Drawn, mark

NEIGHBOURS = 6  # examples that a point of the map is mixed from
PROBED = 12  # examples on which dimensions are tried
CELLS = 26  # thumbnails a side of the drawn map
VERSION = 2  # of the layout below: a change makes stored charts worthless
# Ten colours that differ in lightness and hue, all at least 4.5:1 on the map's background.
COLOURS = (
    "#f6c667", "#8ecae6", "#ff9b85", "#a3d977", "#d4a5ff", "#ffd6e8", "#5fd4c4", "#f4f1de", "#ff8fc7", "#b8c0ff",
)  # fmt: skip
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Chart:
    """What is known of a model's codes from the shipped example items.

    Attributes:
        points: places on the map, (n, 2) in [0, 1], x to the right, y down.
        codes: the examples' codes, (n, d).
        labels: their classes, (n,).
        mean, deviation: of the codes, (d,) each.
        importance: mean squared change of the decoded picture, pixels in [0, 1], when a dimension alone moves
            one standard deviation up or down, (d,).
    """

    points: np.ndarray
    codes: np.ndarray
    labels: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    importance: np.ndarray

    @property
    def order(self) -> list[int]:
        """Dimensions, the one that matters most first."""
        return np.argsort(-self.importance, kind="stable").tolist()


_charts: dict[str, Chart] = {}
_lock = threading.Lock()


def chart(model: str) -> Chart:
    """The chart of a model, computed on first use and kept on disk.

    Raises:
        StudioError: the model has no free codes, or no examples of its data are shipped.
    """
    known = explorable(model)
    with _lock:  # one computation at a time: it takes seconds
        if known.weights not in _charts:
            _charts[known.weights] = _stored(known) or _computed(known)
        return _charts[known.weights]


def _stored(known: shelf.Entry) -> Chart | None:
    path = _file(known)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = Chart(**{f.name: arrays[f.name] for f in fields(Chart)})
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    n, d = len(encode.examples_of(known)), known.latent
    shapes = [(n, 2), (n, d), (n,), (d,), (d,), (d,)]
    fits = [getattr(found, f.name).shape for f in fields(Chart)] == shapes
    return found if fits and all(np.isfinite(getattr(found, f.name)).all() for f in fields(Chart)) else None


def _file(known: shelf.Entry):
    return cache_folder() / "charts" / f"{known.weights[:32]}-{VERSION}.npz"


def _computed(known: shelf.Entry) -> Chart:
    data = encode.examples_of(known)
    codes = encode.codes_of(known.name, data.items).astype(np.float64)
    mean, deviation = codes.mean(0), codes.std(0) + 1e-6
    made = Chart(layout(codes), codes, data.labels, mean, deviation, importance(known.name, codes, deviation))
    path = _file(known)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.partial.npz")
        np.savez(partial, **{f.name: getattr(made, f.name) for f in fields(Chart)})
        os.replace(partial, path)
    except OSError as error:  # a full or read-only disk: the chart is computed again next time
        log.warning("The chart of %s is not kept: %s", known.name, error)
    return made


def layout(codes: np.ndarray) -> np.ndarray:
    """Places in [0.02, 0.98]^2: t-SNE (van der Maaten and Hinton 2008), then most of the way to even ranks."""
    from sklearn.manifold import TSNE

    n = len(codes)
    if n < 10:
        return np.stack([np.linspace(0.1, 0.9, n), np.full(n, 0.5)], 1)
    perplexity = min(30.0, (n - 1) / 3)
    made = TSNE(2, perplexity=perplexity, init="pca", random_state=0, max_iter=600, n_jobs=1).fit_transform(codes)
    low, high = made.min(0), made.max(0)
    even = made.argsort(0).argsort(0) / (n - 1)
    return 0.02 + 0.96 * (0.3 * (made - low) / (high - low) + 0.7 * even)


def importance(name: str, codes: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Mean squared change of the picture when each dimension alone moves one standard deviation, (d,)."""
    rows = np.linspace(0, len(codes) - 1, min(PROBED, len(codes))).round().astype(int)
    start, d = codes[rows], codes.shape[1]
    before = encode.pictures_of(name, start).astype(np.float64) / 255
    steps = np.concatenate([np.diag(deviation), -np.diag(deviation)])  # (2d, d)
    moved = (start[None] + steps[:, None]).reshape(-1, d)
    after = encode.pictures_of(name, moved).astype(np.float64).reshape(2 * d, *before.shape) / 255
    change = np.square(after - before).mean(axis=tuple(range(1, after.ndim)))
    return change.reshape(2, d).mean(0)


def map_point(model: str, x: object, y: object) -> tuple[Encoded, dict[str, float]]:
    """The code at a place of the map: the nearest examples' codes, mixed by distance, and each class's share.

    Weights are (R - r)^2 / (R r)^2 with R the distance of the first example left out (Shepard's method as
    Franke and Nielson 1980 changed it): the code moves smoothly and meets every example at its place.

    Args:
        x, y: the place, each in [0, 1], y down.

    Raises:
        ValueError: one sentence about what was given and what is allowed.
    """
    place = []
    for value, what in ((x, "x"), (y, "y")):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise shelf.StudioError(f"{what} is a number from 0 to 1; {str(value)[:40]!r} was given.")
        place.append(float(value))
    known, found = explorable(model), chart(model)
    distances = np.linalg.norm(found.points - np.asarray(place), axis=1)
    nearest = np.argsort(distances, kind="stable")[: NEIGHBOURS + 1]
    r = np.maximum(distances[nearest], 1e-9)
    reach = r[-1] * 1.001
    weights = ((reach - r) / (reach * r)) ** 2
    weights /= weights.sum()
    shares: dict[str, float] = {}
    for row, weight in zip(nearest, weights, strict=True):
        label = encode.examples_of(known).names[found.labels[row]]
        shares[label] = shares.get(label, 0.0) + float(weight)
    code = rounded(weights @ found.codes[nearest])
    shares = dict(sorted(shares.items(), key=lambda kept: -kept[1]))
    return Encoded(tuple(code.tolist()), f"map {place[0]:.3f}, {place[1]:.3f}"), shares


def drawn_map(model: str) -> Sealed:
    """The map as a picture to click on: example items, real ones, tinted by class, where there is room for them."""
    known, found = explorable(model), chart(model)
    data = encode.examples_of(known)
    side = max(known.shape[1:])
    cells = np.minimum((found.points * CELLS).astype(int), CELLS - 1)
    canvas = np.empty((CELLS * side, CELLS * side, 3), np.float64)
    canvas[:] = colour(BACKGROUND)
    centres = (cells + 0.5) / CELLS
    off = np.linalg.norm(found.points - centres, axis=1)
    taken = set()
    for row in np.argsort(off, kind="stable"):
        column, line = cells[row].tolist()
        if (column, line) in taken:
            continue
        taken.add((column, line))
        item = data.items[row].astype(np.float64) / 255  # (c, h, w)
        top, left = line * side, column * side
        room = canvas[top : top + item.shape[1], left : left + item.shape[2]]
        if item.shape[0] == 1:
            ink = item[0][..., None]
            room[:] = (1 - ink) * room + ink * colour(COLOURS[found.labels[row] % len(COLOURS)])
        else:
            room[:] = item.transpose(1, 2, 0) * 255
    pixels = canvas.round().clip(0, 255).astype(np.uint8).transpose(2, 0, 1)
    claim = Claim(known.name, known.weights, "map", 0, {"items": f"{known.data}, {data.licence}"}, {})
    return mark(Drawn(pixels, pictures.png), "image/png", claim)


BACKGROUND = "#10161d"


def colour(text: str) -> np.ndarray:
    """A "#rrggbb" colour as three numbers in [0, 255]."""
    return np.array([int(text[i : i + 2], 16) for i in (1, 3, 5)], np.float64)


def key_of(model: str) -> list[tuple[str, str]]:
    """(class name, colour) in the order of the classes, for the map's key."""
    names = encode.examples_of(explorable(model)).names
    return [(name, COLOURS[i % len(COLOURS)]) for i, name in enumerate(names)]

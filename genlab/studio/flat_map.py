"""Items laid out in two dimensions by PCA, t-SNE, UMAP or a model's own code, and how good each layout is.

All are judged on the example items, which no model was trained on. PCA, t-SNE and UMAP are fitted to these very items;
a model's code was learnt from others and places any new item without being fitted again.
"""

import contextlib
import importlib.util
import os
import threading
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audits.provenance import Claim, Sealed
from genlab.data.fetch import cache_folder
from genlab.metrics import maps
from genlab.metrics.maps import Score
from genlab.studio import encode, kinds, pictures, shelf
from genlab.studio.latent_map import COLOURS
from genlab.studio.marking import mark
from genlab.studio.shelf import Entry, StudioError

FITTED = ("PCA", "t-SNE", "UMAP")
SLOW = ("t-SNE", "UMAP")  # seconds, and half a minute to start with
FEWEST = 40  # items that a layout is judged on
VERSION = 1  # of what is stored: a change makes stored layouts worthless
SHEET = 25  # items a row of the sheet that thumbnails are cut from


@dataclass(frozen=True)
class Row:
    """How good the places, or the codes, of one method are.

    Attributes:
        title: the method, or the model's kind, in words.
        dimensions: of a place.
        fitted: whether it was fitted to the items it is judged on.
    """

    method: str
    title: str
    dimensions: int
    fitted: bool
    knn: Score
    trustworthiness: Score
    continuity: Score


@dataclass(frozen=True)
class Layout:
    """Example items on a plane.

    Attributes:
        points: (n, 2) in [0, 1], x to the right, y down.
        labels: class numbers, (n,); names and colours: of the classes.
        sheet: all items in a sealed PNG, `SHEET` a row, each `side` pixels, for thumbnails.
        row: how good it is.
    """

    points: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]
    colours: tuple[str, ...]
    sheet: Sealed
    side: int
    row: Row


_known: dict[tuple[str, str], np.ndarray] = {}
_lock = threading.Lock()


def methods() -> list[str]:
    """What can lay items out: the two-dimensional codes on the shelf, PCA, t-SNE, and UMAP where it is installed."""
    flat = [known.name for known in kinds.kinds() if known.latent == 2]
    umap = importlib.util.find_spec("umap") is not None
    return [*flat, *(name for name in FITTED if name != "UMAP" or umap)]


def title_of(method: str) -> str:
    """A method's name, or the kind of the model whose code it is."""
    return method if method in FITTED else kinds.title_of(shelf.entry(method))


def layout(method: str) -> Layout:
    """The example items laid out by one method.

    Raises:
        StudioError: there is no such method, or it is not installed.
    """
    able = methods()
    if method not in able:
        raise StudioError(f"Items are laid out by {', '.join(able)}; {str(method)[:60]!r} was given.")
    known = kinds.kinds()[0]
    data, places = encode.examples_of(known), places_of(method)
    low, high = places.min(0), places.max(0)
    points = 0.03 + 0.94 * (places - low) / np.maximum(high - low, 1e-9)
    colours = tuple(COLOURS[i % len(COLOURS)] for i in range(len(data.names)))
    sheet = pictures.grid(data.items, SHEET)
    claim = Claim(known.name, known.weights, "map", 0, {"items": f"{known.data}, {data.licence}"}, {})
    sealed = mark(pictures.png(sheet), "image/png", claim)
    row = judged(method, places, fitted=method in FITTED)
    return Layout(points, data.labels, tuple(data.names), colours, sealed, data.items.shape[2], row)


def comparison(*, wait: bool = False) -> list[Row]:
    """Every method in two dimensions, then every model's whole code.

    Args:
        wait: whether t-SNE and UMAP are computed too; else they are in it once somebody has asked for them.
    """
    known = kinds.kinds()[0]
    able = [name for name in methods() if wait or name not in SLOW or _found(_key(name, known)) is not None]
    flat = [judged(name, places_of(name), fitted=name in FITTED) for name in able]
    codes = [known for known in kinds.kinds() if known.latent != 2]
    return flat + [judged(known.name, places_of(known.name), fitted=False) for known in codes]


def judged(method: str, places: np.ndarray, *, fitted: bool) -> Row:
    """The three scores of places (n, d) of the example items."""
    data = encode.examples_of(kinds.kinds()[0])
    items = data.items.reshape(len(data), -1)
    return Row(
        method,
        title_of(method),
        places.shape[1],
        fitted,
        maps.knn_accuracy(places, data.labels),
        maps.trustworthiness(items, places),
        maps.continuity(items, places),
    )


def places_of(method: str) -> np.ndarray:
    """Places (n, d) of the example items, float64, computed once and, where a method was fitted, kept on disk."""
    known = kinds.kinds()[0] if method in FITTED else shelf.entry(method)
    key = _key(method, known)
    places = _found(key)
    if places is None:
        items = encode.examples_of(known).items
        if len(items) < FEWEST:
            raise StudioError(f"A layout is judged on {FEWEST} example items or more; {len(items)} are shipped.")
        if method in SLOW:
            with _lock:  # one at a time, and nobody else waits for it
                places = _found(key)
                if places is None:
                    places = _kept(key, project(method, items.reshape(len(items), -1).astype(np.float32) / 255))
        elif method in FITTED:
            places = project(method, items.reshape(len(items), -1).astype(np.float32) / 255)
        else:
            places = encode.codes_of(method, items)
        _known[key] = places
    return places.astype(np.float64)


def _key(method: str, known: Entry) -> tuple[str, str]:
    """What places are known by: the method and the data, or the weights."""
    return (method, known.data) if method in FITTED else (method, known.weights)


def _found(key: tuple[str, str]) -> np.ndarray | None:
    """Places that were computed before: by this process, or by an earlier one and kept on disk."""
    if key not in _known and key[0] in SLOW:
        try:
            with np.load(_file(key), allow_pickle=False) as arrays:
                places = arrays["places"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        if places.ndim == 2 and places.shape[1] == 2 and np.isfinite(places).all():
            _known[key] = places
    return _known.get(key)


def _kept(key: tuple[str, str], places: np.ndarray) -> np.ndarray:
    """The places, written to disk; a full or read-only one is no harm, they are computed again next time."""
    with contextlib.suppress(OSError):
        _file(key).parent.mkdir(parents=True, exist_ok=True)
        partial = _file(key).with_suffix(f".{os.getpid()}.partial.npz")
        np.savez(partial, places=places)
        os.replace(partial, _file(key))
    return places


def _file(key: tuple[str, str]) -> Path:
    return cache_folder() / "charts" / f"{key[0]}-{key[1]}-{VERSION}.npz"


def project(method: str, items: np.ndarray) -> np.ndarray:
    """Rows (n, values) in two dimensions by PCA, t-SNE or UMAP with their usual settings and one seed."""
    if method == "PCA":
        from sklearn.decomposition import PCA

        return PCA(2, random_state=0).fit_transform(items)
    if method == "t-SNE":
        from sklearn.manifold import TSNE

        return TSNE(2, init="pca", random_state=0, n_jobs=1).fit_transform(items)
    from umap import UMAP

    return np.asarray(UMAP(n_components=2, random_state=0, n_jobs=1).fit_transform(items))

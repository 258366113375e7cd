"""Codes to take away: what an autoencoder writes of each picture, as a CSV or NPZ file."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genlab.studio import encode, shelf, uploads
from genlab.studio.shelf import Entry, StudioError

FORMS = ("csv", "npz")
MOST = 5_000  # pictures a request
ARRAYS = (".npy", ".npz")
LARGEST = 512 * 2**20  # bytes of an array file


@dataclass(frozen=True)
class Features:
    """Codes (n, d), float32, and what each row is of."""

    model: str
    weights: str
    names: tuple[str, ...]
    codes: np.ndarray

    def file(self, form: str) -> bytes:
        """A CSV file (item, z0, z1, ...) or an NPZ file (codes, items, model, weights).

        Raises:
            StudioError: there is no such form.
        """
        if form not in FORMS:
            raise StudioError(f"Features are written as {' or '.join(FORMS)}; {str(form)[:40]!r} was given.")
        if form == "npz":
            packed = io.BytesIO()
            np.savez_compressed(
                packed, codes=self.codes, items=np.array(self.names), model=self.model, weights=self.weights
            )
            return packed.getvalue()
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(["item", *(f"z{i}" for i in range(self.codes.shape[1]))])
        for name, code in zip(self.names, self.codes, strict=True):
            rows.writerow([safe(name), *(f"{v:.6g}" for v in code)])
        return text.getvalue().encode()


def safe(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def of_pictures(model: str, files: Sequence[tuple[str, bytes]], invert: str = "auto") -> Features:
    """Codes of picture files, (name, bytes) each; without any, of the example items.

    Raises:
        ValueError: one sentence that names the file that cannot be used.
    """
    known = shelf.require(model, "autoencode")
    if not known.latent:
        raise StudioError(f"{model} needs a class beside its code, so it gives no features of a picture alone.")
    if not files:
        data = encode.examples_of(known)
        names = [f"example {i}, {data.names[c]}" for i, c in enumerate(data.labels)]
        return _coded(known, names, data.items)
    if len(files) > MOST:
        raise StudioError(f"Up to {MOST:,} pictures are read at a time; {len(files):,} were given.")
    items = []
    for name, media in files:
        try:
            items.append(uploads.as_item(media, known, invert))
        except uploads.UploadError as error:
            raise StudioError(f"{name[:60]}: {error}") from None
    return _coded(known, [name for name, _ in files], np.stack(items))


def of_path(model: str, path: Path, invert: str = "auto") -> Features:
    """Codes of what lies at a path: a picture, a folder of pictures, or an array (n, [c,] h, w), NPY or NPZ.

    Raises:
        ValueError: one sentence about what was found and what is allowed.
    """
    known = shelf.require(model, "autoencode")
    if path.is_dir():
        suffixes = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp")
        paths = sorted(p for p in path.iterdir() if p.suffix.lower() in suffixes and p.is_file())
        if not paths:
            raise StudioError(f"{path} holds no {uploads.SHOWN} picture.")
        return of_pictures(model, [(p.name, uploads.read_file(p)) for p in paths[: MOST + 1]], invert)
    if not path.is_file():
        raise StudioError(f"There is no file or folder {path}.")
    if path.suffix.lower() not in ARRAYS:
        return of_pictures(model, [(path.name, uploads.read_file(path))], invert)
    items = as_items(array_in(path), known)
    return _coded(known, [f"row {i}" for i in range(len(items))], items)


def array_in(path: Path) -> np.ndarray:
    """The array of a NPY file, or the first one of a NPZ file.

    Raises:
        StudioError: it is too large or cannot be read; nothing pickled is.
    """
    if path.stat().st_size > LARGEST:
        raise StudioError(f"{path.name} is larger than {LARGEST // 2**20} MiB: give it in parts.")
    try:
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            return found
        with found:
            return found[found.files[0]]
    except Exception:  # damaged files fail in many ways, and all mean the same
        raise StudioError(f"{path.name} is not an array that can be read without running code in it.") from None


def as_items(found: np.ndarray, known: Entry) -> np.ndarray:
    """An array as items uint8 (n, c, h, w): bytes as they are, other numbers in [0, 1].

    Raises:
        StudioError: shape, kind or range are others, or a number is not finite.
    """
    channels, height, width = known.shape
    allowed = f"{known.name} takes arrays (n, {channels}, {height}, {width})"
    if channels == 1:
        allowed += f" or (n, {height}, {width})"
        if found.ndim == 3:
            found = found[:, None]
    if found.ndim != 4 or found.shape[1:] != known.shape or not len(found):
        raise StudioError(f"{allowed}; {'x'.join(map(str, found.shape)) or 'a single number'} was given.")
    if found.dtype == np.uint8:
        return found
    if found.dtype.kind not in "fiub" or not np.isfinite(found).all() or found.min() < 0 or found.max() > 1:
        raise StudioError(f"{allowed} of bytes, or of numbers from 0 to 1 without gaps; others were given.")
    return (found.astype(np.float64) * 255).round().astype(np.uint8)


def _coded(known: Entry, names: Sequence[str], items: np.ndarray) -> Features:
    parts = [encode.codes_of(known.name, items[i : i + 512]) for i in range(0, len(items), 512)]
    return Features(known.name, known.weights, tuple(names), np.concatenate(parts))

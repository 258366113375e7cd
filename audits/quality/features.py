"""Feature arrays: what every audit in this folder takes, and how they are read from a file."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np

MAX_BYTES = 4 * 2**30


class FeatureError(ValueError):
    """The features cannot be measured; the message says what was given and what is needed."""


def as_features(x, name: str, *, rows: int = 2) -> np.ndarray:
    """`x` as a finite float64 array of shape (n, width) with n >= `rows`; FeatureError otherwise."""
    try:
        x = np.asarray(x, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise FeatureError(f"The {name} features must be an array of numbers.") from error
    if x.ndim != 2 or x.shape[1] == 0:
        raise FeatureError(f"The {name} features must have shape (items, width), not {x.shape}.")
    if len(x) < rows:
        raise FeatureError(f"The {name} features have {len(x)} rows; at least {rows} are needed.")
    if not np.isfinite(x).all():
        raise FeatureError(f"The {name} features contain NaN or infinite values; remove those items first.")
    return x


def same_width(a: np.ndarray, b: np.ndarray) -> None:
    """FeatureError unless both arrays have the same number of columns."""
    if a.shape[1] != b.shape[1]:
        raise FeatureError(
            f"The two sets have features of different widths, {a.shape[1]} and {b.shape[1]}: "
            "use the same judge for both."
        )


def read_features(path: str | os.PathLike) -> np.ndarray:
    """Read (n, width) features from .npy, .npz (one array, or one called `features`) or .csv (header or not).

    Pickled arrays are refused. Raises FeatureError in one sentence for anything that cannot be read.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    readers = {".npy": _read_npy, ".npz": _read_npz, ".csv": _read_csv}
    if suffix not in readers:
        raise FeatureError(f"{path.name} is not a feature file; give a .npy, .npz or .csv file.")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise FeatureError(f"{path.name} is over the limit of {MAX_BYTES / 2**30:.0f} GiB.")
        return as_features(readers[suffix](path), path.name)
    except FeatureError:
        raise
    except OSError as error:
        raise FeatureError(f"{path.name} cannot be opened: {error.strerror or error}.") from error
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise FeatureError(f"{path.name} is not a readable {suffix} file of numbers.") from error


def _read_npy(path: Path) -> np.ndarray:
    return np.load(path, mmap_mode="r", allow_pickle=False)  # mapped: a lying header cannot allocate


def _read_npz(path: Path) -> np.ndarray:
    with zipfile.ZipFile(path) as archive:
        if sum(item.file_size for item in archive.infolist()) > MAX_BYTES:
            raise FeatureError(f"{path.name} unpacks to more than {MAX_BYTES / 2**30:.0f} GiB.")
    with np.load(path, allow_pickle=False) as arrays:
        names = arrays.files
        if "features" not in names and len(names) != 1:
            raise FeatureError(f"{path.name} holds the arrays {names}; name one of them `features`.")
        return arrays["features" if "features" in names else names[0]]


def _read_csv(path: Path) -> np.ndarray:
    with path.open(encoding="utf-8-sig") as lines:
        first = lines.readline()
        if not first.strip():
            raise FeatureError(f"{path.name} is empty.")
        try:
            [float(cell) for cell in first.split(",")]
            header = 0
        except ValueError:
            header = 1
    return np.loadtxt(path, delimiter=",", skiprows=header, ndmin=2, encoding="utf-8-sig")

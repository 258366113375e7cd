"""Items for a live run: toys, drawn points, Fashion-MNIST, portraits, or a visitor's own zip."""

from pathlib import Path
from typing import Any

import numpy as np

from audits.bias.pictures import contents
from genlab.studio import uploads
from genlab.studio.shelf import StudioError
from genlab.studio.training_settings import OWN, POINTS, TOYS, Wanted

FEWEST, MOST = 16, 5_000  # pictures of a zip
FEWEST_POINTS, MOST_POINTS = 8, 4_000  # drawn
SIDE = 28  # of the pictures of a zip; grey where all of them are
SHOWN = 400  # real points that a picture shows
EXAMPLES = {"fashion": "fashion", "portraits": "portraits-balanced"}
NAME = "items.npy"


def given(wanted: Wanted, points: object, archive: str | None) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """What only the visitor has: drawn points (n, 2) or pictures (n, c, s, s), None for data of ours; and notes.

    Raises:
        StudioError: there is nothing, too little, or nothing that can be read.
    """
    if wanted.data == POINTS:
        return drawn(points), ()
    if wanted.data == OWN:
        return pictures(archive)
    return None, ()


def drawn(points: object) -> np.ndarray:
    """Points from the page as float32 (n, 2) in the unit square."""
    try:
        found = np.asarray(points if points is not None else [], np.float32)
    except (TypeError, ValueError):
        found = np.empty((0, 0), np.float32)
    if found.ndim != 2 or found.shape[1:] != (2,) or len(found) < FEWEST_POINTS:
        count = len(found) if found.ndim == 2 else 0
        raise StudioError(f"A run needs at least {FEWEST_POINTS} points; {count} were drawn: draw some more.")
    if len(found) > MOST_POINTS:
        raise StudioError(f"Up to {MOST_POINTS:,} points can be drawn; {len(found):,} were given.")
    if not np.isfinite(found).all() or found.min() < 0 or found.max() > 1:
        raise StudioError("Points lie in the unit square: both numbers of each from 0 to 1.")
    return found


def pictures(archive: str | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """The pictures of a zip as uint8 (n, c, s, s), the border's shade around what is not square."""
    if not archive:
        raise StudioError("No zip was given: choose one with pictures first.")
    path = Path(archive)
    if path.suffix.lower() != ".zip":
        raise StudioError(f"{path.name} is no zip: put the pictures into one.")
    items, skipped = [], 0
    for name, content in contents(path):
        if name.endswith("/"):
            continue
        if len(items) >= MOST:
            raise StudioError(f"{path.name} holds more than {MOST:,} pictures: give fewer.")
        try:
            items.append(uploads.fitted(uploads.open_picture(content or b""), (3, SIDE, SIDE))[0])
        except uploads.UploadError:
            skipped += 1
    if len(items) < FEWEST:
        raise StudioError(
            f"A run needs at least {FEWEST} pictures and {path.name} holds {len(items)}: fewer would only be copied."
        )
    found = np.stack(items)
    if (np.ptp(found, axis=1) <= 8).all():
        found = np.ascontiguousarray(found[:, :1])
    notes = (f"{skipped:,} files of {path.name} are no picture that can be read.",) if skipped else ()
    return found, notes


def items_of(wanted: Wanted, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Items and labels that a run learns from; `folder` holds what the visitor gave."""
    if wanted.data in (POINTS, OWN):
        found = np.load(folder / NAME, allow_pickle=False)
        return found, np.zeros(len(found), np.int64)
    data = known(wanted.data)
    return data.items, data.labels


def known(name: str) -> Any:
    """One of our data sets: the whole one where it is on this machine or can be had, else the examples shipped."""
    from genlab import data
    from genlab.data import examples

    if name in TOYS:
        return data.load(name)
    if name == "portraits":  # to draw all 20,000 takes minutes: the page takes those shipped, unless they are there
        return examples.load(EXAMPLES[name])
    try:
        return data.load(name)
    except data.DataError:
        return examples.load(EXAMPLES[name])


def modes_of(name: str) -> tuple[np.ndarray, float] | None:
    """Centres (k, 2) and deviation of a toy's modes, where it has any."""
    from genlab.data import toys

    found = toys.MODES.get(name)
    return None if found is None else (found.centres, found.deviation)


def preview(wanted: Wanted, items: np.ndarray | None) -> np.ndarray:
    """Some real points (n, 2), to be drawn under the generated ones."""
    if not wanted.plane:
        return np.empty((0, 2), np.float32)
    return (known(wanted.data).items if items is None else items)[:SHOWN]

"""Which stored pictures a cut-out may be a part of: windows that agree, gathered by the rectangle they point to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audits.provenance import crops
from audits.provenance.crops import Rectangle, Windows
from audits.provenance.nearest import Nearest

AGREE = 8  # bits of 64
BIN = 0.08  # of a rectangle's place and, as a logarithm, of its size
PACKED = np.dtype([("hash", ">u8"), ("left", "u1"), ("top", "u1")])  # places in steps of the grid
TAIL = 128


@dataclass(frozen=True)
class Place:
    """A rectangle of the picture of entry `id`; `votes` windows agree on it."""

    id: int
    rectangle: Rectangle
    votes: int


def packed(windows: Windows) -> bytes:
    """A stored picture's windows, ten bytes each, as the ledger keeps them."""
    rows = np.empty(len(windows.hashes), PACKED)
    rows["hash"] = windows.hashes
    for name in ("left", "top"):
        rows[name] = np.round(getattr(windows, name) * crops.SHORT / crops.GRID)
    return rows.tobytes()


class Parts:
    """The windows of every stored picture. Not for two threads at once: the owner holds the lock."""

    def __init__(self):
        self._near = Nearest(words=1, reach=0, tail=TAIL)
        self._ids, self._places = np.empty(0, np.int64), np.empty(0, PACKED)

    def add(self, ids: list[int], windows: list[bytes]) -> None:
        """Take in the packed windows of entries.

        Raises:
            ValueError: bytes that are no packed windows.
        """
        rows = np.frombuffer(b"".join(windows), PACKED)
        self._near.add(rows["hash"].astype(np.uint64)[:, None])
        counts = [len(w) // PACKED.itemsize for w in windows]
        self._ids = np.concatenate([self._ids, np.repeat(np.asarray(ids, np.int64), counts)])
        self._places = np.concatenate([self._places, rows])

    def places(self, pixels: np.ndarray, most: int) -> list[Place]:
        """Where the picture may have been cut from: one rectangle an entry, those with most votes first."""
        cut = crops.scanned_windows(pixels)
        if not len(cut.hashes) or not len(self._ids):
            return []
        rows, which, distances = self._near.within(cut.hashes[:, None], AGREE)
        if not len(rows):
            return []
        found = self._places[rows]
        step = crops.GRID / crops.SHORT
        stored = Windows(found["hash"], found["left"] * step, found["top"] * step, np.full(len(rows), 0.5))
        left, top, side = crops.rectangle(cut, which, stored, np.arange(len(rows)))
        bins = np.round(np.stack([np.log(side), left, top], 1) / BIN).astype(np.int64)
        _, group = np.unique(np.column_stack([self._ids[rows], bins]), axis=0, return_inverse=True)
        group = group.ravel()
        votes = np.bincount(np.unique(np.stack([group, rows], 1), axis=0)[:, 0])
        nearest = np.full(len(votes), 99)
        np.minimum.at(nearest, group, distances)
        places: dict[int, Place] = {}
        for best in np.lexsort((nearest, -votes)):
            members = np.flatnonzero(group == best)
            entry = int(self._ids[rows[members[0]]])
            if entry not in places:
                middle = Rectangle(*(float(np.median(a[members])) for a in (left, top, side)))
                places[entry] = Place(entry, middle, int(votes[best]))
                if len(places) == most:
                    break
        return list(places.values())

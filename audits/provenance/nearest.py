"""Nearest perceptual hashes among a million, in memory: multi-index hashing (Norouzi, Punjani and Fleet, 2012).

A hash of 256 bits is cut into 16 pieces of 16. Two hashes that differ in at most 31 bits have a piece that differs in
at most one, so looking up every piece of a query and its 16 neighbours finds them all; those a little further away are
found nearly always. New hashes wait in a tail that is searched one by one, until it is long enough to be sorted in.
"""

from __future__ import annotations

import numpy as np

from audits.provenance.perceptual import WORDS

PIECES = 16
SURE = 2 * PIECES - 1  # bits: no hash at this distance or closer is ever missed
TAIL = 32_768  # hashes that are searched one by one
_FLIPS = np.concatenate([[0], 1 << np.arange(16)]).astype(np.uint16)


class Nearest:
    """Hashes in the order in which they came. Not for two threads at once: the owner holds the lock."""

    def __init__(self):
        self._hashes = np.empty((1024, WORDS), np.uint64)
        self._count = 0
        self._sorted = 0  # the first so many are in the tables
        self._order = np.empty((PIECES, 0), np.int32)
        self._starts = np.zeros((PIECES, 2**16 + 1), np.int32)

    def __len__(self) -> int:
        return self._count

    @property
    def hashes(self) -> np.ndarray:
        """(n, 4) uint64, as added."""
        return self._hashes[: self._count]

    def add(self, hashes: np.ndarray) -> None:
        """Append hashes (m, 4) uint64."""
        hashes = np.asarray(hashes, np.uint64).reshape(-1, WORDS)
        need = self._count + len(hashes)
        if need > len(self._hashes):
            grown = np.empty((max(need, 2 * len(self._hashes)), WORDS), np.uint64)
            grown[: self._count] = self.hashes
            self._hashes = grown
        self._hashes[self._count : need] = hashes
        self._count = need
        if self._count - self._sorted > max(TAIL, self._sorted // 8):
            self._sort()

    def within(self, queries: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """All pairs closer than or at `radius`: (rows, queries, distances), the nearest first.

        Args:
            queries: (q, 4) uint64.
            radius: up to `SURE` none is missed; beyond, ever more are.
        """
        queries = np.asarray(queries, np.uint64).reshape(-1, WORDS)
        rows, which = self._candidates(queries)
        distances = np.bitwise_count(self._hashes[rows] ^ queries[which]).sum(1, dtype=np.int32)
        near = distances <= radius
        rows, which, distances = rows[near], which[near], distances[near]
        _, first = np.unique(rows.astype(np.int64) * len(queries) + which, return_index=True)
        first = first[np.argsort(distances[first], kind="stable")]
        return rows[first], which[first], distances[first]

    def _candidates(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pairs (rows, queries) worth counting; the same pair may come several times."""
        tail = np.arange(self._sorted, self._count)
        rows, which = [np.tile(tail, len(queries))], [np.repeat(np.arange(len(queries)), len(tail))]
        if self._sorted:
            pieces = np.ascontiguousarray(queries).view(np.uint16).reshape(-1, PIECES)
            for piece in range(PIECES):
                values = (pieces[:, piece, None] ^ _FLIPS).ravel()
                begins, ends = self._starts[piece][values], self._starts[piece][values.astype(np.int32) + 1]
                lengths = ends - begins
                total = int(lengths.sum())
                # Ranges begin..end one after the other: a running number, moved to where each range begins.
                jump = np.repeat(begins - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
                rows.append(self._order[piece][jump + np.arange(total)])
                which.append(np.repeat(np.repeat(np.arange(len(queries)), len(_FLIPS)), lengths))
        return np.concatenate(rows), np.concatenate(which)

    def _sort(self) -> None:
        """Put every hash into the tables."""
        pieces = np.ascontiguousarray(self.hashes).view(np.uint16).reshape(-1, PIECES)
        self._order = np.empty((PIECES, self._count), np.int32)
        for piece in range(PIECES):
            values = np.ascontiguousarray(pieces[:, piece])
            self._order[piece] = np.argsort(values, kind="stable")
            self._starts[piece, 1:] = np.cumsum(np.bincount(values, minlength=2**16))
        self._sorted = self._count

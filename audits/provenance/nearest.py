"""Nearest perceptual hashes among a million, in memory: multi-index hashing (Norouzi, Punjani and Fleet, 2012).

A hash of 256 bits is cut into 16 pieces of 16. Two hashes that differ in at most 31 bits have a piece that differs in
at most one, so looking up every piece of a query and its 16 neighbours finds them all; those a little further away are
found nearly always. New hashes wait in a tail that is searched one by one, until it is long enough to be sorted in.
"""

from __future__ import annotations

import numpy as np

WORDS = 4
SURE = 31  # bits of 256: no hash at this distance or closer is ever missed
TAIL = 32_768  # hashes that are searched one by one


class Nearest:
    """Hashes in the order in which they came. Not for two threads at once: the owner holds the lock.

    Args:
        words: uint64 a hash.
        reach: bits in which a piece may differ from a query's, 0 or 1.
        tail: hashes at most that are searched one by one.
    """

    def __init__(self, *, words: int = WORDS, reach: int = 1, tail: int = TAIL):
        self._words, self._pieces, self._tail = words, 4 * words, tail
        self._flips = np.concatenate([[0], 1 << np.arange(16)]).astype(np.uint16)[: 1 + 16 * reach]
        self._hashes = np.empty((1024, words), np.uint64)
        self._count = 0
        self._sorted = 0  # the first so many are in the tables
        self._order = np.empty((self._pieces, 0), np.int32)
        self._starts = np.zeros((self._pieces, 2**16 + 1), np.int32)

    def __len__(self) -> int:
        return self._count

    @property
    def hashes(self) -> np.ndarray:
        """(n, words) uint64, as added."""
        return self._hashes[: self._count]

    def add(self, hashes: np.ndarray) -> None:
        """Append hashes (m, words) uint64."""
        hashes = np.asarray(hashes, np.uint64).reshape(-1, self._words)
        need = self._count + len(hashes)
        if need > len(self._hashes):
            grown = np.empty((max(need, 2 * len(self._hashes)), self._words), np.uint64)
            grown[: self._count] = self.hashes
            self._hashes = grown
        self._hashes[self._count : need] = hashes
        self._count = need
        if self._count - self._sorted > max(self._tail, min(self._sorted // 8, 32 * self._tail)):
            self._sort()

    def within(self, queries: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """All pairs closer than or at `radius`: (rows, queries, distances), the nearest first.

        Args:
            queries: (q, words) uint64.
            radius: for four words and a reach of 1, up to `SURE` none is missed; beyond, ever more are.
        """
        queries = np.asarray(queries, np.uint64).reshape(-1, self._words)
        rows, which = self._candidates(queries)
        distances = np.bitwise_count(self._hashes[rows] ^ queries[which]).sum(1, dtype=np.int32)
        near = distances <= radius
        waiting = self._counted(queries, radius)
        rows, which, distances = (
            np.concatenate(pair) for pair in zip((rows[near], which[near], distances[near]), waiting, strict=True)
        )
        _, first = np.unique(rows.astype(np.int64) * len(queries) + which, return_index=True)
        first = first[np.argsort(distances[first], kind="stable")]
        return rows[first], which[first], distances[first]

    def _candidates(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pairs (rows, queries) from the tables worth counting; the same pair may come several times."""
        rows, which = [np.empty(0, np.int32)], [np.empty(0, np.int64)]
        if self._sorted:
            pieces = np.ascontiguousarray(queries).view(np.uint16).reshape(-1, self._pieces)
            for piece in range(self._pieces):
                values = (pieces[:, piece, None] ^ self._flips).ravel()
                begins, ends = self._starts[piece][values], self._starts[piece][values.astype(np.int32) + 1]
                lengths = ends - begins
                total = int(lengths.sum())
                # Ranges begin..end one after the other: a running number, moved to where each range begins.
                jump = np.repeat(begins - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
                rows.append(self._order[piece][jump + np.arange(total)])
                which.append(np.repeat(np.repeat(np.arange(len(queries)), len(self._flips)), lengths))
        return np.concatenate(rows), np.concatenate(which)

    def _counted(self, queries: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pairs within the radius among the hashes that wait: (rows, queries, distances)."""
        tail, found = self._hashes[self._sorted : self._count], [(np.empty(0, np.int64),) * 3]
        block = max(1, 2**20 // max(1, len(tail)))
        for at in range(0, len(queries) if len(tail) else 0, block):
            apart = np.bitwise_count(queries[at : at + block, None] ^ tail[None]).sum(2, dtype=np.int32)
            which, rows = np.nonzero(apart <= radius)
            found.append((rows + self._sorted, which + at, apart[which, rows]))
        return tuple(np.concatenate(part) for part in zip(*found, strict=True))

    def _sort(self) -> None:
        """Put every hash into the tables."""
        pieces = np.ascontiguousarray(self.hashes).view(np.uint16).reshape(-1, self._pieces)
        self._order = np.empty((self._pieces, self._count), np.int32)
        for piece in range(self._pieces):
            values = np.ascontiguousarray(pieces[:, piece])
            self._order[piece] = np.argsort(values, kind="stable")
            self._starts[piece, 1:] = np.cumsum(np.bincount(values, minlength=2**16))
        self._sorted = self._count

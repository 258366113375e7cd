"""The longest run that each of many texts shares with one long text, found by hashing runs of one length at a time.

A run of length L is somewhere in the source only if all shorter ones inside it are, so each text's longest length is
found by halving; every answer leaves fewer places to look at for the next. Runs are compared by polynomial hashes
of 64 bits (Karp & Rabin 1987), which a text would have to be built on purpose to fool.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2^64
_FIRST = 32  # the length asked for first: few places are left at it in ordinary text, and all else is quick
_SIEVE = 2**20  # places in the source above which a table of hashes' first 24 bits is asked first


class Runs(NamedTuple):
    """The longest shared run of every text: its length (n,) and where it starts in the text (n,)."""

    lengths: np.ndarray
    starts: np.ndarray


def longest_runs(texts: Sequence[np.ndarray], source: np.ndarray) -> Runs:
    """The longest run of symbols that each of `texts` (arrays of whole numbers) shares with `source` (m,).

    Exact but for hash collisions (expected once in a million runs of sets of 5 MB each). Of several longest runs the
    first one is given; 0 and 0 where a text shares no symbol.
    """
    sizes = np.array([len(text) for text in texts], dtype=np.int64)
    longest, starts = np.zeros(len(texts), np.int64), np.zeros(len(texts), np.int64)
    if not sizes.sum() or not len(source):
        return Runs(longest, starts)
    owner, ends = np.repeat(np.arange(len(texts)), sizes), np.cumsum(sizes)
    asked, known = _Hashes(np.concatenate(texts)), _Hashes(np.asarray(source))
    room = ends[owner] - np.arange(len(owner))
    # The longest run of the texts at `places` is at least `low` and below `high`; it starts at one of the `places`.
    waiting = [(0, min(int(sizes.max()), len(source)) + 1, np.arange(len(owner)), np.arange(len(source)))]
    while waiting:
        low, high, places, sources = waiting.pop()
        if not len(places):
            continue
        if high - low == 1:
            found, first = np.unique(owner[places], return_index=True)
            longest[found] = low
            starts[found] = places[first] - (ends - sizes)[found]
            continue
        middle = min((low + high) // 2, max(2 * low, _FIRST))
        hits, hit_sources = _shared(asked, known, middle, places[room[places] >= middle], sources)
        reached = np.zeros(len(texts), bool)
        reached[owner[hits]] = True
        waiting.append((low, middle, places[~reached[owner[places]]], sources))
        waiting.append((middle, high, hits, hit_sources))
    return Runs(longest, starts)


def _shared(asked: _Hashes, known: _Hashes, length: int, places, sources) -> tuple[np.ndarray, np.ndarray]:
    """Those of `places` and of `sources` whose run of `length` symbols stands on the other side too."""
    sources = sources[sources <= known.size - length]
    wanted, there = asked.runs(places, length), known.runs(sources, length)
    if len(there) > _SIEVE:
        table = np.zeros(2**24, bool)
        table[wanted >> np.uint64(40)] = True
        kept = table[there >> np.uint64(40)]
        sources, there = sources[kept], there[kept]
    found = _among(there, wanted)
    return places[_among(wanted, there[found])], sources[found]


def _among(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Which of `values` are among `others`; numpy's own isin is several times slower on hashes."""
    if not len(others):
        return np.zeros(len(values), bool)
    ordered = np.sort(others)
    return ordered[np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)] == values


class _Hashes:
    """Hashes of every run of a sequence of symbols, all arithmetic modulo 2^64."""

    def __init__(self, symbols: np.ndarray):
        self.size = len(symbols)
        mixed = symbols.astype(np.uint64) + np.uint64(1)
        mixed *= np.uint64(0xD6E8FEB86659FD93)
        mixed ^= mixed >> np.uint64(32)
        mixed *= np.cumprod(np.full(self.size, _BASE, np.uint64))
        self.sums = np.zeros(self.size + 1, np.uint64)
        np.cumsum(mixed, out=self.sums[1:])
        self.shifts = np.cumprod(np.full(self.size, pow(_BASE, -1, 2**64), np.uint64))

    def runs(self, starts: np.ndarray, length: int) -> np.ndarray:
        """The hash (k,) of the run of `length` symbols at each of `starts` (k,), wherever it stands."""
        return (self.sums[starts + length] - self.sums[starts]) * self.shifts[starts]

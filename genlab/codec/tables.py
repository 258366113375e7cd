"""Entropy coding with integer frequency tables: logistic distributions of 64 scales, and asymmetric numeral systems.

What is coded is a whole number and the number of the table it is coded with. The tables are whole numbers that sum
to 2**20, built from scales on a dyadic grid, and constriction's coder (rANS, Duda 2013) makes the bits. Table 0 is
so narrow that its numbers are taken to be 0 and cost nothing. A number past the end of its table is an escape symbol,
and stands in a list of its own.
"""

import functools
import math
import struct
import zlib

import numpy as np

LOG_LEAST, LOG_STEP = -3.0, 0.11328125  # log scale of table 0, and from one table to the next
TABLES = 64
TOTAL = 2**20  # what the frequencies of a table sum to
REACH = 12.0  # scales a table covers on each side of 0
LARGEST = 2**30  # of a number that is coded
CHECK = struct.Struct("<I")
DAMAGED = "The compressed picture is damaged: get the file again."


def with_check(raw: bytes) -> bytes:
    """The bytes with their CRC-32 behind them: a stream of whole numbers alone would read as other numbers."""
    return raw + CHECK.pack(zlib.crc32(raw))


def checked(raw: bytes) -> bytes:
    """What `with_check` was given.

    Raises:
        ValueError: the check does not fit.
    """
    if len(raw) < CHECK.size or with_check(raw[: -CHECK.size]) != raw:
        raise ValueError(DAMAGED)
    return raw[: -CHECK.size]


def varint(number: int) -> bytes:
    """A whole number from 0 in groups of seven bits, lowest first (LEB128)."""
    found = bytearray()
    while number > 127:
        found.append(128 | number & 127)
        number >>= 7
    return bytes([*found, number])


def read_varint(raw: bytes, start: int) -> tuple[int, int]:
    """The number that starts there, below 2**35, and where it ends.

    Raises:
        ValueError: it does not end.
    """
    number = 0
    for i, byte in enumerate(raw[start : start + 5]):
        number |= (byte & 127) << 7 * i
        if byte < 128:
            return number, start + i + 1
    raise ValueError(DAMAGED)


def indices(log_scale: np.ndarray) -> np.ndarray:
    """The nearest table of each log scale, uint8; elementwise IEEE arithmetic, so the same on every machine."""
    place = log_scale - LOG_LEAST
    place /= LOG_STEP
    return np.clip(np.rint(place, out=place), 0, TABLES - 1, out=place).astype(np.uint8)


@functools.cache
def reach(index: int) -> int:
    """The largest number that table `index` holds."""
    return math.ceil(REACH * math.exp(LOG_LEAST + index * LOG_STEP))


@functools.cache
def frequencies(index: int) -> np.ndarray:
    """Frequencies of -reach, ..., reach and the escape symbol under table `index`, int64, sum `TOTAL`, none 0."""
    scale, end = math.exp(LOG_LEAST + index * LOG_STEP), reach(index)

    def above(x: float) -> float:
        return 1 / (1 + math.exp(x / scale))

    tail = [max(1, round(TOTAL * (above(j - 0.5) - above(j + 0.5)))) for j in range(1, end + 1)]
    escape = max(1, round(2 * TOTAL * above(end + 0.5)))
    table = np.array([*reversed(tail), TOTAL - 2 * sum(tail) - escape, *tail, escape], np.int64)
    table.setflags(write=False)
    return table


@functools.cache
def _model(index: int):
    import constriction

    return constriction.stream.model.Categorical(frequencies(index) / TOTAL, perfect=False)


def cost(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Bits that each number costs under its table, an escape's own bytes included; float64, the same shape."""
    bits = np.zeros(values.shape)
    for k in np.unique(index[index > 0]):
        here, end = index == k, reach(int(k))
        found = values[here]
        outside = np.abs(found) > end
        symbols = np.where(outside, 2 * end + 1, found + end)
        part = (math.log2(TOTAL) - np.log2(frequencies(int(k))))[symbols]
        part[outside] += [8 * len(varint(_unsigned(int(v)))) for v in found[outside]]
        bits[here] = part
    return bits


@functools.cache
def scales() -> np.ndarray:
    """The logistic scale of every table, float64 (TABLES,)."""
    return np.exp(LOG_LEAST + np.arange(TABLES) * LOG_STEP)


@functools.cache
def steps() -> np.ndarray:
    """What 1 costs above 0, and every further step above the one before, in bits: (TABLES, 2)."""
    s = scales()
    zero = np.log(np.tanh(0.25 / s))
    first = np.log1p(np.exp(-0.5 / s)) + np.log1p(np.exp(-1.5 / s)) + 0.5 / s - np.log(-np.expm1(-1 / s)) + zero
    return np.stack([first, 1 / s], axis=1) / math.log(2)


class Writer:
    """Takes numbers with their tables, in any number of calls, and gives the bytes at the end."""

    def __init__(self):
        self._groups, self._escapes = [], bytearray()

    def put(self, values: np.ndarray, index: np.ndarray) -> None:
        """Code whole numbers (n,) with tables (n,); those of table 0 must be 0."""
        order = np.argsort(index, kind="stable")
        values, starts = values[order].astype(np.int64), np.searchsorted(index[order], np.arange(TABLES + 1))
        for k in range(1, TABLES):
            found = values[starts[k] : starts[k + 1]]
            if not len(found):
                continue
            end = reach(k)
            outside = np.abs(found) > end
            for value in found[outside]:
                self._escapes += varint(_unsigned(int(value)))
            self._groups.append((k, np.where(outside, 2 * end + 1, found + end).astype(np.int32)))

    def finish(self) -> bytes:
        """All that was put: the number of words and of bytes of escapes, then both."""
        import constriction

        coder = constriction.stream.stack.AnsCoder()
        for k, symbols in reversed(self._groups):
            coder.encode_reverse(symbols, _model(k))
        words = np.asarray(coder.get_compressed(), dtype="<u4")
        return varint(len(words)) + varint(len(self._escapes)) + words.tobytes() + bytes(self._escapes)


class Reader:
    """Gives back what a Writer took, asked for with the same tables in the same calls.

    Raises:
        ValueError: the bytes end too early, or cannot be what a Writer wrote.
    """

    def __init__(self, raw: bytes, start: int = 0):
        import constriction

        words, start = read_varint(raw, start)
        escapes, start = read_varint(raw, start)
        if words * 4 + escapes > len(raw) - start:
            raise ValueError(DAMAGED)
        self.end = start + words * 4 + escapes
        self._escapes, self._at = raw[start + words * 4 : self.end], 0
        found = np.frombuffer(raw, "<u4", words, start).astype(np.uint32)
        try:
            self._coder = constriction.stream.stack.AnsCoder(found)
        except ValueError:
            raise ValueError(DAMAGED) from None

    def take(self, index: np.ndarray) -> np.ndarray:
        """The next whole numbers, int64 (n,), of tables (n,)."""
        order = np.argsort(index, kind="stable")
        starts = np.searchsorted(index[order], np.arange(TABLES + 1))
        found = np.zeros(len(index), np.int64)
        for k in range(1, TABLES):
            count = int(starts[k + 1] - starts[k])
            if not count:
                continue
            end = reach(k)
            values = self._coder.decode(_model(k), count).astype(np.int64) - end
            for place in np.flatnonzero(values > end):
                values[place] = self._escaped()
            found[starts[k] : starts[k + 1]] = values
        back = np.empty_like(found)
        back[order] = found
        return back

    def finish(self) -> int:
        """Where the bytes end; the coder must be as empty as it was when the Writer began."""
        if not self._coder.is_empty() or self._at != len(self._escapes):
            raise ValueError(DAMAGED)
        return self.end

    def _escaped(self) -> int:
        number, self._at = read_varint(self._escapes, self._at)
        value = number // 2 if number % 2 == 0 else -(number + 1) // 2
        if abs(value) > LARGEST:
            raise ValueError(DAMAGED)
        return value


def _unsigned(value: int) -> int:
    return 2 * value if value >= 0 else -2 * value - 1

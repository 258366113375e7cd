"""What a mark says, 32 bits, as 336 signs: version and authentication code added, then a convolutional code.

The code is tail-biting, with constraint length 9 and seven output bits for each of its 48, so that every bit of
the message rests on 63 signs. `decode` is Viterbi's algorithm on real numbers, three times round the circle.
"""

from __future__ import annotations

import functools

import numpy as np

from audits.watermark.streams import WatermarkError, tag

VERSION, VERSION_BITS = 1, 4
PAYLOAD_BITS = 32
TAG_BITS = 12
BITS = VERSION_BITS + PAYLOAD_BITS + TAG_BITS
POLYNOMIALS = (0o463, 0o535, 0o733, 0o745, 0o557, 0o663, 0o711)
MEMORY = 8  # bits that an output looks back on, itself aside
STATES = 1 << MEMORY
CHIPS = BITS * len(POLYNOMIALS)


def word_of(key: bytes, payload: int) -> np.ndarray:
    """The 48 bits that carry a payload: version, payload, tag; int64 of 0 and 1."""
    if isinstance(payload, bool) or not isinstance(payload, int) or not 0 <= payload < 1 << PAYLOAD_BITS:
        raise WatermarkError(f"A payload is a whole number of {PAYLOAD_BITS} bits; {str(payload)[:40]} was given.")
    head = (VERSION << PAYLOAD_BITS) | payload
    whole = (head << TAG_BITS) | tag(key, head.to_bytes(5, "big"), TAG_BITS)
    return np.array([(whole >> (BITS - 1 - i)) & 1 for i in range(BITS)])


def payload_in(word: np.ndarray) -> int:
    """The 32 bits in the middle of a word, checked or not."""
    return (_number(word) >> TAG_BITS) & ((1 << PAYLOAD_BITS) - 1)


def genuine(key: bytes, word: np.ndarray) -> bool:
    """Whether version and tag are those that `word_of` writes for this payload."""
    whole = _number(word)
    if whole >> (BITS - VERSION_BITS) != VERSION:
        return False
    return bool((word_of(key, payload_in(word)) == word).all())


def _number(word: np.ndarray) -> int:
    """The 48 bits as one whole number."""
    return int(np.asarray(word, np.int64) @ (1 << np.arange(BITS - 1, -1, -1)))


@functools.cache
def _generator() -> np.ndarray:
    """(48, 336): which signs each bit turns. The code is linear and turns with its bits."""
    rows = np.zeros((BITS, BITS, len(POLYNOMIALS)), np.int64)
    for place in range(BITS):
        for back in range(MEMORY + 1):
            taps = [(polynomial >> (MEMORY - back)) & 1 for polynomial in POLYNOMIALS]
            rows[place, (place + back) % BITS] = taps
    return rows.reshape(BITS, CHIPS).astype(np.float32)


def encode(word: np.ndarray) -> np.ndarray:
    """48 bits, or words (n, 48) of them, as 336 signs each: float32, +1 for a 0 and -1 for a 1."""
    return 1 - 2 * ((np.asarray(word, np.float32) @ _generator()) % 2)  # sums of 48 are exact


@functools.cache
def _outputs() -> np.ndarray:
    """(7, 2, 2, states / 2): the signs sent when a bit arrives in a state, which holds the last 8 bits, newest first;
    by the oldest bit, which is forgotten, by the bit that arrives, and by the seven between."""
    oldest, new, rest = np.ix_(range(2), range(2), range(STATES // 2))
    registers = (new << MEMORY) | (rest << 1) | oldest
    return np.stack([1.0 - 2 * (np.bitwise_count(registers & p) % 2) for p in POLYNOMIALS]).astype(np.float32)


def decode(soft: np.ndarray, count: int = 1) -> list[np.ndarray]:
    """The likeliest words behind 336 real numbers, whose signs are guesses and whose sizes are trust, likeliest first.

    Args:
        count: how many ends of the last round are traced back; words they share are given once.
    """
    return decode_all(np.asarray(soft)[None], count)[0]


def decode_all(soft: np.ndarray, count: int = 1) -> list[list[np.ndarray]]:
    """`decode` of several messages (n, 336) at once, which takes hardly longer than one."""
    received = np.asarray(soft, np.float32).reshape(len(soft), BITS, len(POLYNOMIALS)).transpose(1, 0, 2)
    half = STATES // 2
    gains = (received @ _outputs().reshape(len(POLYNOMIALS), -1)).reshape(BITS, len(soft), 2, 2, half)
    reach = np.zeros((len(soft), 2, half), np.float32)  # by the newest bit; its predecessors lie two by two
    kept = np.empty((3 * BITS, len(soft), 2, half), bool)
    for i, step in enumerate([*range(BITS)] * 3):
        before = reach.reshape(len(soft), 1, half, 2)
        low, high = before[..., 0] + gains[step, :, 0], before[..., 1] + gains[step, :, 1]
        np.greater(high, low, out=kept[i])
        reach = np.maximum(low, high)
    kept, reach = kept.reshape(3 * BITS, len(soft), STATES), reach.reshape(len(soft), STATES)
    ends = np.argsort(-reach, axis=1)[:, :count]
    row, found = np.arange(len(soft))[:, None], np.empty((2 * BITS, *ends.shape), np.int64)
    for i in range(2 * BITS - 1, -1, -1):  # the last round, and the one before it, which is the answer
        found[i] = ends >> (MEMORY - 1)
        ends = ((ends & (half - 1)) << 1) | kept[BITS + i][row, ends]
    words = found[:BITS].transpose(1, 2, 0)
    return [[np.array(word) for word in dict.fromkeys(map(tuple, several.tolist()))] for several in words]

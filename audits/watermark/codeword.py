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
    return int("".join(str(int(b)) for b in word[VERSION_BITS : VERSION_BITS + PAYLOAD_BITS]), 2)


def genuine(key: bytes, word: np.ndarray) -> bool:
    """Whether version and tag are those that `word_of` writes for this payload."""
    return bool((word_of(key, payload_in(word)) == word).all())


@functools.cache
def _generator() -> np.ndarray:
    """(48, 336): which signs each bit turns. The code is linear and turns with its bits."""
    rows = np.zeros((BITS, BITS, len(POLYNOMIALS)), np.int64)
    for place in range(BITS):
        for back in range(MEMORY + 1):
            taps = [(polynomial >> (MEMORY - back)) & 1 for polynomial in POLYNOMIALS]
            rows[place, (place + back) % BITS] = taps
    return rows.reshape(BITS, CHIPS)


def encode(word: np.ndarray) -> np.ndarray:
    """48 bits as 336 signs: float32, +1 for a 0 and -1 for a 1."""
    return 1 - 2 * ((np.asarray(word) @ _generator()) % 2).astype(np.float32)


@functools.cache
def _outputs() -> np.ndarray:
    """(2, states, 7): the signs sent when a bit arrives in a state, which holds the last 8 bits, newest first."""
    registers = (np.arange(2)[:, None] << MEMORY) | np.arange(STATES)
    return np.stack([1.0 - 2 * (np.bitwise_count(registers & p) % 2) for p in POLYNOMIALS], -1).astype(np.float32)


def decode(soft: np.ndarray, count: int = 1) -> list[np.ndarray]:
    """The likeliest words behind 336 real numbers, whose signs are guesses and whose sizes are trust, likeliest first.

    Args:
        count: how many ends of the last round are traced back; words they share are given once.
    """
    return decode_all(np.asarray(soft)[None], count)[0]


def decode_all(soft: np.ndarray, count: int = 1) -> list[list[np.ndarray]]:
    """`decode` of several messages (n, 336) at once, which takes hardly longer than one."""
    received = np.asarray(soft, np.float32).reshape(len(soft), BITS, len(POLYNOMIALS))
    gains = np.einsum("bsg,mng->nmbs", _outputs(), received)
    states = np.arange(STATES)
    bit, before = states >> (MEMORY - 1), (states & (STATES // 2 - 1)) << 1
    reach = np.zeros((len(soft), STATES), np.float32)
    kept = np.empty((3 * BITS, len(soft), STATES), bool)
    for i, step in enumerate([*range(BITS)] * 3):
        gain = gains[step]
        low, high = reach[:, before] + gain[:, bit, before], reach[:, before | 1] + gain[:, bit, before | 1]
        kept[i] = high > low
        reach = np.maximum(low, high)
    ends = np.argsort(-reach, axis=1)[:, :count]
    row, found = np.arange(len(soft))[:, None], np.empty((3 * BITS, *ends.shape), np.int64)
    for i in range(3 * BITS - 1, -1, -1):
        found[i] = ends >> (MEMORY - 1)
        ends = ((ends & (STATES // 2 - 1)) << 1) | kept[i][row, ends]
    words = found[BITS : 2 * BITS].transpose(1, 2, 0)
    return [[np.array(word) for word in dict.fromkeys(map(tuple, several.tolist()))] for several in words]

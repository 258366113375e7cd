"""Is a keyed mark in this text? An exact p-value from tokens and key alone, and what its absence is worth.

Theory. Under a key that marked nothing the g-values of different contexts are independent fair coins, whatever the
text is. So with whole weights w_l the score S = sum_l w_l B_l, with B_l ones in layer l of n contexts, has a known
distribution: B_l is binomial (n, 1/2). Each context counts once, where it is first met; counting repeated ones would
count the same coins again, which is where false alarms of other detectors come from. Weights fall from layer to layer
as the mark does, since a tournament's later rounds are among candidates that are more and more alike.

P(S >= s) is computed, not approximated: the distribution is tilted by exp(theta x) until its mean is s, its
characteristic function inverted by one FFT, and the tilt undone, so that a tail of 1e-30 is as exact as one of 0.1.
A text that is longer than a window is also read window by window, for a marked part of it; the smaller of the two
p-values counts twice, that of the windows times their number, and every key again.
"""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audits.watermark.streams import WatermarkError
from audits.watermark.text import Tournament

RATE = 1e-6  # false positives
THRESHOLD = 4.7534  # standard deviations of a normal distribution with RATE beyond them
UPWARDS = 1e-8  # share by which a p-value is rounded up: more than what its computation may lose
WINDOW, STEP = 256, 128  # tokens
HALF = 0.5  # of marked texts: where fewer would be found, not to find a mark says nothing
USUAL = 2.5  # bits a token, of text whose entropy nobody measured

# Mean and standard deviation of a marked token's score, in standard deviations of an unmarked one's, by entropy of the
# model's distributions in bits a token. Measured: `benchmarks/text_watermark_source.py`.
EVIDENCE = (
    (0.0, 0.0, 1.0), (0.25, 0.07, 1.03), (0.5, 0.16, 1.09), (1.0, 0.35, 1.13), (1.5, 0.51, 1.18), (2.0, 0.64, 1.2),
    (2.5, 0.77, 1.25), (3.0, 0.88, 1.26), (4.0, 1.11, 1.25), (5.0, 1.35, 1.24), (6.0, 1.56, 1.19), (8.0, 1.94, 1.08),
)  # fmt: skip


@dataclass(frozen=True)
class TextDetection:
    """What was found.

    Attributes:
        p_value: the chance of at least this much under a key that marked nothing, all that was tried counted.
        counted: different contexts of the text, on which the figure rests.
        state: "found" (p_value at most 1e-6); "absent"; "too short" or "too predictable", where fewer than half of
            marked texts of this length and entropy would be found.
        detail: one sentence.
    """

    p_value: float
    counted: int
    state: str
    detail: str


def detect(tokens: Sequence[int], marks: Sequence[Tournament], *, bits_per_token: float | None = None) -> TextDetection:
    """Look for any of these marks in a text. A text of 512 tokens takes about 15 ms a mark.

    Args:
        tokens: the text by the tokeniser of the model that may have written it.
        marks: one for each key, alike in everything else.
        bits_per_token: mean entropy of the model's distributions over this text, where somebody measured it.

    Raises:
        WatermarkError: no mark, marks of unlike vocabularies, token ids outside of it, or a negative entropy.
    """
    marks = list(marks)
    if not marks:
        raise WatermarkError("No mark was given to look for; give one for each key.")
    if len({(m.vocabulary, m.context, m.depth) for m in marks}) > 1:
        raise WatermarkError("Marks that are looked for together differ in their key alone; these differ in more.")
    bits = bits_per_token
    if bits is not None and (not isinstance(bits, int | float) or not 0 <= bits < math.inf):
        raise WatermarkError(f"Entropy is a number of 0 or more bits a token; {str(bits)[:40]} was given.")
    ids = marks[0].ids(tokens)
    places = counted_places(ids, marks[0].context)
    p_value, where = min((_reading(mark, ids, places) for mark in marks), key=lambda r: r[0])
    p_value = min(1.0, len(marks) * p_value)
    return _judged(p_value, where, len(places), bits)


def _judged(p_value: float, where: str, counted: int, bits: float | None) -> TextDetection:
    chance = min(0.99, power(counted, USUAL if bits is None else bits))  # which is about, so no certainty
    texts = f"marked texts of {USUAL if bits is None else bits:.3g} bits a token"
    if p_value <= RATE:
        return TextDetection(
            p_value, counted, "found", f"A mark of a key here, in {where}; {counted:,} different contexts count."
        )
    if chance >= HALF:
        detail = f"No mark of a key here, which {chance:.0%} of {texts} and this length would show."
        return TextDetection(p_value, counted, "absent", detail)
    if counted < enough(USUAL):
        detail = (
            f"Too short to tell: {counted:,} different contexts, and {chance:.0%} of {texts} and this length would be "
            f"found; half are from {enough(USUAL):,} on, at {USUAL} bits."
        )
        return TextDetection(p_value, counted, "too short", detail)
    detail = f"Too predictable to tell: {chance:.0%} of {texts} and this length, {counted:,} contexts, would be found."
    return TextDetection(p_value, counted, "too predictable", detail)


# ---- what counts


def counted_places(ids: np.ndarray, context: int) -> np.ndarray:
    """Indices of the tokens that follow a context not met before: int64, rising."""
    if len(ids) <= context:
        return np.empty(0, np.int64)
    contexts = np.lib.stride_tricks.sliding_window_view(ids[:-1], context)
    _, first = np.unique(contexts, axis=0, return_index=True)
    return np.sort(first) + context


def weights(depth: int) -> np.ndarray:
    """Of the layers, whole numbers falling by one every three layers to 1: 10, 10, 10, 9 ... 1 for thirty."""
    return (depth - np.arange(depth) + 2) // 3


def scores(mark: Tournament, ids: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The weighted sum of g-values of the tokens at these places: int64 (n,)."""
    contexts = ids[places[:, None] - np.arange(mark.context, 0, -1)]
    return mark.coins_of(contexts, ids[places]).astype(np.int64) @ weights(mark.depth)


def _reading(mark: Tournament, ids: np.ndarray, places: np.ndarray) -> tuple[float, str]:
    """(p-value of one mark in the whole and in windows, where it is)."""
    if not len(places):
        return 1.0, "the whole text"
    score, layers = scores(mark, ids, places), tuple(weights(mark.depth).tolist())
    whole = tail(len(score), int(score.sum()), layers)
    if len(ids) <= WINDOW:
        return whole, "the whole text"
    starts = np.array([*range(0, len(ids) - WINDOW, STEP), len(ids) - WINDOW])
    low, high = np.searchsorted(places, starts), np.searchsorted(places, starts + WINDOW)
    sums = np.concatenate([[0], np.cumsum(score)])
    sums, counts = sums[high] - sums[low], high - low
    excess = (2 * sums - counts * sum(layers)) / np.sqrt(np.maximum(counts, 1))
    best = int(np.argmax(excess))
    part = tail(int(counts[best]), int(sums[best]), layers) * len(starts)
    if whole <= part:
        return min(1.0, 2 * whole), "the whole text"
    return min(1.0, 2 * part), f"tokens {starts[best] + 1:,} to {starts[best] + WINDOW:,} most of all"


# ---- the null distribution


@functools.lru_cache(maxsize=256)
def tail(count: int, score: int, layers: tuple[int, ...]) -> float:
    """P(S >= score) of S = sum_l w_l B_l, B_l independent binomials (count, 1/2); rounded up in the eighth digit.

    Accurate as a share of itself down to 1e-300, where it stops.
    """
    top = count * sum(layers)
    if score <= 0:
        return 1.0
    if score > top:
        return 0.0
    if 2 * score <= top:  # the symmetric upper tail, which is the smaller one
        return 1.0 - tail(count, top - score + 1, layers) / (1 + 2 * UPWARDS)
    w, times = np.unique(layers, return_counts=True)
    theta = _tilt(count, score, w, times)
    length = 1 << math.ceil(math.log2(10 * math.sqrt(count * float(times @ w**2)) + 2))  # wrapped mass: below 1e-21
    t = 2 * np.pi / length * np.arange(length // 2 + 1)
    turn = np.exp(1j * t)
    one = np.ones_like(turn)  # of a single context
    for weight, n in zip(w.tolist(), times.tolist(), strict=True):
        head = 1 / (1 + math.exp(-theta * weight))
        one *= ((1 - head) + head * turn**weight) ** n
    with np.errstate(divide="ignore"):  # it may be 0, and its logarithm then is -inf
        logarithm = count * np.log(one) - 1j * t * score
    tilted = np.fft.irfft(np.conj(np.exp(logarithm)), length)[: length // 2]  # probabilities of score, score + 1...
    beyond = float(tilted @ np.exp(-theta * np.arange(len(tilted))))
    scale = count * float(times @ (np.logaddexp(0, theta * w) - math.log(2))) - theta * score
    found = scale + math.log(max(beyond, sys.float_info.min))
    return min(1.0, max(math.exp(max(found, -690)) * (1 + UPWARDS), 1e-300))


def _tilt(count: int, score: int, w: np.ndarray, times: np.ndarray) -> float:
    """The theta under which S, tilted by exp(theta x), has mean `score`; at most 50, where all coins are ones."""
    low, high = 0.0, 50.0
    for _ in range(60):
        theta = (low + high) / 2
        mean = count * float(times @ (w / (1 + np.exp(-theta * w))))
        low, high = (theta, high) if mean < score else (low, theta)
    return theta


# ---- power


def power(counted: int, bits: float) -> float:
    """About what share of marked texts is found, by different contexts and bits a token. Normal approximation."""
    mean, spread = _evidence(bits)
    z = (mean * math.sqrt(counted) - THRESHOLD) / spread
    return 0.5 * math.erfc(-z / math.sqrt(2)) if counted else 0.0


def enough(bits: float) -> float:
    """Different contexts from which on at least half of marked texts are found; infinite at 0 bits."""
    mean, _ = _evidence(bits)
    return math.ceil((THRESHOLD / mean) ** 2) if mean else math.inf


def _evidence(bits: float) -> tuple[float, float]:
    at, means, spreads = zip(*EVIDENCE, strict=True)
    return float(np.interp(bits, at, means)), float(np.interp(bits, at, spreads))

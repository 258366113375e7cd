"""Reading the text mark: p-values against counting every case, marked texts found as often as foretold."""

import hashlib
import math

import numpy as np
import pytest
from scipy.stats import binom

from audits.watermark import WatermarkError, text_detection
from audits.watermark.text import Tournament
from audits.watermark.text_detection import RATE, detect, enough, power, tail, weights

KEY, V = bytes(range(32)), 2048
LAYERS = tuple(weights(30).tolist())


def key(number: int) -> bytes:
    return hashlib.sha256(b"%d" % number).digest()


# ---- the p-value


def convolved(count: int, layers) -> list[int]:
    """How many of the 2^(count depth) ways the coins may fall give each score."""
    ways = [1]
    for weight in [w for w in layers for _ in range(count)]:
        ways = [a + b for a, b in zip(ways + [0] * weight, [0] * weight + ways, strict=True)]
    return ways


@pytest.mark.parametrize(("count", "layers"), [(1, LAYERS), (4, LAYERS), (3, (2, 1)), (1, (1,)), (40, (3, 2, 2, 1))])
def test_the_tail_is_that_of_counting_every_case(count, layers):
    ways = convolved(count, layers)
    above = 0
    for score in range(len(ways) - 1, -1, -1):
        above += ways[score]
        exact = above / sum(ways)
        assert exact <= tail(count, score, layers) <= exact * (1 + 1e-7)
    assert tail(count, len(ways), layers) == 0
    assert tail(count, -3, layers) == 1


def test_the_tail_of_one_layer_is_the_binomials_down_to_1e_280():
    for score in (1000, 1100, 1300, 1500, 1700, 1750):
        exact = sum(math.comb(2000, k) for k in range(score, 2001)) / 2**2000
        assert exact <= tail(2000, score, (1,)) <= exact * (1 + 1e-7)
    assert 1e-300 <= tail(2000, 2000, (1,)) <= 1e-299  # it stops there, rather than at 0


TEXTS = {
    "random": lambda rng: rng.integers(0, V, 60),
    "frequent words": lambda rng: np.minimum(rng.zipf(1.4, 60), V - 1),
    "a loop": lambda rng: np.tile(rng.integers(0, V, 12), 30),
    "one word": lambda rng: np.full(100, rng.integers(0, V)),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_unmarked_texts_have_the_p_values_of_chance(kind):
    """Over 1,000 keys: never more small ones than chance explains, nor far fewer where many contexts count."""
    rng = np.random.default_rng(1)
    n = 1000
    found = [detect(TEXTS[kind](rng).tolist(), [Tournament(rng.bytes(16), V)]) for _ in range(n)]
    p = np.array([d.p_value for d in found])
    for alpha in (0.5, 0.1, 0.01, 0.001):
        low, high = binom.ppf([1e-4, 1 - 1e-4], n, alpha)
        assert (p <= alpha).sum() <= high
        if kind in ("random", "frequent words"):
            assert (p <= alpha).sum() >= low
    assert all(d.state != "found" for d in found)


def test_windows_are_paid_for():
    rng = np.random.default_rng(2)
    tokens, n = rng.integers(0, V, 400).tolist(), 120
    p = np.array([detect(tokens, [Tournament(rng.bytes(16), V)]).p_value for _ in range(n)])
    for alpha in (0.2, 0.01):
        assert (p <= alpha).sum() <= binom.ppf(1 - 1e-4, n, alpha)
    assert (p <= 0.2).sum() >= binom.ppf(1e-4, n, 0.05)


def test_a_repeated_text_says_no_more_than_once():
    """Counting every place instead, as is often done, calls one text in twenty marked when it goes round 30 times."""
    rng = np.random.default_rng(3)
    tokens, naive, n = rng.integers(0, V, 12).tolist(), 0, 150
    for _ in range(n):
        mark = Tournament(rng.bytes(16), V)
        once, often = detect(tokens + tokens[:4], [mark]), detect(tokens * 30, [mark])
        assert often.counted == once.counted == 12
        assert often.p_value >= once.p_value * (1 - 1e-6)
        score = text_detection.scores(mark, np.array(tokens * 30), np.arange(4, 360)).sum()
        naive += tail(356, int(score), LAYERS) <= RATE
    assert naive > n / 20


# ---- marked texts


COUNT, LENGTH, BITS = 60, 256, 2.5


@pytest.fixture(scope="module")
def marked():
    """60 marked texts of 256 tokens at 2.5 bits a token, uneven from token to token, each under a key of its own."""
    rng = np.random.default_rng(4)
    ranks = np.log(np.arange(1, V + 1))
    sources = np.exp(-2.35 * np.exp(0.5 * rng.normal(size=(400, 1))) * ranks)
    sources /= sources.sum(1, keepdims=True)
    entropy = -(sources * np.log2(np.maximum(sources, 1e-300))).sum(1).mean()
    assert abs(entropy - BITS) < 0.2
    orders, texts = rng.permuted(np.tile(np.arange(V), (64, 1)), axis=1), []
    for number in range(COUNT):
        mark, tokens = Tournament(key(number), V), []
        for _ in range(LENGTH):
            p = mark.adjust(tokens, sources[rng.integers(400)][orders[rng.integers(64)]])
            tokens.append(min(int(np.searchsorted(np.cumsum(p), rng.random())), V - 1))
        texts.append((mark, tokens))
    return texts


def share_found(texts) -> float:
    return sum(detect(tokens, [mark]).state == "found" for mark, tokens in texts) / len(texts)


def test_marked_texts_are_found_and_shorter_ones_as_often_as_foretold(marked):
    assert share_found(marked) >= 0.95
    for length in (24, 64):
        found = share_found([(mark, tokens[:length]) for mark, tokens in marked])
        assert abs(found - power(length - 4, BITS)) < 0.25
    assert share_found([(mark, tokens[:8]) for mark, tokens in marked]) < 0.1


def test_the_table_of_evidence_is_cautious_and_near(marked):
    z = []
    for mark, tokens in marked[:30]:
        ids = np.array(tokens)
        score = text_detection.scores(mark, ids, text_detection.counted_places(ids, 4))
        z.append((score - sum(LAYERS) / 2) / (sum(w * w for w in LAYERS) / 4) ** 0.5)
    mean = np.concatenate(z).mean()
    table = dict((bits, mean) for bits, mean, _ in text_detection.EVIDENCE)[BITS]
    assert 0.95 * table < mean < 1.4 * table


def test_another_key_finds_nothing_and_several_are_paid_for(marked):
    wrong = Tournament(b"another key here", V)
    for _, tokens in marked[:20]:
        assert detect(tokens, [wrong]).p_value > 1e-4
    mark, tokens = marked[0]
    alone = detect(tokens[:64], [mark]).p_value
    assert detect(tokens[:64], [wrong, mark]).p_value == pytest.approx(2 * alone)


def edited(tokens, kind, share, rng):
    chosen = rng.random(len(tokens)) < share
    if kind == "delete":
        return [t for t, gone in zip(tokens, chosen, strict=True) if not gone]
    if kind == "replace":
        return [int(rng.integers(V)) if gone else t for t, gone in zip(tokens, chosen, strict=True)]
    swapped = list(tokens)
    for i in np.flatnonzero(chosen[:-1]):
        swapped[i], swapped[i + 1] = swapped[i + 1], swapped[i]
    return swapped


@pytest.mark.parametrize("kind", ["delete", "replace", "swap"])
def test_edits_weaken_a_mark_and_raise_no_false_alarm(marked, kind):
    rng, wrong = np.random.default_rng(5), Tournament(key(999), V)
    marked = marked[:30]
    medians, whole = [], np.median([detect(tokens, [mark]).p_value for mark, tokens in marked])
    for share in (0.1, 0.2, 0.3):
        texts = [(mark, edited(tokens, kind, share, rng)) for mark, tokens in marked[::2]]
        medians.append(np.median([detect(tokens, [mark]).p_value for mark, tokens in texts]))
        assert all(detect(tokens, [wrong]).state != "found" for _, tokens in texts[:15])
        if share == 0.1:
            assert share_found(texts) >= 0.7
    assert whole < medians[0] < medians[1] < medians[2]


def test_a_marked_part_of_a_long_text_is_found_by_its_window(marked):
    rng = np.random.default_rng(6)
    mark, tokens = marked[1]
    before, after = rng.integers(0, V, (2, 3000)).tolist()
    whole = before + tokens + after
    found = detect(whole, [mark])
    assert found.state == "found"
    assert "tokens 2,945 to 3,200" in found.detail or "tokens 3,073 to 3,328" in found.detail
    ids = np.array(whole)
    score = text_detection.scores(mark, ids, text_detection.counted_places(ids, 4))
    assert tail(len(score), int(score.sum()), LAYERS) > RATE  # the text as a whole would not show it


# ---- what absence is worth


def test_states_of_texts_without_a_mark():
    rng, mark = np.random.default_rng(7), Tournament(KEY, V)
    tokens = rng.integers(0, V, 300).tolist()
    for given in ([], [5], tokens[:4], [7] * 500, tokens[:30]):
        found = detect(given, [mark])
        assert found.state == "too short"
        assert f"half are from {enough(2.5)} on" in found.detail
    assert detect([], [mark]).p_value == 1
    assert detect(tokens, [mark]).state == "absent"
    assert detect(tokens, [mark], bits_per_token=0.25).state == "too predictable"
    assert detect(tokens, [mark], bits_per_token=0).state == "too predictable"
    assert detect(tokens[:25], [mark], bits_per_token=6).state == "absent"


@pytest.mark.parametrize("bits", [0.3, 1, 2.5, 7])
def test_enough_is_where_half_of_marked_texts_are_found(bits):
    assert power(enough(bits) - 1, bits) < 0.5 <= power(enough(bits), bits)
    assert power(0, bits) == 0
    assert power(10**6, bits) > 0.999


@pytest.mark.parametrize(
    ("marks", "bits", "words"),
    [
        ([], None, "No mark was given"),
        ([Tournament(KEY, V), Tournament(KEY, V + 1)], None, "differ in their key alone"),
        ([Tournament(KEY, V)], -1, "0 or more bits"),
        ([Tournament(KEY, V)], math.nan, "0 or more bits"),
        ([Tournament(KEY, V)], "2.5 bits", "2.5 bits was given"),
    ],
)
def test_looking_says_what_it_needs(marks, bits, words):
    with pytest.raises(WatermarkError, match=words):
        detect([1, 2, 3], marks, bits_per_token=bits)

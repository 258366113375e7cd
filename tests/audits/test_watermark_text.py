"""The tournament that marks a text: against every knock-out there is, and what it refuses."""

import hashlib
import hmac
import itertools
import math

import numpy as np
import pytest

from audits.watermark import WatermarkError, streams
from audits.watermark.text import Tournament
from audits.watermark.text_detection import detect

KEY, V = bytes(range(32)), 2048


def key(number: int) -> bytes:
    return hashlib.sha256(b"%d" % number).digest()


# ---- the tournament


def winners(leaves, coins):
    """Who wins the knock-out of these candidates, each with its probability; a coin decides between equals."""
    matches = [{leaf: 1.0} for leaf in leaves]
    for g in coins:
        following = []
        for a, b in zip(matches[::2], matches[1::2], strict=True):
            won = dict.fromkeys({*a, *b}, 0.0)
            for (x, p), (y, q) in itertools.product(a.items(), b.items()):
                won[x] += p * q * (1.0 if g[x] > g[y] else 0.5 if g[x] == g[y] else 0.0)
                won[y] += p * q * (1.0 if g[y] > g[x] else 0.5 if g[x] == g[y] else 0.0)
            following.append(won)
        matches = following
    return matches[0]


@pytest.mark.parametrize("number", range(6))
def test_the_formula_is_what_all_knock_outs_of_eight_candidates_give(number):
    mark, p, tokens = Tournament(key(number), 3, depth=3), np.array([0.6, 0.3, 0.1]), [0, 1, 2, 1]
    coins, expected = mark.coins(np.array(tokens)), np.zeros(3)
    for leaves in itertools.product(range(3), repeat=8):
        for token, share in winners(leaves, coins).items():
            expected[token] += share * math.prod(p[leaf] for leaf in leaves)
    adjusted = mark.adjust(tokens, p)
    np.testing.assert_allclose(adjusted, expected, atol=1e-12)
    assert np.ptp(coins, axis=1).any() == bool(np.abs(adjusted - p).max() > 1e-3)


def test_over_keys_the_distribution_is_the_models_own():
    p, n = np.array([0.5, 0.25, 0.15, 0.08, 0.02]), 4000
    adjusted = np.array([Tournament(key(i), 5).adjust([1, 2, 3, 4], p) for i in range(n)])
    assert (np.abs(adjusted.mean(0) - p) < 4.5 * adjusted.std(0) / n**0.5).all()
    assert (adjusted.std(0) > 0.3 * np.sqrt(p * (1 - p))).all()  # and under one key it is another


def test_a_coin_is_the_bit_that_the_module_says():
    mark, context, token = Tournament(KEY, 700, depth=7), [3, 699, 0, 41], 523
    seed = hmac.new(
        streams.derive(KEY, "genlab watermark 1 text", 32),
        b"".join(t.to_bytes(4, "little") for t in context),
        hashlib.sha256,
    ).digest()
    drawn = hashlib.shake_256(seed + (2).to_bytes(4, "little")).digest(7 * 32)
    bits = [drawn[layer * 32 + (token - 512) // 8] >> (7 - (token - 512) % 8) & 1 for layer in range(7)]
    assert mark.coins(np.array(context))[:, token].tolist() == bits
    everyone = mark.coins_of(np.array([context] * 700), np.arange(700))
    assert (everyone == mark.coins(np.array(context)).T).all()


def test_coins_are_fair_and_differ_by_key_context_and_layer():
    a = Tournament(KEY, V).coins(np.array([1, 2, 3, 4]))
    others = [
        Tournament(key(1), V).coins(np.array([1, 2, 3, 4])),
        Tournament(KEY, V).coins(np.array([2, 1, 3, 4])),
        np.roll(a, 1, axis=0),
        np.roll(a, 256, axis=1),
        np.full_like(a, 1),
    ]
    for b in others:
        assert abs(((a - 0.5) * (b - 0.5)).sum()) < 5 * a.size**0.5 / 4


def test_without_a_context_and_in_one_seen_before_nothing_is_changed():
    mark, p = Tournament(KEY, 4), np.array([0.5, 0.25, 0.125, 0.125])
    for tokens in ([], [1], [1, 2, 3], [1, 2, 3, 0, 1, 2, 3, 0], [0, 1, 2, 3, 0, 2, 1, 2, 3, 0], [1] * 5):
        assert (mark.adjust(tokens, p) == p).all()
    for tokens in ([1, 2, 3, 0], [1, 2, 3, 0, 1, 2, 3], [1] * 4):
        assert np.abs(mark.adjust(tokens, p) - p).max() > 0.01


def test_what_comes_out_is_a_distribution():
    rng = np.random.default_rng(0)
    mark = Tournament(KEY, 600, depth=60)
    for p in (np.eye(600)[7], np.r_[1 - 1e-20, 1e-20, np.zeros(598)], rng.dirichlet(np.full(600, 0.01))):
        adjusted = mark.adjust([5, 6, 7, 8], p.astype(np.float32))
        assert adjusted.dtype == np.float64
        assert adjusted.min() >= 0
        assert abs(adjusted.sum() - 1) < 1e-9
        assert not adjusted[p == 0].any()


# ---- bad input


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((b"short", V), "at least 16"),
        ((KEY, 1), "vocabulary .* from 2 to"),
        ((KEY, 2.5), "vocabulary"),
        ((KEY, V, 0), "context .* from 1 to 16; 0 was given"),
        ((KEY, V, 4, 61), "depth .* from 1 to 60; 61 was given"),
        ((KEY, V, True), "context"),
    ],
)
def test_a_mark_says_what_it_needs(arguments, words):
    with pytest.raises(WatermarkError, match=words):
        Tournament(*arguments)


def test_a_key_is_not_shown():
    assert repr(KEY)[2:-1] not in repr(Tournament(KEY, V))


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        ([1, 2, V], "from 0 to 2,047; 2048 was given"),
        ([-1], "-1 was given"),
        ([1.5], "something else"),
        ("text", "something else"),
        ([[1, 2], [3, 4]], "something else"),
        ([[1], [2, 3]], "something else"),
        ([True, False], "something else"),
        ([10**30], "something else"),
    ],
)
def test_tokens_are_ids_of_the_vocabulary(tokens, words):
    mark = Tournament(KEY, V)
    with pytest.raises(WatermarkError, match=words):
        detect(tokens, [mark])
    with pytest.raises(WatermarkError, match=words):
        mark.adjust(tokens, np.full(V, 1 / V))


@pytest.mark.parametrize(
    ("p", "words"),
    [
        ([0.5, 0.5], r"shape \(3,\)"),
        ([0.5, 0.5, 0.5], "sum 1.5"),
        ([1.2, -0.2, 0], "smallest here is -0.2"),
        ([math.nan, 0.5, 0.5], "nan"),
        ([math.inf, 0, 0], "inf"),
        ("many", "shape"),
    ],
)
def test_probabilities_are_a_distribution(p, words):
    with pytest.raises(WatermarkError, match=words):
        Tournament(KEY, 3).adjust([0, 1, 2, 0], p)

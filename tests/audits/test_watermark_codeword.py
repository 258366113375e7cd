"""Streams against the RFC's vector, the code against what a linear code must do."""

import numpy as np
import pytest

from audits.watermark import WatermarkError, codeword, streams

KEY = bytes(range(32))


def test_streams_are_hkdf_of_rfc_5869():
    """Test case 3 of its appendix, without salt and with an empty label."""
    expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    assert streams.derive(b"\x0b" * 22, "", 42).hex() == expected


def test_signs_are_balanced_and_differ_by_label_and_key():
    a, b, c = streams.signs(KEY, "a", 8000), streams.signs(KEY, "b", 8000), streams.signs(b"z" * 32, "a", 8000)
    assert set(np.unique(a)) == {-1, 1}
    for x, y in ((a, np.ones(8000)), (a, b), (a, c)):
        assert abs(x @ y) < 5 * 8000**0.5
    assert (a[:100] == streams.signs(KEY, "a", 100)).all()


@pytest.mark.parametrize("key", [b"short", "text that is long enough", None])
def test_a_key_is_at_least_sixteen_bytes(key):
    with pytest.raises(WatermarkError, match="at least 16"):
        streams.signs(key, "a", 8)


@pytest.mark.parametrize("payload", [0, 1, 2**31 + 5, 2**32 - 1])
def test_a_word_says_its_payload_to_its_own_key_only(payload):
    word = codeword.word_of(KEY, payload)
    assert codeword.payload_in(word) == payload
    assert codeword.genuine(KEY, word)
    others = [bytes([i]) * 32 for i in range(64)]
    assert sum(codeword.genuine(other, word) for other in others) == 0
    for place in range(codeword.BITS):
        assert not codeword.genuine(KEY, word ^ (np.arange(codeword.BITS) == place))


@pytest.mark.parametrize("payload", [-1, 2**32, 1.5, "1", True, None])
def test_a_payload_is_32_bits(payload):
    with pytest.raises(WatermarkError, match="32 bits"):
        codeword.word_of(KEY, payload)


def test_the_code_is_linear_and_its_words_are_far_apart():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 2, (2, codeword.BITS))
    assert (codeword.encode(a ^ b) == codeword.encode(a) * codeword.encode(b)).all()
    near = [np.array([(n >> i) & 1 for i in range(10)] + [0] * (codeword.BITS - 10)) for n in range(1, 1024)]
    assert min((codeword.encode(word) < 0).sum() for word in near) >= 40


def test_decoding_undoes_encoding_and_mends_a_fifth_of_all_signs():
    rng = np.random.default_rng(1)
    for _ in range(20):
        word = rng.integers(0, 2, codeword.BITS)
        sent = codeword.encode(word)
        assert (codeword.decode(sent)[0] == word).all()
        sent[rng.choice(codeword.CHIPS, codeword.CHIPS // 5, replace=False)] *= -1
        assert (codeword.decode(sent)[0] == word).all()


def test_soft_decoding_works_near_the_bound_of_the_p_value():
    """At T = 12 of noise and signal the word is right nearly always; at T = 4 nearly never."""
    rng = np.random.default_rng(2)
    right = {}
    for t in (4, 12):
        words = rng.integers(0, 2, (60, codeword.BITS))
        heard = [codeword.encode(w) * t / codeword.CHIPS**0.5 + rng.normal(size=codeword.CHIPS) for w in words]
        right[t] = sum((codeword.decode(h)[0] == w).all() for h, w in zip(heard, words, strict=True))
    assert right[12] >= 58
    assert right[4] <= 5

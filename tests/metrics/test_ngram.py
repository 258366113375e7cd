"""Kneser-Ney: chances that sum to 1, a corpus worked out by hand, and what a smoothed model must beat."""

import itertools

import numpy as np
import pytest

from genlab.metrics.ngram import KneserNey, discounts, learn

VERSE = "the owl and the cat went to sea in a pea green boat. the owl sang to the cat. " * 3


def letters(text: str) -> list[int]:
    known = sorted(set(VERSE))
    return [known.index(letter) for letter in text]


@pytest.fixture(scope="module")
def verse() -> KneserNey:
    return learn([letters(VERSE), letters(VERSE[30:90])], vocabulary=20, order=4)


def test_chances_sum_to_one_after_every_context(verse):
    symbols = range(-1, 21)  # something unknown, every token, and what stands before a text
    contexts = np.array(list(itertools.product([-1, 3, 7, 12, 20], symbols, symbols)))
    spread = verse.spread(contexts)
    assert spread.shape == (len(contexts), 20)
    assert (spread > 0).all()
    assert np.allclose(spread.sum(1), 1, atol=1e-12)
    rows = np.concatenate([np.repeat(contexts, 20, 0), np.tile(np.arange(20), len(contexts))[:, None]], 1)
    assert np.allclose(verse.row_chances(rows)[:, -1].reshape(-1, 20), spread, atol=1e-15)


def test_a_corpus_by_hand():
    """Bigrams of `a b a c` and of `a b`: ^a and ab twice, ba, ac; different tokens before a: 2, before b and c: 1."""
    model = learn([[0, 1, 0, 2], [0, 1]], vocabulary=4, order=2)
    ends = {0: (2 - 1) / 4, 1: (1 - 0.5) / 4, 2: (1 - 0.5) / 4, 3: 0}  # discounts a half and 1
    shorter = {token: share + (1 + 0.5 + 0.5) / 4 / 4 for token, share in ends.items()}
    after_a = {0: 0, 1: (2 - 1) / 3, 2: (1 - 0.5) / 3, 3: 0}
    expected = [after_a[token] + (1 + 0.5) / 3 * shorter[token] for token in range(4)]
    assert np.allclose(model.spread(np.array([[0]]))[0], expected)
    assert np.allclose(model.spread(np.array([[2]]))[0], list(shorter.values()))  # nothing follows c
    assert model.log_chances([0, 1, 2])[1:] == pytest.approx(np.log([expected[1], shorter[2] / 2]))


def test_discounts_are_chen_and_goodmans():
    counts = np.repeat([1, 2, 3, 4, 9], [8, 4, 2, 1, 3])
    assert np.allclose(discounts(counts), [0, 1 - 2 * 0.5 * 4 / 8, 2 - 3 * 0.5 * 2 / 4, 3 - 4 * 0.5 * 1 / 2])
    assert np.allclose(discounts(np.array([5, 5])), [0, 0.5, 1, 1.5])  # nothing to estimate from


def test_a_text_is_scored_as_its_contexts_say(verse):
    text = letters("the owl went in a boat. cats ate")
    found = verse.log_chances(text)
    padded = [20, 20, 20, *text]
    contexts = np.array([padded[i : i + 3] for i in range(len(text))])
    assert np.allclose(found, np.log(verse.spread(contexts)[np.arange(len(text)), text]))
    assert np.allclose(verse.log_chances(text, given=5), found[5:])


def test_held_out_text_costs_less_than_with_one_added_to_single_counts():
    rng = np.random.default_rng(0)
    chain = rng.dirichlet(np.full(30, 0.1), size=30)
    text = [0]
    for _ in range(4000):
        text.append(int(rng.choice(30, p=chain[text[-1]])))
    train, test = text[:3000], text[3000:]
    single = (np.bincount(train, minlength=30) + 1) / (len(train) + 30)
    cost = -learn([train], vocabulary=30, order=3).log_chances(test).mean()
    assert cost < 0.8 * -np.log(single[test]).mean()
    entropy = -np.log(chain[test[:-1], test[1:]]).mean()
    assert entropy < cost < 1.15 * entropy


def test_control_tokens_are_looked_back_on_and_not_guessed():
    texts = [[0, 2, 4, 0], [0, 3, 5, 0]] * 10
    model = learn(texts, vocabulary=6, order=3, given=2)
    assert model.spread(np.array([[0, 2]])).argmax() == 4
    assert model.spread(np.array([[0, 3]])).argmax() == 5
    assert len(model.log_chances([0, 2, 4, 0], given=2)) == 2
    unasked = learn(texts, vocabulary=6, order=1, given=2)
    assert unasked.spread(np.zeros((1, 0), int))[0].argmax() == 0  # half of what is learnt are ends
    assert unasked.spread(np.zeros((1, 0), int))[0, 2] < 0.05


def test_a_gap_is_filled_from_the_left_and_from_both_sides():
    text = letters("the owl ate. the cat sat. ") * 20
    model = learn([text], vocabulary=20, order=5)
    left, right = np.array([letters("he o")]), np.array([letters("l at")])
    assert model.fill(left)[0] == letters("w")[0]
    assert model.fill(left, right)[0] == letters("w")[0]
    either = np.array([letters("the ")])  # an owl or a cat
    assert model.fill(either, np.array([letters("at s")]))[0] == letters("c")[0]
    assert model.fill(either, np.array([letters("wl a")]))[0] == letters("o")[0]
    unknown = np.array([[-1, -1, -1, -1]])
    assert model.fill(unknown)[0] == model.spread(unknown)[0].argmax()


@pytest.mark.parametrize("texts", [[], [[]], [[0, 1]]])
def test_what_cannot_be_learnt_is_refused(texts):
    with pytest.raises(ValueError, match=r"a token to learn\.$"):
        learn(texts, vocabulary=4, given=2)
    with pytest.raises(ValueError, match=r"^Tokens are 0 to 3"):
        learn([[0, 9, 1]], vocabulary=4)

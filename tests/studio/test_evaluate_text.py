"""Figures of language models against what is worked out by hand, on tiny models of a verse and of a few names."""

import itertools

import numpy as np
import pytest
import torch

from genlab.data import Corpus
from genlab.metrics.ngram import learn
from genlab.models import build
from genlab.studio import evaluate_items, evaluate_text
from genlab.studio.figures import exponential, pooled_figure

VERSE = (
    "the owl and the pussycat went to sea in a beautiful pea green boat. they took some honey and plenty of money "
    "wrapped up in a five pound note. the owl looked up to the stars above and sang to a small guitar. "
)
CONTROLS = {"country": ("Here", "There", "Nowhere"), "gender": ("female", "male")}
SIZE = {"width": 16, "layers": 1, "heads": 2}


def verses(split: str) -> Corpus:
    whole = VERSE * 4
    texts = (whole, whole[40:400], whole[90:]) if split == "train" else (VERSE[7:150], VERSE[60:], VERSE[30:190])
    return Corpus("verse", split, texts, ("a", "b", "c"), "MIT", "nobody")


def names(split: str) -> Corpus:
    whole = ["".join(part) + end for part in itertools.product("AEIO", "bdn", "aeio") for end in ("", "t")]
    kept = [i for i in range(len(whole)) if (i % 5 == 0) == (split == "test")]
    attributes = {"country": np.array([i % 2 for i in kept]), "gender": np.array([(i // 2) % 2 for i in kept])}
    return Corpus("names", split, tuple(whole[i] for i in kept), (), "MIT", "nobody", (), attributes, CONTROLS)


def made(family: str, arguments: dict, corpus: Corpus):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build(family, SIZE | arguments)
        for parameter in model.parameters():
            parameter.data.add_(0.1 * torch.randn_like(parameter))
    model.learn_tokens(corpus)
    return model.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def writer():
    return made("gpt", {"vocabulary": 300, "context": 32}, verses("train"))


@pytest.fixture(scope="module")
def namer():
    return made("gpt", {"vocabulary": 40, "units": "characters", "context": 16, "controls": CONTROLS}, names("train"))


@pytest.fixture(scope="module")
def filler():
    return made("bert", {"vocabulary": 120, "context": 16}, verses("train"))


@pytest.fixture(autouse=True)
def little(monkeypatch):
    """Nothing is fetched, and little is drawn."""
    for place, corpora in ((evaluate_text, verses), (evaluate_items, names)):
        monkeypatch.setattr(place, "load", lambda name, split="train", corpora=corpora: corpora(split))
    monkeypatch.setattr(evaluate_text, "TEXTS", 5)
    monkeypatch.setattr(evaluate_text, "LENGTH", 40)
    monkeypatch.setattr(evaluate_text, "COPIED", 10)
    monkeypatch.setattr(evaluate_text, "HIDDEN_WINDOWS", 4)
    monkeypatch.setattr(evaluate_items, "ITEMS", 60)


def figures(model, data: str, quick: bool = False) -> dict[str, dict]:
    found = {}
    for _, part in evaluate_text.text_parts(model, data, quick=quick):
        found |= {name: figure for name, figure in part if figure is not None}
    for name, figure in found.items():
        assert set(figure) == {"value", "low", "high", "n", "floor", "unit"}, name
        assert figure["low"] <= figure["value"] <= figure["high"], name
        assert figure["unit"], name
    return found


def test_a_ratio_of_sums_is_that_of_all_and_not_a_mean_of_ratios():
    found = pooled_figure([1, 9], [1, 3], "bits", n=4)
    assert found["value"] == 2.5
    assert (found["low"], found["high"], found["n"]) == (1, 3, 4)
    assert exponential(found, "perplexity")["value"] == pytest.approx(np.exp(2.5))


def test_bits_of_texts_are_those_of_all_their_tokens(writer):
    found = figures(writer, "verse")
    test, train = verses("test").texts, verses("train").texts
    tokens = [writer.tokens_of(text) for text in test]
    nats = sum(writer.code_lengths(t).sum() for t in tokens)
    assert found["bits_per_character"]["value"] == pytest.approx(nats / np.log(2) / sum(map(len, test)))
    assert found["bits_per_character"]["n"] == sum(map(len, test))
    assert found["perplexity"]["value"] == pytest.approx(np.exp(nats / sum(map(len, tokens))))
    counted = learn([writer.tokens_of(text) for text in train], vocabulary=300, order=5)
    other = -sum(counted.log_chances(t).sum() for t in tokens) / np.log(2) / sum(map(len, test))
    assert found["bits_per_character_5gram"]["value"] == pytest.approx(other)
    assert found["bits_against_5gram"]["value"] == pytest.approx(found["bits_per_character"]["value"] / other)
    assert found["copied_runs"]["value"] == 0  # an untrained model writes nothing of the verse
    assert found["copied_runs"]["floor"] > 0.5  # and the held-out verses are the same ones
    assert found["longest_run"]["value"] < found["longest_run"]["floor"]
    assert 0 <= found["distinct_2"]["floor"] <= 1


def test_a_quick_measurement_learns_no_table(writer, filler):
    found = figures(writer, "verse", quick=True)
    assert not any("gram" in name for name in found)
    assert "masked_accuracy" in figures(filler, "verse", quick=True)


def test_what_is_measured_is_the_networks_own_draw(writer):
    texts = evaluate_text.written(writer, 18, most=12)
    assert len(texts) == 18
    assert evaluate_text.written(writer, 18, most=12) == texts
    assert all(0 not in tokens and len(tokens) <= 12 for tokens in texts)


def test_names_are_scored_given_their_groups_and_with_their_end(namer):
    found = figures(namer, "names")
    test, nats, letters = names("test"), 0.0, 0
    for i, name in enumerate(test.texts):
        groups = {key: CONTROLS[key][test.attributes[key][i]] for key in CONTROLS}
        row = [*namer.asked(**groups), *namer.tokens_of(name), 0]
        chances = namer.log_chances(torch.tensor([row[:-1]]))[0]
        nats -= sum(float(chances[place - 1, row[place]]) for place in range(3, len(row)))
        letters += len(name) + 1
    assert found["bits_per_character"]["value"] == pytest.approx(nats / np.log(2) / letters, rel=1e-5)
    assert found["bits_per_character"]["n"] == len(test.texts)
    assert found["bits_per_character_unasked"]["value"] != found["bits_per_character"]["value"]
    assert found["bits_per_character_5gram"]["value"] < 2.5  # three letters with few choices
    assert found["gender_read"]["n"] == len(test.texts)


def test_drawn_names_are_counted_in_both_lists(namer, monkeypatch):
    train, test = names("train"), names("test")
    drawn = [*train.texts[:20], *train.texts[:20], *test.texts[:5], "Nobody"]
    groups = {
        key: np.concatenate([train.attributes[key][:20], train.attributes[key][:20], test.attributes[key][:5], [0]])
        for key in CONTROLS
    }
    groups["gender"] = 1 - groups["gender"]
    monkeypatch.setattr(evaluate_items, "drawn_items", lambda model, count: (drawn, groups))
    found = {name: f for name, f in evaluate_items.item_sample_figures(namer, "names", quick=False) if f}
    assert found["trained_items"]["value"] == pytest.approx(40 / 46)
    assert found["held_out_items"]["value"] == pytest.approx(5 / 46)
    listed = 20 / len(train.texts) / (5 / len(test.texts))
    assert found["memorisation_ratio"]["value"] == pytest.approx(listed)
    assert found["repeated_items"]["value"] == pytest.approx(20 / 46)
    assert found["country_kept"]["value"] == 1
    assert found["gender_kept"]["value"] == 0
    shares = np.bincount(groups["country"], minlength=3) / 46
    told = np.array(list(train.shares()["country"].values()))
    assert found["country_deviation"]["value"] == pytest.approx(np.abs(shares - told).max())


def test_drawn_names_come_with_their_groups(namer):
    texts, groups = evaluate_items.drawn_items(namer, 20)
    assert len(texts) == 20
    assert not any("<" in text for text in texts)
    for name, known in CONTROLS.items():
        assert groups[name].shape == (20,)
        assert set(groups[name]) <= set(range(len(known)))


def test_hidden_tokens_are_guessed_beside_counts(filler):
    found = figures(filler, "verse")
    rows = evaluate_text.windows(filler, verses("test"), 1000)
    hidden = evaluate_text.hide(rows, 5)
    assert (hidden.sum(1) == round(0.15 * 14)).all()
    assert found["masked_accuracy"]["n"] == hidden.sum()
    hits = 0
    for row, places in zip(rows, hidden, strict=True):
        chances = filler.fill(np.where(places, 4, row).tolist())
        hits += int((chances.argmax(1) == row[places]).sum())
    assert found["masked_accuracy"]["value"] == pytest.approx(hits / hidden.sum())
    assert found["masked_accuracy_unigram"]["value"] < found["masked_accuracy_5gram"]["value"]  # it knows the verse
    assert found["masked_accuracy_5gram_left"]["value"] > 0.3
    nats = [filler.pseudo_code_lengths(row.tolist()) for row in rows[:: max(1, len(rows) // 4)][:4]]
    assert found["pseudo_perplexity"]["value"] == pytest.approx(np.exp(np.mean(nats)), rel=1e-5)


def test_what_stands_beside_a_hidden_token_is_unknown_where_it_is_hidden_too():
    rows, hidden = np.array([[7, 8, 9, 10]]), np.array([[False, True, True, False]])
    left, right = evaluate_text.sides(rows, hidden, 2)
    assert left.tolist() == [[-1, 7], [7, -1]]
    assert right.tolist() == [[-1, 10], [10, -1]]

"""BERT: what it guesses from both sides, its pseudo-log-likelihood by hand, and transformers' layout."""

import json

import numpy as np
import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

from genlab import checkpoint
from genlab.data import Corpus
from genlab.fit import Batches, fit
from genlab.models import build
from genlab.models.bert import FIRST, HIDDEN, LAST, SPECIAL
from genlab.models.contract import Batch
from genlab.models.tokens import learn, opened

VERSE = "the owl sat on the tree. the cat sat on the mat. the king sat on the throne. "
SMALL = {"vocabulary": 120, "width": 32, "layers": 2, "heads": 2, "context": 16, "dropout": 0.0}


def corpus() -> Corpus:
    return Corpus("verse", "train", (VERSE * 20,), (), "none", "nobody")


def made():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build("bert", SMALL)
    model.learn_tokens(corpus())
    return model


@pytest.fixture(scope="module")
def trained():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = made()
        for _ in fit(model, Batches(model.items_of(corpus()), batch=32), steps=1000, lr=2e-3, ema=0.0):
            pass
    return model.requires_grad_(False)


def test_it_fills_from_both_sides(trained):
    """Of windows it was shown it finds nearly every word, also one that only what follows tells."""
    rows, right = trained.items_of(corpus())[::7, 1:-1].tolist(), []
    for row in rows:
        for place in range(len(row)):
            found = trained.fill([*row[:place], HIDDEN, *row[place + 1 :]])
            assert found.shape == (1, 120)
            right.append(int(found[0].argmax()) == row[place])
    assert np.mean(right) > 0.9
    assert np.isinf(found[:, : len(SPECIAL)]).all()
    assert np.allclose(np.exp(found).sum(1), 1, atol=1e-5)
    assert trained.fill([*rows[0][:3], HIDDEN, HIDDEN]).shape == (2, 120)


def test_the_pseudo_code_length_hides_one_token_at_a_time(trained):
    tokens = trained.tokens_of("the owl sat on the tree.")
    found = trained.pseudo_code_lengths(tokens)
    for i, token in enumerate(tokens):
        given = [FIRST, *tokens[:i], HIDDEN, *tokens[i + 1 :], LAST]
        assert found[i] == pytest.approx(-float(trained.log_chances(torch.tensor([given]))[0, i + 1, token]), abs=1e-4)
    other = trained.pseudo_code_lengths(trained.tokens_of("tree the on owl sat the."))
    assert other.sum() > found.sum() + 5


def test_attention_is_that_of_the_network(trained):
    tokens = trained.tokens_of("the owl sat on the tree.")
    maps = trained.attentions(tokens)
    assert maps.shape == (2, 2, len(tokens) + 2, len(tokens) + 2)
    assert np.allclose(maps.sum(-1), 1, atol=1e-5)
    twin = made()
    twin.load_state_dict(trained.state_dict())
    twin.eval().network.set_attn_implementation("eager")
    theirs = twin.network(torch.tensor([trained.framed(tokens)]), output_attentions=True).attentions
    assert np.allclose(maps, torch.stack(theirs)[:, 0].detach().numpy(), atol=1e-5)


def test_the_folder_opens_with_transformers(trained, tmp_path):
    checkpoint.save(
        trained, tmp_path / "bert-tiny", name="bert-tiny", recipe={"family": "bert", "model": SMALL}, trained_on={}
    )
    back = checkpoint.load(tmp_path / "bert-tiny")
    theirs = AutoModelForMaskedLM.from_pretrained(tmp_path / "bert-tiny", dtype=torch.float32)
    tokens = back.tokens_of("The owl sat on the [MASK].")
    assert HIDDEN in tokens
    assert AutoTokenizer.from_pretrained(tmp_path / "bert-tiny")("The owl sat on the [MASK].").input_ids == tokens
    given = torch.tensor([back.framed(tokens)])
    assert torch.allclose(theirs(given).logits.log_softmax(-1), back.log_chances(given), atol=1e-5)


def test_what_cannot_be_is_said(trained):
    with pytest.raises(ValueError, match=r"no \[MASK\]"):
        trained.fill(trained.tokens_of("the owl"))
    with pytest.raises(ValueError, match="1 to 14 tokens"):
        trained.fill(trained.tokens_of("the owl " * 20))
    with pytest.raises(ValueError, match="this one has 0"):
        trained.pseudo_code_lengths([])
    with pytest.raises(ValueError, match="multiple of 3 heads"):
        build("bert", SMALL | {"heads": 3})


def test_the_tokenizer_of_a_corpus_is_always_the_same():
    texts = ["Call me Ishmael. Some years ago, never mind how long precisely: 3 or 4, at 40° of latitude\n" * 3]
    one, *others = (learn("pieces", texts, vocabulary=120, special=SPECIAL) for _ in range(4))
    assert others == [one] * 3
    described = json.loads(one)
    assert [token["content"] for token in described["added_tokens"]] == list(SPECIAL)
    words = opened(one).encode("years ago at 4°", add_special_tokens=False).tokens
    assert words[0] in ("years", "year", "yea", "ye", "y")
    assert words[-1] == "##°"
    assert opened(one).encode("ж", add_special_tokens=False).tokens == ["[UNK]"]


def test_a_young_run_learns_every_place_and_not_the_first_ones_alone():
    """Its short pieces stand anywhere in the context, or places beyond the tenth would be met when half is over."""
    torch.manual_seed(0)
    model = build("bert", {"vocabulary": 60, "width": 16, "layers": 1, "heads": 2, "context": 40, "dropout": 0})
    items = torch.randint(5, 60, (64, 40))
    items[:, 0], items[:, -1] = FIRST, LAST
    model.loss(Batch(items, torch.zeros(64)), 0.1)[0].backward()
    places = model.network.bert.embeddings.position_embeddings.weight.grad.abs().sum(1)
    assert bool((places > 0).all())

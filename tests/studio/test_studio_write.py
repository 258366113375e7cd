"""Texts: what is written is its seeds', carries a mark, leaves with a claim, and can be verified and written again."""

import base64
import io
import json
import zipfile

import numpy as np
import pytest
import torch
from small_models import TEXTS, VERSE, build_shelf

from audits.provenance import text_marks
from audits.provenance.keys import Key
from audits.text.words import Hidden
from genlab.studio import marking, read, shelf, write
from genlab.studio.regenerate import make_again
from genlab.studio.verify import verify


@pytest.fixture(scope="module")
def text_shelf(tmp_path_factory):
    return build_shelf(tmp_path_factory.mktemp("texts"), TEXTS)


@pytest.fixture(autouse=True)
def on_text_shelf(text_shelf, monkeypatch):
    """The mark, and so every text, hangs on the key: one that is the same in every run."""
    monkeypatch.setenv("GENLAB_SHELF", str(text_shelf))
    monkeypatch.setenv("GENLAB_SIGNING_KEY", base64.b64encode(bytes(range(32))).decode())
    marking.key.cache_clear()
    yield
    marking.key.cache_clear()


def layer(found, name: str):
    return next(one for one in found.layers if one.layer == name)


def test_a_text_is_its_seed_whatever_was_asked_for_beside_it():
    three = write.write("gpt-small", prompt="The owl", seed=4, count=3, length=30)
    alone = write.write("gpt-small", prompt="The owl", seed=5, length=30)
    assert alone.texts[0] == three.texts[1]
    assert alone.sealed[0].media == three.sealed[1].media == three.texts[1].text.encode()
    assert three.names == ("gpt-small-4.txt", "gpt-small-5.txt", "gpt-small-6.txt")
    assert three.texts[0].text.startswith("The owl")
    assert not alone.notes


def test_steps_show_a_text_growing_with_its_chances():
    seen = [texts[0] for texts in write.steps("gpt-small", prompt="The owl", seed=1, length=20)]
    lengths = [len(text.tokens) for text in seen]
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[-1]
    for token in seen[-1].tokens:
        chances = [chance for _, chance in token.likeliest]
        assert chances == sorted(chances, reverse=True)
        assert len(chances) == write.SHOWN
        assert 0 < token.chance <= chances[0] + 1e-6


def test_its_claim_beside_it_vouches_for_it_and_it_can_be_written_again():
    made = write.write("gpt-small", prompt="The owl", seed=7, length=40, knobs={"top_k": 50}).sealed[0]
    found = verify(made.media, sidecar=made.sidecar)
    assert found.verdict == "made here"
    assert found.claim == made.claim
    assert (made.claim.inputs, made.claim.knobs["length"]) == ({"prompt": "The owl"}, 40)
    assert make_again(found.claim).media == made.media
    assert not found.obstacle
    assert verify(made.media + b"!", sidecar=made.sidecar).verdict == "altered"


def test_the_mark_is_read_in_a_copy_that_was_retyped():
    texts = write.write("gpt-letters", seed=11, count=64, length=220).texts
    text = max((text.text for text in texts), key=len)  # an untrained model ends anywhere
    copied = verify(f"Somebody said: {text.strip()}\r\n".encode())
    assert layer(copied, "watermark").state == "found"
    assert layer(copied, "watermark").p_value < 1e-9
    assert copied.verdict == "altered"
    assert "a mark can be copied" in copied.sentence
    innocent = verify((VERSE * 30).encode())
    assert layer(innocent, "watermark").state != "found"
    assert innocent.verdict == "no evidence"
    short = verify(b"The owl went to sea.")
    assert "short" in layer(short, "watermark").detail


def test_marked_texts_follow_the_models_chances():
    """Over many seeds the first marked token has the distribution of the unmarked one."""
    network = shelf.model("gpt-small")
    tokens = network.tokens_of("The owl and the")
    chances = np.exp(network.log_chances(torch.tensor([tokens]))[0, -1].numpy())
    mean = np.zeros_like(chances, dtype=float)
    for i in range(400):
        mark = text_marks.tournament(Key.of(i.to_bytes(16, "big")), network.vocabulary)
        mean += mark.adjust(tokens, chances) / 400
    top = chances.argmax()
    assert abs(mean[top] - chances[top]) < 5 * np.sqrt(chances[top] / 400)


PROMPTS = {
    "empty": ("", None),
    "long": (VERSE * 20, "last"),
    "a megabyte": ("boat " * 200_000, "last"),
    "control characters": ("The \x00owl\x1b[31m", "Control characters"),
    "right to left": ("שלום \u202eאבג", "Control characters"),
    "emoji": ("🦉👩‍🚀 honey", None),
    "html": ("<script>alert(1)</script>", None),
}


@pytest.mark.parametrize("prompt", PROMPTS)
def test_any_prompt_is_taken(prompt):
    given, told = PROMPTS[prompt]
    made = write.write("gpt-small", prompt=given, seed=1, length=8)
    assert bool(made.notes) == bool(told)
    if told:
        assert told in made.notes[0]
    assert made.texts[0].tokens
    assert "\x00" not in made.texts[0].text
    assert make_again(made.sealed[0].claim).media == made.sealed[0].media


@pytest.mark.parametrize(
    ("model", "asked", "words"),
    [
        ("gpt-small", {"prompt": "x" * (2**20 + 1)}, "at most 1,048,576"),
        ("gpt-small", {"prompt": 3}, "prompt is text"),
        ("gpt-small", {"knobs": {"temperature": 100}}, "temperature is a number from 0 to 2"),
        ("gpt-small", {"knobs": {"warmth": 1}}, "Knobs of this model are temperature, top_k, top_p"),
        ("gpt-small", {"length": 0}, "length must be a whole number from 1 to 600"),
        ("gpt-small", {"count": 65}, "count must be a whole number from 1 to 64"),
        ("gpt-small", {"seed": -1}, "seed must be a whole number"),
        ("gpt-small", {"groups": {"country": "Here"}}, "no groups to ask for"),
        ("gpt-called", {"prompt": "Anna"}, "leave the prompt out"),
        ("gpt-called", {"groups": {"country": "Nowhere"}}, "country is one of Here, There"),
        ("gpt-called", {"groups": {"colour": "red"}}, "asked for by country, gender"),
        ("gpt-called", {"groups": {"country": "Here"}, "towards": {"country": "There"}}, "every attribute at both"),
        ("gpt-called", {"share": "half"}, "share is a number from 0 to 1"),
        ("gan-small", {}, "gan-small cannot write; models that can are gpt-called, gpt-letters, gpt-small"),
        ("bert-small", {}, "cannot write"),
    ],
)
def test_what_cannot_be_written_is_said_in_a_sentence(model, asked, words):
    with pytest.raises(ValueError, match=words) as error:
        write.write(model, **asked)
    assert "\n" not in str(error.value)


def test_the_likeliest_text_is_drawn_at_temperature_zero():
    made = [write.write("gpt-small", prompt="The", seed=s, length=12, knobs={"temperature": 0}) for s in (1, 2)]
    assert made[0].texts[0].text == made[1].texts[0].text
    assert all(token.text == token.likeliest[0][0] for token in made[0].texts[0].tokens)


def test_names_leave_as_one_list_with_their_groups():
    made = write.write("gpt-called", seed=3, count=20)
    assert len(made.texts) == 20
    assert made.names == ("samples.txt",)
    assert made.sealed[0].media.decode().split("\n")[:-1] == [text.text for text in made.texts]
    assert {text.groups["country"] for text in made.texts} == {"Here", "There"}
    assert made.table.splitlines()[0] == "item,country,gender"
    assert "too short for a mark" in made.notes[-1]
    asked = write.write("gpt-called", seed=3, count=5, groups={"country": "There"})
    assert {text.groups["country"] for text in asked.texts} == {"There"}
    female = write.write("gpt-called", seed=3, count=5, groups={"gender": "female"})
    assert {text.groups["gender"] for text in female.texts} == {"female"}
    for one in (made, asked, female):
        assert make_again(one.sealed[0].claim).media == one.sealed[0].media


def test_between_two_groups_the_ends_are_the_groups():
    def at(share):
        return write.write(
            "gpt-called", seed=1, count=6, share=share, groups={"country": "Here", "gender": "female"},
            towards={"country": "There", "gender": "male"},
        )  # fmt: skip

    ends = [
        write.write("gpt-called", seed=1, count=6, groups={"country": c, "gender": g})
        for c, g in (("Here", "female"), ("There", "male"))
    ]
    for share, end in ((0.0, ends[0]), (1.0, ends[1])):
        assert [t.text for t in at(share).texts] == [t.text for t in end.texts]
    middle = at(0.5)
    assert make_again(middle.sealed[0].claim).media == middle.sealed[0].media


def test_a_word_of_the_list_is_masked_in_what_leaves(monkeypatch):
    monkeypatch.setattr(write, "hidden", lambda text: Hidden(text.replace("owl", "***"), text.count("owl")))
    made = write.write("gpt-small", prompt="The owl", seed=1, length=4)
    assert made.sealed[0].media.startswith(b"The ***")
    assert "1 word of a list of slurs is masked" in made.notes[0]


def test_a_text_that_ends_at_once_is_told_and_leaves_all_the_same():
    texts = write.write("gpt-letters", seed=0, count=64, length=2)
    assert any(not text.text for text in texts.texts)
    assert texts.notes == ("The model ended a text before its first word: choose another seed.",)
    assert all(sealed.media for sealed in texts.sealed)


def test_everything_in_a_zip():
    made = write.write("gpt-called", seed=3, count=3)
    with zipfile.ZipFile(io.BytesIO(write.archive(made))) as packed:
        assert packed.namelist() == ["samples.txt", "samples.txt.claim.json", "samples.csv", "manifest.json"]
        listed = json.loads(packed.read("manifest.json"))
        assert packed.read("samples.txt") == made.sealed[0].media
    assert listed[0]["claim"] == made.sealed[0].claim.as_dict()


def test_surprise_is_the_models_code_length():
    text = "The owl went to sea."
    found = read.surprise("gpt-small", text)
    network = shelf.model("gpt-small")
    nats = network.code_lengths(network.tokens_of(text))
    assert found.bits_per_character == pytest.approx(nats.sum() / np.log(2) / len(text))
    assert "".join(token.text for token in found.tokens) == text
    assert [token.chance for token in found.tokens] == pytest.approx(np.exp(-nats), rel=1e-4)
    long = read.surprise("gpt-small", VERSE * 4)
    assert long.tokens[-1].likeliest == ()
    assert read.surprise("gpt-called", "sea!?").notes == ("Letters that the model does not know were left out.",)


def test_gaps_are_filled_and_attention_sums_to_one():
    found = read.fill("bert-small", "The ___ and the [mask] went to sea.")
    assert found.text == "The [MASK] and the [MASK] went to sea."
    assert [len(gap) for gap in found.gaps] == [5, 5]
    for model in ("bert-small", "gpt-small"):
        looks = read.attention(model, "The owl went to sea.")
        layers, heads = read.size_of(model)
        assert looks.weights.shape == (layers, heads, len(looks.tokens), len(looks.tokens))
        assert np.allclose(looks.weights.sum(-1), 1, atol=1e-5)
    assert [known.name for known in read.readers()] == ["gpt-letters", "gpt-small", "bert-small", "gpt-called"]


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: read.fill("bert-small", "no gap here"), "no gap"),
        (lambda: read.fill("bert-small", "___ " + "owl " * 60), "1 to 22 tokens"),
        (lambda: read.fill("gpt-small", "a ___"), "gpt-small cannot fill"),
        (lambda: read.surprise("gpt-small", "  "), "no text to read"),
        (lambda: read.surprise("gpt-small", "x" * 20_001), "at most 20,000"),
        (lambda: read.surprise("gpt-called", "123456"), "knows no letter"),
        (lambda: read.attention("gan-small", "a"), "cannot attend"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_sentence(ask, words):
    with pytest.raises(ValueError, match=words):
        ask()

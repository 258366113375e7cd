"""GPT and its tokenizers: chances that look back only, texts that are their seeds', the layout of the library."""

import math

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from genlab import checkpoint
from genlab.data import Corpus
from genlab.fit import Batches, fit
from genlab.models import build
from genlab.models.gpt import Knobs
from genlab.models.tokens import kept, learn, opened
from genlab.seeds import Seeds

VERSE = "The owl and the pussycat went to sea\nin a beautiful pea green boat,\nthey took honey – and plenty of money.\n"
SMALL = {"vocabulary": 300, "width": 32, "layers": 2, "heads": 2, "context": 16}
NAMED = {
    "vocabulary": 40, "units": "characters", "width": 32, "layers": 2, "heads": 2, "context": 16,
    "controls": {"country": ("Here", "There"), "gender": ("female", "male")},
}  # fmt: skip


def corpus(*texts: str) -> Corpus:
    return Corpus("verse", "train", texts, (), "none", "nobody")


def named() -> Corpus:
    names = ("Anna", "Otto", "Bob", "Eve")
    return Corpus(
        "names", "train", names, (), "none", "nobody", (),
        {"country": np.array([0, 0, 1, 1]), "gender": np.array([0, 1, 1, 0])},
        {"country": ("Here", "There"), "gender": ("female", "male")},
    )  # fmt: skip


def made(arguments: dict, texts: Corpus):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build("gpt", arguments)
        for parameter in model.parameters():
            parameter.data.add_(0.1 * torch.randn_like(parameter))
    model.learn_tokens(texts)
    return model.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def model():
    return made(SMALL, corpus(VERSE * 3))


def texts_of(model, prompt, seeds, knobs=None, most=20, **more) -> list[list[int]]:
    steps = [step.tokens for step in model.write(prompt, seeds, knobs, most=most, **more)]
    return [[token for token in column if token >= 0] for column in zip(*steps, strict=True)]


@pytest.mark.parametrize("text", [VERSE, "🦉 שלום \u202e\x00 naïve", "", "\n\n  tabs\t"])
def test_bytes_come_back_whatever_the_script(model, text):
    assert model.text_of(model.tokens_of(text)) == text


def test_chances_sum_to_one_and_look_back_only(model):
    tokens = torch.tensor([model.tokens_of(VERSE)[:12]])
    chances = model.log_chances(tokens)
    assert torch.allclose(chances.exp().sum(-1), torch.ones(1, 12), atol=1e-5)
    changed = tokens.clone()
    changed[0, 7] = 280
    assert torch.allclose(model.log_chances(changed)[0, :7], chances[0, :7], atol=1e-5)
    assert not torch.allclose(model.log_chances(changed)[0, 7:], chances[0, 7:], atol=1e-3)


def test_a_text_is_its_seeds_whatever_stands_beside_it(model):
    prompt = model.tokens_of("The owl")
    together = texts_of(model, prompt, Seeds.count_from(3, 5))
    assert texts_of(model, prompt, Seeds([5]))[0] == together[2]
    assert together[0] != together[1]
    before = torch.get_rng_state()
    texts_of(model, prompt, Seeds([5]))
    assert torch.equal(torch.get_rng_state(), before)


def test_drawing_with_a_memory_is_drawing_without_one(model):
    """Each step's chances are those of the whole text so far, also after the context has been left behind."""
    prompt = model.tokens_of("The owl")
    so_far = list(prompt)
    for step in model.write(prompt, Seeds([1]), most=12, ends=False):
        if len(so_far) < model.context:
            alone = model.log_chances(torch.tensor([so_far]))[0, -1].numpy()
            assert np.allclose(step.log_chances[0], alone, atol=1e-4)
        so_far.append(step.tokens[0])
    assert len(texts_of(model, prompt, Seeds([1]), most=40, ends=False)[0]) == 40


def test_a_long_prompt_keeps_its_end(model):
    long = model.tokens_of(VERSE * 2)
    assert len(long) > model.context
    assert texts_of(model, long, Seeds([1])) == texts_of(model, long[-model.context + 1 :], Seeds([1]))


def test_drawn_tokens_follow_the_chances():
    """First tokens of 3,000 seeds against the model's own distribution: chi-squared below its 99.9 % point."""
    from scipy.stats import chi2

    model = made(NAMED, named())
    prompt = model.asked(country="Here", gender="male")
    counts = np.zeros(40)
    for start in range(0, 3000, 16):
        for step in model.write(prompt, Seeds.count_from(start, min(16, 3000 - start)), most=1):
            chances = np.exp(step.log_chances[0])
            np.add.at(counts, list(step.tokens), 1)
    known = opened(model.described).get_vocab_size()
    chances[1 : len(model.special)] = chances[known:] = 0
    expected = 3000 * chances / chances.sum()
    kept = expected > 5
    assert ((counts - expected)[kept] ** 2 / expected[kept]).sum() < chi2.ppf(0.999, kept.sum())
    assert counts[1 : len(model.special)].sum() == counts[known:].sum() == 0


def test_knobs_narrow_what_is_drawn(model):
    prompt = model.tokens_of("The owl")
    greedy = texts_of(model, prompt, Seeds.count_from(0, 3), Knobs(temperature=0.0))
    assert greedy[0] == greedy[1] == greedy[2]
    assert texts_of(model, prompt, Seeds([9]), Knobs(top_k=1))[0] == greedy[0]
    assert texts_of(model, prompt, Seeds([9]), Knobs(top_p=0.05, temperature=0.1))[0] == greedy[0]


def test_a_mark_sees_every_text_so_far_and_has_the_last_word(model):
    seen = []

    def only_forty(item, tokens, chances):
        seen.append((item, len(tokens)))
        assert math.isclose(chances.sum(), 1, rel_tol=1e-6)
        return np.eye(len(chances))[40]

    assert texts_of(model, [0], Seeds.count_from(0, 2), most=3, adjust=only_forty) == [[40] * 3] * 2
    assert seen == [(0, 1), (1, 1), (0, 2), (1, 2), (0, 3), (1, 3)]


def test_code_lengths_are_the_chances_of_each_token(model):
    tokens = model.tokens_of(VERSE)[:10]
    chances = model.log_chances(torch.tensor([[0, *tokens[:-1]]]))[0]
    expected = [-float(chances[i, token]) for i, token in enumerate(tokens)]
    assert np.allclose(model.code_lengths(tokens), expected, atol=1e-4)
    long = model.tokens_of(VERSE * 3)
    found = model.code_lengths(long)
    assert found.shape == (len(long),)
    assert (found > 0).all()
    assert np.allclose(found[: model.context], model.code_lengths(long[: model.context]), atol=1e-4)
    assert model.code_lengths([]).shape == (0,)


def test_attention_is_that_of_the_network(model):
    tokens = model.tokens_of(VERSE)[:9]
    maps = model.attentions(tokens)
    assert maps.shape == (2, 2, 9, 9)
    assert np.allclose(maps.sum(-1), 1, atol=1e-5)
    twin = made(SMALL, corpus(VERSE * 3))
    twin.network.set_attn_implementation("eager")
    theirs = twin.network(torch.tensor([tokens]), output_attentions=True).attentions
    assert np.allclose(maps, torch.stack(theirs)[:, 0].numpy(), atol=1e-5)


def test_control_tokens_are_drawn_where_they_are_not_asked_for():
    model = made(NAMED, named())
    drawn = texts_of(model, [0], Seeds.count_from(0, 16), most=6)
    countries = {model.special.index(f"<country: {name}>") for name in ("Here", "There")}
    genders = {model.special.index(f"<gender: {name}>") for name in ("female", "male")}
    assert {text[0] for text in drawn} == countries
    assert {text[1] for text in drawn} == genders
    assert all(token == 0 or token >= len(model.special) for text in drawn for token in text[2:])
    assert model.started() == [0]
    assert model.started(country="Here") == model.asked(country="Here")[:2]
    assert model.started(gender="male") == model.asked(gender="male")
    with pytest.raises(ValueError, match="country is one of Here, There"):
        model.asked(country="Nowhere")
    with pytest.raises(ValueError, match="asked for by country, gender"):
        model.asked(colour="red")


def test_it_learns_names_by_heart_and_by_group():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build("gpt", NAMED | {"dropout": 0.0})
        model.learn_tokens(named())
        rows = model.items_of(named())
        for _ in fit(model, Batches(rows, batch=4), steps=150, lr=1e-2, ema=0.0):
            pass
    model.requires_grad_(False)
    for country, gender, name in (("Here", "female", "Anna"), ("There", "male", "Bob")):
        texts = texts_of(model, model.asked(country=country, gender=gender), Seeds([1]), Knobs(temperature=0.0))
        assert model.text_of(texts[0]) == name


def test_the_folder_opens_with_transformers(model, tmp_path):
    config = checkpoint.save(
        model, tmp_path / "gpt-tiny", name="gpt-tiny", recipe={"family": "gpt", "model": SMALL}, trained_on={}
    )
    back = checkpoint.load(tmp_path / "gpt-tiny")
    checkpoint.write_config(tmp_path / "gpt-tiny", config | {"metrics": {"x": 1}})
    assert checkpoint.read(tmp_path / "gpt-tiny")["metrics"] == {"x": 1}
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "gpt-tiny", dtype=torch.float32)
    tokens = back.tokens_of(VERSE)[:14]
    assert AutoTokenizer.from_pretrained(tmp_path / "gpt-tiny")(VERSE).input_ids[:14] == tokens
    given = torch.tensor([tokens])
    assert torch.allclose(theirs(given).logits.log_softmax(-1), back.log_chances(given), atol=1e-5)
    assert sorted(checkpoint.files_of(tmp_path / "gpt-tiny")) == [
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
    ]  # fmt: skip
    (tmp_path / "gpt-tiny" / "tokenizer.json").write_text("{}")
    with pytest.raises(checkpoint.CheckpointError, match=r"tokenizer\.json is not that of config\.json"):
        checkpoint.load(tmp_path / "gpt-tiny")
    with pytest.raises(ValueError, match="describes none"):
        kept(tmp_path / "gpt-tiny", 300)
    (tmp_path / "gpt-tiny" / "tokenizer.json").write_text(model.described)
    with pytest.raises(ValueError, match="and the model 20"):
        kept(tmp_path / "gpt-tiny", 20)
    (tmp_path / "gpt-tiny" / "tokenizer.json").unlink()
    with pytest.raises(checkpoint.CheckpointError, match="tokenizer cannot be read"):
        checkpoint.load(tmp_path / "gpt-tiny")


def test_what_cannot_be_is_said():
    with pytest.raises(ValueError, match="multiple of 3 heads"):
        build("gpt", SMALL | {"heads": 3})
    with pytest.raises(ValueError, match="Tokenizers are"):
        learn("syllables", [VERSE], vocabulary=300, special=())
    with pytest.raises(ValueError, match="room for 5"):
        learn("characters", [VERSE], vocabulary=5, special=())
    with pytest.raises(ValueError, match="At most 16 texts"):
        next(made(SMALL, corpus(VERSE)).write([0], Seeds.count_from(0, 17), most=1))

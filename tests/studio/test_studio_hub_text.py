"""Language models of the Hub, from folders of the tests' own: they write, are read and fill gaps under its limits."""

import pytest
from hub_models import save_language

from genlab.studio import hub_text, read, write
from genlab.studio.regenerate import make_again
from genlab.studio.verify import verify

GPT, BERT = "hub:somebody/gpt", "hub:somebody/bert"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub")
    save_language(folder / "somebody" / "gpt", "gpt2")
    save_language(folder / "somebody" / "bert", "bert")
    bare = save_language(folder / "somebody" / "bare", "gpt2")
    (bare / "model.safetensors").rename(bare / "pytorch_model.bin")
    (folder / "somebody" / "nothing").mkdir()
    (folder / "somebody" / "nothing" / "notes.txt").write_text("no model")
    broken = save_language(folder / "somebody" / "broken", "gpt2")
    (broken / "model.safetensors").write_bytes(b"nonsense")
    return folder


@pytest.fixture(autouse=True)
def at_home(home, monkeypatch):
    monkeypatch.setenv("GENLAB_HUB", str(home))
    hub_text.loaded.cache_clear()


def test_a_causal_one_writes_and_its_claim_names_the_revision():
    made = write.write(GPT, prompt="the owl", seed=3, count=2, length=12, knobs={"top_k": 40})
    assert made.texts[0].text.startswith("the owl")
    assert made.texts[1] == write.write(GPT, prompt="the owl", seed=4, length=12, knobs={"top_k": 40}).texts[0]
    assert made.names == ("somebody-gpt-3.txt", "somebody-gpt-4.txt")
    assert any("carry no mark" in note for note in made.notes)
    claim = made.sealed[0].claim
    assert claim.model == GPT
    assert claim.weights == hub_text.find("somebody/gpt", "x").revision
    assert verify(made.sealed[0].media, sidecar=made.sealed[0].sidecar).verdict == "made here"
    assert make_again(claim).media == made.sealed[0].media


def test_it_can_be_read_and_a_masked_one_fills():
    found = read.surprise(GPT, "the owl went to sea")
    assert found.bits_per_character > 0
    assert "".join(token.text for token in found.tokens) == "the owl went to sea"
    filled = read.fill(BERT, "the ___ went to sea")
    assert len(filled.gaps[0]) == 5
    assert not any(word.startswith("[") for word, _ in filled.gaps[0])


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("hub:somebody/bare", "no safetensors weights"),
        ("hub:somebody/nothing", "no config.json"),
        ("hub:somebody/broken", "a causal language model"),
        ("hub:somebody/gpt@0123", "has revision"),
        ("hub:../etc", "named owner/model"),
        ("hub:somebody", "named owner/model"),
    ],
)
def test_what_cannot_be_loaded_is_said_in_a_sentence(model, words):
    with pytest.raises(ValueError, match=words) as error:
        write.write(model, length=4)
    assert "\n" not in str(error.value)


def test_limits_of_the_hub_hold(monkeypatch):
    monkeypatch.setenv("GENLAB_HUB_LARGEST", "1000")
    with pytest.raises(ValueError, match="MiB are allowed"):
        write.write(GPT, length=4)
    monkeypatch.setenv("GENLAB_HUB_ALLOWED", "nobody/*")
    with pytest.raises(ValueError, match="may not be loaded here"):
        write.write(GPT, length=4)
    monkeypatch.delenv("GENLAB_HUB_LARGEST")
    monkeypatch.setenv("GENLAB_HUB_ALLOWED", "*")
    with pytest.raises(ValueError, match="temperature is a number"):
        write.write(GPT, length=4, knobs={"temperature": 9})

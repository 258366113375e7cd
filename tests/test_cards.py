"""A card is in step with its model, or the check says why not."""

import re

import pytest
import yaml

from genlab import cards, checkpoint
from genlab.card_metadata import front_matter, lawful
from genlab.card_text import TEXTS, about, section
from genlab.recipes import RECIPES


@pytest.fixture
def name(tiny_shelf):
    cards.write("gan-tiny", tiny_shelf)
    assert cards.check("gan-tiny", tiny_shelf) == []
    return "gan-tiny"


def front(card: str) -> dict:
    return yaml.safe_load(re.match(r"---\n(.*?)\n---\n", card, re.DOTALL)[1])


@pytest.mark.parametrize("model", ["gan-tiny", "vae-tiny", "judge-tiny", "ae-tiny"])
def test_a_card_has_every_section_and_the_hubs_front_matter(tiny_shelf, model):
    from huggingface_hub import ModelCard

    card = cards.render(model, tiny_shelf)
    assert [t for t in re.findall(r"^## (.*)$", card, re.MULTILINE)] == list(cards.SECTIONS)
    for heading in ("### Out-of-scope use", "### Misuse and deepfakes"):
        assert heading in card
    data = front(card)
    assert data["license"] == "apache-2.0"
    assert data["datasets"] == ["zalando-datasets/fashion_mnist"]
    read = ModelCard(card).data.eval_results  # the Hub's own reader understands the model index
    assert {r.metric_type: r.metric_value for r in read} == {"fashion_fid": 1.25, "recall": 0.5}
    args = {r.metric_type: r.metric_args for r in read}["fashion_fid"]
    assert (args["low"], args["high"], args["n"], args["floor"]) == (1.0, 1.5, 10000, 0.01)
    assert "Fashion-FID" in card
    assert "MIT" in section(card, "Training data")
    assert checkpoint.read(tiny_shelf / model)["weights_sha256"] in card


def test_figures_in_the_text_come_from_the_config(tiny_shelf, name):
    folder = tiny_shelf / name
    text = (folder / "about.md").read_text()
    text = text.replace(
        "Some words", "Of {recall.n}: {recall} ({recall.interval}), floor {recall.floor} as {recall.unit}", 1
    )
    (folder / "about.md").write_text(text)
    assert "Of 10,000: 0.5 (0.4 to 0.6), floor 0.9 as share" in cards.render(name, tiny_shelf)


def faults(tiny_shelf, name: str) -> str:
    found = cards.check(name, tiny_shelf)
    assert found
    assert all(f.endswith(".") and "\n" not in f for f in found)
    return " ".join(found)


def test_a_changed_figure_is_seen(tiny_shelf, name):
    config = checkpoint.read(tiny_shelf / name)
    config["metrics"]["fashion_fid"]["value"] = 1.26
    checkpoint.write_config(tiny_shelf / name, config)
    found = faults(tiny_shelf, name)
    assert "front matter gives fashion_fid as 1.25" in found
    assert "README.md is not what" in found
    cards.write(name, tiny_shelf)
    assert cards.check(name, tiny_shelf) == []


def test_other_weights_are_seen(tiny_shelf, name):
    with (tiny_shelf / name / "model.safetensors").open("ab") as file:
        file.write(b"\0")
    assert "weights are not those" in faults(tiny_shelf, name)


def test_a_model_trained_again_needs_a_new_card(tiny_shelf, name):
    folder, config = tiny_shelf / name, checkpoint.read(tiny_shelf / name)
    model = checkpoint.load(folder)
    next(model.parameters()).add_(1.0)
    checkpoint.save(model, folder, name=name, recipe=config["recipe"], trained_on=config["trained_on"])
    found = faults(tiny_shelf, name)
    assert "has no figures" in found
    assert "README.md is not what" in found


def test_a_card_edited_by_hand_is_seen(tiny_shelf, name):
    path = tiny_shelf / name / "README.md"
    card = path.read_text()
    path.write_text(card.replace("| 1.25 |", "| 0.25 |"))
    assert "README.md is not what" in faults(tiny_shelf, name)
    path.write_text(card.replace("license: apache-2.0", "license: nonsense"))
    assert "'nonsense' is not a licence" in faults(tiny_shelf, name)
    path.write_text(card.replace("pipeline_tag: unconditional-image-generation", "pipeline_tag: wonders"))
    assert "'wonders' is not a task" in faults(tiny_shelf, name)
    path.write_text(card.replace("## Factors", "## Factor"))
    assert "'Factors' is missing" in faults(tiny_shelf, name)
    path.write_text(card.split("\n---\n")[1])
    assert "front matter is missing" in faults(tiny_shelf, name)
    path.unlink()
    assert "has no README.md" in faults(tiny_shelf, name)


def test_figures_typed_into_the_text_are_seen(tiny_shelf, name):
    path = tiny_shelf / name / "about.md"
    text = path.read_text()
    for typed in ("0.93", "93 %", "93%", "{no_such_figure}", "{Fashion FID}"):
        path.write_text(text.replace("Some words", f"It reaches {typed} here", 1))
        cards.write(name, tiny_shelf)
        assert faults(tiny_shelf, name)
    path.write_text(text.replace("Some words", "Pictures of 28x28 pixels, since 2014, x8", 1))
    cards.write(name, tiny_shelf)
    assert cards.check(name, tiny_shelf) == []


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [("low", 1.3, "outside its interval"), ("high", 1.2, "outside its interval")],
)
def test_an_interval_must_hold_its_value(tiny_shelf, name, key, value, said):
    config = checkpoint.read(tiny_shelf / name)
    config["metrics"]["fashion_fid"][key] = value
    checkpoint.write_config(tiny_shelf / name, config)
    cards.write(name, tiny_shelf)
    assert said in faults(tiny_shelf, name)


def test_a_missing_picture_or_text_is_seen(tiny_shelf, name):
    (tiny_shelf / name / "failures.png").unlink()
    assert "failures.png" in faults(tiny_shelf, name)
    path = tiny_shelf / name / "about.md"
    path.write_text(path.read_text().replace("## Limitations", "## Limits"))
    assert "lacks the sections Limitations" in faults(tiny_shelf, name)
    path.unlink()
    assert "has no about.md" in faults(tiny_shelf, name)
    assert "Models are" in " ".join(cards.check("nope", tiny_shelf))


@pytest.mark.parametrize(
    ("licence", "free"),
    [
        ("MIT", True), ("public domain", True), ("MIT (lists of somebody; others are public domain)", True),
        ("MIT and CC0-1.0", True), ("all rights reserved", False), ("MIT and nobody knows", False),
    ],
)  # fmt: skip
def test_data_is_under_a_known_licence_or_free(licence, free):
    assert lawful(licence) == free


def test_a_language_model_is_filed_where_the_hub_looks_for_it():
    for family, task in (("gpt", "text-generation"), ("bert", "fill-mask")):
        config = {"name": "x", "recipe": {"family": family, "data": "stories"}, "metrics": {}}
        data = yaml.safe_load(front_matter(config, cards.SOURCES["stories"]))
        assert (data["pipeline_tag"], data["library_name"]) == (task, "transformers")


# ---- the cards that ship


@pytest.mark.parametrize("model", RECIPES)
def test_every_recipe_has_words_for_its_card(model):
    texts = about(checkpoint.SHELF / model)
    assert set(texts) == set(TEXTS)
    for title, words in texts.items():
        assert len(words) > 40, title
        assert not cards.TYPED.search(cards.PLACEHOLDER.sub("", words)), title
    misuse = texts["Misuse and deepfakes"]
    assert "deepfake" in misuse.lower()
    assert "marks do and do not do" in misuse


def test_the_words_on_misuse_are_each_models_own():
    words = [about(checkpoint.SHELF / model)["Misuse and deepfakes"] for model in RECIPES]
    assert len(set(words)) == len(words)


@pytest.mark.parametrize("model", checkpoint.names())
def test_every_shipped_card_is_in_step_with_its_model(model):
    assert cards.check(model) == []

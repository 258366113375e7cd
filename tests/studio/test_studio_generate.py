"""Drawing: the same seed gives the same pixels however it is asked for, and every file says how it was made."""

import hashlib
import io
import json
import shutil
import threading
import zipfile

import numpy as np
import pytest
from PIL import Image

from audits.provenance import pixel_marks, read_claim, verify
from genlab.data import examples
from genlab.studio import marking, shelf
from genlab.studio.generate import MOST, generate


def forget():
    """What a restart does: no model stays loaded."""
    shelf._cache.clear()
    shelf._entries.clear()


def pixels(media: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(media)))


@pytest.mark.parametrize("model", ["vae-small", "gan-small", "gan-plain"])
def test_an_item_depends_on_its_seed_alone(model):
    many = generate(model, seed=5, count=MOST)
    forget()
    label = many.pictures[41].claim.inputs.get("label")
    alone = generate(model, seed=5 + 41, count=1, label=label)
    assert alone.pictures[0].media == many.pictures[41].media
    assert generate(model, seed=5, count=3).pictures[2].media == many.pictures[2].media
    assert many.pictures[0].media != many.pictures[10].media


def test_items_carry_their_own_claims_and_go_through_the_classes():
    made = generate("gan-small", seed=100, count=12, knobs={"truncation": 2})
    names = examples.about("fashion")["names"]
    for i, sealed in enumerate(made.pictures):
        claim = read_claim(sealed.media)
        assert claim == sealed.claim
        assert (claim.seed, claim.inputs, claim.knobs) == (100 + i, {"label": names[i % 10]}, {"truncation": 2.0})
        assert claim.weights == shelf.config_of("gan-small")["weights_sha256"]
        assert verify(sealed.media, key=marking.key()).verdict == "made here"
    assert len(set(made.names)) == 12
    assert made.names[9] == "gan-small-109-ankle-boot.png"


def test_pictures_are_enlarged_eightfold_and_the_sheet_is_not():
    made = generate("vae-small", count=11)
    sheet = pixels(made.sheet.media)
    assert sheet.shape == (2 * 28, 8 * 28)
    for i in (0, 7, 10):
        large = pixels(made.pictures[i].media)
        small = sheet[i // 8 * 28 :, i % 8 * 28 :][:28, :28]
        assert large.shape == (224, 224)
        enlarged = small.repeat(8, 0).repeat(8, 1)
        assert (large == pixel_marks.marked(enlarged, marking.key(), made.pictures[i].claim)).all()  # and no more
    assert (sheet[28:, 3 * 28 :] == 0).all()


def test_a_class_by_name_or_number_is_the_same():
    by_name, by_number = (generate("gan-small", label=label, count=2) for label in (" Bag ", "8"))
    assert [s.media for s in by_name.pictures] == [s.media for s in by_number.pictures]
    assert {s.claim.inputs["label"] for s in by_name.pictures} == {"bag"}


def test_an_offset_goes_on_where_a_request_stopped():
    whole = generate("gan-small", seed=3, count=24)
    rest = generate("gan-small", seed=3, count=4, offset=20)
    assert [s.media for s in rest.pictures] == [s.media for s in whole.pictures[20:]]


def test_the_zip_lists_every_file_with_its_hash_and_claim():
    made = generate("vae-small", count=3)
    with zipfile.ZipFile(io.BytesIO(made.archive)) as archive:
        listed = json.loads(archive.read("manifest.json"))
        assert [entry["file"] for entry in listed] == [*made.names, made.sheet_name]
        for entry in listed:
            media = archive.read(entry["file"])
            assert hashlib.sha256(media).hexdigest() == entry["sha256"]
            assert read_claim(media).as_dict() == entry["claim"]


BAD = [
    ({"seed": 1.5}, "seed must be a whole number"),
    ({"seed": -1}, "seed must be a whole number"),
    ({"seed": None}, "seed must be a whole number"),
    ({"seed": float("nan")}, "seed must be a whole number"),
    ({"seed": float("inf")}, "seed must be a whole number"),
    ({"seed": 1e308}, "seed must be a whole number"),
    ({"seed": 10**400}, "seed must be a whole number"),
    ({"seed": "abc"}, "seed must be a whole number"),
    ({"seed": True}, "seed must be a whole number"),
    ({"seed": 2**63 - 1}, "too large"),
    ({"count": 0}, "count must be a whole number from 1 to 64"),
    ({"count": -5}, "count must be a whole number"),
    ({"count": 10_000}, "count must be a whole number"),
    ({"count": 4.7}, "count must be a whole number"),
    ({"count": float("nan")}, "count must be a whole number"),
    ({"count": None}, "count must be a whole number"),
    ({"count": "16"}, "count must be a whole number"),
    ({"label": "hat"}, "Classes of gan-small are t-shirt"),
    ({"label": "10"}, "Classes of gan-small are"),
    ({"label": "-1"}, "Classes of gan-small are"),
    ({"label": ["bag"]}, "Classes of gan-small are"),
    ({"label": "<script>alert(1)</script>"}, "Classes of gan-small are"),
    ({"knobs": {"heat": 1}}, "Knobs of this model are truncation"),
    ({"knobs": {"truncation": 99}}, "truncation is a number from 0.2 to 4"),
    ({"knobs": {"truncation": float("nan")}}, "truncation is a number"),
    ({"knobs": {"truncation": None}}, "truncation is a number"),
    ({"knobs": [1]}, "Knobs are names with values"),
    ({"knobs": "{}"}, "Knobs are names with values"),
]


@pytest.mark.parametrize(("given", "sentence"), BAD, ids=str)
def test_bad_input_is_one_sentence(given, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        generate("gan-small", **given)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("model", ["", "gan", "GAN-SMALL", "../gan-small", "gan-small/", None, 3, "x" * 5000, "a\nb\0"])
def test_an_unknown_model_is_one_sentence(model):
    with pytest.raises(ValueError, match="Models are ae-fashion-flat") as caught:
        generate(model)
    assert len(str(caught.value)) < 250


def test_a_model_that_cannot_generate_says_who_can():
    with pytest.raises(ValueError, match="judge-small cannot generate; models that can are gan-plain, gan-small"):
        generate("judge-small")


def test_a_label_for_a_model_without_classes():
    with pytest.raises(ValueError, match="gan-plain has no classes"):
        generate("gan-plain", label="bag")


def test_weights_that_are_not_those_of_the_config(small_shelf, tmp_path, monkeypatch):
    shutil.copytree(small_shelf, tmp_path / "shelf")
    monkeypatch.setenv("GENLAB_SHELF", str(tmp_path / "shelf"))
    weights = tmp_path / "shelf" / "gan-small" / "model.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(raw)
    with pytest.raises(RuntimeError, match="gan-small: the weights are not those of"):
        generate("gan-small")
    assert generate("vae-small", count=1).pictures
    assert "gan-small" not in [e.name for e in shelf.with_capability("generate")]


def test_a_folder_that_changes_is_loaded_again(small_shelf, tmp_path, monkeypatch):
    shutil.copytree(small_shelf, tmp_path / "shelf")
    monkeypatch.setenv("GENLAB_SHELF", str(tmp_path / "shelf"))
    before = generate("gan-small", count=1)
    from genlab import checkpoint

    folder = tmp_path / "shelf" / "gan-small"
    model, config = checkpoint.load(folder), checkpoint.read(folder)
    model.generator.leave.bias.add_(0.5)
    checkpoint.save(model, folder, name="gan-small", recipe=config["recipe"], trained_on=config["trained_on"])
    after = generate("gan-small", count=1)
    assert before.pictures[0].claim.weights != after.pictures[0].claim.weights
    assert before.pictures[0].media != after.pictures[0].media


def test_many_threads_load_a_model_once(monkeypatch):
    forget()
    loads, first = [], shelf._load
    monkeypatch.setattr(shelf, "_load", lambda path: (loads.append(path), first(path))[1])
    found = []
    threads = [threading.Thread(target=lambda: found.append(shelf.model("vae-small"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1
    assert len({id(model) for model in found}) == 1


def test_the_cache_is_bounded(monkeypatch):
    monkeypatch.setattr(shelf, "KEPT", 3)
    forget()
    for name in shelf.names():
        shelf.model(name)
    assert len(shelf._cache) == shelf.KEPT < len(shelf.names())


def test_class_names_need_no_items(monkeypatch):
    monkeypatch.setattr(examples, "load", lambda name: pytest.fail("items were loaded"))
    forget()
    assert shelf.entry("gan-small").classes[9] == "ankle boot"
    assert examples.class_names("nothing-known", 3) == ("0", "1", "2")

"""The pictures of a card show what was drawn, with nothing left out, and what went wrong."""

import io
import shutil

import numpy as np
import pytest
from PIL import Image

from audits.provenance import read_claim
from genlab import card_pictures, checkpoint


@pytest.fixture
def shelf(tiny_shelf, monkeypatch):
    shutil.copytree(tiny_shelf / "judge-tiny", tiny_shelf / "judge-fashion")
    config = checkpoint.read(tiny_shelf / "judge-fashion")
    checkpoint.write_config(tiny_shelf / "judge-fashion", {**config, "name": "judge-fashion"})
    monkeypatch.setattr(card_pictures, "TRIED", 60)
    return tiny_shelf


@pytest.mark.parametrize("name", ["gan-tiny", "vae-tiny", "judge-tiny", "ae-tiny"])
def test_both_pictures_are_drawn_with_a_claim(shelf, name):
    for picture in ("samples.png", "failures.png"):
        (shelf / name / picture).unlink()
    for path in card_pictures.write_pictures(name):
        claim = read_claim(path.read_bytes())
        assert (claim.model, claim.action, claim.inputs) == (name, "card", {"file": path.name})
        assert claim.weights == checkpoint.read(shelf / name)["weights_sha256"]
        with Image.open(path) as image:
            assert image.width >= 400
            assert np.asarray(image).max() > 0
    with Image.open(shelf / name / "samples.png") as image:
        assert image.height == (20 if name == "ae-tiny" else 10) * (28 * 3 + 20)  # a row a class, and what comes back


def test_the_contact_sheet_is_the_same_every_time(shelf):
    first = [path.read_bytes() for path in card_pictures.write_pictures("gan-tiny")]
    assert first == [path.read_bytes() for path in card_pictures.write_pictures("gan-tiny")]


def test_the_surest_mistake_comes_first():
    items = np.zeros((4, 1, 28, 28), np.uint8)
    items[:] = np.array([10, 60, 120, 240], np.uint8)[:, None, None, None]
    read = {"right": [0.9, 0.1], "unsure": [0.4, 0.6], "sure": [0.01, 0.99], "other": [0.2, 0.8]}
    sheet = card_pictures.surest_mistakes(
        items, np.array([0, 0, 0, 0]), lambda given: np.array(list(read.values())), ("boot", "bag")
    )
    with Image.open(io.BytesIO(sheet)) as image:
        pixels = np.asarray(image)
    cell = 28 * 3 * 2 + 4
    shown = [int(pixels[40, i * cell + cell // 2]) for i in range(4)]
    assert shown == [120, 240, 60, 0]


def test_no_mistake_at_all_is_an_empty_sheet():
    sheet = card_pictures.sheet_of(np.zeros((0, 1, 28, 28), np.uint8), [])
    assert Image.open(io.BytesIO(sheet)).height > 0

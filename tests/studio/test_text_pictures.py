"""Pages of text on a card: whole lines inside the page, every text on it, and the claim of the model."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image
from test_evaluate_text import CONTROLS, made, names, verses

from genlab.studio import evaluate_items, evaluate_text, text_pictures
from genlab.studio.shelf import Entry

KNOWN = Entry("x", "ab", "gpt", "verse", (32,), ("write",), (), (), 0)


def opened(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def test_lines_are_wrapped_inside_the_width_and_nothing_is_lost():
    font = text_pictures.letters(14)
    text = "the owl and the pussycat went to sea\n\n" + "x" * 300 + " in a boat"
    lines = text_pictures.wrapped(text, font, 200)
    assert all(font.getlength(line) <= 200 for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace("\n", "").replace(" ", "")
    assert "" in lines  # the empty line stays


@pytest.mark.parametrize("columns", [1, 2])
def test_a_page_is_wide_enough_to_read_and_as_long_as_its_texts(columns):
    few, many = (opened(text_pictures.page([("seed 0", "went to sea " * 20)] * n, columns=columns)) for n in (2, 8))
    assert few.shape[1] == many.shape[1] == 900
    assert many.shape[0] > 2 * few.shape[0]
    assert few.min() < 80
    assert few[:, -10:].min() == 255  # nothing is cut off at the side


@pytest.mark.parametrize("kind", ["texts", "names", "gaps"])
def test_both_pictures_of_every_kind_are_drawn(monkeypatch, kind):
    corpora, known = (names, dataclasses.replace(KNOWN, groups=tuple(CONTROLS.items()))) if kind == "names" else (
        verses, dataclasses.replace(KNOWN, capabilities=("fill",) if kind == "gaps" else ("write",))
    )  # fmt: skip
    arguments = {
        "texts": {"vocabulary": 300, "context": 32},
        "names": {"vocabulary": 40, "units": "characters", "context": 16, "controls": CONTROLS},
        "gaps": {"vocabulary": 120, "context": 16},
    }[kind]
    model = made("bert" if kind == "gaps" else "gpt", arguments, corpora("train"))
    for place in (text_pictures, evaluate_text, evaluate_items):
        monkeypatch.setattr(place, "load", lambda name, split="train": corpora(split))
    monkeypatch.setattr(text_pictures.shelf, "model", lambda name: model)
    monkeypatch.setattr(text_pictures, "TRIED", 8)
    monkeypatch.setattr(text_pictures, "LENGTH", 20)
    monkeypatch.setattr(text_pictures, "NAMES_TRIED", 32)
    found = text_pictures.sheets(known)
    assert set(found) == {"samples.png", "failures.png"}
    for png in found.values():
        assert opened(png).shape[1] == 900
        assert (opened(png) < 80).mean() > 0.002

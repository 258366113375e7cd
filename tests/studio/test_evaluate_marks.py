"""Figures of marks against what is known of them, on a tiny writer and on a sampler that gives its noise back."""

import numpy as np
import pytest
import torch
from test_evaluate_text import made, verses

from audits.watermark.text import Tournament
from genlab.studio import evaluate_marks
from genlab.studio.evaluate_marks import key, noise_mark_figures, text_mark_figures, texts_with_nats


@pytest.fixture(scope="module")
def writer():
    return made("gpt", {"vocabulary": 300, "context": 32}, verses("train"))


@pytest.fixture(autouse=True)
def little(monkeypatch):
    monkeypatch.setattr(evaluate_marks, "load", lambda name, split="train": verses(split))
    monkeypatch.setattr(evaluate_marks, "TEXTS", 20)
    monkeypatch.setattr(evaluate_marks, "LENGTH", 64)


def figures(part) -> dict[str, dict]:
    found = {name: figure for name, figure in part if figure is not None}
    for figure in found.values():
        assert set(figure) == {"value", "low", "high", "n", "floor", "unit"}
        assert figure["low"] <= figure["value"] <= figure["high"]
    return found


def test_marks_of_a_writer_that_could_say_anything_are_found_and_cost_nothing_that_shows(writer):
    """Over 300 tokens the tiny network is nearly even: eight bits a token, where every marked text is found."""
    found = figures(text_mark_figures(writer, "verse", quick=False))
    assert (found["mark_found"]["value"], found["mark_found"]["n"]) == (1, 20)
    assert found["mark_cost"]["low"] < 0 < found["mark_cost"]["high"]
    assert abs(found["mark_cost"]["value"]) < 0.1
    assert found["mark_false_alarms"]["n"] % evaluate_marks.KEYS == 0
    assert found["mark_false_alarms"]["value"] < 0.2


def test_a_quick_measurement_draws_fewer_and_shorter_texts(writer):
    found = figures(text_mark_figures(writer, "verse", quick=True))
    assert found["mark_found"]["n"] == evaluate_marks.AT_ONCE
    assert "16 tokens" in found["mark_found"]["unit"]


def test_every_text_has_a_key_of_its_own_and_unmarked_ones_have_none(writer):
    marks = [Tournament(key(i), writer.vocabulary) for i in range(18)]
    texts, nats = texts_with_nats(writer, 18, 24, marks)
    plain, _ = texts_with_nats(writer, 18, 24, None)
    assert np.array(texts).shape == np.array(plain).shape == (18, 24)
    assert all(one != other for one, other in zip(texts, plain, strict=True))
    again, _ = texts_with_nats(writer, 18, 24, [marks[0], *marks[:17]])
    assert again[0] == texts[0]
    assert again[5] != texts[5]
    given = torch.tensor([[0, *texts[3][:-1]]])
    chances = writer.log_chances(given)[0].double()
    assert nats[3] == pytest.approx(-sum(float(chances[i, t]) for i, t in enumerate(texts[3])), rel=1e-4)


class Keeps:
    """A model whose pictures are its noise, and which gives it back with some of the signs lost."""

    shape, classes = (1, 20, 20), 0

    def __init__(self, lost: float):
        self.lost = lost

    def parameters(self):
        return iter([torch.zeros(1)])

    def default_knobs(self):
        return None

    def sample(self, seeds, labels, knobs):
        return seeds.randn(400).sigmoid().reshape(-1, *self.shape)

    def retrace(self, images):
        z = torch.logit(images.clamp(0.001, 0.999)).flatten(1)
        return torch.where(torch.arange(400) < self.lost * 400, -z, z)


@pytest.mark.parametrize(("lost", "share"), [(0, 1), (0.2, 1), (0.5, 0)])
def test_signs_are_found_while_most_of_them_live(lost, share):
    found = figures(noise_mark_figures(Keeps(lost), quick=True))["noise_mark_found"]
    assert (found["value"], found["n"]) == (share, 40)

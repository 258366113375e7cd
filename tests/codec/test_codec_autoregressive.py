"""Coding with an exact likelihood: bit for bit, as long as the likelihood says, the same for any batch and threads."""

import math

import numpy as np
import pytest
import torch

from genlab.codec import archive, lossless
from genlab.codec.autoregressive import LANE, Coder, usable
from genlab.codec.lossless import Learned
from genlab.codec.stacks import PayloadError
from genlab.models import build


@pytest.fixture(scope="module")
def model():
    """Untrained, with chances that depend on what came before."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = build("pixelcnn", {"shape": (1, 6, 6), "width": 16, "depth": 1, "reach": 2})
        for parameter in made.parameters():
            parameter.data.add_(0.2 * torch.randn_like(parameter))
    return made.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def coder(model):
    return Coder(model)


def pictures(n, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, 1, 6, 6), dtype=np.uint8)


@pytest.mark.parametrize("n", [1, 2, 7, 64, LANE + 3])
def test_pictures_come_back_bit_for_bit(coder, n):
    items = pictures(n)
    back = coder.decode(coder.encode(items), n)
    assert back.dtype == np.uint8
    assert np.array_equal(back, items)


def test_the_length_is_that_of_the_likelihood(model, coder):
    items = pictures(64)
    bits = -float(model.log_prob(torch.from_numpy(items).float() / 255).sum()) / math.log(2)
    assert 8 * len(coder.encode(items)) == pytest.approx(bits, rel=0.004, abs=64)
    one = coder.costs(items[0])
    assert one.shape == (6, 6)
    alone = -float(model.log_prob(torch.from_numpy(items[:1]).float() / 255)) / math.log(2)
    assert one.sum() == pytest.approx(alone, rel=0.004)


def test_threads_do_not_matter(coder):
    items, threads, found = pictures(9), torch.get_num_threads(), []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            found.append(coder.encode(items))
    finally:
        torch.set_num_threads(threads)
    assert found[0] == found[1]
    assert np.array_equal(coder.decode(found[0], 9), items)


def test_levels_that_the_model_thinks_impossible_come_back(model):
    sure = Coder(model)
    with torch.no_grad():
        sure.model.answer.weight.zero_()
        sure.model.answer.bias.fill_(-60.0)
        sure.model.answer.bias[0] = 60.0
    items = pictures(3)
    assert np.array_equal(sure.decode(sure.encode(items), 3), items)


HARMS = {"a word less": lambda raw: raw[:-4], "a word alone": lambda raw: raw[:4], "a byte less": lambda raw: raw[:-1]}


@pytest.mark.parametrize("harm", [*HARMS, "more at its end"])
def test_cut_or_longer_payloads_do_not_pass(coder, harm):
    items = pictures(5)
    raw = HARMS.get(harm, lambda whole: whole + b"more" * 4)(coder.encode(items))
    try:
        back = coder.decode(raw, 5)
    except PayloadError:
        return
    assert not np.array_equal(back, items)


def test_hours_of_work_are_refused(coder):
    with pytest.raises(PayloadError):
        coder.decode(bytes(8), 10**6)


def test_archives_name_the_model_and_prefer_it_where_it_is_shorter(model):
    with torch.no_grad():
        certain = build("pixelcnn", {"shape": (1, 6, 6), "width": 16, "depth": 1, "reach": 2}).eval()
        certain.answer.bias[40:44] = 20.0
    learned = Learned("pixelcnn-little", "cd" * 32, certain)
    items = [np.random.default_rng(i).integers(40, 44, (6, 6, 1), dtype=np.uint8) for i in range(40)]
    raw = archive.encode([f"{i}" for i in range(40)], items, models=[learned])
    assert archive.read(raw).streams[0].kind == "autoregressive"
    decoded = archive.decode(raw, lambda name: learned)
    assert all(np.array_equal(a, b) for a, b in zip(decoded.items, items, strict=True))
    assert decoded.coders[0] == "pixelcnn-little, value by value"
    assert lossless.kind_of(certain) == "autoregressive"


def test_only_levels_can_be_coded(model):
    assert usable(model)
    other = build("pixelcnn", {"shape": (1, 6, 6), "width": 16, "depth": 1, "output": "logistics", "memory": False})
    assert not usable(other)
    assert not usable(build("gan", {"shape": (1, 8, 8), "latent": 4, "width": 4}))
    with pytest.raises(ValueError, match="autoregressive"):
        Coder(other)

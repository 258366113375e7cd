"""Quality figures of torch tensors: on any device they are those of arrays, and arrays on the CPU never come here."""

import numpy as np
import pytest
import torch

from audits.quality import FeatureError, frechet_distance, prdc, tensors


def sets(width=24, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(700, width)) + 50, 1.2 * rng.normal(size=(600, width)) + 50.1


@pytest.mark.parametrize("dead", [0, 5])
def test_the_frechet_distance_is_that_of_arrays(dead):
    real, fake = sets()
    fake[:, :dead] = 7.0  # constant features: a covariance without an inverse
    found = tensors.frechet_distance(*map(torch.from_numpy, (real, fake)))
    assert found == pytest.approx(frechet_distance(real, fake), rel=1e-9)


def test_a_covariance_without_an_inverse_takes_the_slower_way():
    real, fake = sets()
    fake[:, 1] = fake[:, 0]
    found = tensors.frechet_distance(*map(torch.from_numpy, (fake, real)))
    assert found == pytest.approx(frechet_distance(fake, real), rel=1e-7)


def test_equal_sets_are_at_distance_zero():
    real = torch.from_numpy(sets()[0])
    assert tensors.frechet_distance(real, real) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("block", [64, 2048])
def test_neighbours_are_those_of_arrays(block, monkeypatch):
    monkeypatch.setattr(tensors, "BLOCK", block)
    real, fake = sets()
    fake[:50] = real[:50]  # distances of nothing but rounding
    assert tensors.prdc(*map(torch.from_numpy, (real, fake)), k=3) == pytest.approx(vars(prdc(real, fake, k=3)))


def test_only_tensors_on_a_device_are_taken_there():
    real = torch.from_numpy(sets()[0])
    assert not tensors.on_device(real, real)
    assert not tensors.on_device(real.numpy(), real)
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (torch.zeros(5), "must have shape"),
        (torch.zeros(1, 3), "at least 2"),
        (torch.full((5, 3), float("nan")), "NaN"),
    ],
)
def test_bad_tensors_are_named(given, words):
    with pytest.raises(FeatureError, match=words):
        tensors.as_tensor(given, "real")

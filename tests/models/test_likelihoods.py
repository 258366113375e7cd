"""Likelihoods of pixels: they sum to one, however extreme the parameters."""

import math

import pytest
import torch

from genlab.models.likelihoods import LIKELIHOODS, discretised_logistic, log_likelihood, mean_picture


def every_value(parameters):
    """Log-probability of each of the 256 grey values under parameters of one pixel, float64 sum."""
    x = (torch.arange(256) / 255).view(256, 1, 1, 1)
    return discretised_logistic(x, parameters.expand(256, -1, 1, 1)).flatten().double()


@pytest.mark.parametrize("log_scale", [-50.0, -7.0, -4.0, -2.0, 0.0, 3.0, 50.0])
@pytest.mark.parametrize("mean", [-30.0, -3.0, -1.0, -0.4983, 0.0, 0.999, 1.0, 3.0, 30.0])
def test_a_discretised_logistic_sums_to_one(mean, log_scale):
    logs = every_value(torch.tensor([0.0, mean, log_scale]).view(1, 3, 1, 1))
    assert bool(torch.isfinite(logs).all())
    assert float(logs.exp().sum()) == pytest.approx(1, abs=2e-4)


def test_a_mixture_of_them_sums_to_one():
    stream = torch.Generator().manual_seed(0)
    for _ in range(20):
        weights, means, scales = (s * torch.randn(4, generator=stream) for s in (5.0, 1.0, 3.0))
        logs = every_value(torch.cat([weights, means, scales]).view(1, 12, 1, 1))
        assert float(logs.exp().sum()) == pytest.approx(1, abs=1e-4)


def test_its_mean_is_the_mean_of_its_values():
    parameters = torch.tensor([0.3, -0.2, -0.3, 0.4, -3.0, -2.5]).view(1, 6, 1, 1)
    probabilities = every_value(parameters).exp()
    expected = float((probabilities * torch.arange(256) / 255).sum())
    assert float(mean_picture("logistic", parameters)) == pytest.approx(expected, abs=2e-3)


def test_far_tails_have_gradients():
    parameters = torch.tensor([0.0, 0.9, -7.0]).view(1, 3, 1, 1).requires_grad_()
    discretised_logistic(torch.zeros(1, 1, 1, 1), parameters).sum().backward()
    assert bool(torch.isfinite(parameters.grad).all())
    assert float(parameters.grad[0, 1, 0, 0]) < 0  # a lower mean would make black likelier


def test_a_bernoulli_sums_to_one_over_black_and_white():
    parameters = torch.randn(1, 1, 1, 3, generator=torch.Generator().manual_seed(1))
    total = 0.0
    for bits in range(8):
        x = torch.tensor([(bits >> i) & 1 for i in range(3)]).float().view(1, 1, 1, 3)
        total += float(log_likelihood("bernoulli", x, parameters, log_deviation=torch.zeros(())).exp())
    assert total == pytest.approx(1, abs=1e-6)


def test_a_gaussian_is_the_density_of_its_mean_and_deviation():
    parameters, x = torch.randn(5, 1, 2, 2), torch.rand(5, 1, 2, 2)
    law = torch.distributions.Normal(torch.sigmoid(parameters), math.exp(-1.5))
    found = log_likelihood("gaussian", x, parameters, log_deviation=torch.tensor(-1.5))
    assert torch.allclose(found, law.log_prob(x).flatten(1).sum(1), atol=1e-4)


def test_a_laplace_is_the_density_of_its_mean_and_scale():
    parameters, x = torch.randn(5, 1, 2, 2), torch.rand(5, 1, 2, 2)
    law = torch.distributions.Laplace(parameters + 0.5, math.exp(-1.5))
    found = log_likelihood("laplace", x, parameters, log_deviation=torch.tensor(-1.5))
    assert torch.allclose(found, law.log_prob(x).flatten(1).sum(1), atol=1e-4)


def test_there_is_no_other_one():
    assert LIKELIHOODS == ("gaussian", "laplace", "bernoulli", "logistic", "normal")

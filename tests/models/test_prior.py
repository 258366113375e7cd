"""Priors on codes recover laws that are known."""

import pytest
import torch

from genlab.models.contract import Batch
from genlab.models.prior import Flow, Mixture

FACTOR = torch.tensor([[1.0, 0.0], [1.2, 0.5]])


def test_a_flow_learns_a_correlated_gaussian():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        flow = Flow(latent=2, classes=0, width=64, depth=2)
        codes = torch.randn(4096, 2) @ FACTOR.T + torch.tensor([3.0, -1.0])
        flow.standardise(codes, torch.zeros_like(codes))
        step, labels = flow.trainer(3e-3), torch.zeros(512).long()
        for t in range(500):
            rows = codes[torch.randint(4096, (512,))]
            step(Batch(torch.cat([rows, torch.zeros_like(rows)], 1), labels), t / 500)
        drawn = flow.eval().carry(torch.randn(4000, 2), None)
    assert torch.allclose(drawn.mean(0), codes.mean(0), atol=0.12)
    assert torch.allclose(drawn.T.cov(), codes.T.cov(), atol=0.2)


def test_a_flow_keeps_its_classes_apart():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        flow = Flow(latent=2, classes=2, width=64, depth=2)
        labels = torch.arange(2048) % 2
        codes = 0.2 * torch.randn(2048, 2) + torch.where(labels == 0, -2.0, 2.0)[:, None]
        flow.standardise(codes, torch.zeros_like(codes))
        step = flow.trainer(3e-3)
        for t in range(300):
            rows = torch.randint(2048, (256,))
            step(Batch(torch.cat([codes[rows], torch.zeros(256, 2)], 1), labels[rows]), t / 300)
        flow.eval()
        asked = torch.arange(200) % 2
        noise = torch.randn(200, 2)
        for guidance in (1.0, 2.0):
            drawn = flow.carry(noise, asked, guidance=guidance)
            right = (drawn.mean(1) > 0).long() == asked
            assert float(right.float().mean()) > 0.97


def test_an_untrained_flow_does_not_hide_behind_its_scale():
    flow = Flow(latent=2, classes=0, width=16, depth=1)
    flow.standardise(torch.tensor([[0.0, 10.0], [2.0, 14.0]]), torch.ones(2, 2))
    assert torch.allclose(flow.centre, torch.tensor([1.0, 12.0]))
    assert torch.allclose(flow.scale, torch.tensor([3.0, 9.0]).sqrt())


@pytest.mark.parametrize("classes", [0, 2])
def test_draws_of_a_mixture_have_the_mean_and_covariance_of_the_codes(classes):
    stream = torch.Generator().manual_seed(0)
    labels = torch.arange(3000) % 2
    codes = torch.randn(3000, 2, generator=stream) @ FACTOR.T + torch.where(labels == 0, -3.0, 4.0)[:, None]
    mixture = Mixture(latent=2, classes=classes, components=3)
    mixture.fit(codes, labels)
    noise, choice = torch.randn(6000, 2, generator=stream), torch.rand(6000, generator=stream)
    for c in range(max(classes, 1)):
        drawn = mixture.draw(noise, choice, torch.full((6000,), c) if classes else None)
        expected = codes[labels == c] if classes else codes
        assert torch.allclose(drawn.mean(0), expected.mean(0), atol=0.2)
        assert torch.allclose(drawn.T.cov(), expected.T.cov(), rtol=0.1, atol=0.1)


def test_the_choice_number_picks_components_by_their_weights():
    mixture = Mixture(latent=1, classes=0, components=3)
    mixture.weights[0] = torch.tensor([0.2, 0.5, 0.3])
    mixture.means[0, :, 0] = torch.tensor([10.0, 20.0, 30.0])
    choice = torch.tensor([0.0, 0.19, 0.21, 0.69, 0.71, 0.9999999])
    drawn = mixture.draw(torch.zeros(6, 1), choice, None)[:, 0]
    assert drawn.tolist() == [10, 10, 20, 20, 30, 30]

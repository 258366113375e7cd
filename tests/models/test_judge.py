"""The judge of several attributes: its labels, its heads, and what it does not know."""

import pytest
import torch

from genlab.models import build
from genlab.models.contract import Batch
from genlab.models.judge import disjoint, joint, soften

SIZES = {"tone": 5, "glasses": 2, "hair": 3}


def test_a_joint_label_is_read_back_and_every_product_has_its_own():
    grid = torch.cartesian_prod(*(torch.arange(size) for size in SIZES.values()))
    attributes = {name: grid[:, i] for i, name in enumerate(SIZES)}
    places = joint(attributes, SIZES)
    assert sorted(places.tolist()) == list(range(30))
    assert all(torch.equal(found, attributes[name]) for name, found in disjoint(places, SIZES).items())
    assert int(joint({"tone": torch.tensor([1]), "glasses": torch.tensor([1]), "hair": torch.tensor([2])}, SIZES)) == 11


def test_each_head_learns_its_own_attribute():
    """Two attributes that vary apart: brightness of the left half and of the right half."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        judge = build("judge", {"shape": (3, 8, 8), "attributes": {"top": 2, "bottom": 3}, "width": 8, "feature": 16})
        top, bottom = torch.arange(48) % 2, torch.arange(48) % 3
        items = torch.cat(
            [top.view(-1, 1, 1, 1).expand(48, 3, 4, 8), bottom.view(-1, 1, 1, 1).expand(48, 3, 4, 8) / 2], 2
        )
        labels = joint({"top": top, "bottom": bottom}, judge.attributes)
        step = judge.train().trainer(1e-2)
        for t in range(120):
            step(Batch(items, labels), t / 120)
    found = judge.eval().attribute_logits(items)
    assert found["top"].shape == (48, 2)
    assert found["bottom"].shape == (48, 3)
    assert torch.equal(found["top"].argmax(1), top)
    assert torch.equal(found["bottom"].argmax(1), bottom)


def test_the_limit_is_the_quantile_it_says_and_noise_lies_beyond():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        judge = build("judge", {"shape": (1, 8, 8), "attributes": {"a": 2, "b": 2}, "width": 8, "feature": 16}).eval()
        flat = torch.rand(400, 1, 1, 1).expand(400, 1, 8, 8) + 0.02 * torch.randn(400, 1, 8, 8)
        noise = torch.rand(50, 1, 8, 8)
    assert bool((judge.strangeness(noise) < judge.limit).all())  # before anything is learnt, all is known
    judge.learn_limit(flat[:200], flat[200:], known=0.9)
    assert float((judge.strangeness(flat[200:]) <= judge.limit).float().mean()) == pytest.approx(0.9)
    assert float((judge.strangeness(noise) > judge.limit).float().mean()) > 0.9


def test_softened_items_stay_in_range_and_keep_their_mean():
    with torch.random.fork_rng():
        torch.manual_seed(2)
        items = torch.rand(64, 3, 16, 16)
        soft = soften(items)
    assert 0 <= float(soft.min()) <= float(soft.max()) <= 1
    assert torch.allclose(soft.mean((1, 2, 3)), items.mean((1, 2, 3)), atol=0.02)
    unchanged = (soft == items).flatten(1).all(1).float().mean()
    assert 0.1 < float(unchanged) < 0.45


def test_one_pass_says_the_same_as_three_and_slopes_lead_back_to_the_pixels():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        judge = build("judge", {"shape": (1, 8, 8), "attributes": {"a": 2, "b": 3}, "width": 8, "feature": 16}).eval()
        images = torch.rand(5, 1, 8, 8)
        judge.learn_limit(torch.rand(64, 1, 8, 8), torch.rand(64, 1, 8, 8))
    opinion, apart = judge.opinion(images), judge.attribute_logits(images)
    assert all(torch.equal(opinion.logits[name], apart[name]) for name in ("a", "b"))
    assert torch.equal(opinion.features, judge.features(images))
    assert torch.equal(opinion.strangeness, judge.strangeness(images))
    assert not opinion.features.requires_grad
    pixels = images.clone().requires_grad_()
    found = judge.attribute_slopes(pixels)
    assert torch.allclose(found["b"], apart["b"], atol=1e-5)
    slope = torch.autograd.grad(found["b"][:, 1].sum(), pixels)[0]
    nudged = judge.attribute_logits(images + 1e-3 * slope.sign())["b"][:, 1]
    assert bool((nudged > apart["b"][:, 1]).all())

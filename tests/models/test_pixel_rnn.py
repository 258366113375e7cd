"""The row LSTM: chances that sum to one, no look ahead, and drawing that keeps what it has says what training says."""

import itertools

import pytest
import torch

from genlab.models import build
from genlab.models.pixel import in_order
from genlab.models.pixel_rnn import Walk, cell
from genlab.seeds import Seeds


def small(**changed):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build("pixelrnn", {"shape": (1, 4, 5), "width": 6, "layers": 2, "reach": 2} | changed)
        for parameter in model.parameters():
            parameter.data.add_(0.2 * torch.randn_like(parameter))
    return model.eval().requires_grad_(False)


def test_the_probabilities_of_all_pictures_sum_to_one():
    model = small(shape=(1, 1, 2), layers=1)
    every = torch.tensor(list(itertools.product(range(256), repeat=2))).view(-1, 1, 1, 2) / 255
    assert float(model.log_prob(every).double().exp().sum()) == pytest.approx(1, abs=1e-4)


def test_no_value_depends_on_itself_or_on_later_ones():
    model = small()
    image = torch.rand(1, 1, 4, 5, generator=torch.Generator().manual_seed(1))
    label = torch.tensor([0])
    before = model.logits(image, label).flatten(2)
    for place in range(model.count):
        changed = image.clone().flatten()
        changed[place] = (changed[place] + 0.4) % 1
        moved = (model.logits(changed.view_as(image), label).flatten(2) - before).abs().amax(1)[0]
        assert float(moved[: place + 1].max()) == 0
        assert place + 1 == model.count or float(moved[place + 1 :].max()) > 0


def test_a_place_sees_a_triangle_above_it():
    model = small(shape=(1, 4, 9), reach=1, layers=1)
    image = torch.full((1, 1, 4, 9), 0.5, requires_grad=True)
    model.logits(image, torch.tensor([0]))[0, 7, 3, 4].backward()
    touched = image.grad[0, 0] != 0
    wanted = torch.zeros(4, 9, dtype=torch.bool)  # the memory's triangle, a place wider by the first convolutions
    for row, (first, last) in enumerate([(0, 7), (0, 6), (1, 5), (2, 3)]):
        wanted[row, first : last + 1] = True
    assert torch.equal(touched, wanted)


def test_keeping_what_was_seen_changes_nothing():
    model = small(classes=2)
    images = torch.randint(0, 256, (3, 1, 4, 5), generator=torch.Generator().manual_seed(2)) / 255
    labels = torch.tensor([0, 1, 2])
    whole, walk = model.logits(images, labels).flatten(2), Walk(model, labels)
    for place in range(model.count):
        assert torch.allclose(walk.logits(place), whole[:, :, place], atol=1e-4)
        walk.put(place, in_order(images)[:, place])
    assert torch.equal(walk.flat, in_order(images))


def test_the_cell_is_that_of_pytorch():
    gates, memory = torch.randn(3, 4 * 5, 1), torch.randn(3, 5, 1)
    other = torch.nn.LSTMCell(20, 5)
    with torch.no_grad():
        for p in other.parameters():
            p.zero_()
        keep, write, show, new = torch.eye(20).split(5)
        other.weight_ih.copy_(torch.cat([write, keep, new, show]))  # its order of gates
        state, after = other(gates[..., 0], (torch.zeros(3, 5), memory[..., 0]))
    mine = cell(gates, memory)
    assert torch.allclose(mine[0][..., 0], state, atol=1e-6)
    assert torch.allclose(mine[1][..., 0], after, atol=1e-6)


def test_what_appears_is_what_is_drawn():
    model = small(classes=2)
    steps = list(model.trace(Seeds([3, 4]), torch.tensor([0, 1]), every=5))
    assert len(steps) == 4
    assert torch.equal(steps[-1], model.sample(Seeds([3, 4]), torch.tensor([0, 1])))


def test_colours_are_refused():
    with pytest.raises(ValueError, match="one channel"):
        build("pixelrnn", {"shape": (3, 4, 4)})

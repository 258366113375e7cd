"""The autoregressive model against what must hold of any: chances that sum to one, no look ahead, exact drawing."""

import itertools
import math

import pytest
import torch

from genlab.models import build
from genlab.models.exact import to_grid
from genlab.models.pixel import counts_at, counts_before, in_order, in_reading_order
from genlab.models.pixel_reader import FINE, Reader, drawn, frequencies_of, on_grid, table
from genlab.seeds import Seeds

SMALL = {"shape": (1, 4, 4), "width": 16, "depth": 2, "reach": 3, "places": 8}


def small(**changed):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build("pixelcnn", SMALL | changed)
        for parameter in model.parameters():
            parameter.data.add_(0.2 * torch.randn_like(parameter))
    return model.eval().requires_grad_(False)


def random_pictures(model, n, levels=256, seed=0):
    stream = torch.Generator().manual_seed(seed)
    return torch.randint(0, levels, (n, *model.shape), generator=stream).float() / 255


def all_logits(model, images):
    """(n, count, 256), a place at a time, as drawing sees them."""
    flat = in_order(images)
    reader, found = Reader(model, flat, torch.full((len(flat),), model.classes)), []
    for place in range(model.count):
        found.append(reader.frequencies(place))
        reader.saw(place)
    return torch.stack(found, 1)


@pytest.mark.parametrize("changed", [{}, {"memory": False}, {"output": "logistics", "memory": False, "mixtures": 3}])
def test_the_probabilities_of_all_pictures_sum_to_one(changed):
    model = small(shape=(1, 1, 2), **changed)
    every = torch.tensor(list(itertools.product(range(256), repeat=2))).view(-1, 1, 1, 2) / 255
    assert float(model.log_prob(every).double().exp().sum()) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 3, 2)])
def test_no_value_depends_on_itself_or_on_later_ones(shape):
    model = small(shape=shape)
    images = random_pictures(model, 1)
    before = all_logits(model, images)[0]
    flat = in_order(images)
    for place in range(model.count):
        changed = flat.clone()
        changed[0, place] = (changed[0, place] + 97) % 256
        after = all_logits(model, changed.view(1, *shape[1:], shape[0]).permute(0, 3, 1, 2) / 255)[0]
        assert torch.equal(after[: place + 1], before[: place + 1])
        assert place + 1 == model.count or not torch.equal(after[place + 1], before[place + 1])


@pytest.mark.parametrize("changed", [{}, {"memory": False}, {"output": "logistics", "memory": False, "mixtures": 3}])
def test_whole_numbers_say_what_the_likelihood_says(changed):
    model = small(**changed)
    images = random_pictures(model, 6)
    frequencies = all_logits(model, images).double()
    chosen = frequencies.gather(2, in_order(images)[..., None])[..., 0] / frequencies.sum(2)
    deviation = math.sqrt(model.count / 12) / FINE  # of rounding, a step of 1 / FINE nats a value
    assert torch.allclose(chosen.log().sum(1), model.log_prob(images).double(), atol=4 * deviation)


@pytest.mark.parametrize("changed", [{}, {"memory": False}, {"shape": (3, 3, 2), "classes": 2}])
def test_a_reader_says_to_the_bit_what_the_whole_network_says(changed):
    model = small(**changed)
    images = random_pictures(model, 5, levels=9)
    flat, n = in_order(images), len(images)
    rows, places = torch.arange(n).repeat_interleave(model.count), torch.arange(model.count).repeat(n)
    counts = counts_before(flat).flatten(0, 1).double() if model.trust is not None else None
    seen = model.look(flat, rows, places, torch.full_like(rows, model.classes), counts, on_grid)
    logits = model.logits(to_grid(seen.double()), counts, model.exact(), to_grid)
    assert torch.equal(all_logits(model, images).flatten(0, 1), frequencies_of(logits, 1.0))


def test_neither_neighbours_nor_threads_change_a_bit():
    model = small()
    images = random_pictures(model, 9)
    together, threads = all_logits(model, images), torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            for i in range(0, 9, 4):
                assert torch.equal(all_logits(model, images[i : i + 1])[0], together[i])
    finally:
        torch.set_num_threads(threads)


def test_levels_are_counted_before_a_place_and_not_at_it():
    flat = torch.tensor([[7, 7, 3, 7]])
    whole = counts_before(flat)
    assert whole[0, :, 7].tolist() == [0, 1, 2, 2]
    assert whole[0, :, 3].tolist() == [0, 0, 0, 1]
    assert torch.equal(counts_at(flat, torch.zeros(4, dtype=torch.long), torch.arange(4)), whole[0])


def test_a_chance_falls_on_the_level_whose_share_holds_it():
    frequencies = torch.zeros(5, 256, dtype=torch.long)
    frequencies[:, 10], frequencies[:, 200] = 3, 1
    assert drawn(frequencies, torch.tensor([0.0, 0.5, 0.7499, 0.75, 0.9999]).double()).tolist() == [
        10,
        10,
        10,
        200,
        200,
    ]
    assert table()[0] == 2**30
    assert int(table()[32]) == round(2**30 / math.e)


def test_values_are_drawn_as_often_as_the_model_says():
    model = small(shape=(1, 1, 1))
    share = model.log_prob(torch.arange(256).view(-1, 1, 1, 1) / 255).exp()
    values = in_order(model.sample(Seeds.count_from(0, 4000)))[:, 0]
    level = int(share.argmax())
    n, p = 4000, float(share[level])
    assert abs(int((values == level).sum()) - n * p) < 4.5 * math.sqrt(n * p * (1 - p))


def test_what_appears_is_what_is_drawn():
    model, seeds = small(classes=2), [3, 4]
    steps = list(model.trace(Seeds(seeds), torch.tensor([0, 1]), every=5))
    assert len(steps) == 4
    assert torch.equal(steps[-1], model.sample(Seeds(seeds), torch.tensor([0, 1])))
    assert float(steps[0].flatten(1)[:, 5:].abs().sum()) == 0


def test_what_is_kept_is_kept_and_the_rest_is_drawn():
    model = small()
    images = random_pictures(model, 2)
    missing = torch.zeros(2, 4, 4, dtype=torch.bool)
    assert torch.equal(model.complete(images, missing, Seeds([1, 2])), images)
    missing[:, 2:] = True
    found = model.complete(images, missing, Seeds([1, 2]))
    assert torch.equal(found[:, :, :2], images[:, :, :2])
    assert not torch.equal(found, images)
    whole = torch.ones_like(missing)
    assert torch.equal(model.complete(images, whole, Seeds([1, 2])), model.sample(Seeds([1, 2])))


def test_only_a_cut_in_reading_order_is_exact():
    missing = torch.zeros(1, 4, 4, dtype=torch.bool)
    assert in_reading_order(missing)
    missing[:, 2:] = True
    missing[:, 1, 2:] = True
    assert in_reading_order(missing)
    missing[0, 3, 3] = False
    assert not in_reading_order(missing)


def test_bad_arguments_are_told():
    with pytest.raises(ValueError, match="Outputs are levels, logistics"):
        build("pixelcnn", SMALL | {"output": "colours"})
    with pytest.raises(ValueError, match="memory"):
        build("pixelcnn", SMALL | {"output": "logistics"})

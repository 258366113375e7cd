"""One stream an item, and nothing else."""

import pytest
import torch

from genlab.seeds import LARGEST, Seeds, check_seed


def test_an_item_depends_on_its_own_seed_only():
    together = Seeds([5, 6, 7]).randn(2, 3)
    assert together.shape == (3, 2, 3)
    assert torch.equal(Seeds([6]).randn(2, 3)[0], together[1])
    assert torch.equal(Seeds([7, 5]).randn(2, 3)[1], together[0])
    assert torch.equal(Seeds.count_from(5, 3).randn(2, 3), together)


def test_each_stream_goes_on():
    seeds = Seeds([1, 2])
    first, second = seeds.randn(4), seeds.randn(4)
    assert not torch.equal(first, second)
    alone = Seeds([2])
    alone.randn(4)
    assert torch.equal(alone.randn(4)[0], second[1])


def test_numbers_are_of_their_law():
    normal, uniform = Seeds.count_from(0, 2000).randn(10), Seeds.count_from(0, 2000).rand(10)
    assert abs(float(normal.mean())) < 0.03
    assert abs(float(normal.std()) - 1) < 0.03
    assert float(uniform.min()) >= 0
    assert float(uniform.max()) < 1
    assert abs(float(uniform.mean()) - 0.5) < 0.01
    # seeds that follow one another give unrelated items
    assert abs(float(torch.corrcoef(torch.stack([normal[:-1, 0], normal[1:, 0]]))[0, 1])) < 0.08


def test_the_global_state_never_moves():
    before = torch.get_rng_state()
    Seeds([1, 2, 3]).randn(5)
    assert torch.equal(torch.get_rng_state(), before)


def test_no_seed_no_item():
    assert Seeds([]).randn(2).shape == (0, 2)
    assert len(Seeds.count_from(9, 4)) == 4


@pytest.mark.parametrize("seed", [0, 1, LARGEST, 3.0, 2**62])
def test_whole_numbers_in_range_are_seeds(seed):
    assert check_seed(seed) == seed
    assert isinstance(check_seed(seed), int)


@pytest.mark.parametrize("seed", [-1, LARGEST + 1, 1e308, float("nan"), float("inf"), 4.7, "12", None, True, [1], b"1"])
def test_everything_else_is_refused_in_one_sentence(seed):
    with pytest.raises(ValueError, match=r"^The seed must be a whole number from 0 to 2\^63 - 1; .* was given\.$"):
        check_seed(seed)
    with pytest.raises(ValueError):
        Seeds([seed])


def test_the_last_item_of_a_request_must_have_a_seed_too():
    with pytest.raises(ValueError):
        Seeds.count_from(LARGEST, 2)

"""One stream an item, and nothing else."""

import pytest
import torch

from genlab.seeds import LARGEST, Seeds, check_seed, mixed


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


def test_signs_are_those_that_were_given_and_nothing_else_moves():
    signs = torch.tensor([[1, -1, -1, 1], [-1, -1, 1, 1]], dtype=torch.int8)
    plain, signed = Seeds([1, 2]), Seeds([1, 2], signs=signs)
    first = signed.randn(2, 2)
    assert torch.equal(first, plain.randn(2, 2).abs() * signs.reshape(2, 2, 2))
    assert torch.equal(signed.randn(3), plain.randn(3))  # the first call alone


def test_numbers_are_of_their_law():
    normal, uniform = Seeds.count_from(0, 2000).randn(10), Seeds.count_from(0, 2000).rand(10)
    assert abs(float(normal.mean())) < 0.03
    assert abs(float(normal.std()) - 1) < 0.03
    assert float(uniform.min()) >= 0
    assert float(uniform.max()) < 1
    assert abs(float(uniform.mean()) - 0.5) < 0.01
    # seeds that follow one another give unrelated items
    assert abs(float(torch.corrcoef(torch.stack([normal[:-1, 0], normal[1:, 0]]))[0, 1])) < 0.08


@pytest.mark.parametrize("seed", [0, 7, 2**31, 2**32 - 1])
def test_every_bit_of_a_seed_counts(seed):
    """torch keeps 32 bits of a seed: below 2^32 they are the seed itself, from there on every bit is mixed in."""
    own = Seeds([seed]).randn(8)
    assert torch.equal(own[0], torch.randn(8, generator=torch.Generator().manual_seed(seed)))
    others = Seeds([seed + far for far in (2**32, 2**33, 3 * 2**32, 2**62)]).randn(8)
    assert len({tuple(row.tolist()) for row in torch.cat([own, others])}) == 5
    assert torch.equal(Seeds([seed + 2**32]).randn(8)[0], others[0])


def test_large_seeds_one_after_another_give_unrelated_items():
    first = Seeds.count_from(2**40, 2000).randn(4)
    assert abs(float(first.mean())) < 0.04
    assert abs(float(torch.corrcoef(torch.stack([first[:-1, 0], first[1:, 0]]))[0, 1])) < 0.08
    assert len(torch.unique(first[:, 0])) > 1990


def test_mixing_turns_half_the_bits():
    """Avalanche: one bit of the seed or another turn changes each bit of the result half the time."""
    turned = [(mixed(s) ^ mixed(s ^ (1 << b))).bit_count() for s in range(2**32, 2**32 + 40) for b in range(63)]
    assert abs(sum(turned) / len(turned) - 16) < 0.3
    assert mixed(2**63 - 1) < 2**32
    assert mixed(5, 1) != mixed(5) != mixed(6)


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

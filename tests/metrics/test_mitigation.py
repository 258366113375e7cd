"""Mitigation on a generator whose groups and conditional laws are known on paper: a latent is its own picture."""

import numpy as np
import pytest
import torch

from genlab.metrics.latent_groups import by_direction, by_mixture, by_screening, learn, mixtures, planes
from genlab.metrics.mitigation import (
    Halves,
    MitigationError,
    Plain,
    allocate,
    drawing_shares,
    enough,
    fill_pool,
    finish,
    halves,
    steer,
    streams,
)  # fmt: skip
from genlab.metrics.selection import Rejection, Resampled, Retouched, density_ratio, effective, label_weights
from genlab.models import build
from genlab.seeds import Seeds

EDGE, RARE = 1.0, 0.158655  # group 1 is where the first number exceeds 1: its share under N(0, 1)
EVEN = np.array([0.5, 0.5])


def decode(z, seeds):
    return z[:, :, None, None]


def score(images):
    return torch.stack([torch.zeros(len(images)), 8 * (images[:, 0, 0, 0] - EDGE)], 1)


def read(images):
    return score(images).softmax(1)


CUT = Halves(3, lambda seeds: seeds.randn(3), decode)


@pytest.fixture(scope="module")
def pool():
    return finish(fill_pool(CUT, read, 3000))


def truly_rare(drawn) -> float:
    return float((drawn.images[:, 0, 0, 0] > EDGE).float().mean())


def test_the_model_itself_is_as_biased_as_on_paper():
    drawn = Plain(CUT).draw(Seeds.count_from(0, 4000))
    assert truly_rare(drawn) == pytest.approx(RARE, abs=0.025)
    assert (drawn.decodes == 1).all()


PLACERS = {
    "mixture": lambda pool: by_mixture(CUT, mixtures(pool.latents, pool.groups, 2)),
    "direction": lambda pool: by_direction(CUT, *planes(pool.latents, pool.groups, 2)),
    "screened": lambda pool: by_screening(lambda seeds, asked: CUT.draw(seeds), learn(pool, epochs=10)),
}


@pytest.mark.parametrize("name", list(PLACERS))
def test_placing_latents_gives_the_target_at_one_decode_an_item(pool, name):
    method = finish(steer(CUT, PLACERS[name](pool), read, EVEN, each=600))
    drawn = method.draw(Seeds.count_from(0, 2000))
    assert truly_rare(drawn) == pytest.approx(0.5, abs=0.05)
    assert (drawn.decodes == 1).all()
    alone = method.draw(Seeds([1234])).images[0]
    assert torch.allclose(drawn.images[1234], alone, atol=1e-6)


def test_screening_keeps_the_law_of_what_is_surely_in_a_group(pool):
    """A chance of .9 or more is x > 1 + ln(9) / 8 = 1.275, and E[x | x > c] = phi(c) / (1 - Phi(c)) = 1.749."""
    place = PLACERS["screened"](pool)
    found = place(Seeds.count_from(0, 1500), torch.ones(1500, dtype=torch.long))
    assert float(found[:, 0].mean()) == pytest.approx(1.749, abs=0.1)
    assert found[:, 1].mean().abs() < 0.1
    assert float(found[:, 1].std()) == pytest.approx(1, abs=0.08)


def test_a_reflection_swaps_the_scores_and_keeps_what_is_likely(pool):
    found, covariance = planes(pool.latents, pool.groups, 2)
    seeds = Seeds.count_from(0, 300)
    before = CUT.draw(Seeds.count_from(0, 300))
    moved = by_direction(CUT, found, covariance)(seeds, torch.ones(300, dtype=torch.long))
    was, now = found.scores(before), found.scores(moved)
    own = was.argmax(1) == 1
    assert torch.equal(moved[own], before[own])
    gap = (was[:, 1] - was[:, 0])[~own]
    assert torch.allclose((now[:, 1] - now[:, 0])[~own], -gap, atol=1e-3)


def test_shares_to_ask_for_undo_a_known_confusion():
    obeyed = np.array([[90, 10, 0], [20, 70, 10], [0, 30, 70]])
    asked = np.array([0.5, 0.2, 0.3])
    assert np.allclose(drawing_shares(obeyed, asked @ (obeyed / 100)), asked)
    never = np.array([[80, 20, 0], [0, 100, 0], [0, 0, 0]])
    assert drawing_shares(never, np.array([0.4, 0.6, 0.0]))[2] == 0


def test_allocation_is_close_for_any_run_of_seeds():
    shares = np.array([0.55, 0.2, 0.12, 0.08, 0.05])
    for first in (0, 999, 10**9):
        counts = np.bincount(allocate(Seeds.count_from(first, 500), shares).numpy(), minlength=5)
        assert np.abs(counts / 500 - shares).max() < 0.012
    assert allocate(Seeds([77]), shares) == allocate(Seeds.count_from(70, 10), shares)[7]


def test_streams_of_an_item_are_unrelated():
    """torch keeps 32 bits of a seed: streams apart by 2^32 or more would be one and the same."""
    seeds = Seeds.count_from(0, 50)
    first = [streams(seeds, range(50), turn).randn(4) for turn in range(4)]
    assert torch.equal(first[0], Seeds.count_from(0, 50).randn(4))
    flat = torch.cat(first)
    assert len(torch.unique(flat, dim=0)) == 200


def test_rejection_costs_what_the_shares_say():
    drawn = Rejection(CUT, read, EVEN).draw(Seeds.count_from(0, 2000))
    assert truly_rare(drawn) == pytest.approx(0.5, abs=0.01)
    assert drawn.decodes.mean() == pytest.approx(0.5 / RARE + 0.5 / (1 - RARE), rel=0.1)


def test_resampling_weights_and_effective_size(pool):
    weights = label_weights(pool, EVEN)
    assert weights[pool.groups.numpy() == 1].sum() == pytest.approx(0.5)
    drawn = Resampled(CUT, pool, weights).draw(Seeds.count_from(0, 3000))
    assert truly_rare(drawn) == pytest.approx(0.5, abs=0.05)
    assert effective(np.ones(3000)) == pytest.approx(3000)
    assert effective(np.eye(3000)[0]) == pytest.approx(1)


def test_the_density_ratio_of_two_normal_laws():
    rng = np.random.default_rng(0)
    drawn, reference = rng.normal(0, 1, (4000, 1)), rng.normal(1, 1, (4000, 1))
    slope = np.polyfit(drawn[:, 0], np.log(density_ratio(drawn, reference)), 1)[0]
    assert slope == pytest.approx(1, abs=0.1)  # log N(x; 1, 1) - log N(x; 0, 1) = x - 1/2


def test_retouching_moves_the_classifier_and_nothing_else():
    grey = Halves(1, lambda seeds: seeds.randn(1), lambda z, seeds: torch.full((len(z), 3, 4, 4), 0.5))

    def brittle(images):
        return torch.stack([torch.zeros(len(images)), 100 * (images.mean((1, 2, 3)) - 0.52)], 1)

    drawn = Retouched(grey, brittle, np.array([0.0, 1.0]), reach=0.05, step=0.01).draw(Seeds.count_from(0, 8))
    assert (brittle(drawn.images).argmax(1) == 1).all()
    assert (drawn.images - 0.5).abs().max() <= 0.05 + 1e-6
    assert (drawn.decodes == 1).all()


def test_a_pool_that_was_begun_is_gone_on_with(pool):
    begun = finish(fill_pool(CUT, read, 300))
    whole = finish(fill_pool(CUT, read, 700, have=begun))
    assert torch.equal(whole.latents, pool.latents[:700])
    assert len(whole.groups) == 700


def test_a_group_that_is_hardly_drawn_is_named():
    rare = finish(fill_pool(CUT, read, 100))
    enough(rare, np.array([1.0, 0.0]), ["common", "rare"])
    with pytest.raises(MitigationError, match=r"only \d+ of rare were read"):
        enough(rare, EVEN, ["common", "rare"])


@pytest.mark.parametrize(
    ("family", "arguments"),
    [
        ("gan", {"shape": (1, 8, 8), "latent": 4, "width": 4}),
        ("vae", {"shape": (1, 8, 8), "latent": 4, "width": 4, "local": (1, 1), "likelihood": "bernoulli"}),
        ("vae", {"shape": (3, 8, 8), "latent": 4, "width": 4, "likelihood": "laplace", "priors": ("flow",)}),
    ],
)
def test_the_halves_together_are_the_model(family, arguments):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build(family, arguments).eval()
        for parameter in model.parameters():
            parameter.data.add_(0.1 * torch.randn_like(parameter))
    cut, seeds = halves(model), Seeds.count_from(3, 5)
    assert torch.equal(cut.decode(cut.draw(seeds), seeds), model.sample(Seeds.count_from(3, 5)))


def test_a_model_with_classes_is_refused():
    with pytest.raises(MitigationError, match="without classes"):
        halves(build("gan", {"shape": (1, 8, 8), "latent": 4, "width": 4, "classes": 2}))

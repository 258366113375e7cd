"""GANs of points, losses in pairs, clipped weights and falling noise, against cases known on paper."""

import math

import pytest
import torch
from torch.nn.functional import softplus

from genlab.models import build
from genlab.models.contract import Batch
from genlab.models.duel import LOSSES, NOISE_FALL, gradient_norm, noise_at, share_right
from genlab.seeds import Seeds


def points(**arguments):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build("gan", {"shape": (2,), "latent": 3, "width": 4, "spectral": False} | arguments).train()


def square(n=8, seed=0):
    return Batch(torch.rand(n, 2, generator=torch.Generator().manual_seed(seed)), torch.zeros(n, dtype=torch.long))


REAL, FAKE = torch.tensor([2.0, -1.0]), torch.tensor([0.5, -3.0])
# -log D of the two real ones, -log(1 - D) of the two generated, -log D of the generated
SURE = [math.log1p(math.exp(-x)) for x in (2.0, -1.0, -0.5, 3.0, 0.5, -3.0)]


@pytest.mark.parametrize(
    ("loss", "critic", "generator"),
    [
        ("minimax", (SURE[0] + SURE[1] + SURE[2] + SURE[3]) / 2, -(SURE[2] + SURE[3]) / 2),
        ("non-saturating", (SURE[0] + SURE[1] + SURE[2] + SURE[3]) / 2, (SURE[4] + SURE[5]) / 2),
        ("hinge", (0 + 2) / 2 + (1.5 + 0) / 2, 1.25),
        ("wasserstein", -1.25 - 0.5, 1.25),
        ("relativistic", (math.log1p(math.exp(-1.5)) + math.log1p(math.exp(-2))) / 2,
         (math.log1p(math.exp(1.5)) + math.log1p(math.exp(2))) / 2),
    ],
)  # fmt: skip
def test_every_loss_is_its_formula(loss, critic, generator):
    assert float(LOSSES[loss][0](REAL, FAKE)) == pytest.approx(critic, abs=1e-6)
    assert float(LOSSES[loss][1](REAL, FAKE)) == pytest.approx(generator, abs=1e-6)
    assert set(LOSSES) == {"minimax", "non-saturating", "hinge", "wasserstein", "relativistic"}


def test_the_generators_step_lowers_the_loss_that_its_formula_names():
    gan, batch = points(loss="relativistic"), square()
    duel, real = gan.trainer(1e-3), gan.scaled(batch.items)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(5)
        fake = gan.critic(gan.generator(torch.randn(8, 3)))
        expected = softplus(gan.critic(real) - fake).mean()
        torch.manual_seed(5)
        with torch.enable_grad():
            assert float(duel.generator_step(real, None)) == pytest.approx(float(expected), abs=1e-5)


def test_a_step_says_losses_gradients_and_the_share_of_right_answers():
    told = points(loss="non-saturating").trainer(1e-3)(square(), 0.0)
    assert set(told) == {"critic", "generator", "accuracy", "critic_gradient", "generator_gradient"}
    assert float(share_right("hinge", torch.tensor([1.0, -1.0]), torch.tensor([-1.0, -2.0]))) == 0.75
    assert float(share_right("wasserstein", torch.tensor([7.0, 9.0]), torch.tensor([3.0, 5.0]))) == 1.0  # all above 0


def test_the_norm_of_gradients_is_that_of_one_long_vector():
    gan = points()
    for parameter in gan.critic.parameters():
        parameter.grad = torch.full_like(parameter, 0.5)
    count = sum(p.numel() for p in gan.critic.parameters())
    assert float(gradient_norm(gan.critic)) == pytest.approx(0.5 * count**0.5, rel=1e-5)


def test_clipping_bounds_every_weight_of_the_critic_and_none_of_the_generator():
    gan = points(loss="wasserstein", clip=0.01)
    duel = gan.trainer(5e-2)
    for t in range(5):
        duel(square(seed=t), t / 5)
    assert max(float(p.abs().max()) for p in gan.critic.parameters()) == pytest.approx(0.01)
    assert max(float(p.abs().max()) for p in gan.generator.parameters()) > 0.02
    with pytest.raises(ValueError, match="spectral=False"):
        points(clip=0.01, spectral=True)


def test_the_second_penalty_stands_at_generated_items():
    gan = points(r2=0.6)
    w = torch.tensor([3.0, 4.0])
    gan.critic.forward = lambda x, labels=None: (x.square() * w).sum(1) / 2  # its gradient at x is w x
    real, fake = torch.full((4, 2), 9.0), torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
    expected = 0.6 / 2 * (9 + 16 + 25 + 0) / 4
    assert float(gan.trainer(1e-3).penalty(real, fake, None).detach()) == pytest.approx(expected, rel=1e-5)


def test_noise_falls_by_equal_factors_and_ends():
    assert noise_at(0.0, 0.5, 0.8) == 0.5
    assert noise_at(0.4, 0.5, 0.8) == pytest.approx(0.5 * NOISE_FALL**0.5)
    assert noise_at(0.8, 0.5, 0.8) == noise_at(0.99, 0.5, 0.8) == 0
    assert noise_at(0.1, 0.0, 0.8) == 0
    with pytest.raises(ValueError, match="Noise ends"):
        points(noise_until=0.0)


def test_noise_is_on_what_the_critic_sees_while_it_lasts():
    gan = points(noise=2.0)
    duel = gan.trainer(1e-3)
    items = torch.zeros(20_000, 2)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        duel(square(), 0.0)
        assert float(duel.blurred(items).std()) == pytest.approx(2.0, rel=0.03)
        duel(square(), 0.9)
        assert torch.equal(duel.blurred(items), items)


def test_points_leave_as_they_are_learnt_and_the_surface_has_a_number_for_each():
    gan = points().eval()
    assert gan.sample(Seeds.count_from(0, 5)).shape == (5, 2)
    assert gan.default_knobs().truncation == 4.0
    place = torch.rand(7, 2)
    assert torch.allclose(gan.unscaled(gan.scaled(place)), place, atol=1e-6)
    grid = torch.stack(torch.meshgrid(*[torch.linspace(0, 1, 20)] * 2, indexing="ij"), -1).view(-1, 2)
    surface = gan.decide(grid)
    assert surface.shape == (400,)
    assert not surface.requires_grad
    with torch.no_grad():
        assert torch.allclose(surface[123], gan.critic(gan.scaled(grid[123:124]))[0], atol=1e-5)
    images = build("gan", {"shape": (1, 8, 8), "latent": 3, "width": 4}).eval()
    assert images.decide(torch.rand(5, 1, 8, 8)).shape == (5,)


def test_points_have_no_pictures_arguments():
    for wrong in ({"classes": 2}, {"augment": 1}, {"rehearsal": 0.5}, {"patch": 2}, {"palette": 3}, {"growing": True}):
        with pytest.raises(ValueError, match="GAN of points"):
            points(**wrong)


def test_two_modes_are_both_learnt():
    centres = torch.tensor([[0.25, 0.25], [0.75, 0.75]])
    gan = points(loss="relativistic", latent=4, width=8, r1=0.001, r2=0.001, penalty_every=4, noise=1.5)
    duel, stream = gan.trainer(1e-3), torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for t in range(500):
            which = torch.randint(2, (128,), generator=stream)
            items = centres[which] + 0.02 * torch.randn(128, 2, generator=stream)
            duel(Batch(items, which), t / 500)
    made = gan.eval().sample(Seeds.count_from(0, 400))
    distance, nearest = torch.cdist(made, centres).min(1)
    assert float((distance < 0.1).float().mean()) > 0.9
    assert 0.3 < float(nearest.float().mean()) < 0.7

"""The GAN against cases whose answer is known on paper."""

import math

import pytest
import torch
from torch import nn

from genlab import checkpoint
from genlab.models import build
from genlab.models.contract import Batch
from genlab.models.gan import LOSSES, minibatch_deviation, truncate
from genlab.seeds import Seeds

SMALL = {"shape": (1, 8, 8), "latent": 4, "width": 4}


class Linear(nn.Module):
    """The critic w.x."""

    def __init__(self, w):
        super().__init__()
        self.w = nn.Parameter(w)

    def forward(self, images, labels):
        return self.judge(images, labels)[0]

    def judge(self, images, labels):
        return images.flatten(1) @ self.w, None


def small(**arguments):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build("gan", SMALL | arguments).train()


@pytest.mark.parametrize(
    ("loss", "expected"),
    [("minimax", 2 * math.log(2)), ("non-saturating", 2 * math.log(2)), ("hinge", 2.0), ("wasserstein", 0.0)],
)
def test_a_critic_that_says_zero_has_the_known_loss(loss, expected):
    gan = small(loss=loss, spectral=False)
    for parameter in gan.critic.parameters():
        parameter.data.zero_()
    duel = gan.trainer(0.0)
    reported = duel.critic_step(torch.rand(8, 1, 8, 8) * 2 - 1, None)
    assert float(reported["critic"]) == pytest.approx(expected, abs=1e-6)


def test_the_generators_of_minimax_and_non_saturating_pull_the_same_way():
    fake = torch.linspace(-3, 3, 7, requires_grad=True)
    slopes = [torch.autograd.grad(LOSSES[name][1](fake), fake)[0] for name in ("minimax", "non-saturating", "hinge")]
    assert all(bool((slope < 0).all()) for slope in slopes)
    assert abs(float(slopes[1][0])) > 10 * abs(float(slopes[0][0]))  # where the critic is sure, minimax saturates


def weights(network):
    return [p.detach().clone() for p in network.parameters()]


def same(before, network):
    return all(torch.equal(b, p) for b, p in zip(before, network.parameters(), strict=True))


def test_each_side_leaves_the_other_as_it_is():
    gan = small(classes=3, r1=1.0, penalty_every=1)
    duel, labels = gan.trainer(1e-2), torch.arange(8) % 3
    generator, critic = weights(gan.generator), weights(gan.critic)
    duel.critic_step(torch.rand(8, 1, 8, 8) * 2 - 1, labels)
    assert same(generator, gan.generator)
    assert not same(critic, gan.critic)
    critic = weights(gan.critic)
    duel.generator_step(labels, 8, torch.device("cpu"))
    assert same(critic, gan.critic)
    assert not same(generator, gan.generator)


def test_r1_of_a_linear_critic_is_half_its_squared_weight():
    gan = small(r1=0.7)
    duel, w = gan.trainer(1e-3), torch.randn(64, generator=torch.Generator().manual_seed(0))
    gan.critic = Linear(w)
    penalty = duel.penalty(torch.rand(8, 1, 8, 8), torch.rand(8, 1, 8, 8), None)
    assert float(penalty.detach()) == pytest.approx(0.7 / 2 * float(w.square().sum()), rel=1e-5)


def test_the_gradient_penalty_of_a_linear_critic_is_its_squared_distance_from_slope_one():
    gan = small(gradient_penalty=10.0)
    duel, w = gan.trainer(1e-3), torch.full((64,), 0.5)
    gan.critic = Linear(w)
    penalty = duel.penalty(torch.rand(8, 1, 8, 8), torch.rand(8, 1, 8, 8), None)
    assert float(penalty) == pytest.approx(10 * (4 - 1) ** 2, rel=1e-4)
    gan.critic.w.data.mul_(0.25)
    assert float(duel.penalty(torch.rand(8, 1, 8, 8), torch.rand(8, 1, 8, 8), None)) == pytest.approx(0, abs=1e-6)


def test_spectral_norm_bounds_every_layer_of_the_critic():
    gan = small(spectral=True)
    duel = gan.trainer(1e-2)
    for t in range(20):
        duel(Batch(torch.rand(8, 1, 8, 8), torch.zeros(8).long()), t / 20)
    for layer in gan.critic.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            assert float(torch.linalg.matrix_norm(layer.weight.flatten(1), 2)) < 1.5


def test_the_critic_steps_more_often_where_asked():
    gan = small(critic_steps=3)
    duel, batch = gan.trainer(1e-3), Batch(torch.rand(8, 1, 8, 8), torch.zeros(8).long())
    assert ["generator" in duel(batch, t / 6) for t in range(6)] == [False, False, True] * 2


def test_truncation_keeps_order_and_bound():
    noise = torch.linspace(-5, 5, 101)
    for bound in (0.2, 1.0, 2.5):
        folded = truncate(noise, bound)
        assert float(folded.abs().max()) <= bound + 1e-5
        assert bool((folded.diff() >= 0).all())
        assert float(folded[50]) == pytest.approx(0, abs=1e-6)
    assert torch.allclose(truncate(noise[20:81], 6.0), noise[20:81], atol=1e-4)
    many = truncate(torch.randn(20000, generator=torch.Generator().manual_seed(0)), 1.0)
    law = torch.distributions.Normal(0.0, 1.0)
    density, mass = math.exp(float(law.log_prob(torch.tensor(1.0)))), 2 * float(law.cdf(torch.tensor(1.0))) - 1
    assert float(many.var()) == pytest.approx(1 - 2 * density / mass, rel=0.05)


def test_equal_items_have_no_minibatch_deviation():
    h = torch.randn(1, 3, 2, 2)
    assert float(minibatch_deviation(h.expand(8, -1, -1, -1)).max()) < 1e-3
    assert minibatch_deviation(torch.randn(7, 3, 2, 2)).shape == (7, 1, 2, 2)
    assert float(minibatch_deviation(torch.randn(8, 3, 2, 2)).min()) > 0.3


def test_the_auxiliary_classifier_learns_from_real_items_alone():
    gan = small(classes=3, auxiliary=1.0)
    labels = torch.arange(9) % 3
    items = (labels.view(9, 1, 1, 1) / 2).expand(9, 1, 8, 8) * 2 - 1  # black, grey and white say the class
    duel = gan.trainer(5e-3)
    for _ in range(60):
        duel.critic_step(items, labels)
    assert torch.equal(gan.critic.judge(items, labels)[1].argmax(1), labels)
    before = weights(gan.critic)
    duel.generator_step(labels, 9, items.device)
    assert same(before, gan.critic)


def test_an_auxiliary_classifier_needs_classes_and_stages_are_two_or_three():
    with pytest.raises(ValueError, match="needs classes"):
        small(auxiliary=0.1)
    with pytest.raises(ValueError, match="Stages are 2 or 3"):
        small(stages=4)


def test_painting_the_noise_of_a_seed_is_sampling_it():
    gan = small().eval()
    drawn = gan.paint(truncate(Seeds.count_from(5, 3).randn(4), 2.0))
    assert torch.equal(drawn, gan.sample(Seeds.count_from(5, 3), knobs=gan.Knobs(truncation=2.0)))


def test_a_palette_mixes_its_own_colours_and_no_others():
    gan = small(shape=(3, 8, 8), palette=3).eval()
    painter = gan.generator
    for parameter in painter.mix.parameters():
        parameter.data.zero_()
    painter.mix[-1].bias.data = torch.tensor([9.0, -9.0, -9.0, -9.0, 9.0, -9.0, -9.0, -9.0, -9.0])  # red, green, black
    with torch.no_grad():
        made = gan.paint(torch.randn(20, 4))
    assert float(made[:, 2].max()) < 1e-3  # no blue in any of the three
    assert float((made[:, 0] + made[:, 1]).max()) < 1 + 1e-3  # red and green share a pixel, they do not add up
    assert float(made.std()) > 0.01


def test_a_rehearsal_learns_to_decode_and_leaves_the_contest_as_it_was():
    gan = small(rehearsal=0.5)
    duel = gan.trainer(4e-4)
    stream = torch.Generator().manual_seed(1)
    items = (torch.rand(8, 1, 1, 1, generator=stream) > 0.5).float().expand(-1, 1, 8, 8)
    batch = Batch(items, torch.zeros(8, dtype=torch.long))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        first = duel(batch, 0.0)
        for _ in range(150):
            last = duel(batch, 0.2)
    assert set(first) == {"error", "divergence"}
    assert float(last["error"]) < 0.3 * float(first["error"])
    painted = weights(gan.generator)
    assert "generator" not in duel(batch, 0.505)  # the critic has a head start
    assert all(bool((a == b).all()) for a, b in zip(weights(gan.generator), painted, strict=True))
    assert "generator" in duel(batch, 0.6)


def test_a_rehearsed_run_resumes_to_the_same_weights():
    halves = []
    batch = Batch(torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(2)), torch.zeros(4, dtype=torch.long))
    for cut in (False, True):
        gan = small(rehearsal=0.5)
        duel = gan.trainer(4e-4)
        for step in range(6):
            if cut and step == 3:
                kept, state = {k: v.clone() for k, v in gan.state_dict().items()}, duel.state_dict()
                gan = small(rehearsal=0.5)
                gan.load_state_dict(kept)
                duel = gan.trainer(4e-4)
                duel.load_state_dict(state)
            with torch.random.fork_rng():
                torch.manual_seed(step)
                duel(batch, step / 6)
        halves.append(weights(gan))
    assert all(bool((a == b).all()) for a, b in zip(*halves, strict=True))


def test_a_rehearsal_is_a_share_of_the_run():
    with pytest.raises(ValueError, match="share of the run"):
        small(rehearsal=1.5)


def test_the_critic_is_not_shipped(tmp_path):
    gan = small()
    config = checkpoint.save(gan, tmp_path, name="a", recipe={"family": "gan", "model": SMALL}, trained_on={})
    assert gan.critic is not None
    assert config["parameters"] == sum(p.numel() for p in gan.generator.parameters())
    loaded = checkpoint.load(tmp_path)
    with pytest.raises(ValueError, match="without its critic"):
        loaded.trainer(1e-3)

"""The VAE against cases whose answer is known on paper."""

import math

import pytest
import torch

from genlab.models import build
from genlab.models.contract import Batch
from genlab.models.vae import VAE, kl_to_standard
from genlab.models.vae_networks import Local
from genlab.seeds import Seeds


@pytest.fixture
def linear():
    """A VAE whose decoder is x = W z + b + noise with orthogonal columns, and whose encoder is its exact posterior.

    Returns the model, images and their exact log p(x) = log N(x; b, W W^T + s^2 I).
    """
    deviation, stream = 0.05, torch.Generator().manual_seed(0)
    model = VAE(shape=(1, 4, 4), latent=3, width=4, likelihood="gaussian", warm_up=0.0).eval()
    basis = torch.linalg.qr(torch.randn(16, 3, generator=stream))[0]
    matrix = basis * torch.tensor([0.08, 0.05, 0.02])
    precision = 1 + matrix.square().sum(0) / deviation**2  # of the posterior: diagonal, as the columns are orthogonal
    model.log_deviation.data.fill_(math.log(deviation))

    def look(x, labels):
        mean = (x.flatten(1) - 0.5) @ matrix / deviation**2 / precision
        return mean, (-0.5 * precision.log()).expand_as(mean), []

    def render(codes, labels, noise, features=None):
        return torch.logit(0.5 + codes @ matrix.T).view(-1, 1, 4, 4), []

    model.look, model.render = look, render
    codes = torch.randn(40, 3, generator=stream)
    images = 0.5 + codes @ matrix.T + deviation * torch.randn(40, 16, generator=stream)
    law = torch.distributions.MultivariateNormal(
        torch.full((16,), 0.5), matrix @ matrix.T + deviation**2 * torch.eye(16)
    )
    return model, images.view(-1, 1, 4, 4), law.log_prob(images)


def test_with_the_exact_posterior_the_bound_is_the_likelihood(linear):
    model, images, exact = linear
    for k in (1, 5):
        bound = model.log_prob(images, Seeds.count_from(0, len(images)), k=k)
        assert torch.allclose(bound, exact, atol=2e-3)


def test_the_loss_is_that_bound_too(linear):
    model, images, exact = linear
    with torch.random.fork_rng():
        torch.manual_seed(0)
        many = images.repeat(50, 1, 1, 1)
        loss, reported = model.loss(Batch(many, torch.zeros(len(many)).long()), 0.5)
    bits = -float(exact.mean()) / (math.log(2) * 16)
    assert float(loss) == pytest.approx(bits, abs=0.03)
    assert float(reported["elbo_bits"]) == pytest.approx(bits, abs=0.03)


@pytest.mark.parametrize("local", [(0, 0), (1, 1)])
def test_more_draws_tighten_the_bound(local):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build("vae", {"shape": (1, 8, 8), "latent": 4, "width": 8, "local": local}).eval()
        for parameter in model.parameters():
            parameter.data.add_(0.05 * torch.randn_like(parameter))
    images = torch.rand(32, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    means = [float(model.log_prob(images, Seeds.count_from(0, 32), k=k).mean()) for k in (1, 8, 64)]
    assert means[0] < means[1] < means[2]


def test_the_excess_of_a_local_latent_averages_to_its_divergence():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        local = Local(4, 2)
        for parameter in local.parameters():
            parameter.data.add_(0.3 * torch.randn_like(parameter))
        h, features = torch.randn(1, 4, 2, 2), torch.randn(1, 4, 2, 2)
        n = 20000
        with torch.no_grad():
            _, term = local.draw(h.expand(n, -1, -1, -1), features.expand(n, -1, -1, -1), torch.randn(n, 2, 2, 2))
    error = float(term.excess.std()) / math.sqrt(n)
    assert float(term.kl[0]) > 0.1  # else the test would say nothing
    assert float(term.excess.mean()) == pytest.approx(float(term.kl[0]), abs=4 * error)


def test_local_latents_cost_nothing_without_features():
    model = build("vae", {"shape": (1, 8, 8), "latent": 4, "width": 8, "local": (1, 1)}).eval()
    _, terms = model.render(torch.randn(2, 4), None, [None, None])
    assert terms == [None, None]


def test_the_divergence_is_that_of_two_normals():
    mean, log_deviation = torch.randn(6, 3), torch.randn(6, 3)
    normal = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(normal(mean, log_deviation.exp()), normal(0.0, 1.0))
    assert torch.allclose(kl_to_standard(mean, log_deviation), expected, atol=1e-5)


def test_temperature_zero_without_detail_draws_one_item():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build("vae", {"shape": (1, 8, 8), "latent": 4, "width": 8, "local": (1, 1)}).eval()
    cold = model.sample(Seeds([1, 2, 3]), None, model.Knobs(prior="normal", temperature=0.0, detail=0.0))
    assert torch.equal(cold[0], cold[1])
    warm = model.sample(Seeds([1, 2, 3]), None, model.Knobs(prior="normal"))
    assert not torch.equal(warm[0], warm[1])


def test_a_conditional_model_asks_for_labels():
    model = build("vae", {"shape": (1, 8, 8), "classes": 3, "conditional": True, "latent": 4, "width": 8}).eval()
    with pytest.raises(ValueError, match="conditional"):
        model.encode(torch.rand(2, 1, 8, 8))


@pytest.mark.parametrize(("classes", "local"), [(0, (0, 0)), (0, (1, 0)), (3, (0, 0))])
def test_idle_knobs_are_those_that_change_nothing(classes, local):
    torch.manual_seed(0)
    model = VAE(latent=4, width=4, classes=classes, local=local, priors=["flow"]).eval()
    for parameter in model.flow.parameters():  # a fresh flow stands still
        torch.nn.init.normal_(parameter, std=0.05)

    def drawn(**turned):
        labels = torch.tensor([0, 1, 2]) if classes else None
        return model.sample(Seeds.count_from(0, 3), labels, VAE.Knobs(**turned))

    turned = {"guidance": 6.0, "detail": 0.0, "temperature": 0.5, "prior": "normal"}
    idle = {name for name, value in turned.items() if torch.equal(drawn(**{name: value}), drawn())}
    assert idle == model.idle_knobs


def test_latent_rates_are_the_mean_divergence_of_each_latent_and_add_up_to_what_a_step_says():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build("vae", {"shape": (2,), "latent": 3, "width": 8}).eval()
        for parameter in model.parameters():
            parameter.data.add_(0.3 * torch.randn_like(parameter))
        points = torch.rand(64, 2)
        rates = model.latent_rates(points)
        _, told = model.loss(Batch(points, torch.zeros(64, dtype=torch.long)), 0.5)
    mean, deviation = model.posteriors(points)
    law = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, deviation), torch.distributions.Normal(0.0, 1.0)
    )
    assert torch.allclose(rates, law.mean(0), atol=1e-4)
    assert float(rates.sum()) == pytest.approx(float(told["code_kl"]), abs=1e-3)
    model.encoder[-1].weight.data.zero_()
    model.encoder[-1].bias.data.zero_()  # q(z | x) is the prior: nothing is said of any point
    assert float(model.latent_rates(points).abs().max()) < 1e-6


def test_points_have_the_density_of_a_normal_law_and_learn_its_width():
    """Two places, blurred by a known deviation: the learned one comes near it, and each place is found."""
    stream, deviation = torch.Generator().manual_seed(0), 0.05
    centres = torch.tensor([[0.2, 0.3], [0.8, 0.6]])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build("vae", {"shape": (2,), "latent": 2, "width": 32, "warm_up": 0.0}).train()
        step = model.trainer(5e-3)
        for t in range(600):
            which = torch.randint(2, (128,), generator=stream)
            step(Batch(centres[which] + deviation * torch.randn(128, 2, generator=stream), which), t / 600)
    model.eval()
    assert deviation * 0.6 < float(model.log_deviation.exp()) < deviation * 1.4
    assert float((model.reconstruct(centres) - centres).abs().max()) < 0.05
    made = model.sample(Seeds.count_from(0, 300))
    assert made.shape == (300, 2)
    assert float((torch.cdist(made, centres).amin(1) < 4 * deviation).float().mean()) > 0.7


def test_points_have_no_pictures_arguments_and_a_likelihood_of_their_own():
    for wrong in ({"patch": 2}, {"local": (1, 1)}, {"classes": 2, "conditional": True}):
        with pytest.raises(ValueError, match="VAE of points"):
            VAE(shape=(2,), **wrong)
    for wrong in ({"shape": (2,), "likelihood": "logistic"}, {"shape": (1, 8, 8), "likelihood": "normal"}):
        with pytest.raises(ValueError, match="for points"):
            VAE(**wrong)
    assert VAE(shape=(2,)).likelihood == "normal"
    assert VAE(shape=(1, 8, 8), width=4).likelihood == "logistic"

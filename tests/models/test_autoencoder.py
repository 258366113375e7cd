"""Autoencoders against what is known on paper: the PCA subspace, exact Jacobians, sparsity, noise, neighbours."""

import math

import numpy as np
import pytest
import torch

from genlab.models import build
from genlab.models.autoencoder import kl_to_target
from genlab.models.contract import Batch
from genlab.models.corruption import NOISES, corrupt
from genlab.models.neighbours import divergence, similarities
from genlab.seeds import Seeds


def learned(arguments: dict, items: torch.Tensor, steps: int, lr: float = 1e-2):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build("ae", arguments)
        step = model.train().trainer(lr)
        for t in range(steps):
            step(Batch(items, torch.zeros(len(items))), t / steps)
    return model.eval()


def test_a_linear_undercomplete_one_spans_the_principal_subspace():
    """Baldi and Hornik 1989: the least squared error of a linear bottleneck is that of PCA, on its subspace."""
    stream = torch.Generator().manual_seed(0)
    deviations = torch.tensor([3.0, 2.0, 1.0, 0.3, 0.2, 0.1])
    turn = torch.linalg.qr(torch.randn(6, 6, generator=stream))[0]
    items = torch.randn(400, 6, generator=stream) * deviations @ turn + 0.5
    model = learned({"shape": (6,), "latent": 3, "hidden": (), "bounded": False}, items, 1500, 2e-2)
    centred = items - items.mean(0)
    directions = torch.linalg.svd(centred, full_matrices=False).Vh[:3]
    best = (centred - centred @ directions.T @ directions).square().mean()
    assert float((model.reconstruct(items) - items).square().mean()) < 1.02 * float(best)
    spanned = torch.linalg.qr(model.network.up[0].weight.detach())[0]
    cosines = torch.linalg.svdvals(directions @ spanned)  # of the angles between the two subspaces
    assert float(cosines.min()) > 0.995


@pytest.mark.parametrize("hidden", [(), (9,), (9, 7), (11, 9, 7)])
@pytest.mark.parametrize("code", ["linear", "relu", "sigmoid"])
@pytest.mark.parametrize("tied", [False, True])
def test_the_contractive_penalty_is_the_squared_jacobian(hidden, code, tied):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        arguments = {"shape": (1, 4, 4), "latent": 5, "hidden": hidden, "code": code, "tied": tied}
        model = build("ae", arguments).double()
    items = torch.rand(6, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def exactly(item):
        z = model.network.encode(2 * item[None] - 1)[0]
        return {"linear": z, "relu": torch.relu(z), "sigmoid": torch.sigmoid(z)}[code]

    jacobians = torch.func.vmap(torch.func.jacrev(exactly))(items).detach()
    expected = jacobians.square().flatten(1).sum(1)
    found = model.squared_jacobian(items)
    assert torch.allclose(found, expected, rtol=1e-10)
    assert float(expected.max()) > 0
    found.sum().backward()
    assert float(model.network.down[0].weight.grad.abs().max()) > 0


def test_the_contractive_penalty_makes_codes_move_less():
    items = torch.rand(64, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    shape = {"shape": (1, 4, 4), "latent": 4, "hidden": (16,), "penalty": "contractive"}
    free, held = (learned(shape | {"weight": weight}, items, 200) for weight in (0.0, 0.1))
    assert float(held.squared_jacobian(items).mean()) < 0.3 * float(free.squared_jacobian(items).mean())


def test_the_kl_penalty_by_hand():
    assert float(kl_to_target(torch.tensor(0.05), 0.05)) == pytest.approx(0, abs=1e-7)
    by_hand = 0.1 * math.log(0.1 / 0.4) + 0.9 * math.log(0.9 / 0.6)
    assert float(kl_to_target(torch.tensor(0.4), 0.1)) == pytest.approx(by_hand, rel=1e-5)
    assert math.isfinite(float(kl_to_target(torch.tensor(0.0), 0.1)))


def test_units_reach_the_activation_asked_for():
    items = torch.rand(64, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    arguments = {"shape": (1, 4, 4), "latent": 20, "hidden": (), "code": "sigmoid"}
    asked = learned(arguments | {"penalty": "kl", "weight": 0.1, "target": 0.1}, items, 600, 3e-2)
    free = learned(arguments, items, 600, 3e-2)
    means = asked.encode(items).mean(0)
    assert torch.allclose(means, torch.full_like(means, 0.1), atol=0.02)
    assert float((free.encode(items).mean(0) - 0.1).abs().mean()) > 0.2


def test_l1_silences_units():
    items = torch.rand(64, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    arguments = {"shape": (1, 4, 4), "latent": 32, "hidden": (), "code": "relu", "penalty": "l1", "tied": True}
    shares = [
        float((learned(arguments | {"weight": w}, items, 300).encode(items) > 0).float().mean()) for w in (0, 0.01)
    ]
    assert shares[1] < 0.5 * shares[0]


def test_overcomplete_without_a_penalty_copies_what_has_no_pattern():
    """With more code numbers than values the identity is within reach, so even fresh noise comes back."""
    stream = torch.Generator().manual_seed(0)
    strange, fresh = torch.rand(2, 256, 1, 8, 8, generator=stream)
    errors = {}
    for name, arguments in {
        "over": {"latent": 128, "network": "map", "width": 16, "depth": 0},
        "under": {"latent": 16, "hidden": (64,)},
    }.items():
        model = learned({"shape": (1, 8, 8)} | arguments, strange, 400)
        errors[name] = float((model.reconstruct(fresh) - fresh).square().mean())
    assert errors["over"] < 0.1 * errors["under"]


def test_a_denoising_one_undoes_noise_that_a_copying_one_keeps():
    stream = torch.Generator().manual_seed(0)
    smooth = torch.nn.functional.interpolate(torch.rand(256, 1, 2, 2, generator=stream), size=(8, 8), mode="bilinear")
    arguments = {"shape": (1, 8, 8), "latent": 64, "network": "map", "width": 16, "depth": 1}
    seen = corrupt(smooth, "gaussian", 0.2, seeds=Seeds.count_from(0, 256))
    plain = learned(arguments, smooth, 600, 5e-3)
    taught = learned(arguments | {"noise": ("gaussian",), "amount": (0.1, 0.3)}, smooth, 600, 5e-3)
    errors = [float((model.reconstruct(seen) - smooth).square().mean()) for model in (plain, taught)]
    assert errors[1] < errors[0]
    assert errors[1] < 0.1 * 0.2**2  # of the noise


def test_a_spun_one_is_the_mean_over_shifts_and_undoes_more_noise():
    stream = torch.Generator().manual_seed(0)
    smooth = torch.nn.functional.interpolate(torch.rand(256, 1, 2, 2, generator=stream), size=(8, 8), mode="bilinear")
    arguments = {"shape": (1, 8, 8), "latent": 64, "network": "map", "width": 16, "depth": 1}
    taught = learned(arguments | {"noise": ("gaussian",), "amount": (0.1, 0.3)}, smooth, 600, 5e-3)
    spun = build("ae", arguments | {"spin": True}).eval()
    spun.load_state_dict(taught.state_dict())
    seen = corrupt(smooth, "gaussian", 0.2, seeds=Seeds.count_from(0, 256))
    wide = np.pad(seen.numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    back = {
        (y, x): taught.reconstruct(torch.from_numpy(wide[:, :, y : y + 8, x : x + 8].copy())).numpy()
        for y, x in ((1, 1), (0, 1), (2, 1), (1, 0), (1, 2))
    }
    found = spun.reconstruct(seen).numpy()
    inside = [found_[:, :, 3 - y, 4 - x] for (y, x), found_ in back.items()]
    assert np.abs(found[:, :, 2, 3] - (back[1, 1][:, :, 2, 3] + sum(inside)) / 6).max() < 1e-5
    corner = back[1, 1][:, :, 0, 0] * 2 + back[0, 1][:, :, 1, 0] + back[1, 0][:, :, 0, 1]
    assert np.abs(found[:, :, 0, 0] - corner / 4).max() < 1e-5
    assert torch.equal(spun.encode(seen), taught.encode(seen))
    errors = [float((model.reconstruct(seen) - smooth).square().mean()) for model in (taught, spun)]
    assert errors[1] < 0.98 * errors[0]
    with pytest.raises(ValueError, match="Only pictures"):
        build("ae", {"shape": (7,), "latent": 2, "bounded": False, "spin": True})


@pytest.mark.parametrize("kind", NOISES)
def test_noise_is_what_it_says_and_an_items_own(kind):
    items = torch.full((4, 1, 50, 50), 0.5)
    amounts = torch.tensor([0.0, 0.1, 0.2, 0.4])
    seen = corrupt(items, kind, amounts, seeds=Seeds.count_from(5, 4))
    assert torch.equal(seen[0], items[0])
    alone = corrupt(items[2:3], kind, 0.2, seeds=Seeds([7]))
    assert torch.equal(alone[0], seen[2])
    if kind == "gaussian":
        assert float((seen[3] - 0.5).std()) == pytest.approx(0.4, rel=0.1)
        assert float(seen[3].min()) < 0 < 1 < float(seen[3].max())  # not clipped
    else:
        assert float((seen[3] != 0.5).float().mean()) == pytest.approx(0.4, abs=0.05)
        lit = float((seen[3] == 1).float().mean())
        assert lit == pytest.approx(0.2 if kind == "salt-and-pepper" else 0.0, abs=0.04)


def test_similarities_have_the_perplexity_asked_for_and_agree_with_scikit_learn():
    from scipy.spatial.distance import squareform
    from sklearn.manifold import _t_sne

    items = torch.rand(40, 6, generator=torch.Generator().manual_seed(0))
    p = similarities(items, 8.0)
    assert float(p.sum()) == pytest.approx(1, abs=1e-5)
    assert torch.equal(p, p.T)
    assert float(p.diagonal().abs().max()) == 0
    squared = torch.cdist(items, items).square().numpy().astype(np.float32)
    theirs = squareform(_t_sne._joint_probabilities(squared, 8.0, 0))
    assert np.abs(p.numpy() - theirs).max() < 1e-4 * theirs.max() + 1e-6
    with pytest.raises(ValueError, match="perplexity"):
        similarities(items[:5], 8.0)


def test_the_divergence_is_zero_only_where_the_map_has_the_same_similarities():
    codes = torch.randn(12, 2, generator=torch.Generator().manual_seed(0))
    kernel = 1 / (1 + torch.cdist(codes, codes).square())
    kernel.fill_diagonal_(0)
    p = kernel / kernel.sum()
    assert float(divergence(p, codes)) == pytest.approx(0, abs=1e-4)
    assert float(divergence(p, codes.flip(0))) > 0.01


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"network": "graph"}, "Networks are"),
        ({"code": "tanh"}, "Codes are"),
        ({"loss": "mae"}, "Losses are"),
        ({"penalty": "l2"}, "Penalties are"),
        ({"noise": ("rain",)}, "Kinds of noise are"),
        ({"network": "map", "latent": 196, "penalty": "contractive"}, "connected networks only"),
        ({"penalty": "kl"}, "sigmoid"),
        ({"penalty": "kl", "code": "sigmoid", "target": 1.5}, "between 0 and 1"),
        ({"loss": "bce", "bounded": False}, "items in"),
        ({"network": "map", "latent": 100}, "multiple of 196"),
        ({"network": "convolutional", "shape": (1, 30, 30)}, "multiple of 4"),
        ({"network": "convolutional", "shape": (12,)}, "pictures and series"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        build("ae", arguments)

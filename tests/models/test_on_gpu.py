"""The same recipes, seeds and weights on CUDA: runs only where there is a device."""

import copy

import numpy as np
import pytest
import torch

from genlab.fit import Batches, fit
from genlab.models import build, layers
from genlab.seeds import Seeds

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")]

SMALL = {
    "vae": {"classes": 10, "latent": 8, "local": (2, 1), "width": 8, "priors": ("flow", "mixture")},
    "gan": {"classes": 10, "width": 8, "r1": 0.1, "augment": 1},
    "judge": {"width": 8},
    "diffusion": {"classes": 10, "widths": (16, 24)},
    "pixelcnn": {"classes": 10, "width": 16, "depth": 1},
    "pixelrnn": {"classes": 10, "width": 8, "layers": 1},
    "ae": {"latent": 8, "network": "convolutional", "width": 8},
}
RECORDED = ("diffusion", "pixelcnn", "pixelrnn", "ae")


@pytest.mark.parametrize("family", SMALL)
def test_trains(family):
    torch.manual_seed(0)
    model = build(family, SMALL[family]).to("cuda")
    before = copy.deepcopy(model.state_dict())
    batches = Batches(torch.rand(64, 1, 28, 28), torch.arange(64) % 10, batch=32, device="cuda")
    progress = list(fit(model, batches, steps=3, lr=1e-3))
    assert len(progress) == 3
    assert all(torch.isfinite(torch.tensor(list(p.losses.values()))).all() for p in progress)
    assert any(not torch.equal(before[k], v) for k, v in model.state_dict().items())


def trained(family, *, steps=12, **options):
    """Weights after a few steps on CUDA, and the losses of each."""
    torch.manual_seed(0)
    model = build(family, SMALL[family]).to("cuda")
    batches = Batches(torch.rand(64, 1, 28, 28), torch.arange(64) % 10, batch=32, device="cuda")
    losses = [p.losses["loss"] for p in fit(model, batches, steps=steps, lr=1e-3, **options)]
    return model.state_dict(), losses


@pytest.mark.parametrize("family", RECORDED)
def test_a_step_that_is_played_again_learns_what_a_step_taken_anew_learns(family, monkeypatch):
    _, played = trained(family)
    monkeypatch.setattr(layers, "Recorded", lambda function: function)
    _, anew = trained(family)
    assert played == pytest.approx(anew, rel=0.02)
    assert len(set(played)) == len(played)  # other noise and another batch each time


def test_a_stopped_run_goes_on_where_it_was(tmp_path):
    _, losses = trained("diffusion")
    torch.manual_seed(0)
    model = build("diffusion", SMALL["diffusion"]).to("cuda")
    batches = Batches(torch.rand(64, 1, 28, 28), torch.arange(64) % 10, batch=32, device="cuda")
    run = fit(model, batches, steps=12, lr=1e-3, resume=tmp_path / "resume.pt")
    for _ in range(7):
        next(run)
    run.close()
    _, rest = trained("diffusion", resume=tmp_path / "resume.pt")
    assert rest == pytest.approx(losses[7:], rel=0.02)


@pytest.mark.parametrize("family", ["vae", "gan", "diffusion", "pixelrnn"])
def test_same_seed_same_picture_within_one_level(family):
    torch.manual_seed(0)
    model = build(family, SMALL[family]).eval()
    labels = torch.arange(20) % 10
    here = model.sample(Seeds(range(20)), labels)
    there = copy.deepcopy(model).to("cuda").sample(Seeds(range(20), "cuda"), labels.cuda()).cpu()
    assert ((here - there) * 255).round().abs().max() <= 1  # in whole levels: the quotients themselves are rounded


def test_quality_figures_of_tensors_are_those_of_arrays():
    from audits.quality import FeatureError, frechet_distance, prdc

    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(3000, 48)), 1.1 * rng.normal(size=(2500, 48)) + 0.1
    flat = fake.copy()
    flat[:, :20] = 0.0  # a singular covariance
    there = [torch.from_numpy(x).cuda() for x in (real, fake, flat)]
    assert frechet_distance(*there[:2]) == pytest.approx(frechet_distance(real, fake), rel=1e-9)
    assert frechet_distance(there[0], there[2]) == pytest.approx(frechet_distance(real, flat), rel=1e-7)
    assert frechet_distance(there[0], there[0]) == pytest.approx(0, abs=1e-8)
    assert prdc(*there[:2]) == prdc(real, fake)
    with pytest.raises(FeatureError, match="NaN"):
        prdc(there[0], there[1] * float("nan"))
    with pytest.raises(FeatureError, match="different widths"):
        frechet_distance(there[0], there[1][:, :40])

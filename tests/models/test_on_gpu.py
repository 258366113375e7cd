"""The same recipes, seeds and weights on CUDA: runs only where there is a device."""

import copy

import pytest
import torch

from genlab.fit import Batches, fit
from genlab.models import build
from genlab.seeds import Seeds

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")]

SMALL = {
    "vae": {"classes": 10, "latent": 8, "local": (2, 1), "width": 8, "priors": ("flow", "mixture")},
    "gan": {"classes": 10, "width": 8, "r1": 0.1, "augment": 1},
    "judge": {"width": 8},
}


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


@pytest.mark.parametrize("family", ["vae", "gan"])
def test_same_seed_same_picture_within_one_level(family):
    torch.manual_seed(0)
    model = build(family, SMALL[family]).eval()
    labels = torch.arange(20) % 10
    here = model.sample(Seeds(range(20)), labels)
    there = copy.deepcopy(model).to("cuda").sample(Seeds(range(20), "cuda"), labels.cuda()).cpu()
    assert (here - there).abs().max() <= 1 / 255

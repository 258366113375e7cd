"""Latent diffusion against diffusers' own classes, and what its second stage may not change."""

import copy

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DModel
from test_contract import make

from genlab import checkpoint, recipes
from genlab.data import Data
from genlab.models import build
from genlab.models.diffusion import Knobs
from genlab.recipe_table import Recipe, Stage
from genlab.seeds import Seeds

VARIANTS = ["latent diffusion", "latent diffusion classes"]
SMALL = {
    "family": "latent-diffusion", "data": "none", "model": {"shape": [3, 8, 8], "coder": [8, 8], "widths": [8, 16]},
}  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS)
def test_standard_codes_decode_to_the_same_pictures(variant):
    model = make(variant)
    with torch.no_grad():  # codes far from standard ones
        model.autoencoder.quant_conv.weight *= 3
        model.autoencoder.quant_conv.bias += 2
    images = torch.rand(64, *model.shape)
    before = model.posteriors(images)
    pictures = model.decoded(before.chunk(2, 1)[0])
    told = model.standardise(before)
    after = model.posteriors(images)
    assert torch.allclose(told, after, atol=1e-4)
    mean, deviation = after.chunk(2, 1)
    assert torch.allclose(mean.mean((0, 2, 3)), torch.zeros(mean.shape[1]), atol=1e-4)
    spread = mean.var((0, 2, 3)) + deviation.square().mean((0, 2, 3))
    assert torch.allclose(spread, torch.ones(mean.shape[1]), atol=1e-3)
    assert torch.allclose(model.decoded(mean), pictures, atol=1e-4)


def test_the_folder_opens_with_diffusers_and_draws_the_same_picture(tmp_path):
    model = make("latent diffusion")
    recipe = {
        "family": "latent-diffusion",
        "data": "none",
        "model": {"shape": [3, 8, 8], "coder": [8, 8], "widths": [8, 16]},
    }
    checkpoint.save(model, tmp_path, name="latent", recipe=recipe, trained_on={})
    loaded = checkpoint.load(tmp_path)
    vae = AutoencoderKL.from_pretrained(tmp_path, subfolder="vae").eval()
    unet = UNet2DModel.from_pretrained(tmp_path, subfolder="unet").eval()
    scheduler = DDPMScheduler.from_pretrained(tmp_path, subfolder="scheduler")
    assert scheduler.config.prediction_type == "v_prediction"
    x = torch.rand(2, 3, 8, 8)
    with torch.no_grad():
        code = vae.encode(x * 2 - 1).latent_dist.mean
        assert torch.allclose(loaded.posteriors(x)[:, :4], code, atol=1e-5)
        told = loaded.diffusion.told(code, torch.full((2,), 500.0), None, 1.0)
        assert torch.allclose(unet(code, 500).sample, told, atol=1e-5)
        assert torch.allclose(loaded.decoded(code), (vae.decode(code).sample / 2 + 0.5).clamp(0, 1), atol=1e-5)
    assert set(checkpoint.files_of(tmp_path)) == {
        "vae/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.safetensors", "vae/config.json",
        "unet/config.json", "scheduler/scheduler_config.json", "config.json",
    }  # fmt: skip


def test_a_missing_half_or_another_is_refused(tmp_path):
    model = make("latent diffusion")
    recipe = {
        "family": "latent-diffusion",
        "data": "none",
        "model": {"shape": [3, 8, 8], "coder": [8, 8], "widths": [8, 16]},
    }
    checkpoint.save(model, tmp_path, name="latent", recipe=recipe, trained_on={})
    path = tmp_path / "vae" / "diffusion_pytorch_model.safetensors"
    raw = path.read_bytes()
    path.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    with pytest.raises(checkpoint.CheckpointError, match="sha256 differs"):
        checkpoint.load(tmp_path)
    path.unlink()
    with pytest.raises(checkpoint.CheckpointError, match=r"vae/diffusion_pytorch_model\.safetensors is missing"):
        checkpoint.load(tmp_path)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_last_picture_on_the_way_is_the_sample_and_a_changed_one_stays_near(variant):
    model = make(variant)
    seeds = lambda: Seeds.count_from(3, 3)  # noqa: E731
    *_, last = model.denoised(seeds(), None, Knobs(steps=3, solver="first order"))
    assert torch.equal(last, model.sample(seeds(), None, Knobs(steps=3, solver="first order")))
    images = torch.rand(3, *model.shape)
    knobs = Knobs(steps=4, solver="first order")
    back = model.decoded(model.posteriors(images).chunk(2, 1)[0])
    near, far = (model.vary(images, seeds(), None, knobs, change=c) for c in (0.02, 1.0))
    assert (near - back).abs().mean() < (far - back).abs().mean()
    assert torch.equal(model.vary(images[1:2], Seeds([4]), None, knobs, change=0.5)[0],
                       model.vary(images, seeds(), None, knobs, change=0.5)[1])  # fmt: skip


def test_both_stages_of_a_recipe_learn_and_a_killed_run_goes_on_bit_for_bit(tmp_path, monkeypatch):
    recipe = Recipe(
        "latent-diffusion", "some", {"shape": [3, 16, 16], "coder": [8, 8, 8], "widths": [8, 8]},
        steps=3, batch=4, lr=1e-3, prior=Stage(steps=4, batch=4, lr=1e-3),
    )  # fmt: skip
    items = np.random.default_rng(0).integers(0, 256, (40, 3, 16, 16)).astype(np.uint8)
    data = Data("some", "train", items, np.zeros(40, np.int64), ("one",), "none", "nobody")
    monkeypatch.setattr(recipes, "recipe_of", lambda name: recipe)
    monkeypatch.setattr(recipes, "load", lambda name: data)
    stages = [stage for stage, _ in recipes.train("whole", tmp_path)]
    assert stages == ["latent-diffusion"] * 3 + ["prior"] * 4
    run = recipes.train("whole", tmp_path / "cut")
    for stage, progress in run:
        if stage == "prior" and progress.step == 2:
            run.close()
            break
    for _ in recipes.train("whole", tmp_path / "cut"):
        pass
    one, other = (checkpoint.load(folder / "whole") for folder in (tmp_path, tmp_path / "cut"))
    for (key, a), (_, b) in zip(one.state_dict().items(), other.state_dict().items(), strict=True):
        assert torch.equal(a, b), key


def test_networks_that_do_not_fit_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match="Sides are multiples of 4 with 3 levels of the autoencoder"):
        build("latent-diffusion", {"shape": (3, 30, 32), "coder": (8, 8, 8)})
    with pytest.raises(ValueError, match="Processes are noise, flow"):
        build("latent-diffusion", {"shape": (3, 32, 32), "process": "magic"})


def test_copies_are_whole():
    model = make("latent diffusion")
    twin = copy.deepcopy(model)
    assert torch.equal(model.sample(Seeds([1])), twin.sample(Seeds([1])))

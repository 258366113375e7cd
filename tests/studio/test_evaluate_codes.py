"""Figures of autoencoders against what is worked out by hand on a few items."""

import numpy as np
import pytest
import torch

from genlab.data import Data, examples
from genlab.models import build
from genlab.studio.evaluate import features, on_device
from genlab.studio.evaluate_codes import code_figures, psnr_figure


def figures(arguments: dict) -> dict:
    shipped = examples.load("fashion")
    train, test = (
        Data("fashion", split, shipped.items[rows], shipped.labels[rows], shipped.names, "MIT", "")
        for split, rows in (("train", slice(0, 300)), ("test", slice(300, 400)))
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build("ae", arguments).eval()
    found = code_figures(model, train, test, quick=False, on_device=on_device)
    return {name: figure for name, figure in found if figure is not None} | {"model": model, "test": test}


def test_psnr_is_of_the_pooled_error_and_lies_in_its_interval():
    found = psnr_figure(torch.tensor([0.01, 0.03], dtype=torch.float64))
    assert found["value"] == pytest.approx(-10 * np.log10(0.02))  # and not the mean of 20 and 15.2 dB
    assert found["low"] < found["value"] < found["high"]


def test_a_denoising_ones_figures_have_the_noise_as_their_floor():
    found = figures({"latent": 784, "network": "map", "width": 4, "noise": ("gaussian",)})
    model, test = found.pop("model"), found.pop("test")
    assert set(found) == {"pooled_psnr", "denoised_psnr_01", "denoised_psnr_02", "denoised_psnr_05"}
    for key, sigma in (("01", 0.1), ("02", 0.2), ("05", 0.5)):
        assert found[f"denoised_psnr_{key}"]["floor"] == pytest.approx(-20 * np.log10(sigma), abs=0.15)
    images = torch.from_numpy(test.items).float() / 255
    error = float((model.reconstruct(images) - images).double().square().mean())
    assert found["pooled_psnr"]["value"] == pytest.approx(-10 * np.log10(error), abs=1e-4)
    assert found["pooled_psnr"]["n"] == 100


def test_codes_are_measured_where_the_model_is_made_for_it():
    sparse = figures({"latent": 9, "hidden": (), "code": "sigmoid", "penalty": "kl", "weight": 0.1})
    assert 0 <= sparse["active_share"]["value"] <= 1
    assert sparse["jacobian_norm"]["value"] > 0
    flat = figures({"latent": 2, "hidden": (16,)})
    assert {"knn_accuracy", "trustworthiness", "continuity"} <= set(flat)
    assert flat["knn_accuracy"]["n"] == 100
    assert flat["trustworthiness"]["low"] <= flat["trustworthiness"]["value"] <= flat["trustworthiness"]["high"]


def test_a_judge_sees_larger_items_reduced_to_its_own_size():
    judge = build("judge", {"shape": [3, 16, 16], "classes": 3, "width": 4}).eval()
    large = np.random.default_rng(0).integers(0, 256, (5, 3, 48, 48), dtype=np.uint8)
    reduced = (large.reshape(5, 3, 16, 3, 16, 3).mean((3, 5)) / 255).astype(np.float32)
    assert np.allclose(features(judge, large), features(judge, reduced), atol=1e-5)

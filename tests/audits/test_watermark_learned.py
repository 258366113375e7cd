"""The network's lesson is what it claims to be, its weights are checked, and the proof holds with it in place."""

import hashlib
import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from audits.watermark import WatermarkError, attacks, embed, image, lattice, learned
from genlab.models.contract import Batch

KEY = b"a key of the tests, 32 bytes long"
SHIPPED = pytest.mark.skipif(not (learned.WEIGHTS / "config.json").exists(), reason="weights are not trained yet")


def likeness(a, b):
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


def test_the_lesson_shows_the_waves_that_are_in_the_picture(monkeypatch):
    """On plain grey, unedited but turned and scaled, the residual is the pattern: geometry, shift and sign agree."""
    monkeypatch.setattr(learned, "_edited", lambda picture, rng: picture)
    rng = np.random.default_rng(0)
    for _ in range(6):
        seen, pattern = learned.example(np.full((128, 128, 3), 128, np.uint8), rng)
        assert seen.shape == (2, 96, 96)
        inner = np.s_[24:-24, 24:-24]  # a turned picture has black corners
        assert likeness(seen[0][inner], pattern[inner]) > 0.5


def test_a_step_learns_and_moves_no_global_state():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = learned.Reader(width=8, depth=1)
        step, items = model.trainer(5e-3), torch.rand(4, 3, 128, 128, generator=torch.Generator().manual_seed(0)) * 0.1
        errors = []
        for t in range(12):
            torch.manual_seed(5)  # the same lesson every time
            errors.append(float(step(Batch(items, torch.zeros(4)), 0.3 + t / 100)["error"]))
    assert errors[-1] < errors[0] - 0.01
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


@pytest.fixture
def weights(tmp_path):
    model = learned.Reader(width=8, depth=1)
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    digest = hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()
    config = {"weights_sha256": digest, "recipe": {"model": {"width": 8, "depth": 1}}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    return tmp_path


def test_an_untrained_network_reads_as_the_fixed_filter_does(weights):
    rng = np.random.default_rng(0)
    picture = rng.integers(90, 160, (128, 128, 3)).astype(np.uint8)
    ours, fixed = learned.residual(picture, learned.reader(weights)), image.residual(picture)
    assert likeness(ours, fixed) > 0.999


def test_damaged_or_missing_weights_are_refused(weights, tmp_path):
    assert learned.reader(weights) is not None
    other = tmp_path / "other"
    shutil.copytree(weights, other, ignore=shutil.ignore_patterns("other"))
    raw = bytearray((other / "model.safetensors").read_bytes())
    raw[-1] ^= 1
    (other / "model.safetensors").write_bytes(raw)
    with pytest.raises(WatermarkError, match="not those"):
        learned.reader(other)
    with pytest.raises(WatermarkError, match="cannot be read"):
        learned.reader(tmp_path / "nowhere")


def test_the_recipe_trains_what_the_reader_loads(tmp_path, monkeypatch):
    from genlab import recipes
    from genlab.data import Data

    items = np.random.default_rng(0).integers(0, 256, (8, 3, 128, 128)).astype(np.uint8)
    tiny = Data("photographs", "train", items, np.zeros(8, np.int64), ("photograph",), "CC0-1.0", "nobody")
    monkeypatch.setattr(recipes, "load", lambda name: tiny)
    stages = [stage for stage, _ in recipes.train("watermark", tmp_path, steps=2)]
    assert stages == ["watermark"] * 2
    assert learned.reader(tmp_path / "watermark") is not None
    assert recipes.home_of("watermark") == learned.WEIGHTS
    assert recipes.home_of("vae-fashion") is None


@SHIPPED
def test_the_shipped_weights_are_small_and_the_bound_holds_behind_them():
    assert (learned.WEIGHTS / "model.safetensors").stat().st_size <= 2 * 2**20
    rng = np.random.default_rng(1)
    for picture in (np.full((128, 128, 3), 77, np.uint8), rng.integers(0, 256, (128, 128, 3)).astype(np.uint8)):
        flat = learned.residual(picture)
        numbers = lattice.chips(lattice.lattice_values(flat, lattice.Spectrum.of(flat), lattice.Pose()))
        t = np.array([lattice.statistic(numbers, s) for s in rng.choice([-1.0, 1.0], (2000, len(numbers)))])
        for level in (1.5, 2.0, 2.5, 3.0):
            allowed = 2000 * np.exp(-(level**2) / 2)
            assert (t >= level).sum() <= allowed + 3 * allowed**0.5
        assert learned.detect(picture, [KEY]).p_value > 1e-3


@SHIPPED
def test_the_shipped_network_sees_more_than_the_fixed_filter():
    """On a photograph nobody trained on, of which the middle quarter is left."""
    from skimage import data

    marked = embed(np.ascontiguousarray(data.astronaut()[100:356, 100:356]), KEY, 77)
    edited = attacks.ATTACKS["crop50"](marked)
    found = {seen: image.best_reading(edited, KEY, seen=seen).message for seen in (image.residual, learned.residual)}
    assert found[learned.residual] > found[image.residual] + 1
    assert learned.detect(edited, [KEY]).payload == 77

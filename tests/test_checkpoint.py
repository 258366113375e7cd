"""A model's folder is what its config says, or it is refused in one sentence."""

import json
import lzma
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import save as save_tensors

from genlab import checkpoint
from genlab.checkpoint import CheckpointError


@pytest.fixture
def folder(tiny_shelf):
    return tiny_shelf / "gan-tiny"


def one_sentence(error) -> bool:
    text = str(error.value)
    return text.endswith(".") and "\n" not in text and len(text) < 300


def test_it_loads_ready_to_use(folder):
    model = checkpoint.load(folder)
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())
    assert all(v.dtype == torch.float32 for v in model.state_dict().values() if v.is_floating_point())


@pytest.mark.parametrize("place", [0, 100, -1])
def test_one_other_byte_is_seen(folder, place):
    path = folder / checkpoint.WEIGHTS
    raw = bytearray(path.read_bytes())
    raw[place] ^= 1
    path.write_bytes(raw)
    with pytest.raises(CheckpointError, match="sha256 differs") as error:
        checkpoint.load(folder)
    assert one_sentence(error)


@pytest.mark.parametrize("cut", [0, 1, 1000])
def test_truncated_weights_are_seen(folder, cut):
    path = folder / checkpoint.WEIGHTS
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(CheckpointError) as error:
        checkpoint.load(folder)
    assert one_sentence(error)


def test_missing_weights_are_named(folder):
    (folder / checkpoint.WEIGHTS).unlink()
    with pytest.raises(CheckpointError, match=r"gan-tiny: model\.safetensors is missing") as error:
        checkpoint.load(folder)
    assert one_sentence(error)


def test_oversize_weights_are_not_read(folder, monkeypatch):
    monkeypatch.setattr(checkpoint, "LARGEST", 10)
    with pytest.raises(CheckpointError, match="too large"):
        checkpoint.load(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"name": "x"}', "\x00", '"name recipe metrics"'])
def test_a_broken_config_is_refused(folder, text):
    (folder / "config.json").write_text(text)
    with pytest.raises(CheckpointError) as error:
        checkpoint.load(folder)
    assert one_sentence(error)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="cannot be read"):
        checkpoint.load(tmp_path / "nothing")


@pytest.mark.parametrize("name", ["nope", "", "../gan-tiny", "gan-tiny/", "GAN-TINY", "*", None, 3])
def test_models_go_by_their_exact_name(tiny_shelf, name):
    with pytest.raises(ValueError, match="Models are ae-tiny, gan-tiny, judge-tiny, vae-tiny"):
        checkpoint.folder_of(name, tiny_shelf)


def test_names_are_those_with_a_config(tiny_shelf):
    (tiny_shelf / "half-done").mkdir()
    shutil.rmtree(tiny_shelf / "vae-tiny")
    assert checkpoint.names(tiny_shelf) == ["ae-tiny", "gan-tiny", "judge-tiny"]
    assert checkpoint.folder_of("gan-tiny", tiny_shelf) == tiny_shelf / "gan-tiny"


def resign(folder, raw: bytes) -> None:
    """Other weights under a config that vouches for them."""
    import hashlib

    (folder / checkpoint.WEIGHTS).write_bytes(raw)
    config = checkpoint.read(folder)
    checkpoint.write_config(folder, {**config, "weights_sha256": hashlib.sha256(raw).hexdigest()})


def test_weights_of_another_model_are_refused(folder):
    resign(folder, save_tensors({"something": torch.zeros(3)}))
    with pytest.raises(CheckpointError, match="do not fit") as error:
        checkpoint.load(folder)
    assert one_sentence(error)


def test_something_that_is_no_safetensors_file_is_refused(folder):
    resign(folder, b"\xff" * 64)
    with pytest.raises(CheckpointError) as error:
        checkpoint.load(folder)
    assert one_sentence(error)


@pytest.mark.parametrize(
    "recipe",
    [{"family": "nope", "model": {}}, {"family": "gan", "model": {"nope": 1}}, {"family": "gan", "model": 3}, {}, None],
)
def test_a_recipe_of_no_family_is_refused(folder, recipe):
    config = checkpoint.read(folder)
    checkpoint.write_config(folder, {**config, "recipe": recipe})
    with pytest.raises(CheckpointError, match="builds no model"):
        checkpoint.load(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_figures_must_be_finite_to_be_written(folder, value):
    config, before = checkpoint.read(folder), (folder / "config.json").read_bytes()
    config["metrics"]["fashion_fid"]["value"] = value
    with pytest.raises(ValueError):
        checkpoint.write_config(folder, config)
    assert (folder / "config.json").read_bytes() == before
    assert not list(folder.glob("*.partial"))


def test_new_weights_drop_the_figures_of_the_old_ones(folder):
    model = checkpoint.load(folder)
    old = checkpoint.read(folder)
    assert old["metrics"]
    checkpoint.save(model, folder, name="gan-tiny", recipe=old["recipe"], trained_on=old["trained_on"])
    assert checkpoint.read(folder)["metrics"] == {}


def test_the_config_says_what_it_must(folder):
    config = json.loads((folder / "config.json").read_text())
    assert set(config) == {
        "name", "recipe", "metrics", "weights_sha256", "parameters", "trained_on", "versions"
    }  # fmt: skip
    assert config["versions"]["torch"] == torch.__version__.split("+")[0]
    assert config["parameters"] == sum(p.numel() for p in checkpoint.load(folder).parameters())


def test_large_weights_are_kept_packed_and_come_back_to_the_bit(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "PACKED_ABOVE", 100)
    raw = np.random.default_rng(0).normal(size=5000).astype(np.float32).tobytes()
    path = tmp_path / "model.safetensors"
    checkpoint.write_weights(path, raw, packed=False)
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]
    checkpoint.write_weights(path, raw, packed=True)
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors.xz"]
    assert checkpoint.read_weights(path) == raw
    beside = tmp_path / "model.safetensors.xz"
    assert lzma.decompress(beside.read_bytes()) == raw
    beside.write_bytes(beside.read_bytes()[:-500])
    assert checkpoint.read_weights(path) is None
    beside.write_bytes(b"no archive")
    assert checkpoint.read_weights(path) is None
    monkeypatch.setattr(checkpoint, "LARGEST", 10_000)
    beside.write_bytes(lzma.compress(bytes(10**7)))
    assert checkpoint.read_weights(path) is None

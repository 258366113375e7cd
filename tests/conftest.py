"""What several test files share: a key and a cache of their own, and a shelf with tiny trained-looking models."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

REPOSITORY = Path(__file__).resolve().parent.parent

METRICS = {
    "fashion_fid": {
        "value": 1.25, "low": 1.0, "high": 1.5, "n": 10000, "floor": 0.01, "unit": "squared feature distance",
        "command": "python -m genlab evaluate gan-tiny",
    },
    "recall": {
        "value": 0.5, "low": 0.4, "high": 0.6, "n": 10000, "floor": 0.9, "unit": "share",
        "command": "python -m genlab evaluate gan-tiny",
    },
}  # fmt: skip

TINY = {
    "gan-tiny": ("gan", {"classes": 10, "latent": 4, "width": 4, "shape": [1, 28, 28]}),
    "vae-tiny": ("vae", {"classes": 10, "latent": 3, "width": 4, "local": [1, 1], "priors": ["mixture"]}),
    "judge-tiny": ("judge", {"width": 4, "feature": 8}),
    "ae-tiny": ("ae", {"latent": 2, "hidden": [4], "noise": ["gaussian"]}),
}


def put_on_shelf(shelf: Path, name: str, family: str, arguments: dict) -> Path:
    """An untrained model in a folder that has all a shipped one has, except its card."""
    import torch
    from PIL import Image

    from genlab import checkpoint
    from genlab.models import build

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build(family, arguments)
    recipe = {"family": family, "data": "fashion", "model": arguments, "steps": 1, "seed": 0}
    trained_on = {
        "data": "fashion", "split": "train", "items": 60000, "licence": "MIT", "attribution": "Somebody",
        "seconds": 1, "device": "CPU",
    }  # fmt: skip
    folder = shelf / name
    config = checkpoint.save(model, folder, name=name, recipe=recipe, trained_on=trained_on)
    metrics = json.loads(json.dumps(METRICS).replace("gan-tiny", name))
    checkpoint.write_config(folder, {**config, "metrics": metrics})
    from genlab.card_text import TEXTS

    body = "\n\n".join(f"## {title}\n\nSome words, and {{fashion_fid}}." for title in TEXTS)
    (folder / "about.md").write_text(body + "\n")
    for picture in ("samples.png", "failures.png"):
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / picture)
    return folder


@pytest.fixture
def tiny_shelf(tmp_path, monkeypatch) -> Path:
    """A shelf of the tests' own with one tiny model a family, used by studio and command line."""
    shelf = tmp_path / "shelf"
    for name, (family, arguments) in TINY.items():
        put_on_shelf(shelf, name, family, arguments)
    monkeypatch.setenv("GENLAB_SHELF", str(shelf))
    return shelf


@pytest.fixture(autouse=True, scope="session")
def keys_of_the_tests(tmp_path_factory):
    """Development keys and the ledger go to a folder of this run, never to the user's."""
    os.environ["GENLAB_KEY_FOLDER"] = str(tmp_path_factory.mktemp("keys"))
    os.environ["GENLAB_LEDGER"] = str(tmp_path_factory.mktemp("ledger"))

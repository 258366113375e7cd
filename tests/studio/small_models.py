"""A shelf of small untrained models, and an app that serves one: for tests of what surrounds a model."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

REPOSITORY = Path(__file__).resolve().parents[2]
VAE = {"classes": 10, "latent": 16, "width": 8, "local": [2, 1], "priors": ["mixture"], "likelihood": "bernoulli"}
MODELS = {
    "ae-fashion-flat": ("ae", {"latent": 2, "hidden": [8], "penalty": "neighbours", "weight": 0.01, "target": 10.0}),
    "ae-fashion-wide": ("ae", {"latent": 784, "network": "map", "width": 4, "noise": ["gaussian"], "depth": 1}),
    "gan-small": ("gan", {"classes": 10, "latent": 8, "width": 4}),
    "gan-plain": ("gan", {"latent": 8, "width": 4}),
    "judge-small": ("judge", {"width": 4, "feature": 8}),
    "vae-conditional": ("vae", VAE | {"conditional": True}),
    "vae-small": ("vae", VAE),
}


PIXELS = {
    "gan-small": MODELS["gan-small"],
    "ddpm-small": ("diffusion", {"classes": 10, "widths": (8, 16)}),
    "pixelcnn-small": ("pixelcnn", {"classes": 10, "width": 16, "depth": 1, "reach": 2}),
    "pixelrnn-small": ("pixelrnn", {"classes": 10, "width": 8, "layers": 1, "reach": 1}),
}


VERSE = "The owl and the pussycat went to sea in a beautiful pea green boat; they took honey and plenty of money. "
CALLED = {"country": ["Here", "There"], "gender": ["female", "male"]}
TEXTS = {
    "bert-small": ("bert", {"vocabulary": 120, "width": 16, "layers": 2, "heads": 2, "context": 24}),
    "gpt-called": ("gpt", {"vocabulary": 60, "units": "characters", "width": 16, "layers": 1, "heads": 2,
                           "context": 48, "controls": CALLED}),
    "gpt-letters": ("gpt", {"vocabulary": 60, "units": "characters", "width": 16, "layers": 1, "heads": 2,
                            "context": 48}),
    "gpt-small": ("gpt", {"vocabulary": 300, "width": 32, "layers": 2, "heads": 2, "context": 64}),
    "gan-small": MODELS["gan-small"],
}  # fmt: skip


def build_shelf(folder: Path, models: dict[str, tuple[str, dict]] = MODELS) -> Path:
    """Write the models into `folder`, their weights fixed and far enough from zero to show; returns the folder."""
    import torch

    from genlab import checkpoint
    from genlab.card_text import TEXTS as SECTIONS
    from genlab.data import Corpus
    from genlab.models import build

    words = "\n\n".join(f"## {title}\n\nSome words about {title.lower()}." for title in SECTIONS)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        for name, (family, arguments) in models.items():
            model = build(family, arguments)
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.add_(0.15 * torch.randn_like(parameter))
            if hasattr(model, "learn_tokens"):
                model.learn_tokens(Corpus("verse", "train", (VERSE,), (), "none", "nobody"))
            recipe = {"family": family, "data": "fashion", "model": arguments, "steps": 1, "seed": 0}
            told = {"data": "fashion", "split": "train", "items": 60000, "licence": "MIT", "attribution": "Somebody"}
            told |= {"seconds": 1, "device": "CPU"}
            checkpoint.save(model, folder / name, name=name, recipe=recipe, trained_on=told)
            (folder / name / "about.md").write_text(words + "\n")
            (folder / name / "samples.png").write_bytes(picture())
    return folder


PORTRAITS = {
    "gan-portraits-small": ("gan", {"shape": [3, 64, 64], "latent": 8, "width": 4}),
    "judge-portraits": ("judge", {"shape": [3, 64, 64], "width": 4, "feature": 8, "patch": 4}),
}


def build_portrait_shelf(folder: Path) -> Path:
    """A GAN of portraits and a judge, both untrained; the judge is scaled so that it reads every group in the GAN."""
    import torch

    from genlab import checkpoint
    from genlab.data.portraits import ATTRIBUTES
    from genlab.models import build
    from genlab.seeds import Seeds

    sizes = {name: len(groups) for name, groups in ATTRIBUTES.items()}
    models = {}
    with torch.random.fork_rng():
        torch.manual_seed(11)
        for name, (family, arguments) in PORTRAITS.items():
            arguments = arguments | ({"attributes": sizes} if family == "judge" else {})
            models[name] = (family, arguments, build(family, arguments).eval())
        with torch.no_grad():
            for _, _, model in models.values():
                for parameter in model.parameters():
                    parameter.add_(0.15 * torch.randn_like(parameter))
            gan, judge = (models[name][2] for name in PORTRAITS)
            images = gan.sample(Seeds.count_from(10**6, 400))
            logits = judge.logits(images)
            judge.head.weight.div_(logits.std(0)[:, None])
            judge.head.bias.copy_(judge.head.bias / logits.std(0) - logits.mean(0) / logits.std(0))
            judge.learn_limit(images, images)
    for name, (family, arguments, model) in models.items():
        data = "portraits" if family == "judge" else "portraits-biased"
        recipe = {"family": family, "data": data, "model": arguments, "steps": 1, "seed": 0}
        told = {"data": data, "split": "train", "items": 20000, "licence": "CC0-1.0", "attribution": "Somebody"}
        checkpoint.save(
            model, folder / name, name=name, recipe=recipe, trained_on=told | {"seconds": 1, "device": "CPU"}
        )
    return folder


def picture(side: int = 56) -> bytes:
    """A small PNG: a grey ramp on white."""
    import io

    import numpy as np
    from PIL import Image

    pixels = np.full((side, side), 255, np.uint8)
    pixels[8:-8, 8:-8] = np.linspace(0, 200, side - 16).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


class RunningApp:
    """`python app.py`, or another script, on a free port, in folders of its own; `url` ends in a slash."""

    def __init__(self, shelf: Path, work: Path, script: str = "app.py"):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url, self.log = f"http://127.0.0.1:{port}/", work / "app.log"
        environment = {
            **os.environ,
            "PYTHONPATH": str(REPOSITORY),
            "GENLAB_SHELF": str(shelf),
            "GENLAB_CACHE": str(work / "cache"),
            "GENLAB_KEY_FOLDER": str(work / "keys"),
            "GENLAB_LEDGER": str(work / "ledger"),
            "GRADIO_SERVER_PORT": str(port),
            "GRADIO_TEMP_DIR": str(work / "files"),
        }
        began = time.monotonic()
        with self.log.open("w") as log:
            command = [sys.executable, script]
            self.process = subprocess.Popen(
                command, cwd=REPOSITORY, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(self.url, timeout=5).status_code == 200:
                    break
            if self.process.poll() is not None or time.monotonic() - began > 120:
                self.stop()
                raise RuntimeError(f"The app did not start:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.1)
        self.seconds_to_first_page = time.monotonic() - began

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)

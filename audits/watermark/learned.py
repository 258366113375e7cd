"""A small network that sees a mark better than a fixed filter does, and the recipe it learns by.

Theory. A mark is a weak sum of 216 known waves under a picture that is loud. The best linear reading of it is what is
left when everything a neighbourhood predicts is taken away; how much a neighbourhood predicts depends on what is there
(an edge, a texture, JPEG's blocks), which is what a convolutional network can learn. This one estimates the waves'
sum at each pixel, E[pattern | picture], by squared error, from pictures that were marked under random keys and then
edited. Where it cannot know, the estimate is small, so uncertain places weigh little.

What comes out replaces `lattice.flatten`'s residual and nothing else: pose, shift, message and p-value are read as in
`image.py`, whose bound holds for any numbers computed from a picture without the key, these included.

This file alone of `audits/` imports torch; import it where a mark is sought, not at the top of a module.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from audits.watermark import attacks, image, lattice
from audits.watermark.image import Detection
from audits.watermark.streams import WatermarkError

WEIGHTS = Path(__file__).resolve().parent / "weights"
LARGEST_FILE = 2 * 2**20  # bytes
SEEN = 96  # pixels a side of what a training step looks at


class Reader(nn.Module):
    """Estimates the mark in a flattened picture: (n, 2, h, w) of residual and log contrast -> (n, 1, h, w).

    Works on squares of 2 x 2 pixels as channels; h and w are even. The estimate is a correction of the residual.

    Args:
        width: channels.
        depth: convolutions between the first and the last.
    """

    def __init__(self, *, width: int = 24, depth: int = 3):
        super().__init__()
        self.first = nn.Conv2d(8, width, 3, padding=1)
        self.body = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(depth))
        self.last = nn.Conv2d(width, 4, 3, padding=1)
        self.gain = nn.Parameter(torch.full((), 0.2))
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor) -> Tensor:
        h = F.silu(self.first(F.pixel_unshuffle(x, 2)))
        for layer in self.body:
            h = h + F.silu(layer(h))
        return self.gain * x[:, :1] + F.pixel_shuffle(self.last(h), 2)

    def trainer(self, lr: float) -> Learning:
        return Learning(self, lr)


# ---- learning


class Learning:
    """One step: marks a batch of pictures under random signs, edits them, and lets the network find the waves."""

    def __init__(self, model: Reader, lr: float):
        self.model, self.lr = model, lr
        self.optimiser = torch.optim.AdamW(model.parameters(), lr, betas=(0.9, 0.98), weight_decay=0.01)

    def __call__(self, batch, fraction: float) -> dict[str, Tensor]:
        """Squared error of the estimate; `batch.items` are float32 (n, 3, h, w) in [0, 1], h and w at least 96."""
        rng = np.random.default_rng(int(torch.randint(2**62, ()).item()))
        pictures = (batch.items * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        seen = [example(picture, rng) for picture in pictures]
        device = next(self.model.parameters()).device
        x, pattern = (torch.from_numpy(np.stack(part)).to(device) for part in zip(*seen, strict=True))
        self.optimiser.param_groups[0]["lr"] = self.lr * min(1, fraction * 50 + 0.05) * math.cos(fraction * math.pi / 2)
        estimate = self.model(x)[:, 0]
        loss = F.mse_loss(estimate, pattern)
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        with torch.no_grad():
            fit = F.cosine_similarity(estimate.flatten(1), pattern.flatten(1)).mean()
        return {"error": loss.detach(), "likeness": fit}

    def state_dict(self) -> dict[str, Any]:
        return self.optimiser.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.optimiser.load_state_dict(state)


def example(picture: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A picture (h, w, 3) marked and edited, as the network sees it (2, 96, 96), and the waves in it (96, 96)."""
    signs = rng.choice([-1.0, 1.0], (2, len(lattice.WAVES))) * rng.uniform(0.3, 1.7, (2, len(lattice.WAVES)))
    phase = np.exp(2j * np.pi * (lattice.WAVES @ rng.uniform(0, 1, 2)))
    amplitudes = (signs[0] + 1j * signs[1]) * phase
    brightness = lattice.luma(picture)
    _, contrast, _ = lattice.flatten(brightness)
    mask = (np.sqrt(np.maximum(contrast**2 - lattice.STILL**2, 0)) + 1.0) ** 0.4
    shape = lattice.tile(amplitudes, brightness.shape) * mask
    busy = float(np.median(contrast))
    level = 255 * 10 ** (-(42 - 6 * busy / (busy + 10) + rng.uniform(-1, 3)) / 20)
    change = shape * level / np.sqrt(np.mean(shape * shape))
    marked = np.clip(np.round(picture + change[..., None]), 0, 255).astype(np.uint8)
    edited, place = _moved(marked, rng)
    for _ in range(rng.choice([0, 1, 2], p=[0.1, 0.65, 0.25])):
        edited = _edited(edited, rng)
    pattern = _waves_at(amplitudes, place)
    pattern /= np.sqrt(np.mean(np.abs(amplitudes) ** 2) * len(amplitudes) / 2)
    return _channels(lattice.luma(edited)), pattern


def _moved(picture: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """96 x 96 pixels of the picture, turned and scaled half of the time; and the affine map (2, 3) back into it."""
    from PIL import Image

    h, w = picture.shape[:2]
    if rng.random() < 0.5:
        turn, scale = 0.0, 1.0
        left, top = (int(rng.integers(0, side - SEEN + 1)) for side in (w, h))
        return picture[top : top + SEEN, left : left + SEEN], np.array([[1.0, 0, left], [0, 1.0, top]])
    turn = rng.choice([0.0, rng.uniform(0, 2 * np.pi)])
    scale = math.exp(rng.uniform(-0.15, 0.8))
    c, s = math.cos(turn) / scale, math.sin(turn) / scale
    back = np.array([[c, -s], [s, c]])
    centre = np.array([w, h]) / 2 + rng.uniform(-0.5, 0.5, 2) * max(0, w - SEEN / scale)
    shift = centre - back @ np.array([SEEN / 2, SEEN / 2])
    data = (*back[0], shift[0], *back[1], shift[1])
    moved = Image.fromarray(picture).transform((SEEN, SEEN), Image.Transform.AFFINE, data, Image.Resampling.BICUBIC)
    return np.asarray(moved), np.column_stack([back, shift + back @ np.array([0.5, 0.5]) - 0.5])


def _waves_at(amplitudes: np.ndarray, place: np.ndarray) -> np.ndarray:
    """The sum of the waves at 96 x 96 pixels that `place` maps into the marked picture."""
    along = lattice.WAVES @ place / lattice.PERIOD
    steps = np.arange(SEEN)
    x = np.exp(2j * np.pi * np.outer(along[:, 0], steps))
    y = np.exp(2j * np.pi * np.outer(steps, along[:, 1]))
    return ((y * (amplitudes * np.exp(2j * np.pi * along[:, 2]))) @ x).real.astype(np.float32)


def _edited(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One edit drawn at random, of random strength."""
    kind = rng.choice(
        ["jpeg", "webp", "size", "noise", "blur", "light", "colours"], p=[0.34, 0.14, 0.1, 0.1, 0.12, 0.1, 0.1]
    )
    if kind in ("jpeg", "webp"):
        return attacks.compress(picture, kind.upper(), int(rng.integers(20, 91)))
    if kind == "size":
        return attacks.scale(picture, rng.uniform(0.45, 0.95), back=True)
    if kind == "noise":
        return attacks.add_noise(picture, rng.uniform(0.005, 0.07), seed=int(rng.integers(2**31)))
    if kind == "blur":
        return attacks.blur(picture, rng.uniform(0.4, 2.2))
    if kind == "light":
        what = ("Brightness", "Contrast", "Color")[rng.integers(3)]
        return attacks.enhance(picture, what, rng.choice([rng.uniform(0, 1), rng.uniform(1, 1.6)]) * 0.95 + 0.05)
    return attacks.reduce_colours(picture, int(rng.choice([16, 32, 64, 256])))


# ---- reading


def _channels(working: np.ndarray) -> np.ndarray:
    """What the network sees of a working picture: its residual, and its log contrast on a common scale."""
    flat, contrast, _ = lattice.flatten(working)
    return np.stack([flat, np.log(contrast) - 1.0]).astype(np.float32)


@functools.cache
def reader(folder: Path = WEIGHTS) -> Reader:
    """The network with its shipped weights, hash verified, ready to use.

    Raises:
        WatermarkError: a file is missing, or the weights are not those that `config.json` describes.
    """
    from safetensors.torch import load

    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        path = folder / "model.safetensors"
        if path.stat().st_size > LARGEST_FILE:
            raise WatermarkError(f"{path.name} of the watermark is larger than its limit; get the repository again.")
        raw = path.read_bytes()
        if hashlib.sha256(raw).hexdigest() != config["weights_sha256"]:
            raise WatermarkError("The watermark's weights are not those of its config.json; get the repository again.")
        model = Reader(**config["recipe"]["model"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, WatermarkError):
            raise
        raise WatermarkError(f"The watermark's weights cannot be read ({error}); get the repository again.") from None
    model.load_state_dict({name: value.float() for name, value in load(raw).items()})
    return model.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # twice as fast


def residual(pixels: np.ndarray, network: Reader | None = None) -> np.ndarray:
    """What the network makes of a picture: as `image.residual`, with the mark standing out further."""
    brightness = lattice.luma(pixels)
    working = lattice.middle(lattice.reduced(brightness, lattice.reduction(*brightness.shape)))
    working = working[: working.shape[0] // 2 * 2, : working.shape[1] // 2 * 2]
    with torch.inference_mode():
        seen = torch.from_numpy(_channels(working))[None].contiguous(memory_format=torch.channels_last)
        return (network or reader())(seen)[0, 0].contiguous().numpy()


def detect(pixels: np.ndarray, keys: Sequence[bytes]) -> Detection:
    """As `image.detect`, with the network's residual in place of the fixed filter's."""
    return image.detect(pixels, keys, seen=residual)

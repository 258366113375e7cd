"""Anomaly detection by a network: reconstruction error, evidence, and evidence corrected for complexity.

A small VAE learns the normal pictures; a picture is strange where the network rebuilds it badly, or where its evidence
log p(x), importance-weighted over a few draws (Burda et al. 2016), is low. Evidence mostly measures how much there is
to draw, so that it may rank simple strangers above normal items (Nalisnick et al. 2019); taking off the bits that a
general compressor needs corrects for that (Serrà et al. 2020, equation 3). These are here to be compared with
`detector.py`, which none of them reaches.
"""

import math
import zlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from genlab.models.vae import VAE
from genlab.seeds import Seeds

METHODS = ("reconstruction", "evidence", "complexity")
DRAWS = 4


class Evidence:
    """A VAE of normal pictures as a detector; `fit` it by training `vae` first, then by `scaled`.

    Args:
        shape: (channels, side, side) of the pictures, the side a multiple of 28.
        method: one of METHODS.
    """

    kind = "images"

    def __init__(self, *, shape: tuple[int, int, int], method: str):
        if method not in METHODS:
            raise ValueError(f"Scores of a network are {', '.join(METHODS)}; {str(method)[:40]!r} was given.")
        self.shape, self.method, self.scale = tuple(shape), method, (0.0, 1.0, 1.0)
        likelihood = "logistic" if shape[0] == 1 else "laplace"
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.vae = VAE(shape=self.shape, latent=16, width=16, patch=max(1, shape[1] // 28), likelihood=likelihood)
        self.vae.to(memory_format=torch.channels_last)

    @torch.no_grad()
    def surprise(self, images: Tensor) -> Tensor:
        """How strange each picture is, (n,): 0 for an average normal one, in standard deviations of normal ones."""
        return (self._score(images) - self.scale[0]) / self.scale[1]

    def scaled(self, normal: Tensor) -> None:
        """Take the scores of these normal pictures for the scale."""
        own = self._score(normal)
        error = float((self.rebuilt(normal) - normal).square().mean())
        self.scale = (float(own.mean()), max(float(own.std()), 1e-6), max(error, 1e-9))

    @torch.no_grad()
    def surprise_map(self, images: Tensor) -> Tensor:
        """Squared error of every pixel (n, s, s), over the mean of normal pictures: 1 is usual."""
        return (self.rebuilt(images) - images).square().mean(1) / self.scale[2]

    @torch.no_grad()
    def rebuilt(self, images: Tensor) -> Tensor:
        """The pictures as the network rebuilds them from their codes."""
        return self.vae.decode(self.vae.encode(images))

    @torch.no_grad()
    def _score(self, images: Tensor) -> Tensor:
        if self.method == "reconstruction":
            return (self.rebuilt(images) - images).square().flatten(1).mean(1).clamp(min=1e-9).log()
        seeds = Seeds([0] * len(images))  # the same draws for every picture
        bits = -self.vae.log_prob(images, seeds, k=DRAWS) / (math.log(2) * math.prod(self.shape))
        return bits if self.method == "evidence" else bits - compressed_bits(images)

    def config(self) -> dict[str, Any]:
        """What rebuilds the detector around its tensors; JSON."""
        return {"kind": self.kind, "shape": list(self.shape), "method": self.method, "scale": list(self.scale)}

    def tensors(self) -> dict[str, Tensor]:
        """All that was learnt, by name."""
        return dict(self.vae.state_dict())

    @classmethod
    def load(cls, config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> "Evidence":
        """The detector that `config` and `tensors` came from; raises where they do not belong together."""
        made = cls(shape=tuple(config["shape"]), method=config["method"])
        names = made.vae.state_dict()
        made.vae.load_state_dict({name: tensors[name] for name in names})
        made.vae.eval().requires_grad_(False)
        made.scale = tuple(map(float, config["scale"]))
        return made


def compressed_bits(images: Tensor) -> Tensor:
    """Bits a value that zlib needs for the differences between neighbouring pixels, (n,): a stand-in for PNG."""
    pixels = images.mul(255).round().to(torch.uint8)
    differences = torch.cat([pixels[..., :1], pixels[..., 1:] - pixels[..., :-1]], -1).numpy()
    sizes = [8 * len(zlib.compress(d.tobytes(), 9)) / d.size for d in differences]
    return torch.tensor(sizes, dtype=torch.float32)

"""A learned codec for many small pictures of one kind: 4x4 squares become latents, coded place by place in one archive.

An autoencoder over 4x4 squares of pixels whose residual blocks see the whole picture; its latents are scaled by the
gains of the wanted rate, rounded and coded with a logistic distribution each (Balle, Laparra and Simoncelli 2017).
Mean and scale come from the latents already coded in the two rows before and from the place itself: things that are
centred differ little at the edge. An archive codes the same place of all its pictures at once, so this
autoregression (Minnen, Balle and Toderici 2018) costs no time.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlab.models.contract import Batch, Images
from genlab.models.layers import Descent
from genlab.models.rates import Mix, along, dct, geometric, leaky, level_input, logistic_bits, rounded, spread_levels

SQUARE = 4  # pixels a side
REACH = 2  # places around that the entropy model sees, those before it in reading order
BEFORE = [i for i in range((2 * REACH + 1) ** 2) if i < (2 * REACH + 1) * REACH + REACH]  # of a 5x5 window


class ItemCodec(nn.Module):
    """The codec's networks; `genlab/codec/items.py` makes archives with them.

    Args:
        shape: of an item, sides multiples of 4.
        latents: of a square.
        width: features of a square.
        blocks: residual blocks of the analysis and of the synthesis.
        levels: rates that have gains of their own; between two of them gains are interpolated.
        weights: what a squared error (of 8-bit values, a pixel) costs in bits a pixel, lowest and highest.
    """

    def __init__(
        self,
        *,
        shape: tuple[int, int, int] = (1, 28, 28),
        latents: int = 12,
        width: int = 64,
        blocks: tuple[int, int] = (2, 3),
        levels: int = 3,
        weights: tuple[float, float] = (0.0004, 0.002),
    ):
        super().__init__()
        channels, height, across = shape
        if height % SQUARE or across % SQUARE:
            raise ValueError(f"Sides must be a multiple of {SQUARE}; {height} x {across} was given.")
        self.shape, self.latents, self.levels, self.weights = tuple(shape), latents, levels, weights
        self.grid, self.qualities = (height // SQUARE, across // SQUARE), (1.0, 100.0)
        places, w, pixels = math.prod(self.grid), width, channels * SQUARE**2
        self.analysis = nn.Sequential(
            nn.PixelUnshuffle(SQUARE), nn.Conv2d(pixels, w, 3, padding=1), *(Mix(w, 7) for _ in range(blocks[0])),
            nn.Conv2d(w, latents, 1),
        )  # fmt: skip
        self.synthesis = nn.Sequential(nn.Conv2d(latents, w, 3, padding=1), *(Mix(w, 7) for _ in range(blocks[1])))
        self.finish = nn.Sequential(
            nn.Conv2d(w, 2 * w, 1), nn.PixelShuffle(2), nn.LeakyReLU(0.125),
            nn.Conv2d(w // 2, w // 2, 3, padding=1), nn.LeakyReLU(0.125),
            nn.Conv2d(w // 2, 4 * channels, 3, padding=1), nn.PixelShuffle(2),
        )  # fmt: skip
        self.coarse = nn.Conv2d(w, pixels, 1)
        self.mean_picture = nn.Parameter(torch.full(shape, 0.3))
        self._start_as_dct()
        steps = [12 / (geometric(weights, t, levels) * 65025 * 2 * math.log(2)) for t in range(levels)]
        gains = torch.tensor(steps).rsqrt()
        self.log_gain = nn.Parameter(gains.log()[:, None].repeat(1, latents))
        self.log_back = nn.Parameter(-gains.log()[:, None].repeat(1, latents))
        self.log_scale = nn.Parameter((gains / 8).log()[:, None].repeat(1, latents))
        self.place = nn.Parameter(torch.zeros(places, w))
        self.context = nn.ModuleList(
            [nn.Linear(len(BEFORE) * latents + 1, w), nn.Linear(w, w), nn.Linear(w, 2 * latents)]
        )
        nn.init.normal_(self.context[-1].weight, std=1e-3)
        nn.init.zeros_(self.context[-1].bias)

    @torch.no_grad()
    def _start_as_dct(self) -> None:
        """The first features are the lowest frequencies of the DCT of a square, and the latents are those."""
        k, channels = self.latents, self.shape[0]
        u, v = torch.cartesian_prod(torch.arange(SQUARE), torch.arange(SQUARE)).T
        order = (u**2 + v**2).argsort(stable=True)
        basis = dct(SQUARE).reshape(SQUARE**2, -1)[order].float()
        filters = torch.zeros(SQUARE**2, channels, SQUARE**2)
        filters[:] = basis[:, None] / math.sqrt(channels)
        filters, kept = filters.flatten(1), min(k, SQUARE**2)
        into, out, squeeze, spread = self.analysis[1], self.coarse, self.analysis[-1], self.synthesis[0]
        into.weight[: SQUARE**2] = 0
        into.weight[: SQUARE**2, :, 1, 1] = filters
        out.weight[:, :] = 0
        out.weight[:, : SQUARE**2, 0, 0] = filters.T
        squeeze.weight[:kept], spread.weight[:kept] = 0, 0
        squeeze.weight[:kept, :kept, 0, 0] = torch.eye(kept)
        spread.weight[:kept, :kept, 1, 1] = torch.eye(kept)
        nn.init.zeros_(self.finish[-2].weight)
        for layer in (into, out, squeeze, spread, self.finish[-2]):
            layer.bias.zero_()

    def weight(self, level: float) -> float:
        """What a squared error costs at a level in [0, levels - 1]."""
        return geometric(self.weights, level, self.levels)

    def compress_items(self, items: np.ndarray, *, quality: float) -> bytes:
        """Items uint8 (n, c, h, w) as one archive."""
        from genlab.codec import items as archives

        return archives.encode(self, items, quality)

    def decompress_items(self, payload: bytes) -> np.ndarray:
        """The items of an archive; ValueError where it is damaged."""
        from genlab.codec import items as archives

        return archives.decode(self, payload)

    def analyse(self, images: Images) -> Tensor:
        """Latents (n, latents, h/4, w/4), before gains."""
        return self.analysis(images - self.mean_picture)

    def synthesise(self, latents: Tensor) -> Images:
        """Pictures (n, c, h, w), about [0, 1], from latents whose gains are taken back."""
        x = self.synthesis(latents)
        return F.pixel_shuffle(self.coarse(x), SQUARE) + self.finish(x) + self.mean_picture

    def predict(self, before: Tensor, place: Tensor, level: Tensor) -> Tensor:
        """Means and log scales, in units of the gains, (m, 2 latents).

        Args:
            before: latents of the places of `BEFORE` divided by their gains, (m, len(BEFORE) * latents); 0 outside.
            place: rows of `place`, (m, width).
            level: of each, (m,).
        """
        first, second, third = self.context
        x = (
            first(torch.cat([before.clamp(-16, 16), level_input(level, self.levels)[:, None].to(before.dtype)], 1))
            + place
        )
        return third(leaky(second(leaky(x))))

    def before(self, known: Tensor) -> Tensor:
        """What `predict` sees of latents (n, k, rows, columns): (n, places, len(BEFORE) * k)."""
        n, k = known.shape[:2]
        windows = F.unfold(known, 2 * REACH + 1, padding=REACH).reshape(n, k, (2 * REACH + 1) ** 2, -1)
        return windows[:, :, BEFORE].permute(0, 3, 2, 1).reshape(n, windows.shape[3], -1)

    def trainer(self, lr: float) -> Descent:
        return Descent(self, self.loss, lr=lr, clip=1.0)

    def loss(self, batch: Batch, fraction: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Bits a pixel plus weighted squared error, at a rate drawn for each item."""
        images = batch.items
        level = spread_levels(len(images), self.levels, images.device)
        pictures, bits = self.forward(images, level)
        rate = bits / images[0].numel()
        error = (pictures - images).square().mean((1, 2, 3)) * 65025
        weight = torch.tensor([self.weight(float(t)) for t in level], device=images.device)
        loss = ((rate + weight * error) / (weight / self.weights[0]).sqrt()).mean() * 4
        return loss, {"bits per pixel": rate.mean().detach(), "error": error.mean().detach()}

    def forward(self, images: Images, level: Tensor) -> tuple[Images, Tensor]:
        """Pictures as they would be decoded, and bits an item (with noise in the place of rounding)."""
        n, k = len(images), self.latents
        gain, back, base = (along(t, level) for t in (self.log_gain.exp(), self.log_back.exp(), self.log_scale))
        y = self.analyse(images) * gain[:, :, None, None]
        got = rounded(y)
        seen = self.before(got / gain[:, :, None, None])
        places = self.place.repeat(n, 1)
        found = self.predict(seen.flatten(0, 1), places, level.repeat_interleave(len(self.place)))
        mean, scale = found.reshape(n, -1, 2 * k).transpose(1, 2).reshape(n, 2 * k, *self.grid).chunk(2, 1)
        apart = y + torch.rand_like(y) - 0.5 - mean * gain[:, :, None, None]
        bits = logistic_bits(apart, base[:, :, None, None] + scale).sum((1, 2, 3))
        return self.synthesise(got * back[:, :, None, None]), bits

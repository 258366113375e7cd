"""A learned codec for photographs of any size: transforms with gains for every rate, and a hyperprior with context.

An analysis transform turns pixels into latents, which are scaled by the gains of the wanted rate, rounded to whole
numbers and coded with a logistic distribution each, whose mean and scale the decoder can work out from what it has read
already (Balle et al. 2018; Minnen, Balle and Toderici 2018). The gains make one network serve every rate (Cui et al.
2021); half of the places of a checkerboard know the other half (He et al. 2021), and fine latents know the coarse
ones. Coarse latents, one place for 16 pixels, are the lowest frequencies, merged by twos; fine ones have a place for
8 pixels. The transforms start as an orthonormal colour space and the DCT of 8x8 blocks, which a short training then
bends: wider blocks that overlap, residual branches, and a filter over the finished picture. Learned by rounding with
straight-through gradients for the picture and uniform noise for the rate (Minnen and Singh 2020).
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlab.models.contract import Batch, Images
from genlab.models.layers import Descent
from genlab.models.rates import (
    Mix,
    along,
    dct,
    geometric,
    leaky,
    level_input,
    logistic_bits,
    off_centre,
    rounded,
    spread_levels,
)

COLOURS = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]], dtype=torch.float64)
LUMA, CHROMA = 0.4, (0.09, 0.07)  # deviation of a DCT coefficient of frequency 1, as 1 / frequency ** 1.15
BLOCK, STRIDE = 8, 16  # pixels a side that a fine and a coarse latent stand for; a hyperlatent: 64


def filters(channels: int) -> tuple[Tensor, Tensor]:
    """The `channels` colour DCT filters with most variance in pictures, and where each lies.

    Returns:
        (channels, 3, 8, 8) orthonormal filters in falling order, (channels, 3) of colour, u, v.
    """
    colours = COLOURS / COLOURS.norm(dim=1, keepdim=True)
    all_of_them = torch.einsum("kc,fij->kfcij", colours, dct(BLOCK)).reshape(-1, 3, BLOCK, BLOCK)
    where = torch.cartesian_prod(torch.arange(3), torch.arange(BLOCK), torch.arange(BLOCK))
    order = spread(where[:, 0], where[:, 1].double(), where[:, 2].double()).argsort(descending=True, stable=True)
    return all_of_them[order[:channels]], where[order[:channels]]


def spread(colour: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """A rough deviation of the coefficients of natural pictures at those frequencies (of 8x8 blocks)."""
    first = torch.tensor((LUMA, *CHROMA), dtype=torch.float64)[colour]
    return first / (u**2 + v**2 + 0.02).sqrt() ** 1.15


class Polish(nn.Module):
    """A residual filter on 4x4 squares of pixels: takes the edges of blocks away. Starts as the identity."""

    def __init__(self, width: int):
        super().__init__()
        self.first, self.second = nn.Conv2d(48, width, 3, padding=1), nn.Conv2d(width, 48, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(leaky(self.first(x)))


class PhotoCodec(nn.Module):
    """The codec's networks; `genlab/codec/lossy.py` makes files with them.

    Args:
        channels: features for a block of 8x8 pixels (192 would keep all of it).
        merged: how many of them, the lowest frequencies, go to the coarse latents (4 * merged of them).
        hyper: hyperlatents for a square of 64 pixels.
        width: features of the entropy model.
        blocks: residual blocks of the analysis and of the synthesis.
        polish: width of the last filter (0: none).
        levels: rates that have gains of their own; between two of them gains are interpolated.
        weights: what a squared error (of 8-bit values, a pixel and channel) costs in bits a pixel, lowest and highest.
        crop: side of the windows it learns from.
    """

    def __init__(
        self,
        *,
        channels: int = 112,
        merged: int = 32,
        hyper: int = 32,
        width: int = 64,
        blocks: tuple[int, int] = (1, 2),
        polish: int = 48,
        levels: int = 8,
        weights: tuple[float, float] = (0.0008, 0.1),
        crop: int = 128,
    ):
        super().__init__()
        if not 1 <= merged < channels <= 192:
            raise ValueError(f"channels is 2 to 192 and merged below it; {channels} and {merged} were given.")
        self.channels, self.merged, self.levels, self.weights, self.crop = channels, merged, levels, weights, crop
        self.shape, self.qualities = (3, crop, crop), (1.0, 100.0)  # of what it learns from; it codes any size
        self.coarse, self.fine = 4 * merged, channels - merged
        self.sight = STRIDE * (-(-(4 + 2 * BLOCK * max(blocks)) // STRIDE) + 1)  # pixels beyond which nothing is seen
        basis, where = filters(channels)
        self.lapped = nn.Conv2d(192, channels, 2)
        self.analyser = nn.Sequential(*(Mix(channels) for _ in range(blocks[0])))
        self.merge = nn.Conv2d(4 * merged, 4 * merged, 1)
        self.split = nn.Conv2d(4 * merged, 4 * merged, 1)
        self.synthesiser = nn.Sequential(*(Mix(channels) for _ in range(blocks[1])))
        self.overlapped = nn.Conv2d(channels, 192, 2, padding=1)
        self.polish = Polish(polish) if polish else nn.Identity()
        self._start_as_dct(basis)
        spreads = self._spreads(where)
        self.register_buffer("spread", spreads.float())
        step = torch.tensor([math.sqrt(12 / (self.weight(t) * 65025 * 2 * math.log(2) / 3)) for t in range(levels)])
        self.log_gain = nn.Parameter(-step.log()[:, None].repeat(1, self.coarse + self.fine))
        self.log_back = nn.Parameter(step.log()[:, None].repeat(1, self.coarse + self.fine))
        self.log_scale = nn.Parameter((0.25 * spreads / step[:, None]).log().float())
        self.hyper_mean, self.hyper_scale = (nn.Parameter(torch.full((levels, hyper), at)) for at in (0.0, -1.0))
        w, c, f = width, self.coarse, self.fine
        self.hyper_analysis = nn.ModuleList(
            [nn.Conv2d(c + 4 * f + 1, w, 1), nn.Conv2d(4 * w, w, 1), nn.Conv2d(4 * w, hyper, 1)]
        )
        self.hyper_synthesis = nn.ModuleList(
            [nn.Conv2d(hyper + 1, 128, 1), nn.Conv2d(32, 48, 3, padding=1), nn.Conv2d(48, 192, 1),
             nn.Conv2d(48, w, 3, padding=1)]
        )  # fmt: skip
        self.first_half = nn.ModuleList([nn.Conv2d(w, w, 1), nn.Conv2d(w, 2 * c, 1)])
        self.second_half = nn.ModuleList(
            [nn.Conv2d(c, 48, 1), nn.Conv2d(48, w, 3, padding=1), nn.Conv2d(2 * w, w, 1), nn.Conv2d(w, 2 * c, 1)]
        )
        self.to_fine = nn.ModuleList([nn.Conv2d(c, 48, 1), nn.Conv2d(48, 48, 3, padding=1), nn.Conv2d(w + 48, 192, 1)])
        self.first_fine = nn.ModuleList([nn.Conv2d(48, 2 * f, 1)])
        self.second_fine = nn.ModuleList(
            [nn.Conv2d(f, 32, 1), nn.Conv2d(32, 48, 3, padding=1), nn.Conv2d(96, w, 1), nn.Conv2d(w, 2 * f, 1)]
        )
        for head in (self.first_half, self.second_half, self.first_fine, self.second_fine):
            nn.init.normal_(head[-1].weight, std=1e-3)
            nn.init.zeros_(head[-1].bias)

    # ---- capabilities

    def compress(self, pixels: np.ndarray, *, quality: float) -> bytes:
        """A picture uint8 (h, w, 3) of any size as bytes that decode with the same weights."""
        from genlab.codec import lossy

        return lossy.encode(self, pixels, quality)

    def decompress(self, payload: bytes) -> np.ndarray:
        """The picture, uint8 (h, w, 3); ValueError where the bytes are damaged."""
        from genlab.codec import lossy

        return lossy.decode(self, payload)

    # ---- transforms

    def _start_as_dct(self, basis: Tensor) -> None:
        """The windows of 16 pixels see only their middle 8x8 block; merging is the Haar transform."""
        c, m = self.channels, self.merged
        window = torch.zeros(c, 3, 16, 16, dtype=torch.float64)
        window[:, :, 4:12, 4:12] = basis
        cells = window.reshape(c, 3, 2, 8, 2, 8)
        haar = torch.tensor([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]], dtype=torch.float64) / 2
        merging = torch.einsum("ab,km->akmb", haar, torch.eye(m, dtype=torch.float64)).reshape(4 * m, 4 * m)
        with torch.no_grad():
            self.lapped.weight.copy_(cells.permute(0, 1, 3, 5, 2, 4).reshape(c, 192, 2, 2))
            quarters = cells.flip(2, 4).reshape(c, 3, 2, 2, 4, 2, 2, 4)  # c, colour, part, a, y, part, b, x
            self.overlapped.weight.copy_(quarters.permute(1, 4, 7, 3, 6, 0, 2, 5).reshape(192, c, 2, 2))
            self.merge.weight.copy_(merging[:, :, None, None])
            self.split.weight.copy_(merging.T[:, :, None, None])
            for layer in (self.lapped, self.overlapped, self.merge, self.split):
                layer.bias.zero_()

    def _spreads(self, where: Tensor) -> Tensor:
        """Rough deviations of the coarse and the fine latents at the start, (coarse + fine,), in [0, 1] pixels."""
        colour, u, v = where.T
        low = slice(0, self.merged)
        halves = [(a, b) for a in (0, 0.5) for b in (0, 0.5)]
        coarse = [spread(colour[low], u[low] + a, v[low] + b) * 1.2 for a, b in halves]
        return torch.cat([*coarse, spread(colour, u, v)[self.merged :]]).clamp(max=6.0)

    def analyse(self, images: Images) -> tuple[Tensor, Tensor]:
        """Coarse (n, coarse, h/16, w/16) and fine (n, fine, h/8, w/8) latents, before gains; h, w multiples of 16."""
        x = F.pad(images - 0.5, (4, 4, 4, 4), mode="replicate")
        x = self.analyser(self.lapped(F.pixel_unshuffle(x, BLOCK)))
        return self.merge(F.pixel_unshuffle(x[:, : self.merged], 2)), x[:, self.merged :]

    def synthesise(self, coarse: Tensor, fine: Tensor) -> Images:
        """Pictures (n, 3, h, w), about [0, 1], from latents whose gains are taken back."""
        x = torch.cat([F.pixel_shuffle(self.split(coarse), 2), fine], 1)
        x = F.pixel_shuffle(self.overlapped(self.synthesiser(x)), 2)
        return F.pixel_shuffle(self.polish(x), 4)[:, :, 4:-4, 4:-4] + 0.5

    def weight(self, level: float) -> float:
        """What a squared error costs at a level in [0, levels - 1]."""
        return geometric(self.weights, level, self.levels)

    def at(self, table: Tensor, level: Tensor) -> Tensor:
        """Rows of a (levels, k) table at levels (n,), interpolated: (n, k, 1, 1)."""
        return along(table, level)[:, :, None, None]

    # ---- entropy model; every layer a convolution, so that lossy.py can run it on whole numbers

    def hyper_encode(self, coarse: Tensor, fine: Tensor, level: Tensor) -> Tensor:
        """Hyperlatents (n, hyper, h/64, w/64) of latents divided by `spread`; sides of coarse are multiples of 4."""
        x = torch.cat([coarse, F.pixel_unshuffle(fine, 2), constant(coarse, level_input(level, self.levels))], 1).clamp(
            -16, 16
        )
        first, second, third = self.hyper_analysis
        x = F.pixel_unshuffle(leaky(first(x)), 2)
        return third(F.pixel_unshuffle(leaky(second(x)), 2))

    def hyper_decode(self, z: Tensor, level: Tensor) -> Tensor:
        """Features (n, width, h/16, w/16) of rounded hyperlatents."""
        first, second, third, fourth = self.hyper_synthesis
        x = F.pixel_shuffle(leaky(first(torch.cat([z, constant(z, level_input(level, self.levels))], 1))), 2)
        x = F.pixel_shuffle(leaky(third(leaky(second(x)))), 2)
        return leaky(fourth(x))

    def coarse_first(self, h: Tensor) -> Tensor:
        return self.first_half[1](leaky(self.first_half[0](h)))

    def coarse_second(self, h: Tensor, known: Tensor, where: Tensor | None = None) -> Tensor:
        """At all places (n, 2 coarse, h, w), or at those numbered by `where`: (n, 2 coarse, places, 1)."""
        return second(self.second_half, h, known, where)

    def fine_features(self, h: Tensor, coarse: Tensor) -> Tensor:
        squeeze, around, join = self.to_fine
        context = leaky(around(leaky(squeeze(coarse))))
        return F.pixel_shuffle(leaky(join(torch.cat([h, context], 1))), 2)

    def fine_first(self, g: Tensor) -> Tensor:
        return self.first_fine[0](g)

    def fine_second(self, g: Tensor, known: Tensor, where: Tensor | None = None) -> Tensor:
        """As `coarse_second`, of fine latents."""
        return second(self.second_fine, g, known, where)

    # ---- training

    def trainer(self, lr: float) -> Descent:
        linear = (self.lapped, self.merge, self.split, self.overlapped)
        return Descent(self, self.loss, lr=lr, clip=1.0, slow=[p for layer in linear for p in layer.parameters()])

    def loss(self, batch: Batch, fraction: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Bits a pixel plus weighted squared error, at a rate drawn for each item."""
        images = window(batch.items, self.crop)
        n, _, height, width = images.shape
        level = spread_levels(n, self.levels, images.device)
        pictures, bits = self.forward(images, level)
        rate = bits / (height * width)
        error = (pictures - images).square().mean((1, 2, 3)) * 65025
        weight = torch.tensor([self.weight(float(t)) for t in level], device=images.device)
        cost = rate + weight * error
        loss = (cost / (weight / self.weights[0]).sqrt()).mean() * 4  # so that no rate drowns the others
        return loss, {
            "bits per pixel": rate.mean().detach(),
            "error": error.mean().detach(),
            "cost": cost.mean().detach(),
        }

    def forward(self, images: Images, level: Tensor) -> tuple[Images, Tensor]:
        """Pictures as they would be decoded, and bits an item (with noise in the place of rounding)."""
        coarse, fine = self.analyse(images)
        c = self.coarse
        spreads = self.spread[None, :, None, None]
        gain, back = self.at(self.log_gain.exp(), level), self.at(self.log_back.exp(), level)
        base = self.at(self.log_scale, level)
        z = self.hyper_encode(coarse / spreads[:, :c], fine / spreads[:, c:], level)
        mean, scale = self.at(self.hyper_mean, level), self.at(self.hyper_scale, level)
        bits = logistic_bits(z + torch.rand_like(z) - 0.5 - mean, scale).sum((1, 2, 3))
        h = self.hyper_decode(rounded(z - mean) + mean, level)
        unit, scaled = gain * spreads, (coarse * gain[:, :c], fine * gain[:, c:])

        def both(y, first, second, unit, base):
            mask = checkerboard(y)
            early = first[:, : y.shape[1]] * unit
            known = (rounded(y - early) + early) * mask / unit
            mean, scale = torch.where(mask > 0, first, second(known.clamp(-16, 16))).chunk(2, 1)
            apart = y - mean * unit
            scale = base + scale
            cost = logistic_bits(apart + torch.rand_like(y) - 0.5, scale)
            got = y + (apart.round() - apart).detach()
            return got, got + off_centre(apart.round(), scale).detach(), cost.sum((1, 2, 3))

        got, shown, cost = both(
            scaled[0], self.coarse_first(h), lambda k: self.coarse_second(h, k), unit[:, :c], base[:, :c]
        )
        g = self.fine_features(h, (got / unit[:, :c]).clamp(-16, 16))
        _, shown_fine, cost_fine = both(
            scaled[1], self.fine_first(g), lambda k: self.fine_second(g, k), unit[:, c:], base[:, c:]
        )
        pictures = self.synthesise(shown * back[:, :c], shown_fine * back[:, c:])
        return pictures, bits + cost + cost_fine


def second(layers: nn.ModuleList, features: Tensor, known: Tensor, where: Tensor | None) -> Tensor:
    """Means and scales of the half that is coded last, from features and from what is known of the other half."""
    squeeze, around, join, last = layers
    x = torch.cat([features, leaky(around(squeeze(known)))], 1)
    return last(leaky(join(x if where is None else chosen(x, where))))


def chosen(x: Tensor, where: Tensor) -> Tensor:
    """Places of (n, k, h, w) that are numbered row by row: (n, k, places, 1)."""
    return x.flatten(2).index_select(2, where)[..., None]


def constant(like: Tensor, values: Tensor) -> Tensor:
    """One channel that holds each item's value everywhere."""
    return values.to(like.dtype)[:, None, None, None].expand(-1, 1, *like.shape[2:])


def checkerboard(like: Tensor) -> Tensor:
    """1 at the places that are coded first, (1, 1, h, w): those with an even sum of row and column."""
    rows, columns = (torch.arange(n, device=like.device) for n in like.shape[2:])
    return ((rows[:, None] + columns + 1) % 2).to(like.dtype)[None, None]


def window(images: Images, side: int) -> Images:
    """One window of `side` pixels of every item, the same for all, and half of the items mirrored or turned."""
    n, _, height, width = images.shape
    side = min(side, height, width)
    top, left = int(torch.randint(height - side + 1, ())), int(torch.randint(width - side + 1, ()))
    images = images[:, :, top : top + side, left : left + side]
    mirrored, turned = (torch.rand(n, 1, 1, 1, device=images.device) < 0.5 for _ in range(2))
    images = torch.where(mirrored, images.flip(3), images)
    return torch.where(turned, images.transpose(2, 3), images)

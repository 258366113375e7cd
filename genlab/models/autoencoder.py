"""Autoencoder: an item becomes a code and comes back; what is asked of the code makes the kind.

A network is trained to give back what it was shown (Rumelhart, Hinton and Williams 1986; Hinton and
Salakhutdinov 2006). A code smaller than the item (undercomplete) forces it to keep what matters. A larger one
(overcomplete) can copy, unless something is asked for: undo noise (denoising: Vincent et al. 2008), be mostly silent
(sparse: an L1 penalty, or the KL divergence to a target activation, Ng 2011), hardly move when the item does
(contractive: Rifai et al. 2011), or lie near the codes of similar items (neighbours: van der Maaten 2009). Each is an
argument of the one class here.
"""

import math
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlab.device import autocast
from genlab.models.contract import Batch, Images
from genlab.models.corruption import NOISES, corrupt
from genlab.models.layers import Descent, Residual, in_micro_batches
from genlab.models.neighbours import divergence, similarities
from genlab.seeds import Seeds

NETWORKS = ("connected", "convolutional", "map")
CODES = ("linear", "relu", "sigmoid")
LOSSES = ("mse", "bce")
PENALTIES = ("none", "l1", "kl", "contractive", "neighbours")


class AE(nn.Module):
    """One autoencoder for pictures, series and rows of a table.

    Args:
        shape: (channels, height, width) of a picture, (channels, length) of a series, (columns,) of a table's row.
        latent: size d of the code; for "map", a multiple of the number of places of the map.
        network: "connected" (fully), "convolutional" (a flat code) or "map" (the code is a map of half the side).
        hidden: widths between item and code of a connected network; () is a single layer.
        width: channels of a convolutional network at half of the side, twice as many at a quarter.
        depth: residual blocks at each resolution.
        coarse: channels that the encoder of a map has at a quarter of the side beside those at half (0: none), to see
            more of the item at once.
        tied: whether a connected decoder uses the encoder's weights, turned over.
        code: what the last layer of the encoder ends in: "linear", "relu" or "sigmoid".
        loss: "mse", or "bce" (binary cross-entropy; the items must lie in [0, 1]).
        bounded: whether items lie in [0, 1], so that decoded ones are put there (False: rows and series as they come).
        noise: kinds of noise (`corruption.NOISES`) that training items get, one an item, drawn from this list.
        amount: lowest and highest amount of it; a little is drawn more often than a lot.
        penalty: what is asked of the code: "none", "l1", "kl", "contractive" or "neighbours".
        weight: of the penalty beside the reconstruction error, a mean over values.
        target: for "kl" the mean activation asked for; for "neighbours" the perplexity.

    Raises:
        ValueError: a name is unknown, or the arguments do not go together.
    """

    def __init__(
        self,
        *,
        shape: tuple[int, ...] = (1, 28, 28),
        latent: int = 32,
        network: str = "connected",
        hidden: tuple[int, ...] = (128,),
        width: int = 32,
        depth: int = 1,
        coarse: int = 0,
        tied: bool = False,
        code: str = "linear",
        loss: str = "mse",
        bounded: bool = True,
        noise: tuple[str, ...] = (),
        amount: tuple[float, float] = (0.0, 0.5),
        penalty: str = "none",
        weight: float = 0.0,
        target: float = 0.05,
    ):
        super().__init__()
        for what, given, known in (
            ("Networks", network, NETWORKS), ("Codes", code, CODES), ("Losses", loss, LOSSES),
            ("Penalties", penalty, PENALTIES), *(("Kinds of noise", kind, NOISES) for kind in noise),
        ):  # fmt: skip
            if given not in known:
                raise ValueError(f"{what} are {', '.join(known)}; {given!r} was given.")
        if penalty == "contractive" and network != "connected":
            raise ValueError(
                "The contractive penalty is exact for connected networks only: choose network='connected'."
            )
        if penalty == "kl" and (code != "sigmoid" or not 0 < target < 1):
            raise ValueError("The KL penalty needs code='sigmoid' and a target between 0 and 1.")
        if loss == "bce" and not bounded:
            raise ValueError("The loss 'bce' needs items in [0, 1]: use 'mse' for others.")
        self.shape, self.latent, self.code, self.loss_kind, self.bounded = tuple(shape), latent, code, loss, bounded
        self.noise, self.amount, self.penalty = tuple(noise), tuple(amount), penalty
        self.weight, self.target = weight, target
        if network == "connected":
            self.network: nn.Module = Connected(math.prod(shape), latent, hidden, tied=tied, code=code)
        elif network == "convolutional":
            self.network = Convolutional(self.shape, latent, width=width, depth=depth)
        else:
            self.network = Map(self.shape, latent, width=width, depth=depth, coarse=coarse)

    # ---- the networks

    def look(self, items: Tensor) -> Tensor:
        """Codes (n, d) of items, with gradients."""
        z = self.network.encode(2 * items - 1 if self.bounded else items).float()
        return activate(self.code, z)

    def render(self, codes: Tensor) -> Tensor:
        """Decoded items (n, ...), before they are put in [0, 1]: logits where the loss is "bce"."""
        return self.network.decode(codes).float().view(-1, *self.shape)

    # ---- training

    def trainer(self, lr: float) -> Descent:
        return Descent(self, self.loss, lr=lr, clip=5.0)

    def loss(self, batch: Batch, fraction: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Reconstruction error, a mean over values, and the penalty with its weight."""
        items = batch.items
        seen = self.spoiled(items) if self.noise else items
        with autocast(items.device):
            codes = self.look(seen)
            outputs = self.render(codes)
        codes, outputs = codes.float(), outputs.float()
        if self.loss_kind == "bce":
            error = F.binary_cross_entropy_with_logits(outputs, items)
        else:
            error = F.mse_loss(outputs, items)
        told = {"error": error.detach()}
        if self.penalty == "none":
            return error, told
        penalty = self.penalty_of(seen, codes)
        return error + self.weight * penalty, told | {"penalty": penalty.detach()}

    def spoiled(self, items: Tensor) -> Tensor:
        """The items with noise, kind and amount drawn for each."""
        low, high = self.amount
        amount = low + (high - low) * torch.rand(len(items), device=items.device).square()  # little noise more often
        which = torch.randint(len(self.noise), (len(items),), device=items.device)
        seen = items
        for i, kind in enumerate(self.noise):
            chosen = (which == i).view(-1, *(1,) * len(self.shape))
            seen = torch.where(chosen, corrupt(items, kind, amount), seen)
        return seen

    def penalty_of(self, items: Tensor, codes: Tensor) -> Tensor:
        """What is asked of the code, a scalar."""
        if self.penalty == "l1":
            return codes.abs().mean(0).sum()
        if self.penalty == "kl":
            return kl_to_target(codes.mean(0), self.target).sum()
        if self.penalty == "contractive":
            return self.squared_jacobian(items).mean()
        return divergence(similarities(items, self.target), codes)

    def squared_jacobian(self, items: Tensor) -> Tensor:
        """||dz/dx||_F^2 of each item, exactly, (n,), with gradients; for connected networks."""
        scale = 4.0 if self.bounded else 1.0  # the networks see 2 x - 1
        return scale * self.network.squared_jacobian(2 * items - 1 if self.bounded else items)

    # ---- capabilities

    @torch.no_grad()
    def encode(self, images: Images, *, seeds: Seeds | None = None) -> Tensor:
        """Codes (n, d); there is nothing random about them."""
        return in_micro_batches(self.look, images)

    @torch.no_grad()
    def decode(self, codes: Tensor, *, seeds: Seeds | None = None) -> Images:
        """The item of each code (n, d)."""
        return in_micro_batches(lambda z: self.finished(self.render(z)), codes)

    @torch.no_grad()
    def reconstruct(self, images: Images) -> Images:
        """What encoder and decoder make of an item."""
        return in_micro_batches(lambda x: self.finished(self.render(self.look(x))), images)

    def finished(self, outputs: Tensor) -> Tensor:
        """Decoded items as they leave."""
        if self.loss_kind == "bce":
            return outputs.sigmoid()
        return outputs.clamp(0, 1) if self.bounded else outputs


# ---- what codes end in, and penalties


def activate(code: str, z: Tensor) -> Tensor:
    """The code's last step."""
    return F.relu(z) if code == "relu" else z.sigmoid() if code == "sigmoid" else z


def slope(code: str, z: Tensor) -> Tensor:
    """The derivative of `activate` at z."""
    if code == "relu":
        return (z > 0).to(z.dtype)
    return z.sigmoid() * (1 - z.sigmoid()) if code == "sigmoid" else torch.ones_like(z)


def kl_to_target(mean: Tensor, target: float) -> Tensor:
    """KL(Bernoulli(target) || Bernoulli(mean)) of each unit's mean activation, nats (Ng 2011, section 3)."""
    mean = mean.clamp(1e-6, 1 - 1e-6)
    return target * (target / mean).log() + (1 - target) * ((1 - target) / (1 - mean)).log()


# ---- the networks: each has encode (items to pre-activations of the code) and decode (codes to items)


class Connected(nn.Module):
    """A perceptron down to the code and its mirror image back up, with rectified units between."""

    def __init__(self, size: int, latent: int, hidden: tuple[int, ...], *, tied: bool, code: str):
        super().__init__()
        sizes = [size, *hidden, latent]
        self.code = code
        self.down = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        back = list(pairwise(sizes[::-1]))
        self.up = None if tied else nn.ModuleList(nn.Linear(a, b) for a, b in back)
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(b)) for _, b in back) if tied else None

    def encode(self, items: Tensor) -> Tensor:
        h = items.flatten(1)
        for layer in self.down[:-1]:
            h = F.relu(layer(h))
        return self.down[-1](h)

    def decode(self, codes: Tensor) -> Tensor:
        h = codes
        for i in range(len(self.down)):
            weight, bias = self.upward(i)
            h = F.linear(F.relu(h) if i else h, weight, bias)
        return h

    def upward(self, i: int) -> tuple[Tensor, Tensor]:
        """Weight and bias of the decoder's i-th layer."""
        if self.up is None:
            return self.down[-1 - i].weight.T, self.biases[i]
        return self.up[i].weight, self.up[i].bias

    def squared_jacobian(self, items: Tensor) -> Tensor:
        """||dz/dx||_F^2, (n,), z after the code's activation.

        The Jacobian is D_L W_L ... D_1 W_1 with diagonal slopes D. The first, widest layer enters through
        W_1 W_1' alone, so nothing of the item's size is ever formed; a single layer costs one product
        (Rifai et al. 2011, equation 3).
        """
        h, slopes = items.flatten(1), []
        for layer in self.down[:-1]:
            z = layer(h)
            slopes.append(slope("relu", z))
            h = F.relu(z)
        last = slope(self.code, self.down[-1](h))
        if not slopes:
            return last.square() @ self.down[0].weight.square().sum(1)
        rows = last[:, :, None] * self.down[-1].weight  # (n, d, units of the layer below)
        for layer, below in zip(self.down[-2:0:-1], slopes[:0:-1], strict=True):
            rows = (rows * below[:, None]) @ layer.weight
        rows = rows * slopes[0][:, None]
        gram = self.down[0].weight @ self.down[0].weight.T
        return (rows @ gram * rows).sum((1, 2))


class Convolutional(nn.Module):
    """Convolutions to a quarter of the side, residual blocks, and a flat code; for pictures and series."""

    def __init__(self, shape: tuple[int, ...], latent: int, *, width: int, depth: int):
        super().__init__()
        check_sides(shape, 4)
        n = len(shape) - 1
        convolution, deep = CONVOLUTIONS[n], 2 * width
        self.places = tuple(side // 4 for side in shape[1:])
        inner = deep // 4 * math.prod(self.places)
        self.down = nn.ModuleList([convolution(shape[0], width, 4, 2, 1), convolution(width, deep, 4, 2, 1)])
        self.encoder = nn.ModuleList([stack(width, depth, n), stack(deep, depth, n)])
        self.squeeze, self.widen = convolution(deep, deep // 4, 1), convolution(deep // 4, deep, 1)
        self.enter, self.start = nn.Linear(inner, latent), nn.Linear(latent, inner)
        self.decoder = nn.ModuleList([stack(deep, depth, n), stack(width, depth, n)])
        self.up = convolution(deep, 2**n * width, 1)
        self.leave = convolution(width, 2**n * shape[0], 3, padding=1)

    def encode(self, items: Tensor) -> Tensor:
        h = self.encoder[0](self.down[0](together(items)))
        h = self.encoder[1](self.down[1](F.relu(h)))
        return self.enter(self.squeeze(F.relu(h)).flatten(1))

    def decode(self, codes: Tensor) -> Tensor:
        h = F.relu(self.start(codes)).view(len(codes), -1, *self.places)
        h = self.decoder[0](self.widen(together(h)))
        h = self.decoder[1](spread(self.up(F.relu(h))))
        return spread(self.leave(F.relu(h)))


class Map(nn.Module):
    """Convolutions all the way: the code keeps numbers for every block of the item, and need be no bottleneck."""

    def __init__(self, shape: tuple[int, ...], latent: int, *, width: int, depth: int, coarse: int):
        super().__init__()
        check_sides(shape, 4 if coarse else 2)
        n = len(shape) - 1
        convolution = CONVOLUTIONS[n]
        self.places = tuple(side // 2 for side in shape[1:])
        channels, left = divmod(latent, math.prod(self.places))
        if left or not channels:
            raise ValueError(f"A map has a multiple of {math.prod(self.places)} numbers here; {latent} was given.")
        self.down, self.encoder = convolution(shape[0], width, 4, 2, 1), stack(width, depth, n)
        self.wider = Wider(width, coarse, n) if coarse else nn.Identity()
        self.enter, self.start = convolution(width, channels, 1), convolution(channels, width, 3, padding=1)
        self.decoder, self.leave = stack(width, depth, n), convolution(width, 2**n * shape[0], 3, padding=1)
        # A linear path each way, so that the rest learns what to change and not how to copy.
        self.direct_in = convolution(shape[0], channels, 2, 2)
        self.direct_out = convolution(channels, 2**n * shape[0], 1)

    def encode(self, items: Tensor) -> Tensor:
        x = together(items)
        return (self.enter(F.relu(self.encoder(self.wider(self.down(x))))) + self.direct_in(x)).flatten(1)

    def decode(self, codes: Tensor) -> Tensor:
        z = together(codes.view(len(codes), -1, *self.places))
        h = self.decoder(self.start(z))
        return spread(self.leave(F.relu(h)) + self.direct_out(z))


class Wider(nn.Module):
    """A residual step that goes down to half of its side and back, so that it sees twice as far."""

    def __init__(self, width: int, coarse: int, dimensions: int):
        super().__init__()
        convolution = CONVOLUTIONS[dimensions]
        self.down, self.blocks = convolution(width, coarse, 4, 2, 1), stack(coarse, 2, dimensions)
        self.up = convolution(coarse, 2**dimensions * width, 1)

    def forward(self, h: Tensor) -> Tensor:
        return h + spread(self.up(F.relu(self.blocks(self.down(F.relu(h))))))


CONVOLUTIONS: dict[int, Any] = {1: nn.Conv1d, 2: nn.Conv2d}


def check_sides(shape: tuple[int, ...], step: int) -> None:
    """Raise ValueError where a shape is no picture or series, or a side no multiple of `step`."""
    if len(shape) - 1 not in CONVOLUTIONS or any(side % step for side in shape[1:]):
        raise ValueError(
            f"Convolutions take pictures and series whose sides are a multiple of {step}; {shape} was given."
        )


def stack(channels: int, depth: int, dimensions: int) -> nn.Sequential:
    """`depth` residual blocks."""
    return nn.Sequential(*(Residual(channels, dimensions) for _ in range(depth)))


def together(x: Tensor) -> Tensor:
    """Pictures laid out with their channels innermost, which bf16 convolutions are quick on."""
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x


def spread(x: Tensor) -> Tensor:
    """Channels moved into blocks of two places each way: (n, 4c, h, w) -> (n, c, 2h, 2w), (n, 2c, l) -> (n, c, 2l)."""
    if x.ndim == 4:
        return F.pixel_shuffle(x, 2)
    n, channels, length = x.shape
    return x.view(n, channels // 2, 2, length).transpose(2, 3).reshape(n, channels // 2, 2 * length)

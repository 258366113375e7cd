"""Autoencoder: an item becomes a code and comes back; what is asked of the code makes the kind.

A network is trained to give back what it was shown (Rumelhart, Hinton and Williams 1986; Hinton and
Salakhutdinov 2006). A code smaller than the item (undercomplete) forces it to keep what matters. A larger one
(overcomplete) can copy, unless something is asked for: undo noise (denoising: Vincent et al. 2008), be mostly silent
(sparse: an L1 penalty, or the KL divergence to a target activation, Ng 2011), hardly move when the item does
(contractive: Rifai et al. 2011), or lie near the codes of similar items (neighbours: van der Maaten 2009). Each is an
argument of the one class here.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlab.device import autocast
from genlab.models.autoencoder_networks import CODES, Connected, Convolutional, Map, activate
from genlab.models.contract import Batch, Images
from genlab.models.corruption import NOISES, corrupt
from genlab.models.layers import Descent, in_micro_batches
from genlab.models.neighbours import divergence, similarities
from genlab.seeds import Seeds

NETWORKS = ("connected", "convolutional", "map")
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
        spin: whether `reconstruct` is a mean over what comes back of a picture and of its copies moved by a pixel each
            way, put back in place: what noise does to one of them it does not do to all (cycle spinning: Coifman and
            Donoho 1995). Five times the work; the codes and what they decode to are as without.

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
        spin: bool = False,
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
        if spin and len(shape) != 3:
            raise ValueError("Only pictures are spun: leave spin out for series and rows.")
        self.spin = spin
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
        return Descent(self, self.loss, lr=lr, clip=5.0, steady=self.penalty == "none")

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
        """What encoder and decoder make of an item, a mean over its small shifts where the model spins."""
        return in_micro_batches(self.spun if self.spin else self.once, images)

    def once(self, items: Tensor) -> Tensor:
        """Encoded and decoded."""
        return self.finished(self.render(self.look(items)))

    def spun(self, items: Tensor) -> Tensor:
        """The mean of `once` over the picture itself, counted twice, and its four shifts by a pixel, each put back in
        place; what a shift moves in repeats the edge, and what it moves out is left to the others."""
        height, width = items.shape[2:]
        around = F.pad(items, (1, 1, 1, 1), mode="replicate")
        total, counted = torch.zeros_like(around), around.new_zeros(around.shape[2:])
        for y, x, times in ((1, 1, 2), (0, 1, 1), (2, 1, 1), (1, 0, 1), (1, 2, 1)):
            rows, columns = slice(y, y + height), slice(x, x + width)
            total[..., rows, columns] += times * self.once(around[..., rows, columns])
            counted[rows, columns] += times
        return (total / counted.clamp(min=1))[..., 1:-1, 1:-1]

    def finished(self, outputs: Tensor) -> Tensor:
        """Decoded items as they leave."""
        if self.loss_kind == "bce":
            return outputs.sigmoid()
        return outputs.clamp(0, 1) if self.bounded else outputs


def kl_to_target(mean: Tensor, target: float) -> Tensor:
    """KL(Bernoulli(target) || Bernoulli(mean)) of each unit's mean activation, nats (Ng 2011, section 3)."""
    mean = mean.clamp(1e-6, 1 - 1e-6)
    return target * (target / mean).log() + (1 - target) * ((1 - target) / (1 - mean)).log()

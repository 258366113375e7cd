"""Latent diffusion: noise is taken out of the code of an autoencoder, and the code becomes a picture in one step.

An autoencoder first learns to keep a picture in a map a quarter as wide and high (Rombach et al. 2022): what an eye
hardly sees is left to its decoder, and the many steps of diffusion pass over far fewer numbers. Both networks are
diffusers' (`AutoencoderKL`, `UNet2DModel`), and the folder of a trained model opens with its `from_pretrained`. The
codes are brought to mean 0 and deviation 1 a channel inside the autoencoder's own outermost layers, so that no factor
has to be known beside the weights.

Training has two stages. In the first the loss is the mean absolute error of the pixels, that of the differences
between neighbouring ones, and a little of the Kullback-Leibler divergence that keeps codes near a normal distribution.
In the second the U-Net learns as in every diffusion model, from draws of each item's code.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlab.device import autocast, one_thread
from genlab.models.contract import Batch, Images, Labels
from genlab.models.diffusion import Diffusion, Knobs
from genlab.models.layers import Descent, micro_batch, pad_rows
from genlab.seeds import Seeds

DIVERGENCE = 1e-4  # what the divergence counts, a value of the code, beside the pixels' error
EDGES = 1.0  # what the error of differences between neighbours counts


class CodeDiffusion(Diffusion):
    """Diffusion over codes: they are as the network sees them already, and without bounds."""

    def folded(self, images: Tensor) -> Tensor:
        return images

    def unfolded(self, x: Tensor) -> Tensor:
        return x.float()

    def loss(self, batch: Batch, fraction: float) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a fresh draw of each code; items are means and deviations, (b, 2c, h, w)."""
        mean, deviation = batch.items.chunk(2, 1)
        drawn = mean + deviation * torch.randn_like(mean)
        return super().loss(Batch(drawn, batch.labels), fraction)


class LatentDiffusion(nn.Module):
    """An autoencoder and a diffusion model of its codes.

    Args:
        shape: (channels, height, width), each side a multiple of 2^(levels of the autoencoder) x 2^(those of the U-Net
            less one).
        coder: channels of each level of the autoencoder; each but the last halves the sides. Multiples of 8.
        latent: channels of the code.
        widths, blocks, attention, process, classes, hidden, guidance: of the U-Net, as in `Diffusion`.
    """

    Knobs = Knobs
    WEIGHTS = (  # what diffusers reads, and where
        ("autoencoder", "vae/diffusion_pytorch_model.safetensors"),
        ("diffusion.unet", "unet/diffusion_pytorch_model.safetensors"),
    )

    def __init__(
        self,
        shape: tuple[int, int, int] = (3, 64, 64),
        classes: int = 0,
        process: str = "noise",
        coder: tuple[int, ...] = (16, 32, 48),
        latent: int = 4,
        widths: tuple[int, ...] = (48, 64),
        blocks: int = 1,
        attention: bool = True,
        hidden: float = 0.1,
        guidance: float = 1.0,
    ):
        super().__init__()
        from diffusers import AutoencoderKL

        channels, height, width = shape
        least = 2 ** (len(coder) - 1)
        if height % least or width % least or any(w % 8 for w in coder):
            raise ValueError(
                f"Sides are multiples of {least} with {len(coder)} levels of the autoencoder, and its widths of 8; "
                f"{height} x {width} and {', '.join(map(str, coder))} were given."
            )
        self.shape, self.classes = tuple(shape), classes
        self.autoencoder = AutoencoderKL(
            in_channels=channels,
            out_channels=channels,
            down_block_types=("DownEncoderBlock2D",) * len(coder),
            up_block_types=("UpDecoderBlock2D",) * len(coder),
            block_out_channels=tuple(coder),
            layers_per_block=1,
            latent_channels=latent,
            norm_num_groups=8,
            sample_size=height,
            scaling_factor=1.0,
            mid_block_add_attention=False,
        )
        size = (latent, height // least, width // least)
        self.diffusion = CodeDiffusion(
            size, classes, process, tuple(widths), blocks, attention, patch=1, hidden=hidden, guidance=guidance
        )

    def default_knobs(self) -> Knobs:
        """The knobs as they stand when nobody turns them."""
        return self.diffusion.default_knobs()

    @property
    def idle_knobs(self) -> tuple[str, ...]:
        """Knobs that change nothing in this model."""
        return self.diffusion.idle_knobs

    # ---- learning

    def trainer(self, lr: float) -> Descent:
        """Of the first stage; the second is `diffusion`'s own, after `standardise`."""
        return Descent(self.autoencoder, self.loss, lr=lr, clip=1.0)

    def loss(self, batch: Batch, fraction: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Absolute errors of pixels and of their differences, and the divergence of the codes."""
        x = batch.items * 2 - 1
        with autocast(x.device):
            code = self.autoencoder.encode(x).latent_dist
            mean, spread = code.mean.float(), code.logvar.float()
            drawn = mean + (spread / 2).exp() * torch.randn_like(mean)
            made = self.autoencoder.decode(drawn).sample
        made = made.float()
        error = F.l1_loss(made, x)
        edges = sum(F.l1_loss(made.diff(dim=d), x.diff(dim=d)) for d in (2, 3))
        divergence = (mean.square() + spread.exp() - 1 - spread).mean() / 2
        loss = error + EDGES * edges + DIVERGENCE * divergence
        return loss, {"error": error.detach(), "edges": edges.detach(), "divergence": divergence.detach()}

    @torch.no_grad()
    def posteriors(self, images: Images) -> Tensor:
        """Means and deviations of the codes, (n, 2c, h, w)."""
        with one_thread():
            codes = self.autoencoder.encode(images * 2 - 1).latent_dist
            return torch.cat([codes.mean, codes.std], 1)

    @torch.no_grad()
    def standardise(self, codes: Tensor) -> Tensor:
        """Let codes have mean 0 and deviation 1 a channel, given what `posteriors` said of items; theirs from now on.

        The last layer of the encoder and the first of the decoder take the change up: pictures stay as they are.
        """
        mean, spread = codes.chunk(2, 1)
        centre = mean.mean((0, 2, 3))
        scale = (mean.var((0, 2, 3)) + spread.square().mean((0, 2, 3))).sqrt()
        into, out_of = self.autoencoder.quant_conv, self.autoencoder.post_quant_conv
        out_of.bias += out_of.weight[:, :, 0, 0] @ centre
        out_of.weight *= scale.view(1, -1, 1, 1)
        half = len(centre)
        into.bias[:half] = (into.bias[:half] - centre) / scale
        into.weight[:half] /= scale.view(-1, 1, 1, 1)
        into.bias[half:] -= 2 * scale.log()
        shape = (1, -1, 1, 1)
        return torch.cat([(mean - centre.view(shape)) / scale.view(shape), spread / scale.view(shape)], 1)

    # ---- drawing

    def sample(self, seeds: Seeds, labels: Labels | None = None, knobs: Knobs | None = None) -> Images:
        """Pictures (n, c, h, w) of the asked-for classes."""
        return self.decoded(self.diffusion.sample(seeds, labels, knobs))

    def denoised(self, seeds: Seeds, labels: Labels | None = None, knobs: Knobs | None = None) -> Iterator[Images]:
        """After each step, the pictures as the network makes them out through the noise; the last are `sample`'s."""
        for codes in self.diffusion.denoised(seeds, labels, knobs):
            yield self.decoded(codes)

    def vary(
        self,
        images: Images,
        seeds: Seeds,
        labels: Labels | None = None,
        knobs: Knobs | None = None,
        *,
        change: float = 0.5,
    ) -> Images:
        """Other pictures of the same make, as `Diffusion.vary`: codes are drowned part of the way."""
        codes = self.in_batches(lambda x: self.posteriors(x).chunk(2, 1)[0], images)
        return self.decoded(self.diffusion.vary(codes, seeds, labels, knobs, change=change))

    @torch.no_grad()
    def decoded(self, codes: Tensor) -> Images:
        """Pictures in [0, 1] of codes (n, c, h, w)."""
        with one_thread():
            return self.in_batches(lambda part: (self.autoencoder.decode(part).sample / 2 + 0.5).clamp(0, 1), codes)

    def in_batches(self, network, items: Tensor) -> Tensor:
        """A network's answers, by full batches, so that an item's does not depend on its company."""
        rows = micro_batch(items.device)
        if not len(items):
            return network(pad_rows(items.new_zeros(1, *items.shape[1:]), rows))[:0]
        return torch.cat([network(pad_rows(part, rows))[: len(part)] for part in items.split(rows)])

    # ---- as diffusers keeps it

    def library_files(self) -> dict[str, str]:
        """The descriptions that diffusers' `from_pretrained` asks for, by path."""
        files = {"vae/config.json": self.autoencoder.to_json_string()}
        return files | {k: v for k, v in self.diffusion.library_files().items() if k != "model_index.json"}

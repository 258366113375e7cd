"""Diffusion: a network that takes noise out of a picture, called again and again until noise alone has become one.

A picture x is drowned in noise, z_t = a_t x + s_t e with e ~ N(0, 1), until nothing of it is left, and a U-Net learns
to undo that at every level t. In the noise process of Ho, Jain and Abbeel (2020) a_t^2 + s_t^2 = 1 and the network says
v = a_t e - s_t x (Salimans and Ho 2022, appendix D); in flow matching (Lipman et al. 2023; Liu, Gong and Liu 2023)
a_t = 1 - t, s_t = t and it tells e - x, the direction of a straight line.

The network is diffusers' `UNet2DModel` and the solvers are diffusers' schedulers; the folder of a trained model opens
with their `from_pretrained`. A class is told to the network, and now and then hidden while it learns, so that guidance
(Ho and Salimans 2022) can push away from "any picture" towards "one of this class". With `patch` > 1 the network sees
pictures whose neighbouring pixels are stacked into channels, which makes a step several times cheaper.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlab.device import Recorded, autocast, one_thread
from genlab.models.contract import Batch, Images, Labels, check_labels, knob
from genlab.models.diffusion_fitted import FittedSteps, add_nudge, nudging
from genlab.models.diffusion_path import FITTED, LEVELS, Path, flow_scheduler, noise_scheduler, together
from genlab.models.layers import Descent, micro_batch
from genlab.seeds import Seeds

PROCESSES = ("noise", "flow")
SOLVERS = ("second order", "first order", "fresh noise")
HEAD = 64  # channels of an attention head: many small ones are slow on a CPU
CLIP = 0.01  # of the range: pixels nearer its ends than this were clipped, or may have been


@dataclass(frozen=True)
class Knobs:
    """What a visitor may turn when drawing."""

    steps: float = knob(10, 1, 100, help="Steps from noise to picture: more follow the path better and take longer.")
    guidance: float = knob(1.0, 0.0, 10.0, help="Push towards the class: 1 draws from the model itself, 0 ignores the "
                           "class, much makes pictures typical and alike.")  # fmt: skip
    solver: str = knob("second order", choices=SOLVERS, help="How a step is taken: along a curve, along a straight "
                       "line, or with fresh noise after each.")  # fmt: skip
    precision: str = knob("float32", choices=("float32", "bfloat16"), help="Numbers that the network computes in: "
                          "bfloat16 keeps 8 binary digits, is quicker, and moves pixels a little.")  # fmt: skip


@dataclass(frozen=True)
class KnobsWithFewSteps(Knobs):
    """Those of a model that a solver of few calls was fitted to."""

    solver: str = knob("second order", choices=(*SOLVERS, FITTED), help="How a step is taken: along a curve, along a "
                       "straight line, with fresh noise after each, or, however many are asked for, in the few calls "
                       "that were fitted to this network.")  # fmt: skip


class Diffusion(nn.Module):
    """A U-Net that denoises, and what turns it into a sampler.

    Args:
        shape: (channels, height, width), each side a multiple of patch x 2^(levels - 1).
        classes: number of classes (0: unconditional).
        process: "noise" or "flow".
        widths: channels of each level of the U-Net; each level halves the sides. Multiples of 8.
        blocks: residual blocks a level.
        attention: whether the lowest level attends.
        patch: pixels a side that are stacked into channels.
        hidden: share of training items whose class is hidden.
        guidance: that the knob starts with.
    """

    Knobs = Knobs
    WEIGHTS = (("unet", "unet/diffusion_pytorch_model.safetensors"),)  # what diffusers reads, and where

    def __init__(
        self,
        shape: tuple[int, int, int] = (1, 28, 28),
        classes: int = 0,
        process: str = "noise",
        widths: tuple[int, ...] = (48, 64),
        blocks: int = 1,
        attention: bool = True,
        patch: int = 2,
        hidden: float = 0.1,
        guidance: float = 1.0,
    ):
        super().__init__()
        from diffusers import UNet2DModel
        from diffusers.models.attention_processor import Attention, AttnProcessor

        channels, height, width = shape
        if process not in PROCESSES:
            raise ValueError(f"Processes are {', '.join(PROCESSES)}; {process!r} was given.")
        least = patch * 2 ** (len(widths) - 1)
        if height % least or width % least or any(w % 8 for w in widths):
            raise ValueError(
                f"Sides are multiples of {least} with patches of {patch} and {len(widths)} levels, and widths of 8; "
                f"{height} x {width} and {', '.join(map(str, widths))} were given."
            )
        self.shape, self.classes, self.process = tuple(shape), classes, process
        self.patch, self.hidden, self.guidance = patch, hidden, guidance
        down, up = ["DownBlock2D"] * len(widths), ["UpBlock2D"] * len(widths)
        if attention:
            down[-1], up[0] = "AttnDownBlock2D", "AttnUpBlock2D"
        self.unet = UNet2DModel(
            sample_size=(height // patch, width // patch),
            in_channels=channels * patch**2,
            out_channels=channels * patch**2,
            block_out_channels=tuple(widths),
            layers_per_block=blocks,
            down_block_types=tuple(down),
            up_block_types=tuple(up),
            norm_num_groups=8,
            attention_head_dim=min(HEAD, widths[-1]),
            add_attention=attention,
            resnet_time_scale_shift="scale_shift",
            num_class_embeds=classes + 1 if classes else None,  # the last: any class
        )
        for module in self.unet.modules():  # plain products: on few places the fused kernel's gradient is slower
            if isinstance(module, Attention):
                module.set_processor(AttnProcessor())
        self.embedding, self.few_steps = 4 * widths[0], None  # width of what the U-Net is told of a level
        self.unet.time_embedding.register_forward_hook(add_nudge)
        self._recorded: dict[tuple, Recorded] = {}
        with torch.no_grad():  # a network that starts as silence
            nn.init.zeros_(self.unet.conv_out.weight)
            nn.init.zeros_(self.unet.conv_out.bias)
        kept = noise_scheduler().alphas_cumprod if process == "noise" else (1 - torch.arange(LEVELS) / LEVELS) ** 2
        self.register_buffer("signal", kept.sqrt().float(), persistent=False)  # a_t
        lost = (1 - kept).sqrt() if process == "noise" else torch.arange(LEVELS) / LEVELS
        self.register_buffer("noise", lost.float(), persistent=False)  # s_t

    def default_knobs(self) -> Knobs:
        """The knobs as they stand when nobody turns them."""
        solver = SOLVERS[1] if self.process == "flow" else SOLVERS[0]  # of twice the calls, on lines that are straight
        return self.Knobs(guidance=self.guidance if self.classes else 1.0, solver=solver)

    def take_few_steps(self, kept: dict) -> None:
        """Offer the solver of few calls that `config.json` keeps.

        Raises:
            ValueError, KeyError, TypeError: it is no such table.
        """
        self.few_steps, self.Knobs = FittedSteps.of(kept, self.embedding), KnobsWithFewSteps

    @property
    def idle_knobs(self) -> tuple[str, ...]:
        """Knobs that change nothing in this model."""
        return () if self.classes else ("guidance",)

    # ---- learning

    def trainer(self, lr: float) -> Descent:
        return Descent(self, self.loss, lr=lr, clip=1.0, steady=True)

    def loss(self, batch: Batch, fraction: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean squared error of what the network tells, at noise levels spread evenly over the batch."""
        x = self.folded(batch.items)
        n, device = len(x), x.device
        level = (torch.rand(1, device=device) + torch.arange(n, device=device) / n) % 1  # spread evenly
        e, labels = torch.randn_like(x), None
        if self.classes:
            labels = torch.where(torch.rand(n, device=device) < self.hidden, self.classes, batch.labels)
        if self.process == "noise":
            t = (level * LEVELS).long()
            a, s = (values[t].view(-1, 1, 1, 1) for values in (self.signal, self.noise))
            target = a * e - s * x
        else:
            s = torch.sigmoid(torch.special.ndtri(level.clamp(1e-4, 1 - 1e-4))).view(-1, 1, 1, 1)
            a, t, target = 1 - s, s.flatten() * LEVELS, e - x
        with autocast(device):
            told = self.unet(a * x + s * e, t, class_labels=labels).sample
        loss = F.mse_loss(told.float(), target)
        return loss, {"error": loss.detach()}

    # ---- pictures as the network sees them

    def folded(self, images: Images) -> Tensor:
        """Pictures in [0, 1] as (n, c patch^2, h / patch, w / patch) in [-1, 1]."""
        return F.pixel_unshuffle(images * 2 - 1, self.patch)

    def unfolded(self, x: Tensor) -> Images:
        """Undoes `folded`; values outside are clipped."""
        return (F.pixel_shuffle(x.float(), self.patch) / 2 + 0.5).clamp(0, 1)

    # ---- drawing

    def sample(self, seeds: Seeds, labels: Labels | None = None, knobs: Knobs | None = None) -> Images:
        """Pictures (n, c, h, w) of the asked-for classes."""
        last = None
        with one_thread():  # on maps this small, two wait for each other more than they help
            for last in self.denoised(seeds, labels, knobs):  # noqa: B007
                pass
        return last

    def denoised(self, seeds: Seeds, labels: Labels | None = None, knobs: Knobs | None = None) -> Iterator[Images]:
        """After each step, the pictures as the network makes them out through the noise; the last are `sample`'s."""
        return self.walk(seeds, check_labels(labels, seeds, self.classes), knobs)

    def complete(
        self, images: Images, missing: Tensor, seeds: Seeds, labels: Labels | None = None, knobs: Knobs | None = None
    ) -> Images:
        """The pictures with their missing places drawn: at every level the rest is given, with its share of noise.

        The network never learnt to be given a part, so this is approximate (the replacement method of Song et al. 2021,
        appendix I.2).

        Args:
            missing: bool (n, h, w).
            labels: None tells the model no class.
        """
        labels = self.told_or_any(labels, seeds)
        holes = missing[:, None].expand(images.shape)
        kept = torch.where(holes, torch.nan, images)
        for last in self.walk(seeds, labels, knobs, kept):  # noqa: B007
            pass
        return torch.where(holes, last, images)

    def vary(
        self,
        images: Images,
        seeds: Seeds,
        labels: Labels | None = None,
        knobs: Knobs | None = None,
        *,
        change: float = 0.5,
    ) -> Images:
        """Other pictures of the same make: the given ones are drowned part of the way, and noise is taken out again.

        SDEdit (Meng et al. 2022). What is finer than the noise is drawn anew, what is coarser stays.

        Args:
            change: the share of the way, in (0, 1]; 1 keeps nothing. The knob's steps are all taken on it.
            labels: None tells the model no class.

        Raises:
            ValueError: the share is out of range, or the solver knows the whole way only.
        """
        if not 0 < change <= 1:
            raise ValueError(f"The share of the way is above 0 and at most 1; {change} was given.")
        knobs = knobs or self.default_knobs()
        if knobs.solver == FITTED:
            raise ValueError(f"{FITTED} start from noise alone: choose another solver to change a picture.")
        last = None
        with one_thread():
            for last in self.walk(seeds, self.told_or_any(labels, seeds), knobs, begun=images, way=change):  # noqa: B007
                pass
        return last

    def told_or_any(self, labels: Labels | None, seeds: Seeds) -> Labels | None:
        """The labels; where there are none, the number that stands for any class."""
        if labels is None and self.classes:
            return torch.full((len(seeds),), self.classes, device=seeds.device)
        return check_labels(labels, seeds, self.classes)

    @torch.no_grad()
    def walk(
        self,
        seeds: Seeds,
        labels: Labels | None,
        knobs: Knobs | None,
        kept: Images | None = None,
        begun: Images | None = None,
        way: float = 1.0,
    ) -> Iterator[Images]:
        """`denoised` with labels that are in order; `kept`, `begun` and `way` as in `Path`."""
        knobs = knobs or self.default_knobs()
        steps = len(self.few_steps) if knobs.solver == FITTED else int(knobs.steps)
        size = self.folded(torch.zeros(1, *self.shape)).shape[1:]
        z = seeds.randn(*size)
        if not len(seeds):
            yield z.new_zeros(0, *self.shape)
            return
        rows = together(z.device, knobs.precision)
        given = [[None] * len(z) if x is None else x.split(rows) for x in (labels, kept, begun)]
        parts = [Path(self, *part, knobs, steps, way) for part in zip(z.split(rows), *given, strict=False)]
        for step in range(steps):
            fresh = [None] * len(parts)
            if knobs.solver == "fresh noise":
                fresh = seeds.randn(*size).split(rows)
            seen = [part.advance(step, noise) for part, noise in zip(parts, fresh, strict=True)]
            yield self.unfolded(torch.cat(seen))

    def told(self, z: Tensor, t: Tensor, labels: Labels | None, guidance: float) -> Tensor:
        """What the network says of noisy pictures (n, ...) at levels (n,), pushed from "any class" towards the labels.

        One call of the network an item, two where guidance is neither 0 nor 1.
        """
        if labels is None:
            return self.answer(z, t)
        nothing = torch.full_like(labels, self.classes)
        if guidance == 0:
            return self.answer(z, t, nothing)
        own = self.answer(z, t, labels)
        if guidance == 1:
            return own
        return torch.lerp(self.answer(z, t, nothing), own, guidance)

    def answer(self, *given: Tensor) -> Tensor:
        """The U-Net's answer to noisy pictures, levels and, where there are classes, labels.

        On CUDA a full batch is answered by a recording: hundreds of small operations start as one.
        """
        device = given[0].device
        plain = torch.is_grad_enabled() or torch.is_autocast_enabled(device.type) or nudging()
        if plain or device.type != "cuda" or len(given[0]) != micro_batch(device):
            return self.asked(given)
        key = (next(self.parameters()).data_ptr(), *((x.shape, x.dtype) for x in given))
        if key not in self._recorded:
            self._recorded = {key: Recorded(self.asked, copied=True)}
        return self._recorded[key](given)

    def asked(self, given: tuple[Tensor, ...]) -> Tensor:
        return self.unet(*given[:2], class_labels=given[2] if len(given) > 2 else None).sample

    def parts(self, z: Tensor, told: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """The picture and the noise that the network makes out in z at level t."""
        a, s = self.shares(t)
        if self.process == "flow":
            return z - s * told, z + a * told
        return a * z - s * told, s * z + a * told

    def shares(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """a_t and s_t; between whole levels they are interpolated."""
        if self.process == "flow":
            return 1 - t / LEVELS, t / LEVELS
        low = t.detach().long().clamp(max=LEVELS - 2)
        return tuple(torch.lerp(x[low], x[low + 1], (t - low).to(x.dtype)) for x in (self.signal, self.noise))

    # ---- back to the noise

    def retraceable(self, knobs: Knobs) -> bool:
        """Whether pictures drawn with these knobs can be gone back from: fresh noise covers the first."""
        return knobs.solver != "fresh noise"

    @torch.no_grad()
    def retrace(self, images: Images, *, steps: int = 10) -> Tensor:
        """Numbers (n, m) whose signs tend to be those of the noise that pictures were drawn from, without their class.

        The ordinary differential equation of the sampler is followed the other way (DDIM's inversion: Song, Meng and
        Ermon 2021, section 4.3). A pixel at an end of its range was clipped there and tells nothing: numbers count by
        the share of their neighbourhood that was not. Rows do not wait for a full batch: nothing is drawn from them.
        """
        z = self.folded(images)
        labels = torch.full((len(z),), self.classes, device=z.device) if self.classes else None
        times = torch.linspace(1, LEVELS - 1, steps + 1).round().tolist()
        for now, following in pairwise(times):
            level = torch.tensor(now, device=z.device)
            x, e = self.parts(z, self.told(z, level.to(z.dtype).expand(len(z)), labels, 1.0), level)
            b, r = self.shares(torch.tensor(following, device=z.device))
            z = b * x + r * e
        z = z / z.flatten(1).std(1).clamp(min=1e-6).view(-1, 1, 1, 1)
        open_ = ((images > CLIP) & (images < 1 - CLIP)).float()
        telling = F.pixel_unshuffle(F.avg_pool2d(open_, 3, 1, 1, count_include_pad=False), self.patch)
        return (z.clamp(-1, 1) * telling).flatten(1)

    # ---- as diffusers keeps it

    def library_files(self) -> dict[str, str]:
        """The descriptions that diffusers' `from_pretrained` asks for, by path.

        A folder without classes and patches is a whole `DDPMPipeline`.
        """
        scheduler = noise_scheduler() if self.process == "noise" else flow_scheduler()
        files = {
            "unet/config.json": self.unet.to_json_string(),
            "scheduler/scheduler_config.json": scheduler.to_json_string(),
        }
        if not self.classes and self.patch == 1 and self.process == "noise":
            files["model_index.json"] = (
                '{\n "_class_name": "DDPMPipeline",\n "scheduler": ["diffusers", "DDPMScheduler"],\n '
                '"unet": ["diffusers", "UNet2DModel"]\n}\n'
            )
        return files

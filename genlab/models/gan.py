"""Generative adversarial network: a generator learns from a critic that tells its pictures from real ones.

The critic C separates real x from G(z), the generator follows its gradient (Goodfellow et al. 2014).
Deep convolutional networks (Radford et al. 2016); the class enters the generator through conditional
batch normalisation (Dumoulin et al. 2017) and the critic by projection (Miyato and Koyama 2018), with
an auxiliary classifier (Odena et al. 2017) where `auxiliary` asks for one. The
objective, the penalties and the augmentation are arguments: WGAN-GP is `loss="wasserstein"` with
`gradient_penalty=10`, `spectral=False` and `critic_steps=5`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from genlab.device import autocast
from genlab.models.contract import Batch, Images, Labels, check_labels, knob
from genlab.models.layers import Residual, in_micro_batches, shift
from genlab.seeds import Seeds


@dataclass(frozen=True)
class Knobs:
    """What a visitor may turn when drawing from a GAN."""

    truncation: float = knob(2.0, 0.2, 4.0, help="Noise beyond this many standard deviations is folded back: less "
                             "is more typical and less varied; 4 leaves it as in training.")  # fmt: skip


# Objectives of the critic (to lower; real and fake are its outputs) and of the generator (to lower).
LOSSES: dict[str, tuple[Callable, Callable]] = {
    # Goodfellow et al. 2014, equation 1: the generator's own term saturates where the critic is sure.
    "minimax": (
        lambda real, fake: F.softplus(-real).mean() + F.softplus(fake).mean(),
        lambda fake: -F.softplus(fake).mean(),
    ),
    # ... section 3: the same critic, a generator that raises log D(G(z)).
    "non-saturating": (
        lambda real, fake: F.softplus(-real).mean() + F.softplus(fake).mean(),
        lambda fake: F.softplus(-fake).mean(),
    ),
    # Lim and Ye 2017.
    "hinge": (
        lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(),
        lambda fake: -fake.mean(),
    ),
    # Arjovsky et al. 2017, equation 2.
    "wasserstein": (lambda real, fake: fake.mean() - real.mean(), lambda fake: -fake.mean()),
}


BLUR = 0.3  # of a rehearsal, in units of [-1, 1]: details below it are not worth a nat
REHEARSAL_LR = 1e-3
ENCODER_SEED = 67280421310721  # PyTorch's own default: any fixed one would do
HEAD_START = 0.02  # share of the run in which only the critic learns, after a rehearsal


class GAN(nn.Module):
    """Convolutional GAN for square images whose side is a multiple of 2 to the `stages` times the patch.

    Args:
        shape: (channels, side, side).
        classes: number of classes (0: unconditional).
        latent: size of the noise vector.
        width: a scale for the channels of both networks (the generator's smallest map has 8 times as many).
        depth: residual blocks at the smallest map, in each network.
        stages: doublings of the side from the smallest map to the largest: 2 or 3.
        patch: side of the pixel blocks that the networks give and take as channels (2: a quarter of the work).
        palette: colours that the generator mixes an item from, pixel by pixel (0: any colour anywhere).
        detail: channels of both networks at the largest map (0: `width` in the generator, none in the critic).
        loss: "minimax", "non-saturating", "hinge" or "wasserstein".
        spectral: spectral normalisation of the critic (Miyato et al. 2018).
        r1: weight of the squared gradient at real items (Mescheder et al. 2018, equation 9).
        gradient_penalty: weight of Gulrajani et al. 2017, equation 3.
        penalty_every: the penalties are computed every so many steps, weighted up (Karras et al. 2020).
        auxiliary: weight of naming the class, for the critic on real items and for the generator on its own.
        rehearsal: share of the run in which the critic's trunk and the generator learn as encoder and decoder of a VAE,
            so that every kind of item is drawn before the contest begins (Larsen et al. 2016 train both at once).
        augment: pixels by which real and generated pictures alike are shifted before the critic (Zhao et al. 2020).
        critic_steps: steps of the critic for one of the generator.
        critic_rate: learning rate of the critic over the generator's (Heusel et al. 2017).
    """

    Knobs = Knobs
    SCAFFOLD = ("critic",)

    def __init__(
        self,
        *,
        shape: tuple[int, int, int] = (1, 28, 28),
        classes: int = 0,
        latent: int = 64,
        width: int = 32,
        depth: int = 1,
        stages: int = 2,
        patch: int = 1,
        palette: int = 0,
        detail: int = 0,
        loss: str = "hinge",
        spectral: bool = True,
        r1: float = 0.0,
        gradient_penalty: float = 0.0,
        penalty_every: int = 8,
        auxiliary: float = 0.0,
        augment: int = 0,
        rehearsal: float = 0.0,
        critic_steps: int = 1,
        critic_rate: float = 2.0,
    ):
        super().__init__()
        if loss not in LOSSES:
            raise ValueError(f"Losses are {', '.join(LOSSES)}; {loss!r} was given.")
        if not 0 <= rehearsal <= 0.9:
            raise ValueError(f"The rehearsal is a share of the run from 0 to 0.9; {rehearsal} was given.")
        if stages not in (2, 3):
            raise ValueError(f"Stages are 2 or 3; {stages} was given.")
        if shape[1] != shape[2] or shape[1] % (patch * 2**stages):
            raise ValueError(f"Items are square, their side a multiple of {patch * 2**stages}; {shape} was given.")
        if auxiliary and not classes:
            raise ValueError("An auxiliary classifier needs classes; this GAN has none.")
        self.shape, self.classes, self.latent = tuple(shape), classes, latent
        self.objective, self.r1, self.gradient_penalty = loss, r1, gradient_penalty
        self.penalty_every, self.auxiliary, self.augment = penalty_every, auxiliary, augment
        self.critic_steps, self.critic_rate, self.rehearsal = critic_steps, critic_rate, rehearsal
        sizes = {"shape": shape, "classes": classes, "width": width, "depth": depth, "stages": stages, "patch": patch}
        sizes["detail"] = detail
        self.generator = Painter(latent=latent, palette=palette, **sizes)
        self.critic = Critic(spectral=spectral, auxiliary=auxiliary > 0, **sizes)

    def trainer(self, lr: float) -> "Duel":
        if self.critic is None:
            raise ValueError("This GAN was saved without its critic: train a new one by its recipe.")
        return Duel(self, lr)

    @torch.no_grad()
    def sample(self, seeds: Seeds, labels: Labels | None = None, knobs: Knobs | None = None) -> Images:
        """Pictures (n, c, h, w) of the asked-for classes."""
        bound = (knobs or Knobs()).truncation
        noise = seeds.randn(self.latent)
        labels = check_labels(labels, seeds, self.classes)
        return self.paint(noise if bound >= 4 else truncate(noise, bound), labels)

    @torch.no_grad()
    def paint(self, noise: Tensor, labels: Labels | None = None) -> Images:
        """The pictures (n, c, h, w) of noise vectors (n, latent), which `sample` draws and others may choose."""
        return in_micro_batches(lambda z, y: self.generator(z, y).float().add(1).div(2).clamp(0, 1), noise, labels)


def truncate(noise: Tensor, bound: float) -> Tensor:
    """Standard normal numbers mapped to the normal law cut at +-`bound`, smoothly and in the same order."""
    edge = 0.5 * (1 + math.erf(bound / math.sqrt(2)))
    rank = torch.special.ndtr(noise.double())
    return torch.special.ndtri((1 - edge) + rank * (2 * edge - 1)).to(noise.dtype)


class ConditionalNorm(nn.Module):
    """Batch normalisation whose scale and shift depend on the class."""

    def __init__(self, channels: int, classes: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.affine = nn.Embedding(max(classes, 1), 2 * channels)
        nn.init.zeros_(self.affine.weight)

    def forward(self, x: Tensor, labels: Labels) -> Tensor:
        scale, offset = self.affine(labels)[:, :, None, None].to(x.dtype).chunk(2, dim=1)
        return self.norm(x) * (1 + scale) + offset


class Painter(nn.Module):
    """The generator: noise (n, latent) and labels (n,) to pictures in [-1, 1]."""

    def __init__(
        self, *, shape: tuple, classes: int, latent: int, width: int, depth: int, stages: int, patch: int, palette: int,
        detail: int,
    ):  # fmt: skip
        super().__init__()
        self.side, self.patch, self.palette = shape[1] // (patch * 2**stages), patch, palette
        widths = [8 * width, 4 * width, *([2 * width] * (stages - 2)), detail or width]
        deep = widths[0]
        self.label = nn.Embedding(max(classes, 1), latent)
        self.start = nn.Linear(2 * latent, 2 * width * self.side**2)
        self.widen = nn.Conv2d(2 * width, deep, 1)
        self.blocks = nn.ModuleList(Residual(deep) for _ in range(depth))
        self.norms = nn.ModuleList(nn.BatchNorm2d(c) for c in widths[1:])
        self.by_class = ConditionalNorm(deep, classes)
        self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, 4, 2, 1) for a, b in pairwise(widths))
        self.leave = nn.Conv2d(widths[-1], (palette or shape[0]) * patch**2, 3, padding=1)
        if palette:
            self.mix = nn.Sequential(nn.Linear(2 * latent, 128), nn.ReLU(), nn.Linear(128, palette * shape[0]))

    def forward(self, noise: Tensor, labels: Labels | None) -> Tensor:
        labels = torch.zeros(len(noise), dtype=torch.long, device=noise.device) if labels is None else labels
        given = torch.cat([noise, self.label(labels)], 1)
        h = self.start(given).view(len(noise), -1, self.side, self.side)
        h = self.widen(h.contiguous(memory_format=torch.channels_last))
        for block in self.blocks:
            h = block(h)
        h = F.relu(self.by_class(h, labels))
        for norm, up in zip(self.norms, self.up, strict=True):
            h = F.relu(norm(up(h)))
        h = F.pixel_shuffle(self.leave(h), self.patch)
        if not self.palette:
            return torch.tanh(h)
        colours = torch.tanh(self.mix(given)).view(len(noise), self.palette, -1)
        return torch.einsum("nkhw,nkc->nchw", h.softmax(1), colours)


class Critic(nn.Module):
    """Pictures in [-1, 1] and labels to one number an item, high for real."""

    def __init__(
        self, *, shape: tuple, classes: int, width: int, depth: int, stages: int, patch: int, spectral: bool,
        auxiliary: bool, detail: int,
    ):  # fmt: skip
        super().__init__()
        self.patch = patch
        keep = spectral_norm if spectral else (lambda layer: layer)
        pixels = shape[0] * patch**2
        widths = [detail or pixels, *([width] * (stages - 2)), 2 * width, 4 * width]
        deep = widths[-1]
        self.look = keep(nn.Conv2d(pixels, detail, 3, padding=1)) if detail else None
        self.down = nn.ModuleList(keep(nn.Conv2d(a, b, 4, 2, 1)) for a, b in pairwise(widths))
        self.blocks = nn.ModuleList(
            nn.ModuleList([keep(nn.Conv2d(deep, deep, 3, padding=1)) for _ in range(2)]) for _ in range(depth)
        )
        self.last = keep(nn.Conv2d(deep + 1, 2 * deep, 3, padding=1))
        self.head = keep(nn.Linear(2 * deep, 1))
        self.label = keep(nn.Embedding(classes, 2 * deep)) if classes else None
        self.names = nn.Linear(2 * deep, classes) if auxiliary else None

    def forward(self, images: Tensor, labels: Labels | None) -> Tensor:
        return self.judge(images, labels)[0]

    def judge(self, images: Tensor, labels: Labels | None) -> tuple[Tensor, Tensor | None]:
        """The number an item (n,), and the auxiliary classifier's logits (n, classes) where there is one."""
        h = self.features(images)
        score = self.head(h)[:, 0]
        if self.label is not None:
            score = score + (self.label(labels) * h).sum(1)
        return score, None if self.names is None else self.names(h)

    def features(self, images: Tensor) -> Tensor:
        """What the score is read off, (n, features)."""
        h = F.pixel_unshuffle(images, self.patch).contiguous(memory_format=torch.channels_last)
        if self.look is not None:
            h = F.leaky_relu(self.look(h), 0.2)
        for layer in self.down:
            h = F.leaky_relu(layer(h), 0.2)
        for first, second in self.blocks:
            h = h + second(F.leaky_relu(first(F.leaky_relu(h, 0.2)), 0.2))
        return F.leaky_relu(self.last(torch.cat([h, minibatch_deviation(h)], 1)), 0.2).sum((2, 3))


def minibatch_deviation(h: Tensor, group: int = 4) -> Tensor:
    """Mean deviation of the first features over neighbouring items, one map an item (Karras et al. 2018, 3)."""
    n, _, height, width = h.shape
    group = math.gcd(n, group)
    deviation = (h[:, :32].reshape(n // group, group, -1).float().var(1, correction=0) + 1e-8).sqrt().mean(1)
    return deviation.repeat_interleave(group).view(n, 1, 1, 1).expand(n, 1, height, width).to(h.dtype)


class Duel:
    """One or more steps of the critic, then one of the generator, each with its own Adam (beta1 = 0)."""

    def __init__(self, gan: GAN, lr: float):
        self.gan, self.rates, self.count = gan, (lr, lr * gan.critic_rate), 0
        nets = (gan.generator, gan.critic)
        self.optimisers = [
            torch.optim.Adam(net.parameters(), lr=rate, betas=(0.0, 0.99), fused=True)
            for net, rate in zip(nets, self.rates, strict=True)
        ]
        self.code = None
        if gan.rehearsal:  # from the critic's features to a code's mean and log-deviation; no part of the model
            device = next(gan.parameters()).device
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(ENCODER_SEED)
                self.code = nn.Linear(gan.critic.head.in_features, 2 * gan.latent).to(device)
            learners = [*gan.parameters(), *self.code.parameters()]
            self.together = torch.optim.Adam(learners, lr=REHEARSAL_LR, betas=(0.9, 0.99), fused=True)

    def __call__(self, batch: Batch, fraction: float) -> dict[str, Tensor]:
        for optimiser, rate in zip(self.optimisers, self.rates, strict=True):
            optimiser.param_groups[0]["lr"] = rate * decay(fraction)
        items, labels = batch.items * 2 - 1, None
        if self.gan.classes:  # neighbours of one class let `minibatch_deviation` see how varied a class is
            order = batch.labels.argsort()
            items, labels = items[order], batch.labels[order]
        if fraction < self.gan.rehearsal:
            return self.rehearse(items, labels)
        reported = self.critic_step(items, labels)
        self.count += 1
        behind = self.gan.rehearsal and fraction < self.gan.rehearsal + HEAD_START
        if self.count % self.gan.critic_steps == 0 and not behind:
            reported["generator"] = self.generator_step(labels, len(batch.items), batch.items.device)
        return reported

    def rehearse(self, real: Tensor, labels: Labels | None) -> dict[str, Tensor]:
        """Raise the evidence lower bound of real items in [-1, 1], a normal law of width `BLUR` around the decoded."""
        gan = self.gan
        gan.critic.requires_grad_(True)
        with autocast(real.device):
            mean, log_deviation = self.code(gan.critic.features(real)).float().chunk(2, 1)
            noise = torch.randn_like(mean)
            made = gan.generator(mean + log_deviation.exp() * noise, labels).float()
        error = (made - real).square().mean()
        divergence = (mean.square() + (2 * log_deviation).exp() - 1 - 2 * log_deviation).sum(1).mean() / 2
        loss = error / (2 * BLUR**2) + divergence / real[0].numel()
        self.together.zero_grad(set_to_none=True)
        loss.backward()
        self.together.step()
        return {"error": error.detach(), "divergence": divergence.detach()}

    def critic_step(self, real: Tensor, labels: Labels | None) -> dict[str, Tensor]:
        """Lower the critic's loss on a batch of real items in [-1, 1]; the generator stays as it is."""
        gan = self.gan
        gan.critic.requires_grad_(True)
        with autocast(real.device):
            with torch.no_grad():
                fake = gan.generator(torch.randn(len(real), gan.latent, device=real.device), labels)
            both = shift(torch.cat([real, fake.float()]), gan.augment)
            twice = None if labels is None else torch.cat([labels, labels])
            score, names = gan.critic.judge(both, twice)
        on_real, on_fake = score.float().chunk(2)
        loss = LOSSES[gan.objective][0](on_real, on_fake)
        if names is not None:
            loss = loss + gan.auxiliary * F.cross_entropy(names[: len(real)].float(), labels)
        reported = {"critic": loss.detach(), "accuracy": ((on_real > 0).float() + (on_fake < 0).float()).mean() / 2}
        if (gan.r1 or gan.gradient_penalty) and self.count % gan.penalty_every == 0:
            penalty = self.penalty(real, fake.float(), labels)
            loss = loss + gan.penalty_every * penalty
            reported["penalty"] = penalty.detach()
        self.step(1, loss)
        return reported

    def penalty(self, real: Tensor, fake: Tensor, labels: Labels | None) -> Tensor:
        """R1 at real items plus the gradient penalty between real and generated ones."""
        gan, total = self.gan, torch.zeros((), device=real.device)
        if gan.r1:
            total = total + gan.r1 / 2 * input_gradient(gan.critic, real, labels).square().sum(1).mean()
        if gan.gradient_penalty:
            between = torch.lerp(real, fake, torch.rand(len(real), 1, 1, 1, device=real.device))
            norm = input_gradient(gan.critic, between, labels).square().sum(1).add(1e-12).sqrt()
            total = total + gan.gradient_penalty * (norm - 1).square().mean()
        return total

    def generator_step(self, labels: Labels | None, n: int, device: torch.device) -> Tensor:
        """Lower the generator's loss; the critic stays as it is."""
        gan = self.gan
        gan.critic.requires_grad_(False)
        with autocast(device):
            fake = gan.generator(torch.randn(n, gan.latent, device=device), labels)
            score, names = gan.critic.judge(shift(fake, gan.augment), labels)
        loss = LOSSES[gan.objective][1](score.float())
        if names is not None:
            loss = loss + gan.auxiliary * F.cross_entropy(names.float(), labels)
        self.step(0, loss)
        return loss.detach()

    def step(self, which: int, loss: Tensor) -> None:
        optimiser = self.optimisers[which]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    def state_dict(self) -> dict:
        return {
            "generator": self.optimisers[0].state_dict(),
            "critic": self.optimisers[1].state_dict(),
            "n": self.count,
            **({"code": self.code.state_dict(), "together": self.together.state_dict()} if self.code else {}),
        }

    def load_state_dict(self, state: dict) -> None:
        self.optimisers[0].load_state_dict(state["generator"])
        self.optimisers[1].load_state_dict(state["critic"])
        self.count = state["n"]
        if self.code:
            self.code.load_state_dict(state["code"])
            self.together.load_state_dict(state["together"])


def input_gradient(critic: Critic, images: Tensor, labels: Labels | None) -> Tensor:
    """Gradient of the critic's output at each item, (n, pixels), differentiable itself."""
    images = images.detach().requires_grad_(True)
    return torch.autograd.grad(critic(images, labels).sum(), images, create_graph=True)[0].flatten(1)


def decay(fraction: float) -> float:
    """Learning-rate factor: constant for half of the run, then half a cosine down to 2 %."""
    return 1.0 if fraction < 0.5 else 0.02 + 0.98 * 0.5 * (1 + math.cos(2 * math.pi * (fraction - 0.5)))

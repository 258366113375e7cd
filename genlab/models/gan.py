"""Generative adversarial network: a generator learns from a critic that tells its pictures from real ones.

The critic C separates real x from G(z), the generator follows its gradient (Goodfellow et al. 2014).
Deep convolutional networks (Radford et al. 2016); the class enters the generator through conditional
batch normalisation (Dumoulin et al. 2017) and the critic by projection (Miyato and Koyama 2018), with
an auxiliary classifier (Odena et al. 2017) where `auxiliary` asks for one. The
objective, the penalties and the augmentation are arguments: WGAN-GP is `loss="wasserstein"` with
`gradient_penalty=10`, `spectral=False` and `critic_steps=5`.

The first WGAN has `clip=0.01` in the penalty's place. Items may also be points of the plane, for networks of plain
layers, and `growing` networks start from small pictures. The contest itself is `duel.py`.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from genlab.models.contract import Images, Labels, check_labels, knob
from genlab.models.duel import LOSSES, Duel
from genlab.models.gan_growing import GrowingCritic, GrowingPainter, coarsened, level_at
from genlab.models.gan_networks import Critic, Painter, PointCritic, PointPainter
from genlab.models.layers import in_micro_batches
from genlab.seeds import Seeds


@dataclass(frozen=True)
class Knobs:
    """What a visitor may turn when drawing from a GAN."""

    truncation: float = knob(2.0, 0.2, 4.0, help="Noise beyond this many standard deviations is folded back: less "
                             "is more typical and less varied; 4 leaves it as in training.")  # fmt: skip


class GAN(nn.Module):
    """GAN for square images whose side is a multiple of 2 to the `stages` times the patch, or for points.

    Args:
        shape: (channels, side, side); or (d,) for points, values as they are, which have no classes and of these
            arguments only `latent`, `width`, `depth` and those of losses, penalties and steps.
        classes: number of classes (0: unconditional).
        latent: size of the noise vector.
        width: a scale for the channels of both networks (the generator's smallest map has 8 times as many; of points
            every layer 4 times).
        depth: residual blocks at the smallest map, in each network; of points, hidden layers beyond two.
        stages: doublings of the side from the smallest map to the largest: 2 or 3 (`growing`: 1 to 6).
        growing: networks that grow level by level while they learn (`gan_growing.py`; no classes, depth, detail,
            palette, rehearsal or spectral norm).
        patch: side of the pixel blocks that the networks give and take as channels (2: a quarter of the work).
        palette: colours that the generator mixes an item from, pixel by pixel (0: any colour anywhere).
        detail: channels of both networks at the largest map (0: `width` in the generator, none in the critic).
        loss: "minimax", "non-saturating", "hinge", "wasserstein" or "relativistic".
        spectral: spectral normalisation of the critic (Miyato et al. 2018).
        r1: weight of the squared gradient at real items (Mescheder et al. 2018, equation 9).
        r2: the same at generated items (Huang et al. 2024, with "relativistic": the surest against lost modes).
        gradient_penalty: weight of Gulrajani et al. 2017, equation 3.
        clip: bound that every weight of the critic is cut to after each of its steps (Arjovsky et al. 2017; 0: none).
        penalty_every: the penalties are computed every so many steps, weighted up (Karras et al. 2020).
        auxiliary: weight of naming the class, for the critic on real items and for the generator on its own.
        rehearsal: share of the run in which the critic's trunk and the generator learn as encoder and decoder of a VAE,
            so that every kind of item is drawn before the contest begins (Larsen et al. 2016 train both at once).
        augment: pixels by which real and generated pictures alike are shifted before the critic (Zhao et al. 2020).
        noise: deviation, at the start of the run, of noise on real and generated items alike before the critic
            (Arjovsky and Bottou 2017); it falls and is gone before the end: first where, then how exactly.
        noise_until: share of the run after which there is none.
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
        growing: bool = False,
        palette: int = 0,
        detail: int = 0,
        loss: str = "hinge",
        spectral: bool = True,
        r1: float = 0.0,
        r2: float = 0.0,
        gradient_penalty: float = 0.0,
        clip: float = 0.0,
        penalty_every: int = 8,
        auxiliary: float = 0.0,
        augment: int = 0,
        rehearsal: float = 0.0,
        noise: float = 0.0,
        noise_until: float = 0.75,
        critic_steps: int = 1,
        critic_rate: float = 2.0,
    ):
        super().__init__()
        if loss not in LOSSES:
            raise ValueError(f"Losses are {', '.join(LOSSES)}; {loss!r} was given.")
        if not 0 <= rehearsal <= 0.9:
            raise ValueError(f"The rehearsal is a share of the run from 0 to 0.9; {rehearsal} was given.")
        if not 0 < noise_until <= 1:
            raise ValueError(f"Noise ends at a share of the run above 0 and up to 1; {noise_until} was given.")
        if clip and spectral:
            raise ValueError("Clipped weights and spectral norm are two bounds of one thing: give spectral=False.")
        if auxiliary and not classes:
            raise ValueError("An auxiliary classifier needs classes; this GAN has none.")
        self.shape, self.classes, self.latent = tuple(shape), classes, latent
        self.objective, self.r1, self.gradient_penalty = loss, r1, gradient_penalty
        self.penalty_every, self.auxiliary, self.augment = penalty_every, auxiliary, augment
        self.critic_steps, self.critic_rate, self.rehearsal, self.clip = critic_steps, critic_rate, rehearsal, clip
        self.r2, self.noise, self.noise_until = r2, noise, noise_until
        self.points, self.growing, self.stages = len(shape) == 1, growing, stages
        if self.points:
            if classes or augment or rehearsal or palette or detail or growing or patch != 1:
                told = "no classes, augment, rehearsal, palette, detail, growing or patch"
                raise ValueError(f"A GAN of points has {told}: leave them out.")
            self.generator: nn.Module = PointPainter(shape[0], latent=latent, width=4 * width, hidden=2 + depth)
            self.critic: nn.Module = PointCritic(shape[0], width=4 * width, hidden=2 + depth, spectral=spectral)
            return
        if not growing and stages not in (2, 3):
            raise ValueError(f"Stages are 2 or 3; {stages} was given.")
        if shape[1] != shape[2] or shape[1] % (patch * 2**stages):
            raise ValueError(f"Items are square, their side a multiple of {patch * 2**stages}; {shape} was given.")
        if growing:
            if classes or detail or palette or rehearsal or spectral or not 1 <= stages <= 6:
                told = "1 to 6 stages and no classes, detail, palette, rehearsal or spectral norm (spectral=False)"
                raise ValueError(f"A growing GAN has {told}.")
            part = {"shape": shape, "width": width, "stages": stages, "patch": patch}
            self.generator, self.critic = GrowingPainter(latent=latent, **part), GrowingCritic(**part)
            return
        sizes = {"shape": shape, "classes": classes, "width": width, "depth": depth, "stages": stages, "patch": patch}
        sizes["detail"] = detail
        self.generator = Painter(latent=latent, palette=palette, **sizes)
        self.critic = Critic(spectral=spectral, auxiliary=auxiliary > 0, **sizes)

    def trainer(self, lr: float) -> Duel:
        if self.critic is None:
            raise ValueError("This GAN was saved without its critic: train a new one by its recipe.")
        return Duel(self, lr)

    def scaled(self, items: Tensor) -> Tensor:
        """Items as the networks see them: pictures in [-1, 1], points of the unit square at about unit variance."""
        if self.points:
            return (items - 0.5) * 4
        return coarsened(items * 2 - 1, self.generator.level, stages=self.stages) if self.growing else items * 2 - 1

    def unscaled(self, seen: Tensor) -> Tensor:
        """The inverse of `scaled`; pictures are cut to [0, 1]."""
        return seen.float() / 4 + 0.5 if self.points else seen.float().add(1).div(2).clamp(0, 1)

    def grow(self, fraction: float) -> None:
        """Use as many levels of growing networks as are due at this fraction of a run."""
        level = level_at(fraction, self.stages)
        self.generator.grow(level)
        self.critic.grow(level)

    def default_knobs(self) -> Knobs:
        """Points come as they were learnt: a truncated Gaussian would be another one."""
        return Knobs(truncation=4.0) if self.points else Knobs()

    @torch.no_grad()
    def decide(self, items: Tensor, labels: Labels | None = None) -> Tensor:
        """The critic's number for each item, (n,), high for real; one of pictures also looks at their neighbours."""
        return in_micro_batches(lambda x, y: self.critic(self.scaled(x), y).float(), items, labels, size=256)

    @torch.no_grad()
    def sample(self, seeds: Seeds, labels: Labels | None = None, knobs: Knobs | None = None) -> Images:
        """Items (n, ...): pictures of the asked-for classes, or points."""
        bound = (knobs or self.default_knobs()).truncation
        noise = seeds.randn(self.latent)
        labels = check_labels(labels, seeds, self.classes)
        return self.paint(noise if bound >= 4 else truncate(noise, bound), labels)

    @torch.no_grad()
    def paint(self, noise: Tensor, labels: Labels | None = None) -> Images:
        """The items (n, ...) of noise vectors (n, latent), which `sample` draws and others may choose."""
        return in_micro_batches(lambda z, y: self.unscaled(self.generator(z, y)), noise, labels)


def truncate(noise: Tensor, bound: float) -> Tensor:
    """Standard normal numbers mapped to the normal law cut at +-`bound`, smoothly and in the same order."""
    edge = 0.5 * (1 + math.erf(bound / math.sqrt(2)))
    rank = torch.special.ndtr(noise.double())
    return torch.special.ndtri((1 - edge) + rank * (2 * edge - 1)).to(noise.dtype)

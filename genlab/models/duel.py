"""The contest in which a GAN learns: steps of the critic against steps of the generator."""

import contextlib
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlab.device import autocast
from genlab.models.contract import Batch, Labels
from genlab.models.layers import shift

if TYPE_CHECKING:
    from genlab.models.gan import GAN

# Objectives of the critic and of the generator, both to lower; real and fake are the critic's outputs.
LOSSES: dict[str, tuple[Callable, Callable]] = {
    # Goodfellow et al. 2014, equation 1: the generator's own term saturates where the critic is sure.
    "minimax": (
        lambda real, fake: F.softplus(-real).mean() + F.softplus(fake).mean(),
        lambda real, fake: -F.softplus(fake).mean(),
    ),
    # ... section 3: the same critic, a generator that raises log D(G(z)).
    "non-saturating": (
        lambda real, fake: F.softplus(-real).mean() + F.softplus(fake).mean(),
        lambda real, fake: F.softplus(-fake).mean(),
    ),
    # Lim and Ye 2017.
    "hinge": (
        lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(),
        lambda real, fake: -fake.mean(),
    ),
    # Arjovsky et al. 2017, equation 2.
    "wasserstein": (lambda real, fake: fake.mean() - real.mean(), lambda real, fake: -fake.mean()),
    # Jolicoeur-Martineau 2019, equation 3: each generated item against a real one, so that no mode is left behind.
    "relativistic": (
        lambda real, fake: F.softplus(fake - real).mean(),
        lambda real, fake: F.softplus(real - fake).mean(),
    ),
}


BLUR = 0.3  # of a rehearsal, in units of [-1, 1]: details below it are not worth a nat
REHEARSAL_LR = 1e-3
ENCODER_SEED = 67280421310721  # PyTorch's own default: any fixed one would do
NOISE_FALL = 0.02  # share of what it began with that noise is down to when it ends
HEAD_START = 0.02  # share of the run in which only the critic learns, after a rehearsal


class Duel:
    """One or more steps of the critic, then one of the generator, each with its own Adam (beta1 = 0)."""

    def __init__(self, gan: "GAN", lr: float):
        self.gan, self.rates, self.count = gan, (lr, lr * gan.critic_rate), 0
        nets = (gan.generator, gan.critic)
        self.optimisers = [
            torch.optim.Adam(net.parameters(), lr=rate, betas=(0.0, 0.99), fused=True)
            for net, rate in zip(nets, self.rates, strict=True)
        ]
        self.code, self.noise, self.stiffness = None, 0.0, 1.0
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
        if self.gan.growing:
            self.gan.grow(fraction)
        items, labels = self.gan.scaled(batch.items), None
        if self.gan.classes:  # neighbours of one class let `minibatch_deviation` see how varied a class is
            order = batch.labels.argsort()
            items, labels = items[order], batch.labels[order]
        self.noise = noise_at(fraction, self.gan.noise, self.gan.noise_until)
        self.stiffness = max(self.noise / self.gan.noise, NOISE_FALL) if self.gan.noise else 1.0
        if fraction < self.gan.rehearsal:
            return self.rehearse(items, labels)
        reported = self.critic_step(items, labels)
        self.count += 1
        behind = self.gan.rehearsal and fraction < self.gan.rehearsal + HEAD_START
        if self.count % self.gan.critic_steps == 0 and not behind:
            reported["generator"] = self.generator_step(items, labels)
            reported["generator_gradient"] = gradient_norm(self.gan.generator)
        return reported

    def arithmetic(self, device: torch.device):
        """bf16 for pictures; points need all of float32."""
        return contextlib.nullcontext() if self.gan.points else autocast(device)

    def blurred(self, items: Tensor) -> Tensor:
        """Items as the critic is shown them: with the noise of this step."""
        return items + self.noise * torch.randn_like(items) if self.noise else items

    def rehearse(self, real: Tensor, labels: Labels | None) -> dict[str, Tensor]:
        """Raise the evidence lower bound of real items in [-1, 1], a normal law of width `BLUR` around the decoded."""
        gan = self.gan
        gan.critic.requires_grad_(True)
        with self.arithmetic(real.device):
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
        """Lower the critic's loss on a batch of real items as the networks see them; the generator stays as it is."""
        gan = self.gan
        gan.critic.requires_grad_(True)
        with self.arithmetic(real.device):
            with torch.no_grad():
                fake = gan.generator(torch.randn(len(real), gan.latent, device=real.device), labels)
            real, fake = self.blurred(real), self.blurred(fake.float())
            both = shift(torch.cat([real, fake]), gan.augment)
            twice = None if labels is None else torch.cat([labels, labels])
            score, names = gan.critic.judge(both, twice)
        on_real, on_fake = score.float().chunk(2)
        loss = LOSSES[gan.objective][0](on_real, on_fake)
        if names is not None:
            loss = loss + gan.auxiliary * F.cross_entropy(names[: len(real)].float(), labels)
        reported = {"critic": loss.detach(), "accuracy": share_right(gan.objective, on_real, on_fake).detach()}
        if (gan.r1 or gan.r2 or gan.gradient_penalty) and self.count % gan.penalty_every == 0:
            penalty = self.penalty(real, fake, labels)
            loss = loss + gan.penalty_every * penalty
            reported["penalty"] = penalty.detach()
        self.step(1, loss)
        if gan.clip:
            with torch.no_grad():
                torch._foreach_clamp_min_(list(gan.critic.parameters()), -gan.clip)
                torch._foreach_clamp_max_(list(gan.critic.parameters()), gan.clip)
        return reported | {"critic_gradient": gradient_norm(gan.critic)}

    def penalty(self, real: Tensor, fake: Tensor, labels: Labels | None) -> Tensor:
        """R1 at real items, R2 at generated ones, and the gradient penalty between the two.

        Where there is noise the first two fall with it: finer differences need steeper slopes.
        """
        gan, total = self.gan, torch.zeros((), device=real.device)
        if gan.r1:
            total = (
                total + self.stiffness * gan.r1 / 2 * input_gradient(gan.critic, real, labels).square().sum(1).mean()
            )
        if gan.r2:
            total = (
                total + self.stiffness * gan.r2 / 2 * input_gradient(gan.critic, fake, labels).square().sum(1).mean()
            )
        if gan.gradient_penalty:
            share = torch.rand(len(real), *(1 for _ in gan.shape), device=real.device)
            between = torch.lerp(real, fake, share)
            norm = input_gradient(gan.critic, between, labels).square().sum(1).add(1e-12).sqrt()
            total = total + gan.gradient_penalty * (norm - 1).square().mean()
        return total

    def generator_step(self, real: Tensor, labels: Labels | None) -> Tensor:
        """Lower the generator's loss on as many items as there are real ones; the critic stays as it is."""
        gan = self.gan
        gan.critic.requires_grad_(False)
        with self.arithmetic(real.device):
            fake = gan.generator(torch.randn(len(real), gan.latent, device=real.device), labels)
            score, names = gan.critic.judge(shift(self.blurred(fake), gan.augment), labels)
            paired = gan.objective == "relativistic"  # the others ask nothing of real items
            on_real = gan.critic(shift(self.blurred(real), gan.augment), labels).float() if paired else None
        loss = LOSSES[gan.objective][1](on_real, score.float())
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


def noise_at(fraction: float, first: float, until: float) -> float:
    """Deviation of the noise on what the critic sees: it falls by the same factor every step, and ends at last."""
    return first * NOISE_FALL ** (fraction / until) if fraction < until else 0.0


def share_right(objective: str, real: Tensor, fake: Tensor) -> Tensor:
    """The critic's share of right answers: real above 0, generated below; "wasserstein" has no 0 but the middle."""
    middle = (real.mean() + fake.mean()) / 2 if objective == "wasserstein" else 0.0
    return ((real > middle).float() + (fake < middle).float()).mean() / 2


def gradient_norm(network: nn.Module) -> Tensor:
    """Euclidean norm of all the gradients that the last step left on a network's parameters."""
    return torch.stack(torch._foreach_norm([p.grad for p in network.parameters() if p.grad is not None])).norm()


def input_gradient(critic: nn.Module, images: Tensor, labels: Labels | None) -> Tensor:
    """Gradient of the critic's output at each item, (n, pixels), differentiable itself."""
    images = images.detach().requires_grad_(True)
    return torch.autograd.grad(critic(images, labels).sum(), images, create_graph=True)[0].flatten(1)


def decay(fraction: float) -> float:
    """Learning-rate factor: constant for half of the run, then half a cosine down to 2 %."""
    return 1.0 if fraction < 0.5 else 0.02 + 0.98 * 0.5 * (1 + math.cos(2 * math.pi * (fraction - 0.5)))

"""Variational autoencoder: a picture becomes a code with an honest uncertainty, and back.

An encoder gives q(z | x), a decoder p(x | z); both are trained to raise the evidence lower bound
log p(x) >= E_q[log p(x | z)] - KL(q(z | x) || p(z)) (Kingma and Welling 2014, equation 3; beta on the
KL: Higgins et al. 2017). The code z is a flat vector with prior N(0, I). Optional local latents below
it, small maps with a learned prior p(local | z), hold texture (a ladder: Sønderby et al. 2016; Vahdat
and Kautz 2020). Samples draw z from a prior fitted on the codes afterwards (`prior.py`).

Items may also be points of the plane, for networks of plain layers.
"""

import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlab.device import autocast
from genlab.models.contract import Batch, Images, Labels, check_labels, knob
from genlab.models.layers import Descent, in_micro_batches, perceptron
from genlab.models.likelihoods import LIKELIHOODS, log_likelihood, mean_picture, parameters_per_pixel
from genlab.models.prior import Flow, Mixture
from genlab.models.vae_networks import Local, stack, wide
from genlab.seeds import Seeds

PRIORS = ("flow", "mixture", "normal")
Noise = Sequence[Tensor | None]  # normal numbers (n, c, h, w) for each local latent, from the code down


@dataclass(frozen=True)
class Knobs:
    """What a visitor may turn when drawing from a VAE."""

    prior: str = knob("flow", choices=PRIORS, help="Where codes come from: flow and mixture were fitted to real "
                      "items' codes; normal is the N(0, I) of training, holes included.")  # fmt: skip
    guidance: float = knob(1.5, 1.0, 6.0, help="How strongly the flow keeps to the class: 1 is the plain flow; "
                           "more is more typical and less varied.")  # fmt: skip
    temperature: float = knob(1.0, 0.0, 1.5, help="Spread of the noise that codes start from: 0 gives the most "
                              "typical item only.")  # fmt: skip
    detail: float = knob(1.0, 0.0, 1.0, help="Spread of the local latents that hold texture: 0 is smooth.")


class VAE(nn.Module):
    """VAE for square images whose side is a multiple of 4 times the patch, or for points.

    Args:
        shape: (channels, side, side), channels 1 for the "logistic" likelihood; or (d,) for points, whose likelihood is
            "normal" and which have no `conditional`, `local` or `patch`.
        classes: number of classes that samples can be asked for (0: none).
        conditional: whether encoder and decoder see the class too (else only the fitted priors do).
        latent: size d of the code.
        local: channels of the local latents after each residual block at a quarter and at half of the side.
        width: channels at half of the side; twice as many at a quarter; of points units a layer.
        depth: residual blocks at each resolution; of points hidden layers beyond one.
        patch: side of the pixel blocks that the networks take and give as channels (2: a quarter of the work).
        likelihood: "gaussian", "laplace", "bernoulli" or "logistic" (mixture of `mixtures` discretised logistics); ""
            is "logistic" for images and "normal" for points.
        beta: weight of the KL divergence.
        warm_up: share of the run over which that weight rises from 0.
        local_from: share of the run before which local latents carry nothing, so that the code learns first.
        free_bits: nats a code dimension below which its KL costs nothing (Kingma et al. 2016).
        priors: priors to keep beside N(0, I).
    """

    Knobs = Knobs

    def __init__(
        self,
        *,
        shape: tuple[int, int, int] = (1, 28, 28),
        classes: int = 0,
        conditional: bool = False,
        latent: int = 32,
        local: tuple[int, int] = (0, 0),
        width: int = 64,
        depth: int = 1,
        patch: int = 1,
        likelihood: str = "",
        mixtures: int = 3,
        beta: float = 1.0,
        warm_up: float = 0.1,
        local_from: float = 0.0,
        free_bits: float = 0.0,
        priors: tuple[str, ...] = (),
    ):
        super().__init__()
        self.points = len(shape) == 1
        likelihood = likelihood or ("normal" if self.points else "logistic")
        if likelihood not in LIKELIHOODS or self.points != (likelihood == "normal"):
            known = f"Likelihoods are {', '.join(LIKELIHOODS)}, the last for points and for them alone"
            raise ValueError(f"{known}; {likelihood!r} was given.")
        if self.points and (conditional or any(local) or patch != 1):
            raise ValueError("A VAE of points has no conditional, local or patch: leave them out.")
        step = 4 * patch
        square = self.points or (shape[1] == shape[2] and not shape[1] % step)
        if not square or (likelihood == "logistic" and shape[0] != 1):
            allowed = f"Items are square, their side a multiple of {step} (grey for 'logistic')"
            raise ValueError(f"{allowed}; {shape} was given.")
        self.shape, self.classes, self.conditional = tuple(shape), classes, conditional
        self.latent, self.local, self.likelihood = latent, tuple(local), likelihood
        self.beta, self.warm_up, self.local_from, self.free_bits = beta, warm_up, local_from, free_bits
        if self.points:
            self.encoder: nn.Module = perceptron(shape[0], 2 * latent, width=width, hidden=1 + depth)
            self.decoder: nn.Module = perceptron(latent, shape[0], width=width, hidden=1 + depth)
            self.log_deviation = nn.Parameter(torch.tensor(-1.5))
        else:
            self.build(width, depth, patch, mixtures)
        self.flow = Flow(latent=latent, classes=classes) if "flow" in priors else None
        self.mixture = Mixture(latent=latent, classes=classes) if "mixture" in priors else None

    # ---- the networks

    def build(self, width: int, depth: int, patch: int, mixtures: int) -> None:
        """The convolutional networks of images."""
        shape, latent, local, likelihood = self.shape, self.latent, self.local, self.likelihood
        self.side, self.patch = shape[1] // (4 * patch), patch
        extra = self.classes if self.conditional else 0
        middle, deep = width, 2 * width
        outputs = parameters_per_pixel(likelihood, shape[0], mixtures)

        inputs = (shape[0] + extra) * patch**2
        self.down = nn.ModuleList([nn.Conv2d(inputs, middle, 4, 2, 1), nn.Conv2d(middle, deep, 4, 2, 1)])
        self.encoder = nn.ModuleList([stack(middle, depth), stack(deep, depth)])
        self.squeeze = nn.Conv2d(deep, deep // 4, 1)
        self.posterior = nn.Linear(deep // 4 * self.side**2, 2 * latent)

        self.start = nn.Linear(latent + extra, deep // 4 * self.side**2)
        self.widen = nn.Conv2d(deep // 4, deep, 1)
        self.decoder = nn.ModuleList([stack(deep, depth), stack(middle, depth)])
        self.ladder = nn.ModuleList(
            nn.ModuleList(Local(c, channels) for _ in range(depth if channels else 0))
            for c, channels in zip((deep, middle), local, strict=True)
        )
        self.up = nn.Conv2d(deep, 4 * middle, 1)
        self.after = stack(middle, 1)
        self.leave = nn.Conv2d(middle, (2 * patch) ** 2 * outputs, 3, padding=1)
        self.log_deviation = nn.Parameter(
            torch.tensor(-2.0 if likelihood == "laplace" else 0.0), requires_grad=likelihood in ("gaussian", "laplace")
        )
        if likelihood == "logistic":
            with torch.no_grad():
                middles, scales = torch.linspace(-0.9, 0.5, mixtures), torch.full((mixtures,), -2.0)
                start = torch.cat([torch.zeros(mixtures), middles, scales])
                self.leave.bias.copy_(start.repeat_interleave((2 * patch) ** 2))

    def look(self, images: Tensor, labels: Labels | None) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Mean and log-deviation of q(z | x), (n, d) each, and the features that local posteriors use."""
        if self.points:
            mean, log_deviation = self.encoder((images - 0.5) * 4).chunk(2, dim=1)
            return mean, log_deviation.clamp(-6, 1), []
        x = images * 2 - 1
        if self.conditional:
            planes = F.one_hot(labels, self.classes)[:, :, None, None].expand(-1, -1, *x.shape[2:])
            x = torch.cat([x, planes.to(x.dtype)], 1)
        x = F.pixel_unshuffle(x, self.patch)
        middle = self.encoder[0](self.down[0](x.contiguous(memory_format=torch.channels_last)))
        deep = self.encoder[1](self.down[1](F.relu(middle)))
        flat = self.squeeze(F.relu(deep)).flatten(1)
        mean, log_deviation = wide(self.posterior(flat)).chunk(2, dim=1)
        return mean, log_deviation.clamp(-6, 1), [deep, middle]

    def render(self, codes: Tensor, labels: Labels | None, noise: Noise, features=None) -> tuple[Tensor, list]:
        """Parameters of p(x | z, local), and a Term for each local latent (None without features).

        Args:
            noise: for each local latent; None puts it at its mean.
            features: what `look` gives: local latents are then drawn from their posteriors.
        """
        terms, noise = [], iter(noise)

        def choose(local: "Local", h: Tensor, level: int) -> Tensor | None:
            drawn = next(noise)
            if features is None:
                return drawn
            standard, term = local.draw(h, features[level], drawn)
            terms.append(term)
            return standard

        parameters = self.descend(codes, labels, choose)
        return parameters, terms or [None for _ in self.local_shapes()]

    def descend(self, codes: Tensor, labels: Labels | None, choose: Callable[..., Tensor | None]) -> Tensor:
        """Parameters of p(x | z, local), where `choose` names every local latent on the way down.

        Args:
            choose: (local, what the decoder holds, level) -> the latent in standard units, whose prior is N(0, 1)
                whatever stands above it; None for its mean.
        """
        if self.points:
            return self.decoder(codes) / 4 + 0.5
        if self.conditional:
            codes = torch.cat([codes, F.one_hot(labels, self.classes).to(codes.dtype)], 1)
        h = self.start(codes).view(len(codes), -1, self.side, self.side)
        h = self.widen(F.relu(h.contiguous(memory_format=torch.channels_last)))
        for level, (blocks, locals_) in enumerate(zip(self.decoder, self.ladder, strict=True)):
            for i, block in enumerate(blocks):
                h = block(h)
                if len(locals_):
                    h = locals_[i](h, choose(locals_[i], h, level))
            if level == 0:
                h = F.pixel_shuffle(self.up(F.relu(h)), 2)
        return F.pixel_shuffle(self.leave(F.relu(self.after(h))), 2 * self.patch)

    def local_shapes(self) -> list[tuple[int, int, int]]:
        """(channels, height, width) of each local latent, from the code down."""
        if self.points:
            return []
        sides = (self.side, 2 * self.side)
        return [(c, s, s) for c, s, level in zip(self.local, sides, self.ladder, strict=True) for _ in level]

    # ---- training

    def trainer(self, lr: float) -> Descent:
        for prior in (self.flow, self.mixture):
            if prior is not None:
                prior.requires_grad_(False)
        return Descent(self, self.loss, lr=lr, clip=5.0, weight_decay=0.01)

    def loss(self, batch: Batch, fraction: float) -> tuple[Tensor, dict[str, Tensor]]:
        """The negative evidence lower bound in bits a dimension, warmed up and with free bits."""
        images, n = batch.items, len(batch.items)
        with contextlib.nullcontext() if self.points else autocast(images.device):  # points need all of float32
            mean, log_deviation, features = self.look(images, batch.labels)
            codes = mean + log_deviation.exp() * torch.randn_like(mean)
            alone = fraction < self.local_from
            noise = [None if alone else torch.randn(n, *s, device=images.device) for s in self.local_shapes()]
            parameters, terms = self.render(codes, batch.labels, noise, None if alone else features)
        fit = log_likelihood(self.likelihood, images, parameters, log_deviation=self.log_deviation)
        weight = self.beta * min(1.0, (fraction + 1e-3) / max(self.warm_up, 1e-3))
        code_kl = kl_to_standard(mean, log_deviation)
        counted = code_kl.mean(0).clamp(min=self.free_bits).sum()
        local_kl = sum((term.kl.mean() for term in terms if term), torch.zeros((), device=fit.device))
        bits = 1 / (math.log(2) * math.prod(self.shape))
        loss = (weight * counted + self.beta * local_kl - fit.mean()) * bits
        return loss, {
            "elbo_bits": ((code_kl.sum(1).mean() + local_kl - fit.mean()) * bits).detach(),
            "code_kl": code_kl.sum(1).mean().detach(),
            "local_kl": local_kl.detach(),
        }

    # ---- capabilities

    @torch.no_grad()
    def encode(self, images: Images, *, labels: Labels | None = None, seeds: Seeds | None = None) -> Tensor:
        """Codes (n, d): the posterior mean, or with seeds a draw from the posterior."""
        mean, deviation = self.posteriors(images, labels)
        return mean if seeds is None else mean + deviation * seeds.randn(self.latent)

    @torch.no_grad()
    def posteriors(self, images: Images, labels: Labels | None = None) -> tuple[Tensor, Tensor]:
        """Mean and deviation of q(z | x), (n, d) each."""

        def look(x, y):
            mean, log_deviation, _ = self.look(x, y)
            return torch.cat([mean, log_deviation.exp()], 1)

        return in_micro_batches(look, images, self._labels(images, labels)).chunk(2, dim=1)

    def latent_rates(self, images: Images, labels: Labels | None = None) -> Tensor:
        """Nats that each latent carries on average, (d,): those near 0 have collapsed onto the prior."""
        mean, deviation = self.posteriors(images, labels)
        return kl_to_standard(mean, deviation.log()).mean(0)

    @torch.no_grad()
    def decode(
        self, codes: Tensor, *, labels: Labels | None = None, seeds: Seeds | None = None, detail: float = 1.0
    ) -> Images:
        """The mean picture of each code (n, d); with seeds, local latents are drawn, `detail` times as wide."""
        noise = [None if seeds is None else detail * seeds.randn(*s) for s in self.local_shapes()]

        def render(z, y, *noise):
            return mean_picture(self.likelihood, self.render(z, y, noise)[0])

        return in_micro_batches(render, codes, self._labels(codes, labels), *noise)

    @torch.no_grad()
    def reconstruct(self, images: Images, *, labels: Labels | None = None) -> Images:
        """What encoder and decoder make of a picture, all latents at their posterior means."""

        def through(x, y):
            mean, _, features = self.look(x, y)
            middles = [None] * len(self.local_shapes())
            return mean_picture(self.likelihood, self.render(mean, y, middles, features)[0])

        return in_micro_batches(through, images, self._labels(images, labels))

    @torch.no_grad()
    def sample(self, seeds: Seeds, labels: Labels | None = None, knobs: Knobs | None = None) -> Images:
        """Pictures (n, c, h, w): a code from the chosen prior, decoded."""
        knobs = knobs or self.default_knobs()
        noise, choice = seeds.randn(self.latent), seeds.rand(1)[:, 0]
        labels = check_labels(labels, seeds, self.classes)
        codes = self.draw_codes(noise * knobs.temperature, choice, labels, knobs)
        return self.decode(codes, labels=labels, seeds=seeds, detail=knobs.detail)

    @torch.no_grad()
    def draw_codes(self, noise: Tensor, choice: Tensor, labels: Labels | None, knobs: Knobs) -> Tensor:
        """Codes (n, d) from noise (n, d) by the prior that the knobs name."""
        if knobs.prior == "flow" and self.flow is not None:

            def carry(x, y):
                return self.flow.carry(x, y, guidance=knobs.guidance)

            return in_micro_batches(carry, noise, labels)
        if knobs.prior == "mixture" and self.mixture is not None:
            return self.mixture.draw(noise, choice, labels)
        if knobs.prior != "normal":
            raise ValueError(f"This model has no fitted {knobs.prior} prior: ask for another one.")
        return noise

    def default_knobs(self) -> Knobs:
        """The best prior this model has."""
        fitted = "flow" if self.flow is not None else "mixture" if self.mixture is not None else "normal"
        return Knobs(prior=fitted)

    @property
    def idle_knobs(self) -> set[str]:
        """Knobs that change nothing here: guidance without classes, detail without local latents."""
        idle = set() if self.classes else {"guidance"}
        return idle if self.local_shapes() else idle | {"detail"}

    @torch.no_grad()
    def log_prob(self, images: Images, seeds: Seeds, *, k: int = 1, labels: Labels | None = None) -> Tensor:
        """Importance-weighted lower bound on log p(x) with k draws, nats an item (Burda et al. 2016, equation 8).

        With k = 1 it is a one-draw estimate of the evidence lower bound. "gaussian" gives a density.
        """

        def weight(x, y, code_noise, *noise):
            mean, log_deviation, features = self.look(x, y)
            z = mean + log_deviation.exp() * code_noise
            parameters, terms = self.render(z, y, noise, features)
            fit = log_likelihood(self.likelihood, x, parameters, log_deviation=self.log_deviation)
            ratio = (0.5 * code_noise.square() + log_deviation - 0.5 * z.square()).sum(1)
            return fit + ratio - sum(term.excess for term in terms)

        y = self._labels(images, labels)
        draws = []
        for _ in range(k):
            noise = [seeds.randn(*s) for s in self.local_shapes()]
            draws.append(in_micro_batches(weight, images, y, seeds.randn(self.latent), *noise))
        return torch.logsumexp(torch.stack(draws), 0) - math.log(k)

    def _labels(self, items: Tensor, labels: Labels | None) -> Labels | None:
        """Labels for the networks: needed by a conditional model only."""
        if not self.conditional:
            return None
        if labels is None or len(labels) != len(items):
            raise ValueError("This model is conditional: give one class number an item.")
        return labels


def kl_to_standard(mean: Tensor, log_deviation: Tensor) -> Tensor:
    """KL(N(mean, deviation^2) || N(0, 1)) of each dimension, nats (Kingma and Welling 2014, appendix B)."""
    return 0.5 * (mean.square() + (2 * log_deviation).exp() - 1) - log_deviation

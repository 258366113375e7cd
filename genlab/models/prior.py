"""Small priors fitted on the codes of a trained autoencoder, so that samples look like reconstructions.

A variational autoencoder is trained towards N(0, I), but the codes of real items, the aggregate
posterior, fill only part of it: draws from N(0, I) fall into holes. Two models of the codes by class:
a mixture of Gaussians, and a flow that carries noise to codes along straight lines (flow matching:
Lipman et al. 2023; Liu et al. 2023), with classifier-free guidance (Ho and Salimans 2022).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlab.models.contract import Batch
from genlab.models.layers import Descent, sinusoid


class Flow(nn.Module):
    """Class-conditional flow matching on codes, a residual multilayer perceptron.

    Args:
        latent: size d of a code.
        classes: number of classes (0: unconditional); one label more stands for "any class".
        width: hidden units.
        depth: residual blocks.
        drop: share of training items whose label is hidden, which guidance needs.
    """

    def __init__(self, *, latent: int, classes: int, width: int = 384, depth: int = 4, drop: float = 0.1):
        super().__init__()
        self.latent, self.classes, self.drop = latent, classes, drop
        self.register_buffer("centre", torch.zeros(latent))
        self.register_buffer("scale", torch.ones(latent))
        self.label = nn.Embedding(classes + 1, 128)
        self.time = nn.Sequential(nn.Linear(128, 128), nn.SiLU(), nn.Linear(128, 128))
        self.enter, self.leave = nn.Linear(latent, width), nn.Linear(width, latent)
        self.blocks = nn.ModuleList(Modulated(width, 128) for _ in range(depth))
        nn.init.zeros_(self.leave.weight)

    def standardise(self, mean: Tensor, deviation: Tensor) -> None:
        """Set centre and scale from the posteriors' means and deviations, (n, d) each."""
        self.centre.copy_(mean.mean(0))
        self.scale.copy_((mean.var(0) + deviation.square().mean(0)).sqrt())

    def trainer(self, lr: float) -> Descent:
        return Descent(self, self.loss, lr=lr, clip=1.0, betas=(0.9, 0.999), steady=True)

    def loss(self, batch: Batch, fraction: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Squared error of the velocity on x_t = (1 - t) noise + t code (Lipman et al. 2023, equation 23).

        `batch.items` holds the posteriors, (b, 2d): means, then deviations; a code is drawn from each.
        """
        mean, deviation = batch.items.chunk(2, dim=1)
        code = (mean + deviation * torch.randn_like(mean) - self.centre) / self.scale
        noise, t = torch.randn_like(code), torch.sigmoid(torch.randn(len(code), device=code.device))
        hidden = torch.rand(len(code), device=code.device) < self.drop
        labels = torch.where(hidden, self.classes, batch.labels if self.classes else self.classes)
        at = torch.lerp(noise, code, t[:, None])
        return F.mse_loss(self(at, t, labels), code - noise), {}

    def forward(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        """Velocity at x (n, d) and time t (n,), for labels (n,), `classes` meaning any."""
        condition = F.silu(self.label(labels) + self.time(sinusoid(t, 128)))
        h = self.enter(x)
        for block in self.blocks:
            h = block(h, condition)
        return self.leave(h)

    @torch.no_grad()
    def carry(self, noise: Tensor, labels: Tensor | None, *, guidance: float = 1.0, steps: int = 12) -> Tensor:
        """Codes (n, d) from noise (n, d) by Heun's method; guidance 1 is the plain conditional flow."""
        anyone = torch.full((len(noise),), self.classes, device=noise.device)
        labels = anyone if labels is None else labels

        def velocity(x: Tensor, time: float) -> Tensor:
            t = torch.full((len(x),), time, device=x.device)
            v = self(x, t, labels)
            if guidance == 1.0:
                return v
            plain = self(x, t, anyone)
            return plain + guidance * (v - plain)

        x, step = noise, 1 / steps
        for i in range(steps):
            v = velocity(x, i * step)
            x = x + step / 2 * (v + velocity(x + step * v, (i + 1) * step))
        return x * self.scale + self.centre


class Modulated(nn.Module):
    """Residual block whose normalised input is scaled and shifted by a condition (Peebles and Xie 2023)."""

    def __init__(self, width: int, condition: int):
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulate = nn.Linear(condition, 3 * width)
        self.inner, self.outer = nn.Linear(width, width), nn.Linear(width, width)
        nn.init.zeros_(self.modulate.weight)
        nn.init.zeros_(self.modulate.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, shift, gate = self.modulate(condition).chunk(3, dim=1)
        h = self.norm(x) * (1 + scale) + shift
        return x + gate * self.outer(F.silu(self.inner(h)))


class Mixture(nn.Module):
    """Gaussian mixture with full covariances for each class's codes.

    Args:
        latent: size d of a code.
        classes: number of classes (0: one mixture for all).
        components: Gaussians a class.
    """

    def __init__(self, *, latent: int, classes: int, components: int = 5):
        super().__init__()
        rows = max(classes, 1)
        self.classes, self.components = classes, components
        self.register_buffer("weights", torch.full((rows, components), 1 / components))
        self.register_buffer("means", torch.zeros(rows, components, latent))
        self.register_buffer("factors", torch.eye(latent).repeat(rows, components, 1, 1))

    def fit(self, codes: Tensor, labels: Tensor, *, seed: int = 0) -> None:
        """Expectation maximisation (scikit-learn) on codes (n, d) with labels (n,), class by class."""
        from sklearn.mixture import GaussianMixture

        for c in range(len(self.weights)):
            rows = codes[labels == c] if self.classes else codes
            model = GaussianMixture(self.components, covariance_type="full", reg_covar=1e-4, random_state=seed)
            model.fit(rows.double().cpu().numpy())
            self.weights[c] = torch.from_numpy(model.weights_)
            self.means[c] = torch.from_numpy(model.means_)
            self.factors[c] = torch.linalg.cholesky(torch.from_numpy(model.covariances_))

    @torch.no_grad()
    def draw(self, noise: Tensor, choice: Tensor, labels: Tensor | None) -> Tensor:
        """Codes (n, d) from normal noise (n, d), uniform numbers (n,) that choose the component, and labels."""
        rows = torch.zeros(len(noise), dtype=torch.long, device=noise.device) if labels is None else labels
        edges = self.weights[rows].cumsum(1)
        which = (choice[:, None] * edges[:, -1:] >= edges).sum(1).clamp(max=self.components - 1)
        return self.means[rows, which] + torch.einsum("nij,nj->ni", self.factors[rows, which], noise)

"""What a decoder says about pixels: the likelihood p(x | parameters), and its mean as a picture."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

LIKELIHOODS = ("gaussian", "laplace", "bernoulli", "logistic", "normal")


def parameters_per_pixel(likelihood: str, channels: int, mixtures: int) -> int:
    """How many numbers a decoder gives per pixel position."""
    return 3 * mixtures * channels if likelihood == "logistic" else channels


def log_likelihood(likelihood: str, x: Tensor, parameters: Tensor, *, log_deviation: Tensor) -> Tensor:
    """log p(x) in nats an item, (n,), of images x (n, c, h, w) in [0, 1], or of points (n, d).

    "normal" is "gaussian" for points: what the decoder gives is the mean as it is.
    "gaussian" is a density with one learned deviation (the squared error, weighted as the evidence asks
    for: Rybkin et al. 2021); "laplace" the same with the absolute error, whose best guess is a median and
    keeps edges sharp; "bernoulli" the cross-entropy of grey values; "logistic" the probability of
    the 8-bit value under a mixture of discretised logistics.
    """
    if likelihood == "logistic":
        return discretised_logistic(x, parameters).flatten(1).sum(1)
    parameters = parameters.float()
    if likelihood == "bernoulli":
        return -F.binary_cross_entropy_with_logits(parameters, x, reduction="none").flatten(1).sum(1)
    if likelihood == "laplace":  # no sigmoid: where it saturates, an absolute error would leave no gradient
        error = (x - 0.5 - parameters).abs() * torch.exp(-log_deviation)
        return (-error - log_deviation - math.log(2)).flatten(1).sum(1)
    mean = parameters if likelihood == "normal" else torch.sigmoid(parameters)
    error = (x - mean).square() * torch.exp(-2 * log_deviation)
    return (-0.5 * error - log_deviation - 0.5 * math.log(2 * math.pi)).flatten(1).sum(1)


def mean_picture(likelihood: str, parameters: Tensor) -> Tensor:
    """E[x | parameters] in [0, 1], (n, c, h, w)."""
    if likelihood == "normal":
        return parameters
    if likelihood == "laplace":
        return (parameters.float() + 0.5).clamp(0, 1)
    if likelihood != "logistic":
        return torch.sigmoid(parameters.float())
    weights, means, _ = split(parameters)
    return ((weights.softmax(2) * means.clamp(-1, 1)).sum(2) + 1) / 2


def discretised_logistic(x: Tensor, parameters: Tensor) -> Tensor:
    """log p of each 8-bit value, (n, c, h, w) (Salimans et al. 2017, equation 2, channels independent).

    The mass of a bin, s(a) - s(b) with s the logistic function, is s(a) s(-b) (1 - exp(b - a)): in this
    form nothing cancels, however far a value lies in a tail. The outermost bins reach to infinity.
    """
    weights, means, log_scales = split(parameters)
    value = torch.round(x * 255)[:, :, None]
    centred = value / 127.5 - 1 - means
    precision = torch.exp(-log_scales)
    upper, lower = (centred + 1 / 255) * precision, (centred - 1 / 255) * precision
    below = torch.where(value == 255, 0.0, F.logsigmoid(upper))
    above = torch.where(value == 0, 0.0, F.logsigmoid(-lower))
    inside = torch.where((value == 0) | (value == 255), 0.0, torch.log(-torch.expm1(-2 / 255 * precision)))
    return torch.logsumexp(weights.log_softmax(2) + below + above + inside, dim=2)


def split(parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Weights' logits, means and log scales, (n, c, mixtures, h, w) each, float32."""
    n, channels, h, w = parameters.shape
    weights, means, log_scales = parameters.float().view(n, 3, -1, h * w).unbind(1)
    form = (n, 1, channels // 3, h, w)  # the project's discretised images are grey
    return weights.view(form), means.view(form), log_scales.view(form).clamp(-7.0, 3.0)

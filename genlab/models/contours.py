"""Contours: a picture as histograms of the directions of its edges, cell by cell.

Every pixel votes for the direction of its gradient with the gradient's length; votes are pooled over overlapping
triangular cells, and their square root is taken, which makes Euclidean distance between histograms Hellinger's
(Dalal and Triggs 2005; the root: Arandjelović and Zisserman 2012, section 3). Nothing is learnt and nothing needs a
label; small shifts and changes of brightness move a picture little in this space, a changed outline far.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

BLUR = 0.7  # pixels; standard deviation of the smoothing before gradients are taken
CHUNK = 2048  # pictures at a time


def contours(images: Tensor, *, cells: int, directions: int = 8, signed: bool = True) -> Tensor:
    """Root histograms of edge directions.

    Args:
        images: (n, c, s, s) in [0, 1], square; channels vote together.
        cells: cells a side.
        directions: bins of the histogram.
        signed: whether dark-to-light differs from light-to-dark (else opposite directions share a bin).

    Returns:
        (n, directions, cells, cells).
    """
    return torch.cat([_contours(part, cells, directions, signed) for part in images.split(CHUNK)])


def _contours(images: Tensor, cells: int, directions: int, signed: bool) -> Tensor:
    n, channels, side = images.shape[:3]
    smooth = blurred(images, BLUR)
    ring = F.pad(smooth, (1, 1, 1, 1), mode="replicate")
    across, down = ring[:, :, 1:-1, 2:] - ring[:, :, 1:-1, :-2], ring[:, :, 2:, 1:-1] - ring[:, :, :-2, 1:-1]
    length = (across.square() + down.square()).sqrt()
    turn = 2 * math.pi if signed else math.pi
    angle = torch.remainder(torch.atan2(down, across), turn) * (directions / turn)
    below = angle.floor()
    part, first = angle - below, below.long() % directions
    votes = images.new_zeros(n, directions, side, side)
    votes.scatter_add_(1, first, length * (1 - part))
    votes.scatter_add_(1, (first + 1) % directions, length * part)
    window = windows(side, cells).to(images)
    pooled = (window @ votes @ window.T).clamp(min=0)
    return (pooled / channels).sqrt()


def windows(side: int, cells: int) -> Tensor:
    """Triangular weights (cells, side) that sum to 1: each cell reaches to its neighbours' middles."""
    step = side / cells
    middles = (torch.arange(cells) + 0.5) * step
    return (1 - (torch.arange(side) + 0.5 - middles[:, None]).abs() / step).clamp(min=0) / step


def blurred(images: Tensor, deviation: float) -> Tensor:
    """Images (n, c, h, w) under a Gaussian of that standard deviation in pixels, dark outside."""
    reach = int(3 * deviation + 1)
    bell = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / deviation).square()).to(images)
    bell = bell / bell.sum()
    flat = images.flatten(0, 1)[:, None]
    flat = F.conv2d(flat, bell.view(1, 1, 1, -1), padding=(0, reach))
    return F.conv2d(flat, bell.view(1, 1, -1, 1), padding=(reach, 0)).view_as(images)

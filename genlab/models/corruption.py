"""What can be done to an item before a network sees it: Gaussian noise, salt and pepper, masking."""

import torch
from torch import Tensor

from genlab.seeds import Seeds

NOISES = ("gaussian", "salt-and-pepper", "masking")


def corrupt(items: Tensor, kind: str, amount: Tensor | float, *, seeds: Seeds | None = None) -> Tensor:
    """Items (n, ...) after one kind of noise; Gaussian noise is not clipped, so values may leave [0, 1].

    Args:
        kind: one of `NOISES`.
        amount: the deviation of Gaussian noise, or the share of values that become 0 or 1 (salt and pepper)
            or 0 (masking); one number, or one an item.
        seeds: where the noise comes from; without them, the global random state.

    Raises:
        ValueError: there is no such kind.
    """
    if kind not in NOISES:
        raise ValueError(f"Kinds of noise are {', '.join(NOISES)}; {str(kind)[:40]!r} was given.")
    shape = items.shape[1:]
    if isinstance(amount, Tensor):
        amount = amount.view(-1, *(1,) * len(shape))
    if kind == "gaussian":
        return items + amount * (torch.randn_like(items) if seeds is None else seeds.randn(*shape))
    uniform = torch.rand_like(items) if seeds is None else seeds.rand(*shape)
    if kind == "masking":
        return torch.where(uniform < amount, torch.zeros_like(items), items)
    extreme = (uniform < amount / 2).to(items.dtype)
    return torch.where(uniform < amount, extreme, items)

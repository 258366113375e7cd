"""One random stream per sample: item i depends on seed i and on nothing else."""

from collections.abc import Sequence

import torch
from torch import Tensor

LARGEST = 2**63 - 1
KEPT = 2**32  # torch's CPU generator keeps the lower 32 bits of a seed
GOLDEN = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio


class Seeds:
    """The random numbers of a request, one independent stream an item.

    Numbers are drawn on the CPU and moved, so every device starts from the same noise, and the
    global random state never moves. Successive calls continue each item's own stream. A seed of 2^32 or more is
    mixed first, so that it does not draw the item of its lower 32 bits.

    Args:
        seeds: one integer in [0, 2**63 - 1] an item.
        device: where the drawn tensors are put.
        signs: +1 and -1, (n, m): the signs of the first m normal numbers of each item, which are drawn in one call.

    Raises:
        ValueError: a seed is not a whole number in the range.
    """

    def __init__(self, seeds: Sequence[int], device: str | torch.device = "cpu", signs: Tensor | None = None):
        self.seeds = tuple(check_seed(s) for s in seeds)
        self.device, self._signs = torch.device(device), signs
        self._streams = [torch.Generator().manual_seed(s if s < KEPT else mixed(s)) for s in self.seeds]

    @classmethod
    def count_from(
        cls, seed: int, count: int, device: str | torch.device = "cpu", signs: Tensor | None = None
    ) -> "Seeds":
        """Item i of a request gets `seed + i`."""
        return cls(range(check_seed(seed), check_seed(seed) + count), device, signs)

    def __len__(self) -> int:
        return len(self.seeds)

    def randn(self, *shape: int) -> Tensor:
        """Standard normal numbers, (n, *shape), float32."""
        drawn = self._draw(torch.randn, shape)
        if self._signs is not None:
            drawn, self._signs = drawn.abs() * self._signs.to(drawn).reshape(drawn.shape), None
        return drawn

    def rand(self, *shape: int) -> Tensor:
        """Uniform numbers in [0, 1), (n, *shape), float32."""
        return self._draw(torch.rand, shape)

    def _draw(self, draw, shape: tuple[int, ...]) -> Tensor:
        if not self._streams:
            return torch.empty(0, *shape, device=self.device)
        return torch.stack([draw(shape, generator=g) for g in self._streams]).to(self.device)


def check_seed(seed: object) -> int:
    """The seed as an int, or one sentence why it cannot be one."""
    whole = isinstance(seed, int) and not isinstance(seed, bool)
    if isinstance(seed, float) and seed.is_integer():
        seed, whole = int(seed), True
    if not whole or not 0 <= seed <= LARGEST:
        raise ValueError(f"The seed must be a whole number from 0 to 2^63 - 1; {str(seed)[:40]!r} was given.")
    return int(seed)


def mixed(seed: int, turn: int = 0) -> int:
    """32 bits that depend on every bit of both: half of what SplitMix64 makes of them (Steele, Lea and Flood 2014)."""
    z = (seed + turn * GOLDEN) % 2**64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return (z ^ (z >> 31)) >> 32

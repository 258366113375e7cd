"""Stacked digits: three handwritten digits as the three channels of one picture, 1,000 kinds in all (Metz et al. 2017).

The measure of how many kinds a generator has learnt. Made from MNIST, when asked for, with a fixed seed.
"""

import functools

import numpy as np

from genlab.data import Data, mnist

COUNTS = {"train": 60_000, "test": 10_000}
KINDS = 1000
CAVEATS = (
    *mnist.CAVEATS,
    "Digits are drawn at random, so a kind is as frequent as the product of its three digits' shares, not 1 in 1,000.",
)


@functools.cache
def load(split: str) -> Data:
    """Pictures uint8 (n, 3, 28, 28); the label is the number that the channels read, first to last: 0 to 999.

    Each channel shows every digit of MNIST's own split once, in an order of its own.
    """
    digits, stream = mnist.load(split), np.random.default_rng([3, list(COUNTS).index(split)])
    rows = np.stack([stream.permutation(len(digits))[: COUNTS[split]] for _ in range(3)], 1)
    labels = digits.labels[rows] @ [100, 10, 1]
    names = tuple(f"{kind:03}" for kind in range(KINDS))
    return Data(
        "stacked-digits", split, digits.items[rows, 0], labels, names, mnist.LICENCE, mnist.ATTRIBUTION, CAVEATS
    )


def shares() -> np.ndarray:
    """How frequent each kind is when digits are drawn at random from the training split, (1000,)."""
    digit = np.bincount(mnist.load("train").labels, minlength=10) / len(mnist.load("train"))
    return np.einsum("i,j,k->ijk", digit, digit, digit).ravel()

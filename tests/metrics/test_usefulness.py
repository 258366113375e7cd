"""Train on synthetic, test on real: informative items teach, noise does not."""

import numpy as np

from genlab.data import Data
from genlab.metrics.usefulness import accuracy_on_real


def patterns(n: int, seed: int) -> Data:
    """Four classes that mirroring and shifting leave alone: dark, bright, lines across, lines down."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 4
    across = np.tile(np.arange(12)[:, None] % 4 < 2, (1, 12))
    masks = np.stack([np.zeros_like(across), np.ones_like(across), across, across.T])
    items = rng.integers(0, 60, (n, 1, 12, 12), dtype=np.uint8) + 150 * masks[labels][:, None].astype(np.uint8)
    return Data("patterns", "test", items, labels, ("dark", "bright", "across", "down"), "MIT", "nobody")


def test_signal_teaches_and_shuffled_labels_do_not():
    train, test = patterns(512, 0), patterns(200, 1)
    informed = accuracy_on_real(train.items / np.float32(255), train.labels, test, steps=60)
    wrong = np.random.default_rng(2).permutation(train.labels)
    misled = accuracy_on_real(train.items / np.float32(255), wrong, test, steps=60)
    assert informed > 0.95
    assert misled < 0.7

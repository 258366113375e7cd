"""Train on synthetic, test on real: what a generator's samples teach (Esteban et al. 2017; Ravuri and Vinyals 2019)."""

import numpy as np
import torch

from genlab.data import Data
from genlab.fit import Batches, fit
from genlab.models.judge import Judge

STEPS, BATCH, RATE = 1500, 128, 3e-3


def accuracy_on_real(items, labels, test: Data, *, device: str = "cpu", steps: int = STEPS, seed: int = 0) -> float:
    """Test accuracy of a small classifier that saw only these items.

    The classifier is a quarter-width judge, trained by a fixed recipe: any two sets of the same size are
    compared alike. It sees no real item before the test.

    Args:
        items: (n, c, h, w) in [0, 1]; labels: (n,) class numbers.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Judge(shape=test.items.shape[1:], classes=len(test.names), width=16, feature=32).to(
            device, memory_format=torch.channels_last
        )
    batches = Batches(items, labels, batch=BATCH, seed=seed, device=device)
    for _ in fit(model, batches, steps=steps, lr=RATE, ema=0.99, seed=seed, every=steps):
        pass
    images = torch.from_numpy(test.items).to(device).float() / 255
    predicted = torch.cat([model.logits(part).argmax(1) for part in images.split(2048)])
    return float((predicted.cpu().numpy() == np.asarray(test.labels)).mean())

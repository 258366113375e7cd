"""Trivial generators: what a figure must be compared with before it is believed."""

import numpy as np

from genlab.data import Data

BASELINES = ("mixture", "mixup", "noise")


def baseline(
    name: str, data: Data, *, count: int, labels: np.ndarray | None = None, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """`count` items (n, c, h, w), float32 in [0, 1], and labels: those given, else item i is of class i mod classes.

    "mixture": for each class 10 Gaussians with full covariances in the 64 first principal components.
    "mixup": the mean, with a uniform weight, of two training items of the class (Zhang et al. 2018).
    "noise": independent uniform pixels.
    """
    rng = np.random.default_rng(seed)
    classes = len(data.names)
    labels = np.arange(count) % classes if labels is None else np.asarray(labels)
    count = len(labels)
    shape = data.items.shape[1:]
    if name == "noise":
        return rng.random((count, *shape), dtype=np.float32), labels
    if name == "mixup":
        items = np.empty((count, *shape), np.float32)
        for c in range(classes):
            rows, own = np.flatnonzero(labels == c), np.flatnonzero(data.labels == c)
            first, second = (data.items[rng.choice(own, len(rows))].astype(np.float32) / 255 for _ in range(2))
            weight = rng.random((len(rows), 1, 1, 1), dtype=np.float32)
            items[rows] = weight * first + (1 - weight) * second
        return items, labels
    if name == "mixture":
        return mixture(data, labels, seed=seed), labels
    raise ValueError(f"Baselines are {', '.join(BASELINES)}; {name!r} was given.")


def mixture(data: Data, labels: np.ndarray, *, seed: int) -> np.ndarray:
    """Items of the wanted labels from a Gaussian mixture a class, fitted in principal components."""
    from sklearn.decomposition import PCA
    from sklearn.mixture import GaussianMixture

    flat = data.items.reshape(len(data), -1).astype(np.float32) / 255
    plane = PCA(64, random_state=seed).fit(flat)
    codes = plane.transform(flat).astype(np.float64)
    items = np.empty((len(labels), flat.shape[1]), np.float32)
    for c in range(len(data.names)):
        rows = np.flatnonzero(labels == c)
        model = GaussianMixture(10, covariance_type="full", reg_covar=1e-5, random_state=seed)
        drawn = model.fit(codes[data.labels == c]).sample(len(rows))[0]
        items[rows] = plane.inverse_transform(drawn)
    return items.clip(0, 1).reshape(-1, *data.items.shape[1:])

"""The detectors that ours are compared with, each at its documented defaults: PyOD's, and nearest raw pixels.

PyOD is no dependency of this repository: `pip install pyod` into an environment beside it. Each takes normal rows
(n, d) and other rows (m, d) and gives their scores, higher is stranger.
"""

from collections.abc import Callable

import numpy as np

Peer = Callable[[np.ndarray, np.ndarray], np.ndarray]


def nearest(normal: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Distance to the nearest normal row."""
    import torch

    known = torch.from_numpy(normal)
    return torch.cat([torch.cdist(part, known).amin(1) for part in torch.from_numpy(other).split(1000)]).numpy()


def of_pyod(name: str) -> Peer:
    """A detector of PyOD by the name of its class; scores of the rows it is given, not of those it was fitted on."""

    def score(normal: np.ndarray, other: np.ndarray) -> np.ndarray:
        import importlib

        module, seeded = MODULES[name]
        extra = {"random_state": 0} if seeded else {}
        if name in ("AutoEncoder", "VAE", "DeepSVDD"):
            extra["verbose"] = 0
        if name == "DeepSVDD":
            extra["n_features"] = normal.shape[1]
        made = getattr(importlib.import_module(f"pyod.models.{module}"), name)(**extra)
        made.fit(normal)
        return np.asarray(made.decision_function(other), float)

    return score


MODULES = {  # class: module, whether it takes random_state
    "AutoEncoder": ("auto_encoder", True), "VAE": ("vae", True), "KNN": ("knn", False), "ECOD": ("ecod", False),
    "IForest": ("iforest", True), "DeepSVDD": ("deep_svdd", True), "PCA": ("pca", True), "OCSVM": ("ocsvm", False),
    "LOF": ("lof", False), "HBOS": ("hbos", False), "COPOD": ("copod", False), "GMM": ("gmm", True),
}  # fmt: skip
PEERS: dict[str, Peer] = {"raw-pixel 1-NN": nearest, **{f"PyOD {name}": of_pyod(name) for name in MODULES}}


def installed() -> str | None:
    """The version of PyOD here, or None."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("pyod")
    except PackageNotFoundError:
        return None

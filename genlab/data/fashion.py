"""Fashion-MNIST (Xiao, Rasul and Vollgraf 2017): 70,000 grey pictures of clothes, 28x28, ten classes."""

import functools
from pathlib import Path

import numpy as np

from genlab.data import Data, DataError
from genlab.data.fetch import debian_package, obtain

NAMES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
HUB = "zalando-datasets/fashion_mnist"
HASHES = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
LICENCE = "MIT"
ATTRIBUTION = "Fashion-MNIST, (c) 2017 Zalando SE, https://github.com/zalandoresearch/fashion-mnist"
CAVEATS = (
    "Product photographs of one European retailer, 2017 and before: the classes and their looks are that shop's.",
    "Grey, centred, 28x28 pixels: shirts, pullovers, coats and T-shirts overlap; people label them alike only in part.",
)


def read_idx(path: Path) -> np.ndarray:
    """An array from an IDX file of unsigned bytes (format: LeCun's MNIST page)."""
    raw = path.read_bytes()
    if len(raw) < 4 or raw[:3] != b"\0\0\x08":
        raise DataError(f"{path.name} is not an IDX file of unsigned bytes.")
    axes = raw[3]
    shape = tuple(int(n) for n in np.frombuffer(raw, ">i4", axes, 4))
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * axes).reshape(shape).copy()


def from_debian(folder: Path) -> None:
    """The four files out of Debian's package."""
    debian_package("dataset-fashion-mnist", folder, inside=str(DEBIAN).lstrip("/"))


def from_hub(folder: Path) -> None:
    """The same pictures from the Hub's Parquet files, written back as the four IDX files' content."""
    import io

    from huggingface_hub import hf_hub_download
    from PIL import Image
    from pyarrow import parquet

    for split, stem in (("train", "train"), ("test", "t10k")):
        path = hf_hub_download(HUB, f"fashion_mnist/{split}-00000-of-00001.parquet", repo_type="dataset")
        table = parquet.read_table(path).to_pydict()
        images = np.stack([np.asarray(Image.open(io.BytesIO(cell["bytes"]))) for cell in table["image"]])
        write_idx(folder / f"{stem}-images-idx3-ubyte", images)
        write_idx(folder / f"{stem}-labels-idx1-ubyte", np.asarray(table["label"], np.uint8))


def write_idx(path: Path, array: np.ndarray) -> None:
    """An uint8 array as an uncompressed IDX file."""
    header = bytes([0, 0, 8, array.ndim]) + np.asarray(array.shape, ">i4").tobytes()
    path.write_bytes(header + array.astype(np.uint8).tobytes())


@functools.cache
def load(split: str) -> Data:
    """The official split: 60,000 to train on, 10,000 to test on; items uint8 (n, 1, 28, 28)."""
    folder = obtain("fashion-mnist", HASHES, places=[DEBIAN], sources=[from_debian, from_hub])
    stem = "train" if split == "train" else "t10k"
    items = read_idx(folder / f"{stem}-images-idx3-ubyte")[:, None]
    labels = read_idx(folder / f"{stem}-labels-idx1-ubyte").astype(np.int64)
    return Data("fashion", split, items, labels, NAMES, LICENCE, ATTRIBUTION, CAVEATS)

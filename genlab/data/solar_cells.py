"""ELPV (Deitsch et al. 2019): 2,624 solar cells in electroluminescence, 300x300, each with a probability of a defect.

For benchmarks only: the licence allows neither commercial use nor relicensing, so no picture and no weights made from
them are part of this repository.
"""

import functools
import io
import zipfile

import numpy as np

from genlab.data import Data
from genlab.data.fetch import obtain, python_package

PACKAGE, VERSION = "elpv-dataset", "1.0.0.post1"
ARCHIVE = "elpv_dataset-1.0.0.post1-py3-none-any.whl"
HASHES = {ARCHIVE: "85e31c1126ee9b48e62d3a0232c58f58b2d189b0814a45c13642fa0415af4a4c"}
NAMES = ("no defect", "probably none", "probably one", "defect")  # probabilities 0, 1/3, 2/3, 1
LICENCE = "CC-BY-NC-SA-4.0"
ATTRIBUTION = "ELPV, (c) Buerhop-Lutz, Deitsch, Maier, Gallwitz, Berger, Doll, Hauch, Camus and Brabec, " \
    "https://github.com/zae-bayern/elpv-dataset"  # fmt: skip
CAVEATS = (
    "Cells of 44 modules, cut out and straightened; experts' ratings. Monocrystalline and polycrystalline mixed.",
)


@functools.cache
def load(split: str) -> Data:
    """Items uint8 (n, 1, 300, 300): in "test" a fifth of the cells without defect and all others, in "train" the rest.

    Every fifth cell without defect, in the order of their file names, is for testing; `type` says mono or poly.
    """
    from PIL import Image

    from_pypi = functools.partial(python_package, f"{PACKAGE}=={VERSION}", archive=ARCHIVE, sha256=HASHES[ARCHIVE])
    archive = obtain("solar-cells", HASHES, places=[], sources=[from_pypi]) / ARCHIVE
    with zipfile.ZipFile(archive) as packed:
        rows = [line.split() for line in packed.read("elpv_dataset/data/labels.csv").decode().splitlines() if line]
        labels = np.array([round(3 * float(row[1])) for row in rows], np.int64)
        sound = np.flatnonzero(labels == 0)
        tested = np.zeros(len(rows), bool)
        tested[sound[4::5]] = True
        tested |= labels > 0
        chosen = np.flatnonzero(tested if split == "test" else ~tested)
        items = []
        for i in chosen:
            with Image.open(io.BytesIO(packed.read(f"elpv_dataset/data/{rows[i][0]}")), formats=["PNG"]) as image:
                items.append(np.asarray(image.convert("L")))
    kinds = ("mono", "poly")
    attributes = {"type": np.array([kinds.index(rows[i][2]) for i in chosen], np.int64)}
    return Data(
        "solar-cells", split, np.stack(items)[:, None], labels[chosen], NAMES, LICENCE, ATTRIBUTION, CAVEATS,
        attributes, {"type": kinds},
    )  # fmt: skip

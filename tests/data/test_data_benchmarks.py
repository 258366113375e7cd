"""MNIST and the solar cells: read here from archives that the test packs, split as they should be."""

import hashlib
import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from genlab.data import DataError, load, mnist, solar_cells
from genlab.data.fashion import write_idx


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GENLAB_CACHE", str(tmp_path))
    for module in (mnist, solar_cells):
        module.load.cache_clear()
    yield tmp_path
    for module in (mnist, solar_cells):
        module.load.cache_clear()


def test_digits_are_read_as_they_were_written(cache, monkeypatch):
    folder = cache / "mnist"
    folder.mkdir()
    images, labels = np.arange(2 * 784, dtype=np.uint8).reshape(2, 28, 28), np.array([3, 7], np.uint8)
    hashes = {}
    for name in mnist.HASHES:
        write_idx(folder / name, images if "images" in name else labels)
        hashes[name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    monkeypatch.setattr(mnist, "HASHES", hashes)
    found = load("mnist", "test")
    assert np.array_equal(found.items[:, 0], images)
    assert found.labels.tolist() == [3, 7]


def test_cells_without_a_defect_are_split_and_all_others_are_tested(cache, monkeypatch):
    folder = cache / "solar-cells"
    folder.mkdir()
    chances = [0.0] * 10 + [0.3333333333333333, 0.6666666666666666, 1.0]
    with zipfile.ZipFile(folder / solar_cells.ARCHIVE, "w") as packed:
        for i in range(len(chances)):
            file = io.BytesIO()
            Image.new("L", (300, 300), i).save(file, "PNG")
            packed.writestr(f"elpv_dataset/data/images/cell{i:04}.png", file.getvalue())
        rows = [f"images/cell{i:04}.png  {p!r}  {'mono' if i % 2 else 'poly'}" for i, p in enumerate(chances)]
        packed.writestr("elpv_dataset/data/labels.csv", "\n".join(rows))
    digest = hashlib.sha256((folder / solar_cells.ARCHIVE).read_bytes()).hexdigest()
    monkeypatch.setattr(solar_cells, "HASHES", {solar_cells.ARCHIVE: digest})
    train, test = load("solar-cells"), load("solar-cells", "test")
    assert train.items[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 5, 6, 7, 8]
    assert test.items[:, 0, 0, 0].tolist() == [4, 9, 10, 11, 12]
    assert test.labels.tolist() == [0, 0, 1, 2, 3]
    assert [test.groups["type"][t] for t in test.attributes["type"]] == ["poly", "mono", "poly", "mono", "poly"]
    assert "NC" in test.licence


def test_other_content_is_refused(cache):
    folder = cache / "mnist"
    folder.mkdir()
    for name in mnist.HASHES:
        (folder / name).write_bytes(b"something else")
    with pytest.raises(DataError, match="sha256"):
        load("mnist")

"""Codes to take away, and maps of items with their scores."""

import csv
import io

import numpy as np
import pytest
from small_models import picture

from genlab.data import examples
from genlab.studio import encode, features, flat_map

FLAT, WIDE = "ae-fashion-flat", "ae-fashion-wide"


def test_features_of_the_examples_are_their_codes_in_both_forms():
    made = features.of_pictures(FLAT, [])
    expected = encode.codes_of(FLAT, examples.load("fashion").items)
    assert np.array_equal(made.codes, expected)
    with np.load(io.BytesIO(made.file("npz")), allow_pickle=False) as arrays:
        assert np.array_equal(arrays["codes"], expected)
        assert str(arrays["model"]) == FLAT
        assert arrays["items"][0].startswith("example 0, ")
    rows = list(csv.reader(io.StringIO(made.file("csv").decode())))
    assert rows[0] == ["item", "z0", "z1"]
    assert np.allclose([[float(v) for v in row[1:]] for row in rows[1:]], expected, rtol=1e-4, atol=1e-5)


def test_pictures_folders_and_arrays_give_the_same_codes(tmp_path):
    items = examples.load("fashion").items[:4]
    np.save(tmp_path / "bytes.npy", items)
    np.save(tmp_path / "plain.npy", items[:, 0].astype(np.float64) / 255)
    np.savez(tmp_path / "packed.npz", items=items)
    expected = encode.codes_of(WIDE, items)
    for file in ("bytes.npy", "plain.npy", "packed.npz"):
        assert np.array_equal(features.of_path(WIDE, tmp_path / file).codes, expected)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("b.png", "a.png"):
        (folder / name).write_bytes(picture())
    (folder / "notes.txt").write_text("no picture")
    made = features.of_path(FLAT, folder)
    assert made.names == ("a.png", "b.png")
    assert np.array_equal(made.codes[0], features.of_path(FLAT, folder / "a.png").codes[0])


def test_cells_that_look_like_formulas_are_quoted():
    made = features.of_pictures(FLAT, [("=SUM(A1).png", picture())])
    assert made.file("csv").decode().splitlines()[1].startswith("'=SUM(A1).png,")


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.zeros((2, 30, 30), np.uint8), "takes arrays"),
        (np.zeros((0, 28, 28), np.uint8), "takes arrays"),
        (np.full((2, 28, 28), np.nan), "without gaps"),
        (np.full((2, 28, 28), 7.0), "from 0 to 1"),
        (np.zeros((2, 28, 28), complex), "from 0 to 1"),
        (np.array([{"a": 1}], dtype=object), "without running code"),
    ],
)
def test_bad_arrays_are_one_sentence(tmp_path, array, sentence):
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    with pytest.raises(ValueError, match=sentence):
        features.of_path(FLAT, tmp_path / "x.npy")


def test_bad_files_are_one_sentence(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"PK nothing")
    (tmp_path / "x.png").write_bytes(b"nothing")
    (tmp_path / "empty").mkdir()
    for path, sentence in (
        ("x.npz", "without running code"),
        ("x.png", "x.png: The uploaded file is not a PNG"),
        ("empty", "holds no PNG"),
        ("gone", "no file or folder"),
    ):
        with pytest.raises(ValueError, match=sentence):
            features.of_path(FLAT, tmp_path / path)
    with pytest.raises(ValueError, match="csv or npz"):
        features.of_pictures(FLAT, []).file("xlsx")
    with pytest.raises(ValueError, match="needs a class"):
        features.of_pictures("vae-conditional", [])


def test_layouts_are_places_with_scores(monkeypatch):
    monkeypatch.setattr(flat_map.importlib.util, "find_spec", lambda name: None)
    assert flat_map.methods() == [FLAT, "PCA", "t-SNE"]
    flat_map._known.clear()
    made = {name: flat_map.layout(name) for name in (FLAT, "PCA")}
    for layout in made.values():
        assert layout.points.shape == (500, 2)
        assert 0 <= layout.points.min() < layout.points.max() <= 1
        for score in (layout.row.knn, layout.row.trustworthiness, layout.row.continuity):
            assert 0 < score.low <= score.value <= score.high
            assert score.n == 500
    assert made["PCA"].row.fitted
    assert not made[FLAT].row.fitted
    assert made["PCA"].row.trustworthiness.value > 0.85
    with pytest.raises(ValueError, match="Items are laid out by"):
        flat_map.layout("UMAP")


def test_slow_layouts_are_computed_once_and_kept_on_disk(monkeypatch):
    calls, rng = [], np.random.default_rng(0)
    monkeypatch.setattr(flat_map.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(
        flat_map, "project", lambda m, items: (calls.append(m), rng.standard_normal((len(items), 2)))[1]
    )
    flat_map._known.clear()
    assert [row.method for row in flat_map.comparison()] == [FLAT, "PCA", WIDE, "vae-small"]  # nobody waits for t-SNE
    first = flat_map.layout("t-SNE").points
    flat_map._known.clear()
    assert np.array_equal(flat_map.layout("t-SNE").points, first)
    assert calls.count("t-SNE") == 1
    assert [row.method for row in flat_map.comparison()] == [FLAT, "PCA", "t-SNE", WIDE, "vae-small"]
    flat_map._known.clear()
    for kept in (flat_map.cache_folder() / "charts").glob("t-SNE-*.npz"):
        kept.write_bytes(b"half a file")
    assert flat_map.layout("t-SNE").points.shape == (500, 2)
    assert calls.count("t-SNE") == 2

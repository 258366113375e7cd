"""The quality report: all six figures, each with interval and floor, and caveats where they are due."""

import numpy as np
import pytest

from audits.quality import FeatureError, frechet_distance, quality_report, read_features

NAMES = ["Fréchet distance", "kernel distance", "precision", "recall", "density", "coverage"]


@pytest.fixture(scope="module")
def sets():
    rng = np.random.default_rng(0)
    return [rng.normal(size=(300, 6)) for _ in range(3)]


def test_every_figure_has_an_interval_and_a_floor(sets):
    real, other, fake = sets
    report = quality_report(real, fake + 0.8, floor_pair=(real, other))
    assert [f.name for f in report.findings] == NAMES
    for finding in report.findings:
        assert finding.low <= finding.value <= finding.high
        assert finding.low < finding.high
        assert finding.floor is not None
        assert finding.reading.endswith(".")
    assert report["Fréchet distance"].floor == frechet_distance(real, other)
    assert report["Fréchet distance"].verdict == report["precision"].verdict == "worse"
    assert len(report.caveats) == 1


def test_real_against_real_cannot_be_told_from_the_floor(sets):
    real, other, fake = sets
    verdicts = [f.verdict for f in quality_report(real, fake, floor_pair=(real, other)).findings]
    assert verdicts.count("cannot tell") >= 5


def test_missing_uneven_and_small_sets_are_said(sets):
    real, other, fake = sets
    assert any("No floor" in c for c in quality_report(real, fake).caveats)
    uneven = quality_report(real, fake, floor_pair=(real, other[:200]))
    assert any("300 against 200" in c for c in uneven.caveats)
    wide = np.random.default_rng(1).normal(size=(60, 50))
    assert any("dominated by its bias" in c for c in quality_report(wide[:30], wide[30:]).caveats)


def test_the_same_seed_gives_the_same_report(sets):
    assert quality_report(*sets[:2], seed=5) == quality_report(*sets[:2], seed=5)
    assert quality_report(*sets[:2], seed=5) != quality_report(*sets[:2], seed=6)


def test_features_are_read_from_every_format(tmp_path, sets):
    x = sets[0][:10]
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "one.npz", x)
    np.savez_compressed(tmp_path / "two.npz", labels=np.arange(10), features=x)
    np.savetxt(tmp_path / "plain.csv", x, delimiter=",")
    np.savetxt(tmp_path / "headed.csv", x, delimiter=",", header="a,b,c,d,e,f", comments="")
    for name in ("x.npy", "one.npz", "two.npz", "plain.csv", "headed.csv"):
        assert read_features(tmp_path / name) == pytest.approx(x)


def test_files_that_are_not_features_are_refused(tmp_path):
    np.save(tmp_path / "pickled.npy", np.array([{}, {}], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "several.npz", a=np.eye(3), b=np.eye(3))
    huge = np.lib.format.header_data_from_array_1_0(np.eye(3)) | {"shape": (10**12, 64)}
    with (tmp_path / "huge.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, huge)
    contents = {"text.csv": b"a,b\nx,y\n", "ragged.csv": b"1,2\n3\n", "empty.csv": b"", "cut.npz": b"PK\3\4"}
    contents |= {"noise.npy": b"\x93NUMPY\1\0", "nan.csv": b"1,nan\n2,3\n", "x.pkl": b""}
    contents |= {"latin.csv": b"\xe9,1\n1,2\n", "one-row.csv": b"1,2\n"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    for name in ("pickled.npy", "several.npz", "huge.npy", "absent.npy", *contents):
        with pytest.raises(FeatureError) as caught:
            read_features(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)

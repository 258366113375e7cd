"""Precision, recall, density and coverage against the reference package and sets with known answers."""

from dataclasses import asdict

import numpy as np
import pytest

import audits.quality.neighbours as module
from audits.quality import FeatureError, neighbour_findings, prdc
from audits.quality.neighbours import nearest_distances


@pytest.mark.parametrize(("n", "m", "k"), [(200, 150, 5), (80, 300, 3), (60, 60, 1)])
def test_agrees_with_the_reference_package(n, m, k, monkeypatch):
    peer = pytest.importorskip("prdc")
    monkeypatch.setattr(module, "CHUNK", 7 * m)  # several chunks, the last one short
    rng = np.random.default_rng(n)
    real, fake = rng.normal(size=(n, 6)) + 30, rng.normal(size=(m, 6)) * 0.8 + 30.3
    expected = peer.compute_prdc(real, fake, k)
    assert asdict(prdc(real, fake, k=k)) == pytest.approx(expected, abs=1e-12)


def test_a_far_set_scores_nothing_and_a_collapsed_one_has_no_recall():
    rng = np.random.default_rng(0)
    real = rng.normal(size=(200, 4))
    assert asdict(prdc(real, real + 100)) == {"precision": 0, "recall": 0, "density": 0, "coverage": 0}
    collapsed = prdc(real, real[:1] + rng.normal(size=(200, 4)) * 1e-6)
    assert collapsed.precision == 1
    assert collapsed.recall < 0.02
    assert collapsed.coverage < 0.1


def test_coverage_counts_modes():
    rng = np.random.default_rng(1)
    centres = 50 * np.eye(4)
    real = np.concatenate([c + rng.normal(size=(100, 4)) for c in centres])
    fake = np.concatenate([c + rng.normal(size=(200, 4)) for c in centres[:3]])
    assert prdc(real, fake).coverage == pytest.approx(0.75, abs=0.02)


def test_copies_of_one_item_are_at_distance_zero():
    x = np.random.default_rng(2).normal(size=(50, 8)) + 1e4
    assert (nearest_distances(x, x, k=1) == 0).all()
    expected = np.sort(np.linalg.norm(x[:, None] - x[None], axis=2), axis=1)[:, :4]
    assert nearest_distances(x, x, k=4) == pytest.approx(expected, abs=1e-6)


def test_the_intervals_cover_the_expectation():
    rng = np.random.default_rng(3)

    def draw():
        return rng.normal(size=(250, 4)), rng.normal(size=(250, 4)) * 0.8 + 0.4

    truth = np.mean([list(asdict(prdc(*draw())).values()) for _ in range(60)], axis=0)
    found = [neighbour_findings(*draw(), subsets=20, seed=i) for i in range(40)]
    hits = [[f.low <= t <= f.high for f, t in zip(fs, truth, strict=True)] for fs in found]
    covered = np.mean(hits, axis=0)
    assert (covered >= 0.85).all()
    spread = np.std([[f.value for f in fs] for fs in found], axis=0)
    width = np.mean([[f.high - f.low for f in fs] for fs in found], axis=0)
    assert (width < 2.5 * 2 * 1.96 * spread).all()  # covering is no merit of an endless interval


def test_more_is_better_and_the_floor_decides():
    rng = np.random.default_rng(4)
    real, other, poor = (rng.normal(size=(300, 4)) for _ in range(3))
    floor = prdc(real, other)
    findings = {f.name: f for f in neighbour_findings(real, poor * 3, floor=floor)}
    assert findings["precision"].verdict == "worse"
    assert findings["precision"].floor == floor.precision
    assert {f.verdict for f in neighbour_findings(real, other, floor=floor)} == {"cannot tell"}


@pytest.mark.parametrize("k", [0, 10, 100])
def test_k_outside_the_sets_is_refused(k):
    with pytest.raises(FeatureError, match="k is"):
        prdc(np.zeros((10, 2)), np.zeros((12, 2)), k=k)


def test_too_few_items_for_an_interval_are_refused():
    with pytest.raises(FeatureError, match="at least 12"):
        neighbour_findings(np.random.default_rng(0).normal(size=(10, 2)), np.eye(20)[:, :2], k=5)

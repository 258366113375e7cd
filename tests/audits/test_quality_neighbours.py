"""Precision, recall, density and coverage against the reference package and sets with known answers."""

from dataclasses import asdict

import numpy as np
import pytest

from audits.quality import FeatureError, near, neighbour_findings, prdc
from audits.quality.neighbours import nearest_distances


@pytest.mark.parametrize(("n", "m", "k"), [(200, 150, 5), (80, 300, 3), (60, 60, 1)])
def test_agrees_with_the_reference_package(n, m, k, monkeypatch):
    peer = pytest.importorskip("prdc")
    monkeypatch.setattr(near, "CHUNK", 7 * m)  # several chunks, the last one short
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


def plainly(real, fake, k):
    """The four figures from all differences in float64."""

    def apart(a, b):
        return np.square(a[:, None] - b[None]).sum(2)

    real_radius, fake_radius = (np.sort(apart(x, x), axis=1)[:, k] for x in (real, fake))
    between = apart(real, fake)
    inside = between < real_radius[:, None]
    reached = (between < fake_radius).any(1)
    return {
        "precision": inside.any(0).mean(),
        "recall": reached.mean(),
        "density": inside.sum() / k / len(fake),
        "coverage": inside.any(1).mean(),
    }


CROWDS = {
    "one cloud": lambda rng, n: rng.normal(size=(n, 6)),
    "far from the origin": lambda rng, n: rng.normal(size=(n, 6)) + 1e5,
    "two crowds far apart": lambda rng, n: rng.normal(size=(n, 5)) * 1e-5 + rng.choice([-1.0, 1.0], n)[:, None],
    "one far off": lambda rng, n: rng.normal(size=(n, 6)) * np.where(np.arange(n) == 3, 1e6, 1.0)[:, None],
    "a grid, all ties": lambda rng, n: rng.integers(0, 4, (n, 3)).astype(float),
    "huge": lambda rng, n: rng.normal(size=(n, 6)) * 1e150,
    "tiny": lambda rng, n: rng.normal(size=(n, 6)) * 1e-150,
    "wide": lambda rng, n: np.maximum(0, rng.normal(size=(n, 700))),
    "all the same": lambda rng, n: np.ones((n, 3)),
}


@pytest.mark.parametrize("crowd", CROWDS)
@pytest.mark.parametrize(("chunk", "open_"), [(2**22, 64), (700, 64), (700, 0)])
def test_single_precision_never_decides(crowd, chunk, open_, monkeypatch):
    """The figures are those of all differences in float64, where points crowd together and where distances tie too."""
    monkeypatch.setattr(near, "CHUNK", chunk)
    monkeypatch.setattr(near, "OPEN", open_)
    rng = np.random.default_rng(5)
    real, fake = CROWDS[crowd](rng, 170), CROWDS[crowd](rng, 130)
    fake[:20] = real[:20]
    assert asdict(prdc(real, fake, k=3)) == pytest.approx(plainly(real, fake, 3), abs=1e-12)
    away = np.sqrt(np.sort(np.square(fake[:, None] - real[None]).sum(2), axis=1)[:, :4])
    assert nearest_distances(fake, real, k=4) == pytest.approx(away, rel=1e-9, abs=1e-11 * np.abs(real).max())


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

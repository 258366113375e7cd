"""Gaps, intersections, amplification and quality per group: against fairlearn, papers and models that are fair."""

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame

from audits.bias.amplification import amplification, directional_amplification
from audits.bias.gaps import gap, permuted_gaps
from audits.bias.group_quality import group_quality
from audits.bias.intersections import cramers_v, intersections
from audits.quality import prdc


def test_groups_and_gap_are_those_of_fairlearn():
    rng = np.random.default_rng(0)
    groups, outcome = rng.choice(list("abc"), 200), rng.normal(size=200)
    frame = MetricFrame(
        metrics=lambda _, y: float(np.mean(y)), y_true=np.zeros(200), y_pred=outcome, sensitive_features=groups
    )
    report = gap(outcome, groups, permutations=50)
    for name, value in frame.by_group.items():
        assert report[f"mean.{name}"].value == pytest.approx(value)
    assert report["gap"].value == pytest.approx(frame.difference())


@pytest.mark.parametrize("groups", [2, 6])
def test_fair_models_are_rarely_rejected_and_gaps_are_seen(groups):
    rng, rejected, seen = np.random.default_rng(groups), 0, 0
    for seed in range(200):
        codes = rng.integers(0, groups, 600)
        for planted in (0.0, 0.25):
            outcome = (rng.random(600) < 0.4 + planted * (codes == 0)).astype(float)
            means = np.bincount(codes, outcome) / np.bincount(codes)
            null = permuted_gaps(outcome, codes, permutations=200, seed=seed)
            verdict = (1 + (null >= np.ptp(means) - 1e-12).sum()) / 201 <= 0.05
            rejected += verdict and not planted
            seen += verdict and planted > 0
    assert rejected / 200 <= 0.1
    assert seen / 200 >= 0.75


def test_the_two_ways_to_permute_agree():
    rng = np.random.default_rng(1)
    codes, outcome = rng.integers(0, 3, 300), (rng.random(300) < 0.3).astype(float)
    quick = permuted_gaps(outcome, codes, permutations=2000, seed=0)
    shuffled = permuted_gaps(outcome + 1e-9 * rng.random(300), codes, permutations=2000, seed=0)
    assert quick.mean() == pytest.approx(shuffled.mean(), rel=0.05)
    assert np.quantile(quick, 0.95) == pytest.approx(np.quantile(shuffled, 0.95), rel=0.08)


def test_gap_shows_empty_and_small_groups_and_judges_neither():
    report = gap([0, 1] * 20 + [1] * 5, ["a"] * 20 + ["b"] * 20 + ["c"] * 5, expected=["d"])
    assert (report["mean.d"].n, report["mean.d"].high) == (0, 1)
    assert np.isnan(report["mean.d"].value)
    assert report["mean.c"].verdict == "cannot tell"
    assert (report["gap"].value, report["gap"].verdict, report["gap"].low) == (0, "cannot tell", 0)
    assert gap([1.0, 2.0], ["a", "b"])["gap"].verdict == "cannot tell"


@pytest.mark.parametrize("outcome", [[1, 2], [1, np.nan, 0], ["x", "y", "z"]])
def test_gap_refuses_other_outcomes(outcome):
    with pytest.raises(ValueError, match="outcome"):
        gap(outcome, ["a", "b", "b"])


def test_every_intersection_is_shown():
    table = pd.DataFrame({"tone": ["dark"] * 30 + ["light"] * 70, "hat": ["no"] * 60 + ["yes"] * 40, "y": [1.0] * 100})
    report = intersections(table, ["tone", "hat"], outcome="y", expected={"tone": ["mid"]})
    shares = [f for f in report.findings if f.name.startswith("share.")]
    assert len(shares) == 6
    assert report["share.dark x no"].n == 30
    empty = report["share.dark x yes"]
    assert (empty.n, empty.value, empty.low) == (0, 0, 0)
    assert 0 < empty.high < 0.12
    assert report["mean.mid x no"].n == 0
    assert sum(f.n for f in shares) == 100
    uniform = intersections(table, ["tone", "hat"], reference="uniform")
    assert uniform["share.dark x yes"].verdict == "worse"
    assert report["association"].verdict == "worse"


def test_cramers_v_is_that_of_scipy():
    from scipy.stats.contingency import association

    counts = np.array([[10, 20, 30], [30, 20, 10]])
    assert cramers_v(counts) == pytest.approx(association(counts, method="cramer"))
    assert cramers_v(np.outer([10, 20], [3, 4, 5])) == pytest.approx(0)


@pytest.mark.parametrize("columns", [["a"], ["a", "z"], ["a", "a"]])
def test_intersections_need_two_columns_that_exist(columns):
    with pytest.raises(ValueError, match="column"):
        intersections(pd.DataFrame({"a": [1], "b": [2]}), columns)


def tied(rng, n, strength):
    """A table whose attribute and task agree with probability .5 + strength / 2."""
    attribute = rng.choice(["m", "w"], n)
    agree = rng.random(n) < 0.5 + strength / 2
    return pd.DataFrame({"who": attribute, "job": np.where(agree == (attribute == "m"), "pilot", "nurse")})


def test_amplification_by_hand():
    before, after = np.array([[60, 40], [40, 60]]), np.array([[80, 20], [30, 70]])
    # P(t|a) moves by .2, -.2, -.1, .1; each is signed by the tie in training: + - - +.
    assert directional_amplification(before, after) == pytest.approx((0.2 + 0.2 + 0.1 + 0.1) / 4)
    assert directional_amplification(before, before) == 0


def test_amplification_is_covered_and_told_apart():
    rng, held, called = np.random.default_rng(7), 0, 0
    for seed in range(30):
        report = amplification(
            tied(rng, 2000, 0.2), tied(rng, 800, 0.4), attribute="who", task="job", draws=300, seed=seed
        )
        held += report["amplification"].low <= 0.1 <= report["amplification"].high
        fair = amplification(
            tied(rng, 2000, 0.2), tied(rng, 800, 0.2), attribute="who", task="job", draws=300, seed=seed
        )
        called += fair["amplification"].verdict != "cannot tell"
    assert held >= 25
    assert called <= 5
    assert report["amplification"].verdict == "worse"
    weaker = amplification(tied(rng, 2000, 0.6), tied(rng, 800, 0.1), attribute="who", task="job")
    assert weaker["amplification"].verdict == "better"
    with pytest.raises(ValueError, match="no column 'age'"):
        amplification(tied(rng, 9, 0), tied(rng, 9, 0), attribute="age", task="job")


def test_quality_per_group_finds_the_group_without_variety():
    rng = np.random.default_rng(8)
    real, fake = rng.normal(size=(400, 3)), rng.normal(size=(300, 3))
    real_groups, fake_groups = np.arange(400) % 2, np.arange(300) % 2
    fake[fake_groups == 1] *= 0.2
    report = group_quality(real, fake, real_groups=real_groups, fake_groups=fake_groups, expected=["2"])
    assert report["gap.recall"].verdict == "worse"
    assert report["recall.1"].value < report["recall.0"].value
    assert np.isnan(report["recall.2"].value)
    alone = prdc(real[real_groups == 0][:150], fake[fake_groups == 0])
    assert report["precision.0"].value == pytest.approx(alone.precision, abs=0.1)
    with pytest.raises(ValueError, match="names 3 groups"):
        group_quality(real, fake, real_groups=["a", "b", "c"], fake_groups=fake_groups)


def test_fair_groups_have_no_quality_gap():
    rng, called = np.random.default_rng(9), 0
    for seed in range(5):
        real, fake = rng.normal(size=(240, 3)), rng.normal(size=(240, 3))
        groups = np.arange(240) % 2
        report = group_quality(real, fake, real_groups=groups, fake_groups=groups, seed=seed)
        called += sum(report[f"gap.{f}"].verdict == "worse" for f in ("precision", "recall", "density", "coverage"))
    assert called <= 4  # of 20

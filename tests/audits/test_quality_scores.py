"""The class score: known values, the sum written out, the referee where it is installed, an interval that covers."""

import numpy as np
import pytest

from audits.quality import FeatureError, class_score, class_score_finding


def probabilities(n, classes=6, seed=0, sharp=3.0):
    logits = sharp * np.random.default_rng(seed).normal(size=(n, classes))
    p = np.exp(logits - logits.max(1, keepdims=True))
    return p / p.sum(1, keepdims=True)


def test_sure_and_varied_is_the_number_of_classes_and_everything_else_one():
    assert class_score(np.eye(7).repeat(3, 0)) == pytest.approx(7)
    assert class_score(np.full((20, 7), 1 / 7)) == pytest.approx(1)
    assert class_score(np.eye(7)[[2] * 20]) == pytest.approx(1)
    assert class_score(np.eye(8)[[0, 1, 2, 3] * 5]) == pytest.approx(4)


def test_equals_the_sum_written_out():
    p = probabilities(40)
    share = p.mean(0)
    by_hand = np.exp(np.mean([sum(q * np.log(q / s) for q, s in zip(row, share, strict=True)) for row in p]))
    assert class_score(p) == pytest.approx(by_hand, rel=1e-12)


def test_agrees_with_torch_fidelity_where_it_is_installed():
    referee = pytest.importorskip("torch_fidelity.metric_isc")
    torch = pytest.importorskip("torch")
    p = probabilities(500)
    told = referee.isc_features_to_metric(torch.from_numpy(np.log(p)), splits=1, shuffle=False)
    assert class_score(p) == pytest.approx(told["inception_score_mean"], rel=1e-9)


def test_the_interval_covers_the_expectation():
    truth = np.mean([class_score(probabilities(300, seed=i)) for i in range(200)])
    found = [class_score_finding(probabilities(300, seed=1000 + i), seed=i) for i in range(60)]
    assert np.mean([f.low <= truth <= f.high for f in found]) >= 0.88
    assert np.mean([f.high - f.low for f in found]) < 6 * np.std([f.value for f in found])


def test_the_floor_is_the_score_of_real_items():
    sharp, blurred = probabilities(400, seed=1, sharp=8), probabilities(400, seed=2, sharp=1)
    assert class_score_finding(blurred, sharp).verdict == "worse"
    assert class_score_finding(sharp, probabilities(20_000, seed=3, sharp=8)).verdict == "cannot tell"
    assert class_score_finding(sharp).floor is None


@pytest.mark.parametrize("bad", [np.full((5, 3), 0.5), -np.eye(3), np.zeros(3), np.full((4, 2), np.nan)])
def test_what_is_no_probability_is_refused(bad):
    with pytest.raises(FeatureError):
        class_score(bad)

"""Areas and curves against scikit-learn, by hand, and their interval against repeated draws."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from genlab.metrics.ranking import auroc, average_precision, curves


@pytest.mark.parametrize("seed", range(3))
def test_areas_agree_with_scikit_learn_with_and_without_ties(seed):
    rng = np.random.default_rng(seed)
    truth = rng.random(300) < 0.3
    scores = np.round(rng.normal(truth * 1.0), 1 if seed else 6)
    assert auroc(scores, truth).value == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
    assert average_precision(scores, truth) == pytest.approx(average_precision_score(truth, scores), abs=1e-12)
    drawn, (wrong, found, _) = curves(scores, truth), roc_curve(truth, scores, drop_intermediate=False)
    assert np.allclose(drawn.false_alarms, wrong)
    assert np.allclose(drawn.found, found)


def test_an_area_by_hand():
    assert auroc([3.0, 1.0, 2.0, 0.0], [True, True, False, False]).value == 0.75
    assert auroc([1.0, 1.0], [True, False]).value == 0.5


def test_the_interval_covers_the_true_area_as_often_as_it_says():
    rng, true = np.random.default_rng(0), 0.7602499389065233  # P(N(1, 1) > N(0, 1)) = Phi(1 / sqrt 2)
    hits = 0
    for _ in range(400):
        area = auroc(np.append(rng.normal(size=80), rng.normal(1.0, size=60)), np.arange(140) >= 80)
        hits += area.low <= true <= area.high
    assert 0.91 <= hits / 400 <= 0.985


def test_one_kind_alone_has_no_curve():
    with pytest.raises(ValueError, match="at least one"):
        auroc([1.0, 2.0], [True, True])

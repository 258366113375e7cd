"""Representation: known true shares and a known classifier error; the intervals hold, and swapping the errors fails."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import jensenshannon
from statsmodels.stats.proportion import multinomial_proportions_confint, proportion_confint

from audits.bias import representation
from audits.bias.confusion import on_simplex, truths
from audits.bias.distances import corrected_discrepancy, fairness_discrepancy, jensen_shannon, total_variation
from audits.bias.estimates import as_predicted, corrected, from_labels
from audits.bias.intervals import goodman, lang_reiczigel, rogan_gladen, wilson
from audits.bias.reference_tests import chi_square_p
from audits.bias.shift import ALARM, shift_p_value

UNEQUAL = (0.85, 0.97)


def validated(counts) -> pd.DataFrame:
    """A validation table from counts (K, K), row true and column predicted, of the groups a, b, c ..."""
    rows = [
        ("abcdef"[i], "abcdef"[j]) for i, row in enumerate(counts) for j, k in enumerate(row) for _ in range(int(k))
    ]
    return pd.DataFrame(rows, columns=["true", "predicted"])


@pytest.mark.parametrize(("share", "n", "m"), [(0.5, 300, 200), (0.9, 5000, 1000), (0.7, 100, 1000), (0.9, 5000, 200)])
@pytest.mark.parametrize("accuracy", [UNEQUAL, UNEQUAL[::-1], (0.9, 0.9), (0.97, 0.97)])
def test_the_corrected_interval_holds_at_its_rate(share, n, m, accuracy):
    rng, (a0, a1), runs = np.random.default_rng(0), accuracy, 8000
    counts = rng.binomial(n, share * a0 + (1 - share) * (1 - a1), runs)
    hits, others = rng.binomial(m, a0, runs), rng.binomial(m, a1, runs)
    found = lang_reiczigel(counts, n, hits=hits, items=m, other_hits=others, other_items=m)
    assert np.mean((found.low <= share) & (share <= found.high)) >= 0.94
    assert (found.low <= found.value).all()
    assert (found.value <= found.high).all()


def test_swapping_the_two_accuracies_would_show():
    rng, (a0, a1), runs = np.random.default_rng(1), UNEQUAL, 4000
    counts = rng.binomial(5000, 0.7 * a0 + 0.3 * (1 - a1), runs)
    hits, others = rng.binomial(1000, a0, runs), rng.binomial(1000, a1, runs)
    swapped = lang_reiczigel(counts, 5000, hits=others, items=1000, other_hits=hits, other_items=1000)
    assert np.mean((swapped.low <= 0.7) & (swapped.high >= 0.7)) < 0.2
    predicted = np.repeat(["a", "b"], [604, 396])  # .7 x .85 + .3 x .03 = .604
    report = representation(predicted, validation=validated([[850, 150], [30, 970]]))
    assert report["share.a"].value == pytest.approx(0.7, abs=1e-9)
    assert report["share.b"].value == pytest.approx(0.3, abs=1e-9)
    assert report["accuracy.a"].value == 0.85


def test_the_closed_form_is_the_published_one():
    z, n, x, m = 1.959963984540054, 100, 30, 50  # Lang & Reiczigel (2014), written out once more
    se, sp, p = 46 / 52, 48 / 52, (x + z * z / 2) / (n + z * z)
    j, n_ = se + sp - 1, n + z * z
    prevalence = (p + sp - 1) / j
    shift = 2 * z * z * (prevalence * se * (1 - se) / 52 - (1 - prevalence) * sp * (1 - sp) / 52)
    half = (
        z
        / j
        * np.sqrt(p * (1 - p) / n_ + prevalence**2 * se * (1 - se) / 52 + (1 - prevalence) ** 2 * sp * (1 - sp) / 52)
    )
    found = lang_reiczigel(x, n, hits=45, items=m, other_hits=47, other_items=m)
    assert (found.low, found.high) == pytest.approx((prevalence + shift - half, prevalence + shift + half))
    assert found.value == rogan_gladen(0.3, 0.9, 0.94) == pytest.approx((0.3 - 0.06) / 0.84)


def test_closed_intervals_agree_with_statsmodels():
    assert wilson(30, 100)[1:] == pytest.approx(proportion_confint(30, 100, method="wilson"))
    counts = np.array([10, 30, 60, 100])
    expected = multinomial_proportions_confint(counts, method="goodman")
    assert np.stack(goodman(counts)[1:], axis=1) == pytest.approx(expected)
    assert goodman([30, 70]).low[0] == pytest.approx(wilson(30, 100).low)
    assert wilson(0, 50).low == 0
    assert 0.05 < wilson(0, 50).high < 0.1


def test_three_groups_hold_together():
    rng, truth = np.random.default_rng(2), np.array([0.6, 0.3, 0.1])
    confusion = np.array([[0.9, 0.05, 0.05], [0.02, 0.95, 0.03], [0.1, 0.1, 0.8]])
    held = wrong = 0
    for seed in range(150):
        counts = rng.multinomial(1000, truth @ confusion).astype(float)
        known = np.stack([rng.multinomial(200, row) for row in confusion]).astype(float)
        made, naive = corrected(counts, known, level=0.95, seed=seed, draws=1000), goodman(counts)
        held += ((made.low <= truth) & (truth <= made.high)).all()
        wrong += ((naive.low <= truth) & (truth <= naive.high)).all()
    assert held / 150 >= 0.88
    assert wrong / 150 <= 0.6
    exact = truths(confusion, truth @ confusion)
    assert exact == pytest.approx(truth)


def test_hand_labels_hold_after_a_shift_that_breaks_the_validation():
    rng, truth, generated = np.random.default_rng(3), np.array([0.7, 0.3]), np.array([[0.92, 0.08], [0.03, 0.97]])
    given = (truth[:, None] * generated).T
    given /= given.sum(1, keepdims=True)
    held = broken = 0
    for seed in range(200):
        counts = rng.multinomial(5000, truth @ generated).astype(float)
        known = np.array([[h := rng.binomial(1000, 0.97), 1000 - h], [30, 970]], dtype=float)
        looked = np.stack([rng.multinomial(50, row) for row in given]).astype(float)
        made = from_labels(counts, looked, level=0.95, seed=seed, draws=1000)
        held += made.low[0] <= 0.7 <= made.high[0]
        validated_only = corrected(counts, known, level=0.95, seed=seed, draws=10)
        broken += validated_only.low[0] <= 0.7 <= validated_only.high[0]
    assert held / 200 >= 0.92
    assert broken / 200 <= 0.2


def test_the_shift_alarm_is_quiet_and_then_loud():
    rng, truth = np.random.default_rng(4), np.array([0.5, 0.5])
    alarms = {}
    for accuracy in (0.97, 0.87):
        confusion = np.array([[accuracy, 1 - accuracy], [1 - accuracy, accuracy]])
        given = confusion  # with equal shares the two conditionals are the same table
        hits = 0
        for seed in range(150):
            counts = rng.multinomial(1000, truth @ confusion).astype(float)
            known = np.array(
                [[h := rng.binomial(500, 0.97), 500 - h], [500 - (k := rng.binomial(500, 0.97)), k]], float
            )
            looked = np.stack([rng.multinomial(50, row) for row in given]).astype(float)
            hits += shift_p_value(counts, known, looked, draws=500, seed=seed)[0] <= ALARM
        alarms[accuracy] = hits / 150
    assert alarms[0.97] <= 0.1
    assert alarms[0.87] >= 0.88


def test_the_report_raises_the_alarm_in_a_sentence():
    predicted = pd.Series(np.repeat(["a", "b"], 500), index=[f"i{k}" for k in range(1000)])
    validation = validated([[485, 15], [15, 485]])
    labels = pd.Series(
        ["a"] * 35 + ["b"] * 15 + ["b"] * 35 + ["a"] * 15, index=[f"i{k}" for k in [*range(50), *range(500, 550)]]
    )
    shift = representation(predicted, validation=validation, labels=labels)["shift"]
    assert (shift.verdict, shift.n, shift.value) == ("worse", 100, 0.3)
    assert "trust the labels" in shift.reading
    quiet = representation(predicted, validation=validation, labels=predicted.iloc[::10])
    assert quiet["shift"].verdict == "cannot tell"


def test_empty_groups_are_shown_with_an_upper_bound():
    report = representation(["a"] * 60 + ["b"] * 40, reference={"a": 0.5, "b": 0.4, "c": 0.1}, expected=["c"])
    empty = report["share.c"]
    assert (empty.value, empty.low, empty.n, empty.verdict) == (0, 0, 0, "worse")
    assert 0 < empty.high < 0.1
    assert [f.name for f in report.findings[:3]] == ["share.a", "share.b", "share.c"]
    assert report["test.c"].value < 0.01


def test_distances_are_those_of_scipy_and_of_the_papers():
    p, r = np.array([0.7, 0.2, 0.1]), np.full(3, 1 / 3)
    assert jensen_shannon(p, r) == pytest.approx(jensenshannon(p, r, 2))
    assert fairness_discrepancy(p, r) == pytest.approx(np.linalg.norm(p - r))
    assert total_variation(p, r) == pytest.approx(np.abs(p - r).sum() / 2)
    drawn = np.random.default_rng(0).multinomial(200, r, size=4000) / 200
    squares = [corrected_discrepancy(x, r, (x * (1 - x)).sum() / 199) ** 2 for x in drawn]
    plain = np.mean(fairness_discrepancy(drawn, r) ** 2)
    assert np.mean(squares) < plain  # and without the floor at zero it is unbiased:
    assert np.mean([np.square(x - r).sum() - (x * (1 - x)).sum() / 199 for x in drawn]) == pytest.approx(
        0, abs=plain / 20
    )
    assert np.isfinite(jensen_shannon(np.array([1.0, 0, 0]), r))
    assert on_simplex(np.array([[0.6, 0.6, -0.2]])) == pytest.approx(np.array([[0.5, 0.5, 0]]))


def test_a_fair_model_is_rarely_called_worse_and_its_distance_is_covered():
    rng, called, covered, apart = np.random.default_rng(5), 0, 0, np.linalg.norm([0.3, -0.2, -0.1])
    for seed in range(25):
        report = representation(rng.choice(list("abc"), 300), reference="uniform", seed=seed)
        called += report["discrepancy"].verdict == "worse"
        assert report["discrepancy"].low <= report["discrepancy"].value <= report["discrepancy"].high
        other = representation(
            rng.choice(list("abc"), 300, p=[0.6, 0.3, 0.1]), reference={"a": 0.3, "b": 0.5, "c": 0.2}
        )
        covered += other["discrepancy"].low <= apart <= other["discrepancy"].high
        assert other["discrepancy"].verdict == "worse"
    assert called <= 5
    assert covered >= 20


def test_chi_square_uses_monte_carlo_where_counts_are_few():
    from scipy.stats import chisquare

    counts = np.array([30.0, 50, 20])
    assert chi_square_p(counts, np.full(3, 1 / 3)) == pytest.approx(chisquare(counts).pvalue)
    few = [chi_square_p(x.astype(float), np.array([0.9, 0.09, 0.01])) for x in
           np.random.default_rng(0).multinomial(30, [0.9, 0.09, 0.01], size=60)]  # fmt: skip
    assert np.mean(np.array(few) <= 0.05) <= 0.12
    assert chi_square_p(np.array([9.0, 1]), np.array([1.0, 0])) == 0


def test_the_question_of_this_folder():
    predicted = ["a"] * 70 + ["b"] * 30
    folder = representation(predicted, question="folder")
    assert (folder["share.a"].low, folder["share.a"].high) == (0.7, 0.7)
    assert "items given" in folder.caveats[0]
    assert "model behind" in representation(predicted).caveats[0]
    validation = validated([[190, 10], [10, 190]])
    narrow = representation(predicted * 10, question="folder", validation=validation)["share.a"]
    wide = representation(predicted * 10, validation=validation)["share.a"]
    assert narrow.high - narrow.low < wide.high - wide.low
    every = representation(predicted, labels=pd.Series(predicted), question="folder")["share.a"]
    assert (every.low, every.high) == (0.7, 0.7)


def test_a_folder_s_own_share_is_covered():
    rng, m, n, held = np.random.default_rng(6), 500, 400, 0
    for _ in range(400):
        true = rng.random(n) < 0.6
        seen = np.where(rng.random(n) < np.where(true, 0.9, 0.95), true, ~true)
        known = {"hits": rng.binomial(m, 0.9), "items": m, "other_hits": rng.binomial(m, 0.95), "other_items": m}
        found = lang_reiczigel(seen.sum(), n, **known, folder=True)
        held += found.low <= true.mean() <= found.high
    assert held / 400 >= 0.925


def test_a_useless_classifier_tells_nothing():
    for counts in ([[50, 50], [50, 50]], [[30, 40, 30], [30, 40, 30], [10, 10, 80]]):
        found = representation(
            np.repeat(list("abc")[: len(counts)], 40), validation=validated(counts), reference="uniform"
        )
        assert (found["share.a"].low, found["share.a"].high, found["share.a"].verdict) == (0, 1, "cannot tell")
        assert any("chance" in caveat for caveat in found.caveats)


def test_same_seed_same_report():
    predicted, validation = ["a"] * 70 + ["b"] * 30 + ["c"] * 9, validated([[90, 5, 5], [5, 90, 5], [5, 5, 90]])
    first, second = (representation(predicted, validation=validation, reference="uniform", seed=3) for _ in range(2))
    assert first.to_json() == second.to_json()
    assert as_predicted(np.array([5.0, 5]), level=0.95, seed=0).low[0] == goodman([5, 5]).low[0]


TWO = validated([[9, 1], [1, 9]])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"reference": {"a": 0.5, "b": 0.4}}, "sum to 0.9"),
        ({"reference": {"a": 0.5, "x": 0.5}}, "'b'"),
        ({"reference": {"a": "many", "b": 0.5}}, "not a number"),
        ({"reference": {"a": 1.5, "b": -0.5}}, "from 0 to 1"),
        ({"reference": "equal"}, "uniform"),
        ({"validation": TWO.rename(columns={"true": "truth"})}, "columns true and predicted"),
        ({"validation": TWO[TWO["true"] == "a"]}, "no item whose true group is 'b'"),
        ({"validation": TWO.assign(true=None)}, "no group"),
        ({"validation": TWO.replace({"predicted": {"b": "z"}})}, "'z'"),
        ({"labels": pd.Series(["a"], index=[99])}, "not in the set"),
        ({"labels": pd.Series([None, None, None, None])}, "no label"),
        ({"predicted": ["a", None, "b", "b"]}, "no group"),
        ({"predicted": []}, "empty"),
        ({"predicted": [["a", "b"]]}, "of shape"),
        ({"level": 1.0}, "level"),
        ({"question": "everything"}, "question"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_one_sentence(options, says):
    with pytest.raises(ValueError, match=says) as caught:
        representation(**{"predicted": pd.Series(list("aabb"))} | options)
    assert "\n" not in str(caught.value)

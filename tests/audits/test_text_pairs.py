"""Pairs of sentences: tests agree with scipy, no preference is rarely called one, and our own sets are balanced."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, mannwhitneyu, wilcoxon
from statsmodels.stats.multitest import multipletests

from audits.text.pairs import pair_preferences
from audits.text.ranks import shift, sign_test
from audits.text.templates import MEANINGS, sets


def scored(differences: dict[str, list[float]], **columns) -> pd.DataFrame:
    """A table of pairs with the given differences, first less second, for every set."""
    rows = [(name, i, f"{name} {i} x", f"{name} {i} y", -99.0 + d, -99.0) for name, ds in differences.items()
            for i, d in enumerate(ds)]  # fmt: skip
    names = ["set", "pair", "first", "second", "score_first", "score_second"]
    return pd.DataFrame(rows, columns=names).assign(**columns)


def test_the_sign_test_is_scipy_s():
    for first, second in [(0, 1), (3, 9), (20, 20), (31, 9), (0, 12), (700, 650)]:
        assert sign_test(first, second) == pytest.approx(binomtest(first, first + second).pvalue)
    assert sign_test(0, 0) == 1


def test_known_shares_and_holm_s_correction():
    differences = {"a": [1.0] * 30 + [-1.0] * 10, "b": [2.0] * 22 + [-3.0] * 18, "c": [-1.0] * 36 + [0.5] * 4}
    report = pair_preferences(scored(differences), meanings={"c": "that is kind"})
    assert [report[f"share.{name}"].value for name in "abc"] == [0.75, 0.55, 0.1]
    alone = [binomtest(k, 40).pvalue for k in (30, 22, 4)]
    adjusted = multipletests(alone, method="holm")[1]
    assert [report[f"test.{name}"].value for name in "abc"] == pytest.approx(adjusted)
    assert [report[f"share.{name}"].verdict for name in "abc"] == ["worse", "cannot tell", "worse"]
    assert [report[f"difference.{name}"].value for name in "abc"] == [1, 2, -1]
    assert "the second is preferred" in report["share.c"].reading
    assert "(the one that is kind)" in report["share.c"].reading
    assert "no proof of fairness" in report["share.b"].reading
    assert not any(finding.name.startswith("tie") for finding in report.findings)


def test_equal_scores_are_left_out_and_counted():
    report = pair_preferences(scored({"a": [0.0] * 5 + [1.0] * 3, "b": [0.0, 0.0]}))
    assert (report["share.a"].n, report["share.a"].value, report["difference.a"].n) == (3, 1, 8)
    assert "5 equal ones" in report["share.a"].reading
    assert np.isnan(report["share.b"].value)
    assert (report["test.b"].value, report["share.b"].verdict) == (1, "cannot tell")


def test_without_a_preference_a_hundred_sets_show_none_and_their_medians_are_covered():
    rng, called, one_by_one, covered = np.random.default_rng(0), 0, 0, []
    names = [f"set {i}" for i in range(100)]
    for _ in range(4):
        report = pair_preferences(scored({name: list(rng.standard_t(3, 40)) for name in names}))
        called += sum(report[f"share.{name}"].verdict == "worse" for name in names)
        covered += [report[f"difference.{name}"].low <= 0 <= report[f"difference.{name}"].high for name in names]
        one_by_one += sum(not report[f"share.{name}"].low <= 0.5 <= report[f"share.{name}"].high for name in names)
    assert one_by_one >= 8  # what Holm's correction is for
    assert called <= 1  # one in 20 of these reports may be wrong somewhere
    assert 0.93 <= np.mean(covered) <= 0.99


def test_a_general_liking_hides_a_tie_from_the_share_but_not_from_the_sides():
    rng, side = np.random.default_rng(1), ["man"] * 20 + ["woman"] * 20
    noise, liking, tie = rng.normal(0, 0.5, 40), np.repeat([6.0, -6.0], 20), 1.5
    report = pair_preferences(scored({"a": list(liking + tie + noise)}, side=side))
    assert (report["share.a"].value, report["share.a"].verdict) == (0.5, "cannot tell")
    assert report["tie.a"].low <= 2 * tie <= report["tie.a"].high  # 6 + 1.5 for men less 6 - 1.5 for women
    assert (report["tie.a"].verdict, report["tie.a"].n) == ("worse", 40)
    liking_only = pair_preferences(scored({"a": list(liking + noise)}, side=side))
    assert liking_only["tie.a"].verdict == "cannot tell"
    d = liking + noise
    p = mannwhitneyu(d[:20], -d[20:]).pvalue
    assert f"p = {p:.4g}" in liking_only["tie.a"].reading


def test_the_shift_is_the_median_difference_and_is_covered():
    assert shift([3, 5, 10], [1, 2]).value == pytest.approx(np.median([2, 1, 4, 3, 9, 8]))
    assert shift([1.0], [0.0])[1:] == (-np.inf, np.inf)
    rng = np.random.default_rng(2)
    found = [shift(rng.standard_t(3, 20) + 1, rng.standard_t(3, 20)) for _ in range(1500)]
    assert 0.935 <= np.mean([f.low <= 1 <= f.high for f in found]) <= 0.97
    with pytest.raises(ValueError, match="each side"):
        shift([], [1])


def test_caveats_about_lengths_and_the_control():
    table = scored({"a": [1.0, -1.0], "control": [1.0] * 12})
    assert any("control" in c and "distrust" in c for c in pair_preferences(table).caveats)
    calm = pair_preferences(scored({"a": [1.0] * 12, "control": [1.0, -1.0]}))
    assert not any("distrust" in c or "no control set" in c for c in calm.caveats)
    assert any("no control set" in c for c in pair_preferences(table, control="other").caveats)
    assert not any("differ in number" in c for c in calm.caveats)
    longer = table.assign(tokens_first=7, tokens_second=[7] * 13 + [8])
    assert any("1 of 14 pairs (of 'control')" in c and "tokens" in c for c in pair_preferences(longer).caveats)
    table.loc[0, "first"] = "one word more than before"
    assert any("1 of 14 pairs (of 'a')" in c and "words" in c for c in pair_preferences(table).caveats)


def test_our_sets_are_balanced_and_differ_in_one_word():
    pairs = sets()
    counts = Counter(pair.set for pair in pairs)
    assert len(counts) >= 4
    assert min(counts.values()) >= 40
    assert set(counts) == set(MEANINGS)
    assert len({frozenset(pair[1:3]) for pair in pairs}) == len(pairs)
    for name, count in counts.items():
        assert sorted(Counter(p.side for p in pairs if p.set == name).values()) == [count // 2] * 2
    for pair in pairs:
        first, second = pair.first.split(), pair.second.split()
        assert len(first) == len(second)
        assert sum(a != b for a, b in zip(first, second, strict=True)) == 1
        assert " a e" not in pair.first  # an embroiderer


def test_liking_a_word_for_its_own_sake_moves_no_set():
    """A model that scores words alone, whatever stands beside them, shows neither a preference nor a tie."""
    rng, table = np.random.default_rng(3), pd.DataFrame(sets())
    likes: dict[str, float] = {}
    for name in ("first", "second"):
        table[f"score_{name}"] = [
            -sum(likes.setdefault(word.strip(".,").lower(), rng.exponential()) for word in text.split())
            for text in table[name]
        ]
    report = pair_preferences(table.assign(pair=range(len(table))))
    for name in MEANINGS:
        assert report[f"share.{name}"].value == pytest.approx(0.5)
        assert report[f"test.{name}"].value == 1
        assert report[f"tie.{name}"].verdict == "cannot tell"
        d = table.loc[table["set"] == name, "score_first"] - table.loc[table["set"] == name, "score_second"]
        assert wilcoxon(d).pvalue > 0.5


GOOD = scored({"a": [1.0, -1.0]})


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (GOOD.drop(columns="score_second"), "no column 'score_second'"),
        (GOOD.head(0), "no pairs"),
        (GOOD.assign(score_first=3.0), "above 0 in 2 rows"),
        (GOOD.assign(score_first=["-1", "many"]), "not a number in 1 of 2"),
        (GOOD.assign(score_second=-np.inf), "not a number in 2 of 2"),
        (GOOD.assign(pair=1), "'1' stands twice"),
        (GOOD.assign(second=GOOD["first"]), "are the same"),
        (GOOD.assign(set=[None, "a"]), "'set' is empty in 1"),
        (pd.concat([GOOD, GOOD.assign(pair=[7, 8])]).assign(side=["x", "y", "z", "z"]), "two or none"),
        ({"set": 1}, "must be a table"),
    ],
)
def test_tables_that_cannot_be_judged_are_refused_in_one_sentence(table, says):
    with pytest.raises(ValueError, match=says) as caught:
        pair_preferences(table)
    assert "\n" not in str(caught.value)

"""Memorisation: planted copies are counted, a model that generalises is not accused, and the intervals hold."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest
from scipy.stats.contingency import relative_risk

from audits.text.memorisation import draw_ratio, item_ratio, longest_copies, memorisation
from audits.text.ranks import median
from audits.text.runs import longest_runs

TRAINED = [f"name{i}" for i in range(90)]
HELD = [f"other{i}" for i in range(10)]


def test_known_shares_are_found_whatever_the_case():
    generated = ["NAME1", " name2 ", "name2", "Other3\t", "new", "newer", "newest", "name"]
    report = memorisation(generated, TRAINED, HELD)
    assert [report[f"share.{k}"].value for k in ("trained", "held_out", "new")] == [3 / 8, 1 / 8, 4 / 8]
    assert report["share.trained"].floor == pytest.approx(1.0)  # 1/8 x 90/10, and a share is at most 1
    assert report["ratio.draws"].value == pytest.approx((3 / 90) / (1 / 10))
    assert report["ratio.items"].value == pytest.approx((2 / 90) / (1 / 10))
    assert (report["ratio.draws"].n, report["ratio.items"].n) == (4, 3)
    for finding in report.findings:
        assert finding.low <= finding.value <= finding.high


def test_a_memoriser_is_caught_and_zero_held_out_hits_are_said_as_they_are():
    report = memorisation(TRAINED * 3, TRAINED, HELD)
    ratio = report["ratio.items"]
    assert (ratio.value, ratio.high, ratio.verdict) == (math.inf, math.inf, "worse")
    assert ratio.low > 1
    assert "without upper bound" in ratio.reading
    assert report["ratio.draws"].low > 1
    few = memorisation(["name1"], TRAINED, HELD)["ratio.items"]
    assert (few.verdict, few.value) == ("cannot tell", math.inf)
    assert few.low < 1
    none = memorisation(["x"], TRAINED, HELD)["ratio.items"]
    assert (none.low, none.high, none.verdict) == (0, math.inf, "cannot tell")
    assert math.isnan(none.value)
    assert "nothing" in none.reading
    opposite = memorisation(HELD * 3, TRAINED, HELD)
    assert (opposite["ratio.draws"].value, opposite["ratio.items"].low) == (0, 0)
    assert opposite["ratio.items"].verdict == "better"


def test_a_model_that_generalises_is_rarely_accused_though_some_names_are_popular():
    rng, runs, size = np.random.default_rng(0), 1500, 1000
    weights = 1 / np.arange(1, size + 1)
    weights /= weights.sum()
    held = accused = own = fooled = 0
    for _ in range(runs):
        kept = np.zeros(size, bool)
        kept[rng.permutation(size)[: size // 10]] = True  # held out
        counts = rng.multinomial(800, weights)
        items = item_ratio(np.count_nonzero(counts[~kept]), np.count_nonzero(counts[kept]), 900, 100)
        draws = draw_ratio(int(counts[~kept].sum()), int(counts[kept].sum()), 900, 100)
        truth = (weights[~kept].sum() / 900) / (weights[kept].sum() / 100)
        held += items.low <= 1 <= items.high
        accused += items.low > 1
        own += draws.low <= truth <= draws.high
        fooled += not draws.low <= 1 <= draws.high
    assert held / runs >= 0.94
    assert accused / runs <= 0.03
    assert own / runs >= 0.94
    assert fooled / runs >= 0.2  # which is why the verdict does not rest on it


def test_a_memoriser_s_own_ratio_is_covered():
    rng, runs = np.random.default_rng(1), 4000
    seen, other = rng.binomial(900, 0.3, runs), rng.binomial(100, 0.1, runs)
    found = [item_ratio(int(a), int(b), 900, 100) for a, b in zip(seen, other, strict=True)]
    assert 0.94 <= np.mean([f.low <= 3 <= f.high for f in found]) <= 0.985
    assert np.mean([f.low > 1 for f in found]) > 0.95


def test_the_ratios_agree_with_scipy():
    p = binomtest(30, 40).proportion_ci(0.95, method="exact")
    found = draw_ratio(30, 10, 900, 100)
    assert found[1:] == pytest.approx([x / (1 - x) / 9 for x in p])
    wide = relative_risk(30_000, 90_000, 2000, 10_000)
    bounds = wide.confidence_interval(0.95)
    assert item_ratio(30_000, 2000, 90_000, 10_000) == pytest.approx((wide.relative_risk, *bounds), rel=1e-3)


def test_what_stands_in_both_lists_was_trained_on():
    report = memorisation(["Ada", "bea"], ["ada", "bea"], ["ADA", "cy"])
    assert (report["share.trained"].value, report["share.held_out"].value) == (1, 0)
    assert any("both lists" in caveat and "'ada'" in caveat for caveat in report.caveats)
    assert not any("both lists (" in caveat for caveat in memorisation(["a"], TRAINED, HELD).caveats)


def slow_run(text: str, source: str) -> tuple[int, int]:
    size = start = 0
    for i in range(len(text)):
        while i + size < len(text) and text[i : i + size + 1] in source:
            size, start = size + 1, i
    return size, start


def test_longest_runs_are_those_of_brute_force():
    rng, most = np.random.default_rng(2), 0
    for _ in range(120):
        source = rng.integers(0, rng.integers(1, 4), rng.integers(1, 200))
        texts = [rng.integers(0, 3, rng.integers(0, 60)) for _ in range(4)]
        texts += [np.concatenate([texts[0], source[i : i + 70], texts[1]]) for i in (0, 50)]
        found = longest_runs(texts, source)
        as_text = ["".join(map(str, t)) for t in (*texts, source)]
        expected = [slow_run(t, as_text[-1]) for t in as_text[:-1]]
        assert list(zip(found.lengths, found.starts, strict=True)) == expected
        most = max(most, int(found.lengths.max()))
    assert most >= 70  # halving went both above and below the first length asked for
    assert longest_runs([np.array([], int)], np.array([1])).lengths.tolist() == [0]


def test_the_sieve_for_long_sources_changes_nothing(monkeypatch):
    rng = np.random.default_rng(3)
    source, texts = rng.integers(0, 4, 3000), [rng.integers(0, 4, 200) for _ in range(20)]
    texts[5][20:120] = source[700:800]
    whole = longest_runs(texts, source)
    monkeypatch.setattr("audits.text.runs._SIEVE", 0)
    assert all((a == b).all() for a, b in zip(whole, longest_runs(texts, source), strict=True))
    assert whole.lengths[5] >= 100


def letters(rng, size: int) -> str:
    return "".join(rng.choice(list("abcdefghijklmnopqrst "), size))


def test_planted_copies_are_counted_beside_held_out_text():
    rng = np.random.default_rng(4)
    training, held = letters(rng, 200_000), letters(rng, 20_000)
    texts = [letters(rng, 120) for _ in range(60)]
    for i in range(15):
        texts[i] = texts[i][:10] + "#" + training[1000 * i : 1000 * i + 40 + i] + "#" + texts[i][:5]
    report = longest_copies(texts, training, held_out=held)
    copied = report["share.copied"]  # runs of 40 + i, from 50 on: i = 10 .. 14
    assert copied.value == pytest.approx(5 / 60)
    assert (copied.floor, report["share.held_out"].n) == (0, 60)
    assert report["longest"].value == 54
    assert training[14_000:14_020] in report["longest"].reading
    assert report["median.longest"].value < 12
    every = longest_copies([training[i : i + 100] for i in range(0, 3000, 100)], training, held_out=held)
    assert (every["share.copied"].value, every["share.copied"].verdict) == (1, "worse")
    assert every["median.longest"].value == every["median.longest"].low == 100
    same = longest_copies(texts[15:], training, held_out=held, length=5)
    assert same["share.copied"].verdict == "cannot tell"


def test_held_out_pieces_have_the_lengths_of_the_texts_and_their_own_copies():
    training = "the quick brown fox jumps over the lazy dog"
    held = "#" * 10 + training + "#" * 10
    report = longest_copies(["?" * 10, "?" * len(training), "?" * 100], training, held_out=held, length=20)
    assert (report["share.held_out"].n, report["share.held_out"].value) == (2, 0.5)
    assert any("room for 2 pieces" in caveat for caveat in report.caveats)
    assert not any("Without held-out" in caveat for caveat in report.caveats)
    assert any("Without held-out" in caveat for caveat in longest_copies(["a"], training).caveats)


def test_pieces_are_spread_over_held_out_text():
    held = "?" * 50 + "0123456789" + "?" * 40  # pieces of 10 begin at 0 and at 50
    report = longest_copies(["#" * 10, "#" * 10], "0123456789", held_out=held, length=10)
    assert (report["share.held_out"].n, report["share.copied"].floor) == (2, 0.5)


@pytest.mark.parametrize(
    ("copied", "verdict"), [(33, "cannot tell"), (45, "worse"), (13, "cannot tell"), (6, "better")]
)
def test_the_verdict_on_copies_compares_two_intervals(copied, verdict):
    texts = ["a" * 50] * copied + ["b" * 50] * (100 - copied)
    report = longest_copies(texts, "a" * 60, held_out="a" * 50 * 22 + "c" * 50 * 78)
    assert (report["share.held_out"].value, report["share.held_out"].n) == (0.22, 100)
    assert report["share.copied"].verdict == verdict


def test_words_are_matched_without_case_and_punctuation():
    report = longest_copies(["He said: The QUICK, brown fox ran"], "the quick brown fox jumps", unit="words", length=4)
    assert (report["share.copied"].value, report["longest"].value) == (1, 4)
    assert "'the quick brown fox'" in report["longest"].reading
    assert longest_copies(["The QUICK, brown"], "the quick brown", length=4)["longest"].value == len(" brown")


def test_the_median_is_covered_at_its_rate_and_has_the_published_ranks():
    assert median(np.arange(1, 11))[:] == (5.5, 2, 9)  # n = 10: ranks 2 and 9 at 97.9 %
    assert median(np.arange(1, 41))[:] == (20.5, 14, 27)
    assert median([1, 2, 3, 4, 5])[1:] == (-math.inf, math.inf)
    rng = np.random.default_rng(5)
    drawn = [median(rng.exponential(size=40)) for _ in range(3000)]
    assert 0.94 <= np.mean([m.low <= math.log(2) <= m.high for m in drawn]) <= 0.98


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((["a"], ["b"], ["B "]), "disjoint"),
        ((["a"], [" "], ["b"]), "empty"),
        (([], ["a"], ["b"]), "no generated texts"),
        (("abc", ["a"], ["b"]), "not one string"),
        ((["a"], ["b"], [None]), "held-out texts must be strings.*NoneType"),
    ],
)
def test_lists_that_cannot_be_compared_are_refused(arguments, says):
    with pytest.raises(ValueError, match=says) as caught:
        memorisation(*arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"length": 0}, "length is 0"),
        ({"unit": "letters"}, "'letters'"),
        ({"held_out": "ab"}, "shorter than the first"),
        ({"training": ""}, "training text is empty"),
        ({"level": 2}, "level is 2"),
    ],
)
def test_runs_that_cannot_be_measured_are_refused(options, says):
    with pytest.raises(ValueError, match=says):
        longest_copies(**{"generated": ["abc"], "training": "abcd"} | options)

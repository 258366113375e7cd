"""Distinctness: counted by hand, compared at equal size, and intervals that hold."""

import numpy as np
import pytest

from audits.text.distinctness import distinct_ngrams, distinctness, recurring, repeated
from audits.text.tokens import read_texts, words


def test_figures_counted_by_hand():
    report = distinctness(["the cat sat", "The cat ran.", "the dog", "THE CAT SAT "])
    # 11 words, 5 different; 7 pairs: the-cat, cat-sat, cat-ran, the-dog are 4 of them; 3 triples, 2 different
    assert [report[f"distinct.{n}"].value for n in (1, 2, 3)] == [5 / 11, 4 / 7, 2 / 3]
    assert [report[f"distinct.{n}"].n for n in (1, 2, 3)] == [11, 7, 3]
    assert report["repeated"].value == 1 / 4
    assert report["recurring"].value == 2 / 4
    letters = distinctness(["abab", "ba"], unit="characters")
    assert [letters[f"distinct.{n}"].value for n in (1, 2, 3)] == [2 / 6, 2 / 4, 2 / 2]
    for finding in (*report.findings, *letters.findings):
        assert finding.low <= finding.value <= finding.high


def test_words_are_cut_at_punctuation_and_keep_their_apostrophes():
    assert words("Don't — the_ship's well-built, No. 7!") == ["don't", "the", "ship's", "well-built", "no", "7"]


def test_no_text_is_long_enough():
    report = distinctness(["one", "two"])
    assert np.isnan(report["distinct.2"].value)
    assert (report["distinct.2"].n, report["distinct.2"].reading) == (0, "No text has 2 words.")


@pytest.mark.parametrize(("kinds", "n"), [(200, 100), (5000, 100), (300, 50)])
def test_the_intervals_hold_for_sets_of_this_size(kinds, n):
    rng, weights = np.random.default_rng(0), 1 / np.arange(1, kinds + 1)
    weights /= weights.sum()

    def texts(runs, length):
        drawn = rng.choice(kinds, (runs, n, length), p=weights).astype(str)
        return [[row.tolist() for row in texts] for texts in drawn]

    for measure, length in ((distinct_ngrams, 4), (repeated, 1), (recurring, 1)):

        def measured(cut, measure=measure):
            return measure(cut, 1) if measure is distinct_ngrams else measure([text[0] for text in cut])

        truth = np.mean([measured(cut).value for cut in texts(400, length)])
        found = [measured(cut) for cut in texts(250, length)]
        assert np.mean([f.low <= truth <= f.high for f in found]) >= 0.92
        assert np.mean([f.high - f.low for f in found]) < 0.5


def test_a_set_without_a_repeat_does_not_claim_that_there_will_be_none():
    items = [str(i) for i in range(100)]
    for measure, bound in ((repeated, 0.0369), (recurring, 0.0738)):
        found = measure(items)
        assert (found.value, found.low) == (0, 0)
        assert found.high == pytest.approx(bound, abs=1e-4)
    assert distinct_ngrams([[i] for i in items], 1).low == pytest.approx(1 - 0.0369, abs=1e-4)
    assert repeated(["a"])[:] == (0, 0, 1)


def test_a_larger_set_is_compared_at_the_size_of_its_reference():
    rng = np.random.default_rng(1)
    small, large = ([" ".join(rng.choice(list("abcdefghij"), 5)) for _ in range(n)] for n in (40, 4000))
    alone = distinctness(large)["distinct.2"].value
    report = distinctness(large, small)
    assert alone < report["distinct.2"].value / 5
    assert report["distinct.2"].verdict == "cannot tell"
    assert (report["distinct.1"].n, report["repeated"].n) == (200, 40)
    assert any("first 40 texts and the first 200 words" in caveat for caveat in report.caveats)
    dull = distinctness(["a b c d e"] * 50, small)
    assert [dull[name].verdict for name in ("distinct.2", "repeated", "recurring")] == ["worse"] * 3
    lively = distinctness(small, ["a b c d e"] * 50)
    assert [lively[name].verdict for name in ("distinct.2", "repeated", "recurring")] == ["better"] * 3


def test_files_and_folders_of_texts(tmp_path):
    (tmp_path / "a.txt").write_text("\ufeffone\r\n\n  \ntwo\n", encoding="utf-8")
    assert read_texts(tmp_path / "a.txt") == ["one", "two"]
    (tmp_path / "b.txt").write_text("three\nfour")
    (tmp_path / "c.md").write_text("no")
    assert read_texts(tmp_path) == ["one\n\n  \ntwo\n", "three\nfour"]


@pytest.mark.parametrize(
    ("options", "says"),
    [({"generated": []}, "no generated"), ({"unit": "lines"}, "'lines'"), ({"reference": "abc"}, "reference texts"),
     ({"level": 0.2}, "level is 0.2")],
)  # fmt: skip
def test_what_cannot_be_measured_is_refused(options, says):
    with pytest.raises(ValueError, match=says) as caught:
        distinctness(**{"generated": ["a"]} | options)
    assert "\n" not in str(caught.value)

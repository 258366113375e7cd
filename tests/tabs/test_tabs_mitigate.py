"""What the Mitigate tab says in words, charts and tables, and that nothing in it is taken for markup."""

import re

import pytest

from genlab.studio.mitigation_fits import Step
from genlab.tabs import mitigate_words as words
from genlab.tabs.mitigate_charts import JUDGE, ORACLE, Bars, chart, table


def entry(oracle: float, judge: float, agreement: float, covered: float) -> dict:
    def gap(value):
        shares = {"pale": [0.5 + value, 0.4, 0.9], "deep": [0.5 - value, 0.1, 0.5]}
        return {"discrepancy": value, "low": value - 0.01, "high": value + 0.01, "n": 10_000, "shares": shares}

    by_group = {"deep": {"coverage": covered, "recall": 1.0, "n": 400}}
    return {
        "palette": gap(oracle), "judge": gap(judge), "agreement": agreement, "decodes per item": 1.0,
        "by group": by_group,
    }  # fmt: skip


RECORD = {
    "plain": entry(0.43, 0.44, 0.98, 0.5), "mixture": entry(0.06, 0.02, 0.9, 0.47),
    "retouched": entry(0.42, 0.01, 0.3, 0.4),
}  # fmt: skip


@pytest.fixture
def record(monkeypatch):
    monkeypatch.setattr(words.studio, "recorded", lambda model: RECORD)


def test_the_bench_tells_goodharts_case_in_figures(record):
    said = words.bench("some-model")
    assert "from 0.44 to 0.01" in said
    assert "reads 0.43 before and 0.42 after" in said
    rows = re.findall(r"<tr( class=marked)?><th scope=\"row\">([^<]+)", said)
    assert rows == [
        ("", "A mixture of Gaussians per group"),
        (" class=marked", "Goodhart&#x27;s case: retouch until the judge agrees"),
        ("", "Nothing: the model as it is"),
    ]
    assert "50% (400 items)" in said


def test_the_opening_shows_the_best_method_and_never_goodharts(record):
    shown = words.opening("some-model")
    assert "a mixture of gaussians per group" in shown
    assert "deep: wanted 50%, before 7% by the palette oracle, before 6% by the judge" in shown


def test_without_a_record_the_command_is_named(monkeypatch):
    monkeypatch.setattr(words.studio, "recorded", lambda model: {})
    assert "python benchmarks/mitigation.py some-model" in words.bench("some-model")
    assert "<svg" not in words.opening("some-model")


def test_marks_stand_where_the_figures_are():
    row = Bars("a", 0.2, {("before", ORACLE): (0.1, 0.05, 0.18), ("after", JUDGE): (0.2, 0.15, 0.25)})
    drawn = chart([row], "shares")
    assert '<line class="before" x1="16.67%" x2="60.00%"' in drawn  # the axis ends at 30 %
    assert '<circle class="before" cx="33.33%"' in drawn
    assert '<svg x="66.67%"' in drawn
    assert '<line class="goal" x1="66.67%" x2="66.67%"' in drawn


def test_everything_is_escaped():
    bad = '"><script>alert(1)</script>'
    spans = {("before", ORACLE): (0.5, 0.4, 0.6)}
    for made in (
        chart([Bars(bad, 0.5, spans)], bad), table(bad, [bad], [[bad, bad]]), words.progress(Step(1, 2, bad)),
        words.told(bad), words.bench(bad),
    ):  # fmt: skip
        assert "<script" not in made
        assert "&lt;script&gt;" in made

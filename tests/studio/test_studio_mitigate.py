"""Mitigation on a small untrained GAN: what is asked, cancelled, kept, measured, sealed and made again."""

import math
import pickle

import numpy as np
import pytest
from small_models import build_portrait_shelf

from audits.provenance import Claim, read_claim
from audits.report import Report
from genlab.data.portraits import ATTRIBUTES
from genlab.studio import mitigate as studio
from genlab.studio import mitigation_fits as fits
from genlab.studio import mitigation_report as reports
from genlab.studio.marking import mark
from genlab.studio.regenerate import regenerate

MODEL, TONES = "gan-portraits-small", ATTRIBUTES["tone"]


@pytest.fixture(scope="module")
def shelf_folder(tmp_path_factory):
    return build_portrait_shelf(tmp_path_factory.mktemp("portraits"))


@pytest.fixture(autouse=True)
def small(shelf_folder, monkeypatch):
    """The portrait shelf, and fits small enough for a test; what was kept is kept between tests of one process."""
    monkeypatch.setenv("GENLAB_SHELF", str(shelf_folder))
    monkeypatch.setattr(fits, "POOL", 512)
    monkeypatch.setattr(fits, "EACH", 40)
    monkeypatch.setattr(studio, "REAL", 8)
    monkeypatch.setattr("genlab.metrics.mitigation.FEWEST", 10)


def finished(work) -> tuple[studio.Mitigated, list[studio.Step]]:
    steps = []
    while True:
        try:
            steps.append(next(work))
        except StopIteration as done:
            return done.value, steps


def test_only_portrait_models_without_classes_are_offered():
    assert fits.candidates() == [MODEL]


def test_a_shelf_without_portraits_is_one_sentence(monkeypatch, small_shelf):
    monkeypatch.setenv("GENLAB_SHELF", str(small_shelf))
    assert fits.candidates() == []
    with pytest.raises(ValueError, match="needs judge-portraits"):
        studio.mitigate("gan-small")


@pytest.mark.parametrize("method", list(studio.METHODS))
def test_every_method_measures_both_sides_and_is_made_again(method):
    made, steps = finished(studio.mitigate(MODEL, method=method, seed=5, count=32))
    assert all(0 <= s.done <= s.total for s in steps)
    assert made.report["before.judge.discrepancy"].n == 32
    assert math.fsum(made.report[f"after.judge.share.{t}"].value for t in TONES) == pytest.approx(1)
    assert made.before.decodes == 1
    assert made.after.decodes > 1 if method == "rejection" else made.after.decodes == 1
    assert made.fitted_on >= (0 if method in ("plain", "retouched") else 512)
    for side, used in ((made.before, "plain"), (made.after, method)):
        claim = read_claim(side.sheet.media)
        assert (claim.action, claim.seed, claim.inputs["method"]) == ("generate", 5, used)
        assert regenerate(side.sheet.media).media == side.sheet.media
    again, steps = finished(studio.mitigate(MODEL, method=method, seed=5, count=64))
    assert again.after.sheet.media == made.after.sheet.media  # items do not depend on how many were asked for
    assert not [s for s in steps if "model draws" in s.phase]  # the second time nothing is fitted


@pytest.mark.parametrize("method", list(studio.METHODS))
def test_a_fit_can_be_sent_to_another_process(method):
    """As a borrowed GPU needs it: networks run in a forked process, and the fit crosses by pickle."""
    wanted = studio.check(MODEL, "tone", method, None)
    fit, _ = finished(fits.fit_of(wanted))
    sent = pickle.loads(pickle.dumps((wanted, fit)))
    assert np.array_equal(fits.draw(*sent, 3)[0], fits.draw(wanted, fit, 3)[0])


def test_rejection_gives_the_shares_asked_for_as_the_judge_reads_them():
    target = {"tan": 0.75, "dark": 0.25}
    made, _ = finished(studio.mitigate(MODEL, method="rejection", target=target, count=64))
    for tone in TONES:
        assert made.report[f"after.judge.share.{tone}"].value == pytest.approx(target.get(tone, 0), abs=0.05)
    assert read_claim(made.after.sheet.media).inputs["target"] == '{"tan": 0.75, "dark": 0.25}'


def test_a_cancelled_pool_is_gone_on_with():
    key = (MODEL, studio.check(MODEL, "tone", "mixture", None).weights)
    fits._kept["pools"].clear()
    fits._kept["fits"].clear()
    work = studio.mitigate(MODEL, method="mixture", count=32)
    assert [next(work).done, next(work).done] == [0, 128]
    work.close()
    (kept,) = (pool for k, pool in fits._kept["pools"].items() if k[:2] == key)
    assert len(kept.latents) == 128
    assert next(studio.mitigate(MODEL, method="mixture", count=32)).done == 128


def test_kept_fits_are_few(monkeypatch):
    monkeypatch.setattr(fits, "FITS_KEPT", 2)
    for share in (0.2, 0.4, 0.6):
        finished(studio.mitigate(MODEL, method="resampling", target={"tan": share, "dark": 1 - share}, count=32))
    assert len(fits._kept["fits"]) <= 2


def test_without_an_oracle_that_is_said_and_nothing_is_compared():
    made, _ = finished(studio.mitigate(MODEL, attribute="glasses", method="resampling", count=32))
    assert made.after.oracle is None
    assert made.after.agreement is None
    assert "Nobody independent checks this" in made.said
    assert any("no independent oracle for glasses" in c for c in made.report.caveats)
    assert Report.from_json(made.report.to_json()).title == made.report.title


def test_the_studio_chooses_among_groups_that_the_style_can_draw():
    wanted = studio.check(MODEL, "clothing", "plain", None)
    assert sum(s > 0 for s in wanted.target) == 7
    with pytest.raises(ValueError, match="'black' was given"):
        studio.check(MODEL, "clothing", "plain", {"black": 1})


BAD = [
    ({"model": "vae-fashion"}, "Models that can be mitigated are gan-portraits-small"),
    ({"model": None}, "Models that can be mitigated"),
    ({"attribute": "age"}, "Attributes are tone, "),
    ({"method": "magic"}, "Methods are screened, "),
    ({"method": ["plain"]}, "Methods are"),
    ({"target": {"tan": 0.5}}, "sum to 1; these sum to 0.5"),
    ({"target": {"tan": 1, "grey": 0}}, "Groups are very light"),
    ({"target": {"tan": -1, "dark": 2}}, "A share is a number from 0 to 1"),
    ({"target": {"tan": float("nan")}}, "A share is a number from 0 to 1"),
    ({"target": {"tan": "1"}}, "A share is a number from 0 to 1"),
    ({"target": {"tan": True}}, "A share is a number from 0 to 1"),
    ({"target": [1]}, "A target is"),
    ({"target": {}}, "A target is"),
    ({"count": 31}, "The count must be a whole number from 32 to 500"),
    ({"count": float("nan")}, "The count must be a whole number"),
    ({"seed": -1}, "seed"),
    ({"seed": 2**63 - 10}, "seed is too large"),
]


@pytest.mark.parametrize(("given", "sentence"), BAD, ids=str)
def test_bad_input_is_refused_at_once(given, sentence):
    with pytest.raises(ValueError, match=sentence):
        studio.mitigate(**({"model": MODEL} | given))


def test_a_group_that_is_hardly_drawn_is_refused(monkeypatch):
    monkeypatch.setattr("genlab.metrics.mitigation.FEWEST", 600)
    with pytest.raises(ValueError, match="Among 512 items of this model only"):
        finished(studio.mitigate(MODEL, method="rejection", target={"tan": 1, "dark": 0}, count=32))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"judge": "0" * 64}, "other weights of judge-portraits"),
        ({"target": "{"}, "target cannot be read"),
        ({"fitted": "9+9"}, "another number of items"),
        ({"sheet": "99"}, "sheet is a whole number from 1 to 24"),
        ({"method": "magic"}, "Methods are"),
    ],
)
def test_a_claim_that_cannot_be_made_again_is_one_sentence(change, sentence):
    made, _ = finished(studio.mitigate(MODEL, method="resampling", count=32))
    claim = made.after.sheet.claim.as_dict()
    claim["inputs"] |= change
    with pytest.raises(ValueError, match=sentence):
        regenerate(mark(made.after.sheet.media, "image/png", Claim.from_dict(claim)).media)


def side(judged, seen) -> reports.Side:
    judged, seen = np.array(judged), np.array(seen)
    even = (0.5, 0.5)
    return reports.Side(
        None, reports.shares_of(judged, ("a", "b"), even), reports.shares_of(seen, ("a", "b"), even), 1.0,
        reports.agreement_of(judged, seen), 1.0, 0, (),
    )  # fmt: skip


def test_the_verdict_tells_goodhart_from_success_and_from_nothing():
    biased, fair = [0] * 180 + [1] * 20, [0] * 100 + [1] * 100
    before = side(biased, biased)
    assert "The judge agrees" in reports.verdict("mixture", "tone", before, side(fair, fair))
    assert "closer to the target, as close as" in reports.verdict("mixture", "tone", before, side(fair, fair))
    fooled = reports.verdict("retouched", "tone", before, side(fair, biased))
    assert "contradict" in fooled
    assert "no change" in fooled
    assert "further from the target" in reports.verdict("mixture", "tone", side(fair, fair), side(biased, biased))
    halfway = side(fair, [0] * 80 + [1] * 100 + [0] * 20)
    assert "agree on fewer items than before (80% against 100%)" in reports.verdict(
        "direction", "tone", before, halfway
    )


def test_the_committed_bench_is_of_the_shelf_or_not_shown():
    assert studio.recorded(MODEL) == {}

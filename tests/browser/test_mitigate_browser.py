"""Mitigate as a visitor and as a program meet it: on a small untrained GAN, and as it opens on the shipped models."""

import json

import pytest
from small_models import RunningApp, build_portrait_shelf, build_shelf
from test_app_api import Endpoints
from test_app_browser import AXE, MODES, choose, downloaded, opened

from audits.provenance import read_claim
from audits.report import Report

MODEL = "gan-portraits-small"


@pytest.fixture(scope="module")
def portrait_app(tmp_path_factory):
    """An app that serves the small models, and a GAN of portraits with a judge."""
    shelf = build_portrait_shelf(build_shelf(tmp_path_factory.mktemp("shelf")))
    app = RunningApp(shelf, tmp_path_factory.mktemp("app"))
    yield app
    app.stop()


def test_programs_get_pictures_reports_and_figures(portrait_app):
    call = Endpoints(portrait_app.url)
    target = {"tan": 0.5, "brown": 0.5}
    before, after, reports, told = call("mitigate", MODEL, "tone", "resampling", target, 3, 32)
    claims = [read_claim(call.fetch(file)) for file in (before, after)]
    assert [c.inputs["method"] for c in claims] == ["plain", "resampling"]
    assert [c.as_dict() for c in claims] == [told["before"], told["after"]]
    assert [file["orig_name"].rpartition(".")[2] for file in reports] == ["json", "csv", "html", "pdf"]
    report = Report.from_json(call.fetch(reports[0]))
    assert told["figures"]["after.judge.discrepancy"]["value"] == report["after.judge.discrepancy"].value
    assert told["figures"]["after.judge.share.dark"]["n"] == 0
    again, _ = call("regenerate", call.upload(call.fetch(after), "after.png"))
    assert call.fetch(again) == call.fetch(after)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (["gan-small", "tone", "mixture", {}, 0, 32], "Models that can be mitigated are gan-portraits-small"),
        ([MODEL, "<b>", "mixture", {}, 0, 32], "Attributes are tone"),
        ([MODEL, "tone", None, {}, 0, 32], "Methods are screened"),
        ([MODEL, "tone", "mixture", {"tan": 0.4}, 0, 32], "sum to 1"),
        ([MODEL, "tone", "mixture", [[1]], 0, 32], "A target is"),
        ([MODEL, "tone", "mixture", {}, "x", 32], "The seed must be a whole number"),
        ([MODEL, "tone", "mixture", {}, 0, 10**9], "The count must be a whole number from 32 to 500"),
    ],
)
def test_bad_input_is_one_sentence(portrait_app, data, sentence):
    assert sentence in Endpoints(portrait_app.url).refused("mitigate", *data)


def press(page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def test_cancel_then_before_and_after_side_by_side(chromium, portrait_app):
    with opened(chromium, portrait_app) as page:
        page.get_by_role("tab", name="Mitigate").click()
        choose(page, "#mitigate-method", "Screening before decoding")
        press(page, "Mitigate")
        page.wait_for_selector("#mitigate-status progress")
        press(page, "Cancel")
        page.wait_for_selector("text=Cancelled. What was learnt")
        assert page.locator("#mitigate-before").count() == 0 or not page.locator("#mitigate-before").is_visible()

        choose(page, "#mitigate-method", "Label-balanced resampling")
        page.get_by_label("My own shares").check()
        shares = page.locator("input[type=number]:visible")
        page.get_by_role("spinbutton", name="very light", exact=True).fill("0.5")
        assert shares.count() >= 6
        press(page, "Mitigate")
        page.wait_for_selector("text=The shares of a target sum to 1")
        page.wait_for_selector("#mitigate-go:not([disabled])")
        page.get_by_role("spinbutton", name="dark", exact=True).fill("0")
        page.get_by_role("spinbutton", name="light", exact=True).fill("0.1")
        press(page, "Mitigate")
        page.wait_for_selector("text=Done in")
        page.wait_for_selector("#mitigate-after img")
        chart = page.locator("#mitigate-figures svg[role=img]")
        assert "dark: wanted 0%" in chart.get_attribute("aria-label")
        assert "'very light': 0.5" in page.get_by_role("textbox", name="Copy as Python").input_value()
        report, name = downloaded(page, "Report (JSON)")
        assert name == f"mitigation-{MODEL}.json"
        shown = json.loads(report)
        assert shown["title"].endswith("Label-balanced resampling")
        assert downloaded(page, "Report (PDF)")[0].startswith(b"%PDF")
        assert all(u.startswith((portrait_app.url, "data:", "blob:")) for u in page.asked)


@pytest.mark.parametrize("mode", list(MODES))
def test_nothing_stands_in_anyones_way_after_use(chromium, portrait_app, mode):
    with opened(chromium, portrait_app, mode) as page:
        page.get_by_role("tab", name="Mitigate").click()
        page.get_by_role("button", name="Example: equal shares").click()
        page.wait_for_selector("text=Done in")
        page.locator("#mitigate-after").scroll_into_view_if_needed()  # pictures load when they come into view
        page.wait_for_selector("#mitigate-after img")
        looked_over(page, mode)


@pytest.mark.parametrize("mode", list(MODES))
def test_something_useful_shows_on_opening(chromium, app, mode):
    """On the shipped models the bench's figures are there before anybody does anything."""
    with opened(chromium, app, mode) as page:
        page.get_by_role("tab", name="Mitigate").click()
        page.wait_for_selector("#mitigate-bench p")
        if "vae-portraits-biased" in page.locator("#mitigate-model input").input_value():
            assert page.locator("#mitigate-figures svg[role=img]").is_visible()
            rows = page.locator("#mitigate-bench tbody th").all_inner_texts()
            assert {"Nothing: the model as it is", "Screening before decoding"} <= set(rows)
        looked_over(page, mode)


def test_a_shelf_without_portraits_troubles_nobody(chromium, small_app):
    with opened(chromium, small_app) as page:
        page.get_by_role("tab", name="Mitigate").click()
        page.wait_for_selector("text=The shelf has no judge-portraits")
        assert page.get_by_text("Sorry").count() == 0
        looked_over(page, "light")


def looked_over(page, mode: str) -> None:
    page.evaluate(AXE.read_text(encoding="utf-8"))
    page.wait_for_timeout(1500)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    told = [(v["id"], node["html"][:200]) for v in found for node in v["nodes"]]
    assert not told, f"{mode}: {told}"
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{mode}: {wide} pixels too wide"

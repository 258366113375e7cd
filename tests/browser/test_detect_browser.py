"""Detect as a visitor and as a program meet it: a table of one's own, the shipped examples, and bad input."""

import csv
import io

import numpy as np
import pytest
from test_app_api import Endpoints
from test_app_browser import AXE, MODES, choose, downloaded, opened, tab
from test_mitigate_browser import looked_over

pytestmark = pytest.mark.browser
RNG = np.random.default_rng(0)


def table(values: np.ndarray, labels: list[str] | None = None) -> bytes:
    head = ["a", "b", "c"] + (["label"] if labels else [])
    rows = [",".join([*(f"{v:.4f}" for v in row), *([labels[i]] if labels else [])]) for i, row in enumerate(values)]
    return "\n".join([",".join(head), *rows, ""]).encode()


NORMAL = table(RNG.normal(size=(300, 3)))
TEST = table(
    np.concatenate([RNG.normal(size=(40, 3)), RNG.normal(size=(10, 3)) + 6]), ["normal"] * 40 + ["broken"] * 10
)


@pytest.fixture(scope="module")
def call(small_app):
    return Endpoints(small_app.url)


def test_programs_learn_judge_and_judge_again_with_the_kept_detector(call):
    normal, test = call.upload(NORMAL, "normal.csv"), call.upload(TEST, "test.csv")
    told, scores, kept = call("detect", "", "table", [normal], [test], None, 0.05, "combined")
    assert told["items"] == 50
    assert told["figures"]["area under the ROC curve"]["value"] > 0.99
    rows = list(csv.DictReader(io.StringIO(call.fetch(scores).decode())))
    assert list(rows[0]) == ["item", "score", "p_value", "anomaly"]
    assert [row["anomaly"] for row in rows[40:]] == ["1"] * 10
    assert sum(row["anomaly"] == "1" for row in rows) == told["alarms"]
    again = call("detect", "", "table", [], [test], call.upload(call.fetch(kept), "d.safetensors"), 0.05, "combined")
    assert call.fetch(again[1]) == call.fetch(scores)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("", "table", [], [], None, 0.01, "combined"), "Give one of three"),
        (("hat", "images", [], [], None, 0.01, "combined"), "Examples are t-shirt"),
        (("bag", "images", [], [], None, 0, "combined"), "false-alarm rate is a number"),
        (("bag", "images", [], [], None, "x", "combined"), "false-alarm rate is a number"),
        (("bag", "images", [], [], None, 0.01, "<b>"), "Scores are combined"),
    ],
)
def test_bad_arguments_are_one_sentence(call, arguments, sentence):
    assert sentence in call.refused("detect", *arguments)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a,b\n1,2\n", "has 1 item: at least 10"),
        (b"a,b\n" + b"1,2\n" * 30, "No column of the normal set ever changes"),
        (b"a,b\n1,red\n" * 2, "holds"),
        (b"", "empty"),
    ],
)
def test_bad_normal_sets_are_one_sentence(call, content, sentence):
    if not content:
        content = b"\n"
        sentence = "first row"
    told = call.refused(
        "detect", "", "table", [call.upload(content, "n.csv")], [call.upload(TEST, "t.csv")], None, 0.05, ""
    )
    assert sentence in told


def test_a_stranger_is_no_detector(call):
    told = call.refused(
        "detect", "", "table", [], [call.upload(TEST, "t.csv")], call.upload(b"\x80\x04.", "d"), 0.05, ""
    )
    assert "no detector" in told


def test_a_visitor_learns_a_table_of_their_own(chromium, small_app):
    with opened(chromium, small_app) as page:
        page.get_by_role("tab", name="Detect").click()
        page.wait_for_selector("#detect-items table")
        page.locator("#detect-source").get_by_label("Your own items").check()
        page.locator("#detect-kind").get_by_label("Table (CSV)").check()
        page.locator("#detect-go").click()
        page.wait_for_selector("text=No normal items were uploaded")
        for place, content in (("#detect-normal", NORMAL), ("#detect-test", TEST)):
            upload = {"name": f"{place[8:]}.csv", "mimeType": "text/csv", "buffer": content}
            page.locator(f"{place} input[type=file]").set_input_files(upload)
            page.wait_for_selector(f"{place} >> text=.csv")
        page.locator("#detect-go").click()
        page.wait_for_selector("text=10 of 10 labelled anomalies are found")
        assert page.locator("#detect-curves svg[role=img]").count() == 2
        assert (
            "--normal normal.csv --kind table --test test.csv"
            in page.locator(".command textarea:visible").input_value()
        )
        choose(page, "#detect-order", "most normal first")
        page.wait_for_function("() => !document.querySelector('#detect-items tbody').innerText.includes('broken')")
        rows = downloaded(page, "Scores (CSV)")[0].decode().splitlines()
        assert rows[0] == "item,score,p_value,anomaly"
        assert len(rows) == 51
        assert downloaded(page, "The detector")[1] == "detector.safetensors"
        assert all(u.startswith((small_app.url, "data:", "blob:")) for u in page.asked)


def test_a_file_of_500_megabytes_is_one_sentence_and_takes_nothing_away(chromium, small_app, tmp_path):
    huge = tmp_path / "huge.csv"
    with huge.open("wb") as file:
        file.truncate(500 * 2**20)
    with opened(chromium, small_app) as page:
        page.get_by_role("tab", name="Detect").click()
        page.wait_for_selector("#detect-items table")
        page.locator("#detect-source").get_by_label("Your own items").check()
        page.locator("#detect-kind").get_by_label("Table (CSV)").check()
        page.locator("#detect-normal input[type=file]").set_input_files(huge)
        page.wait_for_selector('text=exceed the maximum allowed size of 64.0 Mb: "huge.csv"')
        assert page.locator("#detect-items table").count() == 1


@pytest.mark.parametrize("mode", list(MODES))
def test_something_useful_shows_on_opening_and_stands_in_nobodys_way(chromium, small_app, mode):
    with opened(chromium, small_app, mode) as page:
        tab(page, "Detect")
        page.wait_for_selector("#detect-items img")
        assert page.locator("#detect-curves svg[role=img]").count() == 2
        assert page.locator("#detect-why p").count() >= 2
        slider = page.locator("#detect-rate input[type=number]")
        slider.fill("10")
        slider.press("Enter")
        page.wait_for_selector("text=at a false-alarm rate of 10.0%")
        assert AXE.exists()
        looked_over(page, mode)

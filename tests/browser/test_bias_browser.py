"""The Bias audit tab in a real Chromium, and its endpoints: the example, a stop, labels by key, a table, a zip."""

import io
import json
import zipfile

import pytest
from PIL import Image
from test_app_api import Endpoints
from test_app_browser import AXE, MODES, downloaded, opened, tab

from audits.provenance import read_claim

pytestmark = pytest.mark.browser
TABLE = "item,tone,score\n" + "".join(f"i{n},{'light' if n % 3 else 'dark'},{n % 2}\n" for n in range(300))


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text(TABLE)
    return path


def audit_tab(page) -> None:
    tab(page, "Bias audit")
    page.wait_for_selector("#audit-shares table")


def says(page, selector: str, words: str, *, absent: str = "\0") -> None:
    page.wait_for_function(
        "([s, w, a]) => { const t = document.querySelector(s).textContent; return t.includes(w) && !t.includes(a); }",
        arg=[selector, words, absent],
    )


def test_the_example_a_stop_labels_and_a_table(chromium, app, table):
    with opened(chromium, app) as page:
        audit_tab(page)
        says(page, "#audit-verdict", "very light")
        assert page.locator("#audit-shares tbody tr").count() == 7  # five tones, and glasses or none
        assert "python -m genlab audit" in page.locator(".command textarea:visible").first.input_value()
        says(page, "#audit-plan", "400 items show gaps of")
        report, name = downloaded(page, "JSON")
        assert name.endswith(".json")
        assert any(f["name"] == "tone.share.dark" for f in json.loads(report)["findings"])
        assert downloaded(page, "PDF")[0].startswith(b"%PDF")
        page.wait_for_selector("#audit-sheet img")

        page.get_by_role("spinbutton", name="number input for Items to draw").fill("2000")
        page.keyboard.press("Tab")
        page.get_by_role("button", name="Audit", exact=True).click()
        says(page, "#audit-state", "Drawing with")
        page.get_by_role("button", name="Stop", exact=True).click()
        says(page, "#audit-state", "Stopped.")
        says(page, "#audit-verdict", "very light")  # what was there is still there

        page.get_by_role("button", name="Look for yourself").click()
        page.get_by_role("button", name="Start", exact=True).click()
        page.wait_for_selector("#labeller img")
        page.locator("#labeller .labelling").focus()
        for pressed, done in zip("123sz1", (1, 2, 3, 4, 3, 4), strict=True):
            page.keyboard.press(pressed)
            page.wait_for_function(f"document.querySelector('#labeller progress').value === {done}")
        page.locator("#labeller button").first.click()
        page.wait_for_function("document.querySelector('#labeller progress').value === 5")
        labels, _ = downloaded(page, "Save labels")
        assert labels.decode().splitlines()[0] == "item,label"
        assert len(labels.decode().splitlines()) == 6
        page.get_by_role("button", name="Use the labels").click()
        says(page, "#audit-rest", "tone.shift")

        page.get_by_role("radio", name="Your pictures or table").check()
        page.wait_for_selector("#audit-files input[type=file]", state="attached")
        assert downloaded(page, "CSV template")[0].startswith(b"item,")
        page.locator("#audit-files input[type=file]").set_input_files(table)
        page.wait_for_selector("#audit-preview table")
        page.get_by_role("button", name="Audit", exact=True).click()
        says(page, "#audit-shares", "light", absent="brown")
        assert "66.7%" in page.locator("#audit-shares").inner_text()
        page.get_by_role("button", name="Example: a model").click()
        says(page, "#audit-shares", "brown")
        page.wait_for_selector("#audit-files", state="hidden")
        assert not page.complaints
        assert all(u.startswith((app.url, "data:", "blob:")) for u in page.asked)


@pytest.mark.parametrize("mode", list(MODES))
def test_the_audit_stands_in_nobodys_way(chromium, app, mode):
    script = AXE.read_text(encoding="utf-8")
    with opened(chromium, app, mode) as page:
        page.evaluate(script)
        audit_tab(page)
        page.get_by_role("button", name="Look for yourself").click()
        page.get_by_role("button", name="Start", exact=True).click()
        page.wait_for_selector("#labeller img")
        for summary in page.locator("#audit-rest summary").all():
            summary.click()
        page.wait_for_timeout(1000)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        told = [(v["id"], node["html"][:200]) for v in found for node in v["nodes"]]
        assert not told, f"{mode}: {told}"
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{mode}: {wide} pixels too wide"


def test_endpoints(app, table):
    call = Endpoints(app.url)
    model = next(m["name"] for m in call("models")[0] if m["name"].endswith("portraits-biased"))
    report, files = call("audit_model", model, ["tone"], "training data", 40, 1)
    assert [f["name"] for f in report["findings"]][:5] == [
        f"share.{tone}" for tone in ("very light", "light", "tan", "brown", "dark")
    ]
    assert len(files) == 4
    assert report == json.loads(call.fetch(files[0]))

    given = call.upload(table.read_bytes(), "labels.csv")
    report, _ = call("audit_file", given, ["tone"], "uniform", "folder")
    assert next(f for f in report["findings"] if f["name"] == "share.light")["value"] == pytest.approx(2 / 3)

    packed, picture = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (32, 32), "navy").save(picture, "PNG")
    with zipfile.ZipFile(packed, "w") as archive:
        for i in range(6):
            archive.writestr(f"{'a' if i < 4 else 'b'}/{i}.png", picture.getvalue())
        archive.writestr("a/broken.png", b"no picture")
    given = call.upload(packed.getvalue(), "set.zip")
    report, _ = call("audit_file", given, ["folder"], "none", "folder")
    assert next(f for f in report["findings"] if f["name"] == "share.a")["n"] == 4
    assert any("broken.png" in words for words in report["caveats"])

    assert call("plan_audit", 0.05, 0.5, "")[0].startswith("783 items")


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("audit_model", ["nothing", ["tone"], "uniform", 40, 0], "Models are"),
        ("audit_model", ["judge-fashion", ["tone"], "uniform", 40, 0], "cannot generate"),
        ("audit_model", ["gan-fashion", ["tone"], "uniform", 40, 0], "No judge"),
        ("audit_model", ["vae-portraits-biased", ["size"], "uniform", 40, 0], "choose among them"),
        ("audit_model", ["vae-portraits-biased", [], "uniform", 40, 0], "choose among them"),
        ("audit_model", ["vae-portraits-biased", ["tone"], "fairness", 40, 0], "reference is one of"),
        ("audit_model", ["vae-portraits-biased", ["tone"], "uniform", 1e9, 0], "number of items"),
        ("audit_model", ["vae-portraits-biased", ["tone"], "uniform", 40, -1], "whole number"),
        ("audit_file", [None, ["tone"], "uniform", "model"], "No file was given"),
        ("plan_audit", ["a", 0.5, ""], "between 0 and 1"),
        ("plan_audit", [0.05, 2, ""], "between 0 and 1"),
    ],
)
def test_bad_input_gets_one_sentence(app, name, data, told):
    assert told in Endpoints(app.url).refused(name, *data)


def test_hostile_zips_are_refused(app):
    call = Endpoints(app.url)
    for entry in ("../a/x.png", "/a/x.png"):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(entry, b"x")
        given = call.upload(packed.getvalue(), "set.zip")
        assert "unsafe path" in call.refused("audit_file", given, ["folder"], "none", "folder")
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/x.png", bytes(32 * 2**20))
    assert "zip bomb" in call.refused("audit_file", call.upload(bomb.getvalue(), "b.zip"), ["folder"], "none", "folder")


def test_a_labelled_picture_of_ours_is_sealed(chromium, app):
    with opened(chromium, app) as page:
        audit_tab(page)
        sheet = page.locator("#audit-sheet img").get_attribute("src")
        assert read_claim(page.request.get(sheet).body()).action == "audit sheet"

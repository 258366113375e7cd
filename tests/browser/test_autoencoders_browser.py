"""Autoencoders as a visitor meets them: kinds side by side, noise, a drawing, a map to point at, features to take."""

import pytest
from small_models import RunningApp, build_shelf, picture
from test_app_browser import AXE, MODES, choose, downloaded, opened

from audits.provenance import read_claim

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def kinds_app(tmp_path_factory):
    app = RunningApp(build_shelf(tmp_path_factory.mktemp("shelf")), tmp_path_factory.mktemp("app"))
    yield app
    app.stop()


def kinds_tab(page) -> None:
    page.get_by_role("tab", name="Autoencoders").click()
    page.wait_for_selector("#kinds-shown article")
    page.wait_for_selector("#scatter .plot")


def shown(page) -> str:
    return page.locator("#kinds-shown article img").first.get_attribute("src")


def after(page, before: str) -> str:
    page.wait_for_function(
        "before => { const image = document.querySelector('#kinds-shown article img');"
        " return image && image.getAttribute('src') !== before; }",
        arg=before,
    )
    return shown(page)


def test_kinds_noise_drawing_and_upload(chromium, kinds_app, tmp_path):
    with opened(chromium, kinds_app) as page:
        kinds_tab(page)
        assert page.locator("#kinds-shown article").count() == 3
        first = shown(page)
        page.get_by_label("Gaussian", exact=True).check()
        spoiled = after(page, first)
        assert "noise" in page.locator("#kinds-about").inner_text()
        page.get_by_label("None", exact=True).check()
        assert after(page, spoiled) == first  # the same item is the same file
        page.get_by_role("button", name="Another one").click()
        other = after(page, first)

        page.get_by_label("Draw", exact=True).check()
        box = page.locator("#easel canvas").bounding_box()
        page.mouse.move(box["x"] + 60, box["y"] + 60)
        page.mouse.down()
        page.mouse.move(box["x"] + 150, box["y"] + 160, steps=5)
        page.mouse.up()
        drawn = after(page, other)
        assert "Drawing" in page.locator("#kinds-about").inner_text()
        page.locator("#easel canvas").focus()
        page.keyboard.press("Space")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Space")
        drawn = after(page, drawn)

        page.get_by_label("Static", exact=True).check()
        page.get_by_role("button", name="Show", exact=True).click()
        after(page, drawn)
        assert "Static" in page.locator("#kinds-about").inner_text()
        page.get_by_role("button", name="Measure").click()
        page.wait_for_selector("#kinds-moved tbody tr")
        assert page.locator("#kinds-moved tbody tr").count() == 3
        assert not page.complaints


def test_maps_filters_and_features(chromium, kinds_app, tmp_path):
    with opened(chromium, kinds_app) as page:
        kinds_tab(page)
        page.wait_for_selector("#filters img")
        assert page.locator("#scatter circle").count() == 501
        page.locator("#scatter .plot").hover(position={"x": 100, "y": 100})
        page.wait_for_selector("#scatter .lens:not([hidden])")
        words = page.locator("#scatter .lens span").inner_text()
        assert ", example " in words
        page.locator("#scatter .plot").focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function(
            "before => document.querySelector('#scatter .lens span').textContent !== before", arg=words
        )
        choose(page, "#map-method", "PCA")
        page.wait_for_function("document.querySelector('#map-scores tr.marked')?.textContent.includes('PCA')")

        page.get_by_role("button", name="Write the file").click()
        page.wait_for_selector("a:has-text('Download features'), button:has-text('Download features'):enabled")
        content, name = downloaded(page, "Download features")
        assert name.endswith(".csv")
        assert len(content.decode().splitlines()) == 501
        assert "python -m genlab encode" in page.get_by_role("textbox", name="Copy as command").nth(-1).input_value()
        assert not page.complaints


def test_a_bad_picture_is_one_sentence(chromium, kinds_app, tmp_path):
    (tmp_path / "no.png").write_bytes(picture()[:60])
    with opened(chromium, kinds_app) as page:
        kinds_tab(page)
        page.get_by_label("Your picture", exact=True).check()
        page.locator("input[type=file]:visible, input[type=file]").first.wait_for(state="attached")
        page.get_by_role("button", name="Show", exact=True).click()
        page.wait_for_selector("text=No picture was uploaded")
        assert page.locator("#kinds-shown article").count() == 3  # what was there stays


def test_what_leaves_is_sealed(kinds_app):
    from test_app_api import Endpoints

    call = Endpoints(kinds_app.url)
    files, told = call("reconstruct", "static", 1, None, "auto", "none", 0, 0)
    assert [read_claim(call.fetch(file)).model for file in files] == [row["model"] for row in told]


@pytest.mark.parametrize("mode", MODES)
def test_the_tab_is_accessible_and_fits(chromium, kinds_app, mode):
    with opened(chromium, kinds_app, mode) as page:
        kinds_tab(page)
        page.wait_for_selector("#filters img", state="attached")  # pictures load when they are scrolled to
        page.wait_for_selector("#map-scores tr")
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0
        if AXE.exists():
            page.evaluate(AXE.read_text())
            found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
            assert not found, [(v["id"], [n["html"][:120] for n in v["nodes"]]) for v in found]

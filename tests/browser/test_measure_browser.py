"""The tab Measure as a visitor meets it: figures on request, a sentence a set, readable to all."""

import json

import pytest
from small_models import RunningApp, build_shelf
from test_app_browser import AXE, MODES, opened, tab

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def judged_app(tmp_path_factory):
    """The small models, their judge under the name that its data asks for."""
    shelf = build_shelf(tmp_path_factory.mktemp("shelf"))
    config = json.loads((shelf / "judge-small" / "config.json").read_text())
    (shelf / "judge-small").rename(shelf / "judge-fashion")
    (shelf / "judge-fashion" / "config.json").write_text(json.dumps(config | {"name": "judge-fashion"}))
    app = RunningApp(shelf, tmp_path_factory.mktemp("app"))
    yield app
    app.stop()


def measured(page) -> None:
    tab(page, "Measure")
    page.wait_for_function("document.querySelector('#measure-shown').innerText.includes('Measure now')")
    page.get_by_label("Items a set, if measured now").first.fill("100")
    page.get_by_role("button", name="Measure now").click()
    page.wait_for_selector("#measure-shown article", timeout=180_000)


@pytest.mark.parametrize("mode", MODES)
def test_measured_on_request_and_readable_to_all(chromium, judged_app, mode):
    with opened(chromium, judged_app, mode) as page:
        measured(page)
        assert page.locator("#measure-shown article").count() == 8
        rows = page.locator("#measure-shown table").first.locator("tbody tr")
        assert rows.count() == 8
        text = page.locator("#measure-shown").inner_text()
        assert "Ten items repeated" in text
        assert "100 items a set" in text
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.add_script_tag(content=AXE.read_text())
        found = page.evaluate("axe.run(document.querySelector('#measure-shown'))")
        assert [v["id"] for v in found["violations"]] == []
        assert not page.complaints

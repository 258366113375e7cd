"""The Pixels tab alone, in a real Chromium: an item appears, halves are completed; and both endpoints."""

import io

import pytest
from PIL import Image
from small_models import PIXELS, RunningApp, build_shelf
from test_app_api import Endpoints
from test_app_browser import AXE, MODES, PATIENCE, after_change, source

from audits.provenance import read_claim

pytestmark = pytest.mark.browser

SCRIPT = """
import gradio as gr
from genlab.tabs import api_pixels, names, pixels, theme

with gr.Blocks(title="GenLab") as demo:
    gr.HTML("<h1>Pixels</h1>")
    with gr.Tab("First"):
        gr.Markdown("nothing")
    with gr.Tab("Pixels") as tab:
        pixels.build(tab)
    api_pixels.build()
demo.launch(theme=theme.theme(), css=theme.CSS, js=names.SCRIPT, ssr_mode=False, footer_links=[], strict_cors=True)
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    work = tmp_path_factory.mktemp("pixels")
    (work / "only_pixels.py").write_text(SCRIPT)
    running = RunningApp(build_shelf(work / "shelf", PIXELS), work, str(work / "only_pixels.py"))
    yield running
    running.stop()


@pytest.fixture
def page(chromium, app, request):
    context = chromium.new_context(reduced_motion="reduce", accept_downloads=True, **MODES[request.param])
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto(f"{app.url}?__theme={'dark' if request.param == 'dark' else 'light'}")
    page.get_by_role("tab", name="Pixels").click()
    page.wait_for_selector("#completions img")
    yield page
    context.close()


@pytest.mark.parametrize("page", ["light"], indirect=True)
def test_it_opens_with_both_results_and_follows_its_controls(page):
    assert page.locator("#pixels-film img").count() == 1
    assert page.locator("#pixels-item img").count() == 1
    page.wait_for_function("document.querySelectorAll('#completions img').length === 6")
    assert page.locator("#complete-told .sentence").inner_text().startswith("Exact")
    before = source(page, "#completions")
    page.locator("#complete-region").get_by_text("right of a column").click()
    after_change(page, "#completions", before)
    assert page.locator("#complete-told .sentence").inner_text().startswith("Approximate")
    before = source(page, "#completions")
    page.locator("#complete-task").get_by_text("Change all of it").click()
    after_change(page, "#completions", before)
    assert page.locator("#complete-told .sentence").inner_text().startswith("Noise covered the picture 70%")
    assert page.locator("#vary-change").is_visible()
    assert not page.locator("#complete-region").is_visible()
    film = source(page, "#pixels-film")
    page.locator("#pixels-seed input").fill("9")
    page.get_by_role("button", name="Watch it appear").click()
    after_change(page, "#pixels-film", film)
    assert not page.complaints


@pytest.mark.parametrize("page", ["light", "dark", "phone"], indirect=True)
def test_nothing_stands_in_anyones_way(page, request):
    page.evaluate(AXE.read_text(encoding="utf-8"))
    page.wait_for_timeout(1000)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    assert not [(v["id"], node["html"][:200]) for v in found for node in v["nodes"]]
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def test_the_endpoints_give_sealed_files_and_sentences(app):
    call = Endpoints(app.url)
    item, film, claim = call("appear", "pixelcnn-small", "bag", 3, 1.0)
    assert read_claim(call.fetch(item)).as_dict() == claim
    assert read_claim(call.fetch(film)).action == "appear"
    _, film, claim = call("appear", "ddpm-small", "bag", 3, 1.0)
    assert (claim["model"], "temperature" in claim["knobs"]) == ("ddpm-small", False)
    files, told = call("complete", "pixelcnn-small", "example", 4, None, "below a row", 0.5, 2, 3)
    assert len(files) == 3
    assert told["exact"]
    assert read_claim(call.fetch(files[2])).seed == 4
    picture = io.BytesIO()
    Image.new("RGB", (60, 90), "white").save(picture, "PNG")
    sent = call.upload(picture.getvalue(), "mine.png")
    files, told = call("complete", "pixelcnn-small", "upload", 0, sent, "in the middle", 0.5, 0, 1)
    assert not told["exact"]
    assert told["from"].startswith("upload")
    files, told = call("vary", "ddpm-small", "upload", 0, sent, 0.5, "bag", 3, 2)
    assert [read_claim(call.fetch(file)).inputs["label"] for file in files] == ["bag", "bag"]
    assert told["sentence"].startswith("Noise covered")
    assert "The change is" in call.refused("vary", "ddpm-small", "example", 4, None, 2, "", 0, 1)
    assert "ddpm-small" in call.refused("vary", "pixelcnn-small", "example", 4, None, 0.5, "", 0, 1)
    assert "Nothing would be missing" in call.refused(
        "complete", "pixelcnn-small", "example", 4, None, "below a row", 1, 2, 3
    )
    assert "temperature is a number" in call.refused("appear", "pixelrnn-small", "", 3, 50)
    assert "No picture" in call.refused("complete", "pixelcnn-small", "upload", 0, None, "below a row", 0.5, 0, 1)

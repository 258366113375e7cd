"""The Text tab alone, in a real Chromium: a text is written, gaps are filled, a text is read; and its endpoints."""

import base64
import json

import pytest
from small_models import TEXTS, RunningApp, build_shelf
from test_app_api import Endpoints
from test_app_browser import AXE, MODES, PATIENCE

from audits.provenance import verify
from audits.provenance.sealing import parsed

pytestmark = pytest.mark.browser

SCRIPT = """
import gradio as gr
from genlab.tabs import api_text, names, text, theme

with gr.Blocks(title="GenLab") as demo:
    gr.HTML("<h1>Text</h1>")
    with gr.Tab("First"):
        gr.Markdown("nothing")
    with gr.Tab("Text") as tab:
        text.build(tab)
    api_text.build()
demo.launch(theme=theme.theme(), css=theme.CSS, js=names.SCRIPT, ssr_mode=False, footer_links=[], strict_cors=True)
"""
SHELF = {name: TEXTS[name] for name in ("bert-small", "gpt-called", "gpt-small")}


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    work = tmp_path_factory.mktemp("text")
    (work / "only_text.py").write_text(SCRIPT)
    with pytest.MonkeyPatch.context() as patch:  # texts hang on the key: one that is the same in every run
        patch.setenv("GENLAB_SIGNING_KEY", base64.b64encode(bytes(range(32))).decode())
        running = RunningApp(build_shelf(work / "shelf", SHELF), work, str(work / "only_text.py"))
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
    page.get_by_role("tab", name="Text").click()
    page.wait_for_selector("#read-looks svg")
    yield page
    context.close()


@pytest.mark.parametrize("page", ["light"], indirect=True)
def test_it_opens_with_results_and_follows_its_controls(page):
    assert page.locator("#text-page .tok").count() > 0
    assert page.locator("#fill-found .gap").count() == 2
    page.locator("#text-page .tok").nth(3).hover()
    tip = page.locator("#text-page .tok").nth(3).locator(".tip")
    assert tip.is_visible()
    assert tip.locator(".percent").count() == 5
    before = page.locator("#text-page").inner_text()
    page.locator("#text-seed input").fill("9")
    page.locator("#text-go").click()
    page.wait_for_function("[...document.querySelectorAll('.command textarea')].some(a => a.value.includes('seed 9'))")
    assert page.locator("#text-page").inner_text() != before
    with page.expect_download() as kept:
        page.get_by_role("button", name="Its signed claim").click()
    claim = json.loads(kept.value.path().read_text())["claim"]
    assert (claim["model"], claim["seed"]) == ("gpt-small", 9)
    page.locator("#between-go").click()
    page.wait_for_selector("#between-table table")
    page.locator("#text-model input").click()
    page.get_by_role("option", name="gpt-called").click()
    page.wait_for_selector("#text-country")
    page.locator("#text-go").click()
    page.wait_for_function("document.querySelectorAll('#text-page .names-made li').length === 24")
    page.locator("#fill-text textarea").fill("The owl went to sea.")
    page.locator("#fill-go").click()
    page.wait_for_selector("text=The text has no gap")
    assert not page.complaints


@pytest.mark.parametrize("page", ["light", "dark", "phone"], indirect=True)
def test_nothing_stands_in_anyones_way(page):
    page.evaluate(AXE.read_text(encoding="utf-8"))
    page.wait_for_timeout(1000)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    assert not [(v["id"], node["html"][:200]) for v in found for node in v["nodes"]]
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def test_the_endpoints_give_sealed_files_and_sentences(app):
    call = Endpoints(app.url)
    files, claims, told = call("write", "gpt-small", "The owl", "", "", 3, 2, 12, {"temperature": 0.8})
    media, beside = call.fetch(files[1]), call.fetch(claims[1])
    assert media.decode() == told["texts"][1]["text"]
    assert parsed(beside).claim.seed == 4
    assert verify(media, sidecar=beside).claim.knobs["temperature"] == 0.8
    files, _, told = call("write", "gpt-called", "", "There", "male", 0, 5, 12, {})
    assert {(text["country"], text["gender"]) for text in told["texts"]} == {("There", "male")}
    assert call.fetch(files[0]).decode().count("\n") == 5
    [found] = call("fill", "bert-small", "The ___ went to sea.")
    assert [len(gap) for gap in found["gaps"]] == [5]
    [told] = call("surprise", "gpt-small", "The owl went to sea.")
    assert told["bits_per_character"] > 0
    assert "temperature is a number from 0 to 2" in call.refused(
        "write", "gpt-small", "", "", "", 0, 1, 10, {"temperature": 100}
    )
    assert "no gap" in call.refused("fill", "bert-small", "The owl went to sea.")
    assert "no text to read" in call.refused("surprise", "gpt-small", "")

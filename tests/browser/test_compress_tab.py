"""The Compress tab alone, in a real Chromium: compress, compare, take away, open again; and both endpoints."""

import io

import numpy as np
import pytest
from PIL import Image
from small_models import RunningApp, build_shelf
from test_app_api import Endpoints
from test_app_browser import AXE, MODES, PATIENCE

from audits.provenance import read_claim

pytestmark = pytest.mark.browser

SCRIPT = """
import gradio as gr
from genlab.tabs import compress, names, theme

with gr.Blocks(title="GenLab") as demo:
    gr.HTML("<h1>Compress</h1>")
    compress.build(demo)
demo.launch(theme=theme.theme(), css=theme.CSS, js=names.SCRIPT, ssr_mode=False, footer_links=[], strict_cors=True)
"""


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return tmp_path_factory.mktemp("compress")


@pytest.fixture(scope="module")
def app(work):
    (work / "only_compress.py").write_text(SCRIPT)
    running = RunningApp(build_shelf(work / "shelf"), work, str(work / "only_compress.py"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def photograph(work):
    """A smooth colour picture as a PNG file: its path."""
    y, x = np.mgrid[:120, :160]
    waves = np.stack([127 + 90 * np.sin(x / 17 + k) * np.cos(y / 13 - k) for k in range(3)], 2)
    noise = np.random.default_rng(0).normal(0, 3, waves.shape)
    Image.fromarray(np.clip(waves + noise, 0, 255).astype(np.uint8)).save(work / "waves.png")
    return work / "waves.png"


@pytest.fixture
def page(chromium, app, request):
    context = chromium.new_context(reduced_motion="reduce", accept_downloads=True, **MODES[request.param])
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.asked = []
    page.on("request", lambda asked: page.asked.append(asked.url))
    page.goto(f"{app.url}?__theme={'dark' if request.param == 'dark' else 'light'}")
    page.wait_for_selector("#compress-file input[type=file]", state="attached")
    yield page
    context.close()


def give(page, path) -> None:
    remove = page.locator("#compress-file").get_by_role("button", name="Clear")
    if remove.count():
        remove.first.click()
    page.locator("#compress-file input[type=file]").set_input_files(path)


def taken_away(page, work):
    """The path of what the page offers, saved."""
    with page.expect_download() as waiting:
        page.locator("#compress-out a").first.click()
    path = work / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


@pytest.mark.parametrize("page", ["light"], indirect=True)
def test_a_picture_goes_to_a_file_and_comes_back(page, photograph, work, app):
    give(page, photograph)
    page.wait_for_selector("#compressed >> text=waves.png:")
    told = page.locator("#compressed").inner_text()
    assert "Every pixel comes back" in told
    page.wait_for_selector("#compress-slider img")
    for codec in ("Ours", "JPEG", "WebP", "PNG"):
        assert codec in page.locator("#compress-figures").inner_text()
    before = page.locator("#compress-slider img").last.get_attribute("src")
    page.locator("#compress-which").get_by_label("Ours").click()
    page.wait_for_function(
        "before => [...document.querySelectorAll('#compress-slider img')].at(-1).getAttribute('src') !== before",
        arg=before,
    )
    assert "python -m genlab compress waves.png --out waves.glz" in page.locator(".command textarea").input_value()

    file = taken_away(page, work)
    assert file.name == "waves.glz"
    assert f"{file.stat().st_size:,} bytes" in told
    give(page, file)
    page.wait_for_selector("#compressed >> text=1 picture, coded by")
    assert "unmarked" in page.locator("#compressed").inner_text()
    page.wait_for_selector("#opened-pictures img")
    back = taken_away(page, work)
    assert np.array_equal(np.asarray(Image.open(back)), np.asarray(Image.open(photograph)))

    broken = work / "broken.glz"
    broken.write_bytes(file.read_bytes()[:-2])
    give(page, broken)
    page.wait_for_selector("text=The file is cut short.")
    assert all(url.startswith((app.url, "data:", "blob:")) for url in page.asked)


@pytest.mark.parametrize("page", list(MODES), indirect=True)
def test_nothing_stands_in_anyones_way(page, photograph, work):
    page.evaluate(AXE.read_text(encoding="utf-8"))
    for step in ("nothing yet", "a shipped item", "a file of ours"):
        if step == "a shipped item":
            page.get_by_role("button", name="Compress it").click()
            page.wait_for_selector("#compressed >> text=fashion-003.png:")
        if step == "a file of ours":
            give(page, taken_away(page, work))
            page.wait_for_selector("#opened-pictures img")
        page.wait_for_timeout(700)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        assert not [(v["id"], node["html"][:200]) for v in found for node in v["nodes"]], step
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def test_both_endpoints(app, photograph):
    call = Endpoints(app.url)
    up = [call.upload(photograph.read_bytes(), name) for name in ("one.png", "two.png")]
    file, told = call("compress", up, "", None)
    raw = call.fetch(file)
    assert told["bytes"] == len(raw)
    assert [p["name"] for p in told["pictures"]] == ["one", "two"]
    files, listed = call("decompress", call.upload(raw, "x.glz"))
    assert [p["name"] for p in listed] == ["one", "two"]
    for back in files:
        media = call.fetch(back)
        assert read_claim(media) is None
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(media))), np.asarray(Image.open(photograph)))


@pytest.mark.parametrize(("name", "data", "sentence"), [
    ("compress", [None, "", None], "No picture was given"),
    ("compress", ["x", "", None], ""),
    ("compress", [[], "", 50], "No picture was given"),
    ("decompress", [None], "No picture was uploaded"),
])  # fmt: skip
def test_bad_asks_are_one_sentence(app, name, data, sentence):
    told = Endpoints(app.url).refused(name, *data)
    assert sentence in told
    assert "Traceback" not in told


def test_hostile_files_are_one_sentence(app, photograph):
    call = Endpoints(app.url)
    for content, sentence in ((b"\x8fGLZ\x09" + bytes(40), "version 9"), (b"\x8fGLZ\x01\xff\xff\xff\xff\x7f", "."),
                              (photograph.read_bytes(), "not a .glz file")):  # fmt: skip
        assert sentence in call.refused("decompress", call.upload(content, "x.glz"))
    one = call.upload(photograph.read_bytes(), "one.png")
    assert "quality is a number" in call.refused("compress", [one], "", "high")
    assert "with a loss yet" in call.refused("compress", [one], "", 50)
    assert "Models are" in call.refused("compress", [one], "../nobody", None)

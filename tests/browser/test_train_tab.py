"""The Train tab alone, in a real Chromium: start, pause, step, replay, take away, come back; and its endpoints."""

import io
import time

import pytest
from PIL import Image
from small_models import RunningApp, build_shelf
from test_app_api import Endpoints
from test_app_browser import AXE, MODES, PATIENCE

from audits.provenance import read_claim

pytestmark = pytest.mark.browser

SCRIPT = """
import gradio as gr
from genlab.tabs import api_train, names, theme, train

with gr.Blocks(title="GenLab") as demo:
    gr.HTML("<h1>Train</h1>")
    with gr.Tab("Elsewhere"):
        gr.Markdown("Nothing here.")
    with gr.Tab("Train") as tab:
        train.build(tab)
    api_train.build()
demo.launch(theme=theme.theme(), css=theme.CSS, js=names.SCRIPT, ssr_mode=False, footer_links=[], strict_cors=True)
"""


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return tmp_path_factory.mktemp("train")


@pytest.fixture(scope="module")
def app(work):
    (work / "only_train.py").write_text(SCRIPT)
    running = RunningApp(build_shelf(work / "shelf"), work, str(work / "only_train.py"))
    yield running
    running.stop()


@pytest.fixture
def context(chromium, request):
    made = chromium.new_context(reduced_motion="reduce", accept_downloads=True, **MODES[request.param])
    made.set_default_timeout(PATIENCE)
    made.mode = request.param
    yield made
    made.close()


def opened(context, app):
    page = context.new_page()
    page.asked = []
    page.on("request", lambda asked: page.asked.append(asked.url))
    page.goto(f"{app.url}?__theme={'dark' if context.mode == 'dark' else 'light'}")
    page.get_by_role("tab", name="Train").click()
    page.wait_for_selector("#train-start")
    return page


def words(page) -> str:
    return page.locator("#train-words .sentence").inner_text()


def wait_for_words(page, text: str) -> None:
    page.wait_for_function("text => document.querySelector('#train-words').innerText.includes(text)", arg=text)


def choose(page, title: str) -> None:
    page.locator("#train-preset input").click()
    page.get_by_role("option", name=title, exact=True).click()


@pytest.mark.parametrize("context", ["light"], indirect=True)
def test_a_run_is_started_paused_stepped_replayed_and_found_again(context, app, work):
    page = opened(context, app)
    assert "Nothing runs yet" in words(page)
    page.get_by_role("button", name="Start").click()
    page.wait_for_selector("#train-stage svg.plane >> nth=1")
    page.wait_for_function("/step ([2-9]|\\d\\d)/.test(document.querySelector('#train-words').innerText)")
    page.get_by_role("button", name="Pause").click()
    wait_for_words(page, "Paused at step")
    page.wait_for_timeout(1000)
    before = int(words(page).split("step ")[1].split(" of")[0].replace(",", ""))
    page.get_by_role("button", name="One step").click()
    wait_for_words(page, f"Paused at step {before + 1:,} of")
    page.wait_for_function(f"document.querySelector('#train-stage figcaption').innerText.includes('{before + 1:,}')")

    page.locator("#train-replay input[type=range]").fill("0")
    page.wait_for_function("/step 1\\n/.test(document.querySelector('#train-stage figcaption').innerText)")
    page.get_by_role("button", name="Make the animation").click()
    link = page.locator("a:has-text('Animation (GIF)'), button:has-text('Animation (GIF)')").first
    page.wait_for_function(
        "[...document.querySelectorAll('.downloads a, .downloads button')].some(e => e.innerText.includes('GIF') && "
        "!e.disabled && !e.closest('[disabled]'))"
    )
    with page.expect_download() as waiting:
        link.click()
    path = work / "run.gif"
    waiting.value.save_as(path)
    assert read_claim(path.read_bytes()).action == "train"
    assert Image.open(path).n_frames >= 2

    page.close()
    again = opened(context, app)
    wait_for_words(again, "Paused at step")
    again.get_by_role("button", name="Continue").click()
    wait_for_words(again, "Training: step")
    again.get_by_role("button", name="Stop").click()
    wait_for_words(again, "Stopped at step")
    assert all(url.startswith((app.url, "data:", "blob:")) for url in again.asked)


@pytest.mark.parametrize("context", ["light"], indirect=True)
def test_points_are_drawn_by_pointer_and_by_keys(context, app):
    page = opened(context, app)
    page.locator("#train-data input").click()
    page.get_by_role("option", name="Points I draw").click()
    pad = page.locator("#train-pad .draw")
    pad.focus()
    pad.press("ArrowRight")
    pad.press("Enter")
    box = pad.bounding_box()
    page.mouse.move(box["x"] + 40, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 90, box["y"] + 90, steps=4)
    page.mouse.up()
    count = int(page.locator("#train-pad .count").inner_text().split()[0])
    assert count >= 12 + 6
    page.wait_for_timeout(600)
    page.get_by_role("button", name="Start").click()
    page.wait_for_selector("#train-stage svg.plane")
    assert page.locator("#train-stage path.real").first.get_attribute("d").count("M") == min(count, 400)


@pytest.mark.parametrize("context", list(MODES), indirect=True)
def test_nothing_stands_in_anyones_way(context, app):
    page = opened(context, app)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    for step in ("nothing yet", "two points runs", "latents"):
        if step == "two points runs":
            page.get_by_role("button", name="Start").click()
            page.wait_for_selector("#train-stage svg.plane >> nth=1")
            page.wait_for_timeout(2500)
            page.get_by_role("button", name="Pause").click()
            wait_for_words(page, "Paused at")
        if step == "latents":
            choose(page, "Posterior collapse")
            page.wait_for_selector("#train-told >> text=The KL term pushes")
            page.get_by_role("button", name="Start").click()
            page.wait_for_selector("#train-stage .latents")
            page.get_by_role("button", name="Stop").click()
            wait_for_words(page, "Stopped at")
        page.wait_for_timeout(700)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        assert not [(v["id"], node["html"][:200]) for v in found for node in v["nodes"]], step
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def test_the_endpoints(app):
    call = Endpoints(app.url)
    key, told = call("train_start", {"data": "moons", "steps": 20_000, "batch": 16}, None, None)
    assert told["settings"]["data"] == "moons"
    began = time.monotonic()
    while not (told := call("train_state", key)[0])["models"] or told["models"][0]["step"] < 5:
        assert time.monotonic() - began < 120
        time.sleep(0.2)
    assert {"critic", "generator", "accuracy"} <= set(told["models"][0]["curves"])
    call("train_control", key, "stop")
    gif, mp4, claim = call("train_animation", key)
    assert read_claim(call.fetch(gif)).as_dict() == claim
    assert read_claim(call.fetch(mp4)).inputs["form"] == "mp4"


@pytest.mark.parametrize(("name", "data", "sentence"), [
    ("train_start", [{"lr": 0}, None, None], "nothing would be learnt"),
    ("train_start", [{"lr": 1e9}, None, None], "the weights would run away"),
    ("train_start", [{"batch": 1}, None, None], "The batch is a whole number from 4"),
    ("train_start", [{"data": "points"}, [[0.5, 0.5]], None], "A run needs at least 8 points"),
    ("train_start", [{"data": "own"}, None, None], "No zip was given"),
    ("train_start", ["fast", None, None], "Settings are names with values"),
    ("train_state", ["nobodys-key"], "There is no run under this key"),
    ("train_state", ["../../etc/passwd"], "There is no run under this key"),
    ("train_state", [None], "found by the key"),
    ("train_control", ["nobodys-key", "pause"], "There is no run"),
    ("train_animation", ["nobodys-key"], "There is nothing to replay yet"),
])  # fmt: skip
def test_bad_asks_are_one_sentence(app, name, data, sentence):
    told = Endpoints(app.url).refused(name, *data)
    assert sentence in told
    assert "\n" not in told


def test_a_zip_of_three_pictures_is_refused(app):
    import zipfile

    file, png = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (30, 30), "navy").save(png, "PNG")
    with zipfile.ZipFile(file, "w") as archive:
        for i in range(3):
            archive.writestr(f"{i}.png", png.getvalue())
    call = Endpoints(app.url)
    told = call.refused("train_start", {"data": "own"}, None, call.upload(file.getvalue(), "three.zip"))
    assert "A run needs at least 16 pictures" in told
    assert "holds 3" in told

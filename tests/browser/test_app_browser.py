"""A real Chromium goes through every tab: draws, downloads, makes again, explores, walks, reads, and is looked over."""

import contextlib
import io
import os
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from small_models import REPOSITORY, picture

from audits.provenance import read_claim

pytestmark = pytest.mark.browser

AXE = Path(os.environ.get("GENLAB_AXE") or REPOSITORY / ".cache/axe/axe.min.js")
PATIENCE = 90_000  # milliseconds, for machines that are busy with something else
MODES = {
    "light": {"viewport": {"width": 1280, "height": 900}},
    "dark": {"viewport": {"width": 1280, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
}


@contextlib.contextmanager
def opened(chromium, app, mode="light"):
    """A page of the app with its first samples; what it asked for and complained of is collected."""
    context = chromium.new_context(reduced_motion="reduce", accept_downloads=True, **MODES[mode])
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.asked, page.complaints = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("console", lambda line: page.complaints.append(line.text) if line.type == "error" else None)
    page.goto(f"{app.url}?__theme={'dark' if mode == 'dark' else 'light'}")
    page.wait_for_selector("#samples img")
    yield page
    context.close()


def tab(page, name: str) -> None:
    """Open a tab; on a narrow screen the last ones are in a menu."""
    if page.get_by_role("tab", name=name).count():
        page.get_by_role("tab", name=name).click()
    else:
        page.get_by_role("button", name="More tabs").click()
        page.locator(".overflow-dropdown").get_by_role("button", name=name).click()
    if name == "Explore":
        page.wait_for_selector("#map .pad")
        page.wait_for_selector("#decoded img")
    if name == "Cards":
        page.wait_for_selector(".card-text h2")


def source(page, selector: str) -> str:
    return page.locator(f"{selector} img").first.get_attribute("src")


def after_change(page, selector: str, before: str) -> str:
    """The picture's address once it is another one."""
    page.wait_for_function(
        "([selector, before]) => { const image = document.querySelector(selector + ' img');"
        " return image && image.getAttribute('src') !== before; }",
        arg=[selector, before],
    )
    return source(page, selector)


def downloaded(page, name: str) -> tuple[bytes, str]:
    """(content, suggested name) of what a download button gives."""
    with page.expect_download() as waiting:
        page.locator(f"a:has-text('{name}'), button:has-text('{name}')").first.click()
    return Path(waiting.value.path()).read_bytes(), waiting.value.suggested_filename


def choose(page, selector: str, option: str) -> None:
    page.locator("#masthead h1").click()  # a list opens when its field gets the focus
    page.locator(f"{selector} input").first.click()
    page.get_by_role("option", name=option, exact=True).click()


def test_generate_download_and_make_again(chromium, app, tmp_path):
    with opened(chromium, app) as page:
        page.wait_for_function("document.querySelectorAll('#samples img').length === 16")
        before = source(page, "#samples")
        page.get_by_role("spinbutton", name="Seed", exact=True).fill("123")
        page.get_by_role("button", name="Generate", exact=True).click()
        after_change(page, "#samples", before)
        assert "--seed 123" in page.get_by_role("textbox", name="Copy as command").input_value()

        page.locator("#samples button.thumbnail-item").nth(4).click()
        page.wait_for_function("document.querySelector('#facts').innerText.includes('127')")
        one, name = downloaded(page, "This picture")
        claim = read_claim(one)
        assert claim.seed == 127
        assert name.startswith(f"{claim.model}-127")
        packed, _ = downloaded(page, "All of them")
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            assert len(archive.namelist()) == 18
            assert archive.read(name) == one
        raw, _ = downloaded(page, "Raw pixel grid")
        assert Image.open(io.BytesIO(raw)).size[0] < Image.open(io.BytesIO(one)).size[0] * 2

        (tmp_path / name).write_bytes(one)
        page.get_by_role("button", name="Make it again").click()
        page.locator("input[type=file]").first.set_input_files(tmp_path / name)
        page.wait_for_selector("text=The same content, made again")
        again, _ = downloaded(page, "Download it")
        assert again == one

        (tmp_path / "stranger.png").write_bytes(picture())
        page.get_by_role("button", name="Clear").first.click()
        page.locator("input[type=file]").first.set_input_files(tmp_path / "stranger.png")
        page.wait_for_selector("text=This file carries no claim")

        page.get_by_role("spinbutton", name="Seed", exact=True).fill("1.5")
        page.get_by_role("button", name="Generate", exact=True).click()
        page.wait_for_selector("text=The seed must be a whole number")
        assert page.locator("#samples img").count() == 16  # what was made stays
        assert downloaded(page, "This picture")[0] == one
        assert not page.complaints
        assert all(u.startswith((app.url, "data:", "blob:")) for u in page.asked)


def test_controls_follow_the_model(chromium, app):
    with opened(chromium, app) as page:
        page.locator("#generate-model input").first.click()
        models = [text.split()[-1] for text in page.get_by_role("option").all_inner_texts()]
        assert len(models) > 1
        page.keyboard.press("Escape")
        knobs = set()
        for model in models:
            before = source(page, "#samples")
            if page.locator("#generate-model input").first.input_value() != model:
                choose(page, "#generate-model", model)
                after_change(page, "#samples", before)
            knobs.add(tuple(page.locator("input[type=range]:visible").evaluate_all("all => all.map(e => e.ariaLabel)")))
        assert len(knobs) > 1


def test_explore_by_pointer_keys_and_sliders(chromium, app, tmp_path):
    with opened(chromium, app) as page:
        tab(page, "Explore")
        shown = source(page, "#decoded")
        box = page.locator("#map .pad").bounding_box()
        page.mouse.click(box["x"] + 0.2 * box["width"], box["y"] + 0.3 * box["height"])
        shown = after_change(page, "#decoded", shown)
        assert "Between" in page.locator("#decoded-words").inner_text()
        page.locator("#map .pad").focus()
        for _ in range(4):
            page.keyboard.press("Shift+ArrowRight")
        shown = after_change(page, "#decoded", shown)
        page.wait_for_timeout(1500)
        shown = pointed = source(page, "#decoded")

        slider = page.locator("input[type=range]:visible").first
        slider.focus()
        for _ in range(8):
            page.keyboard.press("PageUp")
        after_change(page, "#decoded", shown)
        page.wait_for_timeout(1500)
        moved, _ = downloaded(page, "Download (PNG)")
        assert read_claim(moved).action == "decode"
        assert read_claim(moved).inputs["from"].endswith("moved")
        shown = source(page, "#decoded")
        page.get_by_role("button", name="Undo sliders").click()
        assert Path(after_change(page, "#decoded", shown)).parent.name == Path(pointed).parent.name

        page.get_by_role("button", name="Walk from here").click()
        (tmp_path / "coat.png").write_bytes(picture())
        (tmp_path / "broken.png").write_bytes(picture()[:90])
        page.get_by_role("button", name="Start from a seed").click()
        page.get_by_label("Your picture").check()
        shown, door = source(page, "#decoded"), page.locator("#start-from input[type=file]")
        door.set_input_files(tmp_path / "broken.png")
        page.wait_for_selector("text=The picture is damaged")
        assert source(page, "#decoded") == shown
        page.locator("#start-from").get_by_role("button", name="Remove").or_(
            page.locator("#start-from").get_by_role("button", name="Clear")
        ).first.click()
        door.set_input_files(tmp_path / "coat.png")
        after_change(page, "#decoded", shown)
        assert "Upload" in page.locator("#decoded-words").inner_text()
        page.get_by_role("button", name="Walk to here").click()
        page.wait_for_timeout(1500)
        page.get_by_role("button", name="Walk", exact=True).click()
        page.wait_for_selector("#walk-result img")
        gif, _ = downloaded(page, "Animation (GIF)")
        assert Image.open(io.BytesIO(gif)).n_frames == 24
        claim = read_claim(gif)
        assert claim.action == "walk"
        assert claim.inputs["from"].startswith("map")
        assert claim.inputs["to"].startswith("upload")
        assert read_claim(downloaded(page, "Video (MP4)")[0]).inputs["form"] == "mp4"
        assert all(u.startswith((app.url, "data:", "blob:")) for u in page.asked)


def test_cards_are_rendered(chromium, app):
    with opened(chromium, app) as page:
        tab(page, "Cards")
        page.wait_for_function("document.querySelector('main').innerText.includes('Misuse and deepfakes')")
        assert page.get_by_role("textbox", name="Copy as command").input_value().startswith("python -m genlab card ")


def test_compress_and_verify_open_with_a_result(chromium, app):
    with opened(chromium, app) as page:
        tab(page, "Compress")
        page.wait_for_selector("#compressed .sentence")
        assert "bits per pixel" in page.locator("#compressed .sentence").inner_text()
        tab(page, "Verify")
        page.wait_for_selector("#verdict .sentence")
        assert "An example" in page.locator("#verdict .note").first.inner_text()
        before = page.locator("#verdict").inner_text()
        tab(page, "Generate")
        tab(page, "Verify")  # once only
        page.wait_for_timeout(500)
        assert page.locator("#verdict").inner_text() == before


@pytest.mark.parametrize("mode", list(MODES))
def test_nothing_stands_in_anyones_way(chromium, app, mode):
    """axe-core finds no violation on any tab, before and after use, and nothing is wider than the screen."""
    assert AXE.is_file(), f"{AXE} is missing: `make setup` fetches it, or name it in GENLAB_AXE."
    script = AXE.read_text(encoding="utf-8")
    with opened(chromium, app, mode) as page:
        page.evaluate(script)
        for name in ("Generate", "Explore", "Cards"):
            tab(page, name)
            if name == "Explore":
                page.get_by_role("button", name="Start from a seed").click()
                page.get_by_role("button", name="Walk", exact=True).click()
                page.wait_for_selector("#walk-result img")
            page.wait_for_timeout(1500)
            found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
            told = [(v["id"], node["html"][:200]) for v in found for node in v["nodes"]]
            assert not told, f"{mode}, {name}: {told}"
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, f"{mode}, {name}: {wide} pixels too wide"

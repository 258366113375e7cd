"""The Verify tab alone, in a real Chromium: what it says of files, and that nothing in it stands in anyone's way."""

import io

import pytest
from PIL import Image
from small_models import RunningApp, build_shelf
from test_app_api import Endpoints
from test_app_browser import AXE, MODES, PATIENCE, downloaded

from audits.provenance.ledger import Ledger
from audits.provenance.recording import entry_of

pytestmark = pytest.mark.browser

SCRIPT = """
import gradio as gr
from genlab.tabs import names, theme, verify

with gr.Blocks(title="GenLab") as demo:
    gr.HTML("<h1>Verify</h1>")
    verify.build(demo)
demo.launch(theme=theme.theme(), css=theme.CSS, js=names.SCRIPT, ssr_mode=False, footer_links=[], strict_cors=True)
"""


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return tmp_path_factory.mktemp("verify")


@pytest.fixture(scope="module")
def app(work):
    (work / "only_verify.py").write_text(SCRIPT)
    running = RunningApp(build_shelf(work / "shelf"), work, str(work / "only_verify.py"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def files(work, app):
    """A sealed item, an edited copy, a stranger, and a text with its claim: paths."""
    from audits.provenance import Claim, development_key, seal
    from genlab.studio import generate

    key, patch = development_key(work / "keys"), pytest.MonkeyPatch()
    patch.setenv("GENLAB_SHELF", str(work / "shelf"))
    patch.setattr("genlab.studio.marking.key", lambda: key)
    patch.setenv("GENLAB_LEDGER", str(work / "ledger"))
    patch.setattr("genlab.studio.ledger._open", {})
    made = generate.generate("gan-small", seed=41, count=2).pictures[1]
    text = seal(b"name,seed\n" * 20, "text/csv", Claim("gan-small", "w", "table", 1, {"<b>": "<script>"}), key=key)
    Ledger(f"sqlite:///{work / 'ledger' / 'ledger.sqlite'}").append([entry_of(text, thumbnail=False)])
    patch.undo()
    edited = io.BytesIO()
    Image.open(io.BytesIO(made.media)).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(edited, "JPEG", quality=80)
    contents = {"made.png": made.media, "edited.jpg": edited.getvalue(), "broken.png": made.media[:500]}
    contents |= {"notes.csv": text.media, "notes.csv.claim.json": text.sidecar, "stranger.txt": b"just words\n" * 9}
    for name, content in contents.items():
        (work / name).write_bytes(content)
    return {name: work / name for name in contents}


@pytest.fixture
def page(chromium, app, request):
    context = chromium.new_context(reduced_motion="reduce", accept_downloads=True, **MODES[request.param])
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.asked = []
    page.on("request", lambda asked: page.asked.append(asked.url))
    page.goto(f"{app.url}?__theme={'dark' if request.param == 'dark' else 'light'}")
    page.wait_for_selector("#verify-file input[type=file]", state="attached")
    yield page
    context.close()


def drop(page, path, words):
    remove = page.locator("#verify-file").get_by_role("button", name="Clear")
    if remove.count():
        remove.first.click()
        page.wait_for_selector("text=Nothing was looked at yet")
    page.locator("#verify-file input[type=file]").set_input_files(path)
    page.wait_for_selector(f"#verdict >> text={words}")
    return page.locator("#verdict").inner_text()


@pytest.mark.parametrize("page", ["light"], indirect=True)
def test_files_are_told_apart_and_made_again(page, files, app):
    told = drop(page, files["made.png"], "Made here by gan-small, seed 42")
    assert "this file" in told
    assert "development key" in told
    page.get_by_role("button", name="Make it again from this claim").click()
    again, _ = downloaded(page, "Download it")
    assert Image.open(io.BytesIO(again)).tobytes() == Image.open(files["made.png"]).tobytes()
    told = drop(page, files["edited.jpg"], "Made here by gan-small, seed 42; edited since")
    assert "mirrored, saved as JPEG" in told
    drop(page, files["stranger.txt"], "No mark of this lab found; that does not prove it is real.")
    assert not page.get_by_role("button", name="Make it again from this claim").is_visible()
    drop(page, files["broken.png"], "This file cannot be read")
    assert (
        page.locator(".command textarea:visible, .command input:visible")
        .first.input_value()
        .startswith("python -m genlab verify ")
    )
    drop(page, files["notes.csv"], "Made here by gan-small, table, seed 1")
    page.wait_for_selector("text=which cannot be repeated here")
    certificate, name = downloaded(page, "Public certificate")
    assert name == "genlab-certificate.pem"
    assert certificate.startswith(b"-----BEGIN CERTIFICATE-----")
    assert all(url.startswith((app.url, "data:", "blob:")) for url in page.asked)


@pytest.mark.parametrize("page", list(MODES), indirect=True)
def test_nothing_stands_in_anyones_way(page, files):
    page.evaluate(AXE.read_text(encoding="utf-8"))
    for name, words in ((None, ""), ("made.png", "Made here"), ("edited.jpg", "edited since")):
        if name:
            drop(page, files[name], words)
        page.wait_for_timeout(700)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        told = [(v["id"], node["html"][:200]) for v in found for node in v["nodes"]]
        assert not told
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


@pytest.mark.parametrize("page", list(MODES), indirect=True)
def test_the_attack_bench(page):
    page.get_by_role("button", name="Attack bench").click()
    page.wait_for_selector("#attacked >> text=nothing but its metadata taken away")
    page.get_by_label("Mirrored").check()
    page.wait_for_selector("#attacked >> text=Done to it: mirrored.")
    told = page.locator("#attacked").inner_text()
    assert "edited since: mirrored, its manifest is gone" in told
    assert told.count("lives") == 2
    page.get_by_label("number input for Items").fill("1")
    page.get_by_role("button", name="Run every edit").click()
    page.wait_for_selector("#battery table")
    assert page.locator("#battery tbody tr").count() == 32
    page.get_by_role("button", name="What watermarks cannot do").click()
    page.wait_for_selector("#mark-limits >> text=A mark can be copied")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    page.wait_for_timeout(700)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    assert not [(v["id"], node["html"][:200]) for v in found for node in v["nodes"]]
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    page.locator("#attack-model input").fill("hub:one-word")
    page.locator("#attack-model input").press("Enter")
    page.wait_for_selector("text=named owner/model")


def test_the_attack_endpoint(app):
    call = Endpoints(app.url)
    _, told = call("attack", "gan-small", 5, {"crop": 0.8})
    assert told["known"]
    assert "cut to about 64%" in told["sentence"]
    for edit, words in (({"turn": 99}, "turn is a number from -45 to 45"), ({"melt": 1}, "Edits are crop, turn")):
        assert words in call.refused("attack", "gan-small", 5, edit)


def test_the_endpoint(app, files):
    call = Endpoints(app.url)
    upload = call.upload(files["edited.jpg"].read_bytes(), "edited.jpg")
    (answer,) = call("verify", upload, None)
    assert answer["sentence"].startswith("Made here by gan-small, seed 42; edited since: mirrored")
    assert answer["verdict"] == "altered"
    assert answer["claim"]["seed"] == 42
    assert [layer["layer"] for layer in answer["layers"]] == ["manifest", "pixel mark", "ledger"]
    text, claim = (call.upload(files[name].read_bytes(), name) for name in ("notes.csv", "notes.csv.claim.json"))
    assert call("verify", text, claim)[0]["layers"][0]["state"] == "valid"
    assert "No picture was uploaded" in call.refused("verify", None, None)

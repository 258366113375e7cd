"""Every named endpoint over plain HTTP: what it gives, what it says to bad input, and how fast it is."""

import hashlib
import io
import json
import os
import statistics
import time
import zipfile
from pathlib import Path

import httpx
import pytest
from small_models import picture

from audits.provenance import read_claim

API = "gradio_api/"
DRAWING = ["gan-plain", "gan-small", "vae-conditional", "vae-small"]


class Endpoints:
    """Calls by name: the two requests that any client makes, and nothing of a client's own."""

    def __init__(self, url: str):
        self.http, self.url = httpx.Client(base_url=url, timeout=120), url

    def send(self, name: str, *data, raw: str | None = None) -> tuple[str, object]:
        """("complete", outputs) or ("error", what it says)."""
        body = raw or json.dumps({"data": list(data)})
        posted = self.http.post(f"{API}call/{name}", content=body, headers={"content-type": "application/json"})
        if posted.status_code != 200:
            return "error", posted.json()
        text = self.http.get(f"{API}call/{name}/{posted.json()['event_id']}").text
        lines = [line for line in text.splitlines() if line.startswith(("event: ", "data: "))]
        return lines[-2].removeprefix("event: "), json.loads(lines[-1].removeprefix("data: "))

    def __call__(self, name: str, *data):
        event, outputs = self.send(name, *data)
        assert event == "complete", outputs
        return outputs

    def refused(self, name: str, *data, raw: str | None = None) -> str:
        event, told = self.send(name, *data, raw=raw)
        assert event == "error", told
        return told["error"] or ""

    def upload(self, content: bytes, name: str) -> dict:
        answer = self.http.post(f"{API}upload", files={"files": (name, content)})
        assert answer.status_code == 200, answer.text
        return {"path": answer.json()[0], "orig_name": name, "meta": {"_type": "gradio.FileData"}}

    def fetch(self, file: dict) -> bytes:
        return self.http.get(file["url"]).content


@pytest.fixture(scope="module")
def call(small_app):
    return Endpoints(small_app.url)


def test_models_are_listed_with_their_knobs(call):
    (listed,) = call("models")
    assert [m["name"] for m in listed] == [*DRAWING, "ae-fashion-flat", "ae-fashion-wide"]
    assert listed[1]["knobs"][0]["name"] == "truncation"


def test_generate_then_regenerate(call):
    files, sheet, archive, claims = call("generate", "gan-small", "bag", 7, 3, {"truncation": 2})
    assert [c["seed"] for c in claims] == [7, 8, 9]
    media = call.fetch(files[1])
    assert read_claim(media).as_dict() == claims[1]
    assert read_claim(call.fetch(sheet)).inputs["sheet"] == "3"
    with zipfile.ZipFile(io.BytesIO(call.fetch(archive))) as packed:
        listed = json.loads(packed.read("manifest.json"))
    assert listed[1] == {"file": files[1]["orig_name"], "sha256": hashlib.sha256(media).hexdigest(), "claim": claims[1]}
    again, claim = call("regenerate", call.upload(media, "mine.png"))
    assert call.fetch(again) == media
    assert claim == claims[1]


def test_codes_and_walks(call):
    (start,) = call("encode", "vae-small", "seed", 3, "coat", None, "auto")
    (end,) = call("encode", "vae-small", "upload", 0, "", call.upload(picture(), "coat.png"), "auto")
    decoded, claim = call("decode", "vae-small", start["code"])
    assert read_claim(call.fetch(decoded)).as_dict() == claim
    strip, gif, mp4, claim = call("walk", "vae-small", start["code"], end["code"], 5, "linear")
    for file, begins in ((strip, b"\x89PNG"), (gif, b"GIF8"), (mp4, b"\0\0\0")):
        media = call.fetch(file)
        assert media.startswith(begins)
        assert read_claim(media).action == "walk"
        assert call.fetch(call("regenerate", call.upload(media, file["orig_name"]))[0]) == media
    place, file = call("map_point", "vae-small", 0.25, 0.5)
    assert len(place["code"]) == 16
    assert sum(place["classes"].values()) == pytest.approx(1)
    assert read_claim(call.fetch(file)).inputs["from"] == "map 0.250, 0.500"
    (ordered,) = call("dimensions", "vae-small")
    changes = [d["importance"] for d in ordered]
    assert changes == sorted(changes, reverse=True)


def test_cards(call):
    (text,) = call("card", "gan-small")
    assert "## gan-small" in text
    assert "isuse" in text


SEED, COUNT = "The seed must be a whole number", "The count must be a whole number from 1 to 64"
BAD = [
    ("generate", ["gan-small", "", "abc", 1, {}], SEED),
    ("generate", ["gan-small", "", -1, 1, {}], SEED),
    ("generate", ["gan-small", "", None, 1, {}], SEED),
    ("generate", ["gan-small", "", 1e308, 1, {}], SEED),
    ("generate", ["gan-small", "", 1.5, 1, {}], SEED),
    ("generate", ["gan-small", "", 0, 0, {}], COUNT),
    ("generate", ["gan-small", "", 0, -5, {}], COUNT),
    ("generate", ["gan-small", "", 0, 10_000, {}], COUNT),
    ("generate", ["gan-small", "", 0, 4.7, {}], COUNT),
    ("generate", ["gan-small", "", 0, 1e9, {}], COUNT),
    ("generate", ["nobody", "", 0, 1, {}], "Models are ae-fashion-flat, ae-fashion-wide, gan-plain"),
    ("generate", ["../gan-small", "", 0, 1, {}], "Models are"),
    ("generate", [None, "", 0, 1, {}], "Models are"),
    ("generate", [{"a": [1]}, "", 0, 1, {}], "Models are"),
    ("generate", ["gan-small", "hat", 0, 1, {}], "Classes of gan-small are"),
    ("generate", ["gan-small", "\u202ebag\0", 0, 1, {}], "Classes of gan-small are"),
    ("generate", ["gan-small", "", 0, 1, {"heat": 1}], "Knobs of this model are"),
    ("generate", ["gan-small", "", 0, 1, {"truncation": "2"}], "truncation is a number"),
    ("generate", ["gan-small", "", 0, 1, [[[]]]], "Knobs are names with values"),
    ("generate", ["judge-small", "", 0, 1, {}], "judge-small cannot generate"),
    ("generate", ["hub:one-word", "", 0, 1, {}], "named owner/model"),
    (
        "generate",
        ["hub:owner/model", "", 0, 9, {}],
        "count of a pipeline of the Hub must be a whole number from 1 to 8",
    ),
    ("generate", ["hub:owner/model", "", 0, 1, {"prompt": " "}], "an empty one was given"),
    ("encode", ["vae-small", "photo", 0, "", None, "auto"], "Kinds of starting items"),
    ("encode", ["vae-small", "example", 500, "", None, "auto"], "from 0 to 499"),
    ("encode", ["vae-small", "upload", 0, "", None, "auto"], "No picture was uploaded"),
    ("encode", ["gan-small", "seed", 0, "", None, "auto"], "gan-small cannot autoencode"),
    ("decode", ["vae-small", [1, 2]], "list of 16 numbers"),
    ("decode", ["vae-small", "x"], "list of 16 numbers"),
    ("map_point", ["vae-small", 2, 0], "x is a number from 0 to 1"),
    ("walk", ["vae-small", [0] * 16, None, 5, "linear"], "list of 16 numbers"),
    ("walk", ["vae-small", [0] * 16, [1] * 16, 10_000, "linear"], "number of frames"),
    ("regenerate", [None], "No picture was uploaded"),
    ("card", ["nobody"], "Models are"),
]


@pytest.mark.parametrize(("name", "data", "sentence"), BAD, ids=str)
def test_bad_input_is_one_sentence(call, name, data, sentence):
    told = call.refused(name, *data)
    assert sentence in told
    assert "\n" not in told
    assert "Traceback" not in told


def test_nan_is_one_sentence(call):
    assert SEED in call.refused("generate", raw='{"data": ["gan-small", "", NaN, 1, {}]}')


@pytest.mark.parametrize(
    ("content", "name", "sentence"),
    [
        (b"nonsense", "a.png", "not a PNG"),
        (picture()[:90], "a.png", "damaged"),
        (b"<svg onload='alert(1)'/>", "a.svg", "not a PNG"),
        (b"", "a.png", "empty"),
    ],
)
def test_bad_uploads_are_one_sentence(call, content, name, sentence):
    file = call.upload(content, name)
    assert sentence in call.refused("encode", "vae-small", "upload", 0, "", file, "auto")


def test_files_of_this_machine_and_of_others_are_out_of_reach(call):
    for path in ("/etc/passwd", "../../etc/passwd", "http://127.0.0.1:1/a.png", "file:///etc/passwd"):
        file = {"path": path, "meta": {"_type": "gradio.FileData"}}
        told = call.refused("regenerate", file)
        assert "root:" not in told
    for path in ("/etc/passwd", f"{Path.cwd()}/app.py", "model_cards/../app.py"):
        assert call.http.get(f"{API}file={path}").status_code in (403, 404)


def test_a_large_body_is_refused(call):
    answer = call.http.post(f"{API}call/generate", json={"data": ["x" * 300_000]})
    assert answer.status_code == 413
    assert "256 kB" in answer.json()["detail"]


def test_every_kind_brings_an_item_back(call):
    asked = ["example", 3, None, "auto", "gaussian", 0.2, 4]
    files, told = call("reconstruct", *asked)
    assert [row["model"] for row in told] == ["ae-fashion-flat", "ae-fashion-wide", "vae-small"]
    for file, row in zip(files, told, strict=True):
        media = call.fetch(file)
        claim = read_claim(media)
        assert (claim.model, claim.action, claim.seed) == (row["model"], "reconstruct", 4)
        assert row["psnr"] > 0
        assert 0 <= row["silent"] <= 1
    again, _ = call("regenerate", call.upload(call.fetch(files[0]), "back.png"))
    assert call.fetch(again) == call.fetch(files[0])
    given = call.upload(picture(), "mine.png")
    files, _ = call("reconstruct", "upload", 0, given, "auto", "none", 0, 0)
    assert read_claim(call.fetch(files[0])).inputs["from"].startswith("upload ")
    for bad, words in (
        (["camera", *asked[1:]], "Items come from"),
        (["example", 1e308, *asked[2:]], "whole number"),
        (["example", None, *asked[2:]], "whole number"),
        (["upload", *asked[1:]], "No picture was uploaded"),
        ([*asked[:4], "rain", 0.2, 4], "Kinds of noise"),
        ([*asked[:5], "much", 4], "from 0 to 0.8"),
        ([*asked[:6], -1], "seed"),
    ):
        assert words in call.refused("reconstruct", *bad)


def test_features_and_maps_leave_as_numbers(call):
    (file,) = call("features", "ae-fashion-flat", [call.upload(picture(), "=1.png")], "csv")
    lines = call.fetch(file).decode().splitlines()
    assert lines[0] == "item,z0,z1"
    assert lines[1].startswith("'=1.png,")
    assert "csv or npz" in call.refused("features", "ae-fashion-flat", [], "xlsx")
    assert "cannot autoencode" in call.refused("features", "gan-small", [], "csv")
    (told,) = call("layout", "ae-fashion-flat")
    assert len(told["points"]) == 500
    assert not told["fitted"]
    for score in told["scores"].values():
        assert score["low"] <= score["value"] <= score["high"]
    assert "laid out by" in call.refused("layout", "astrology")


def test_events_of_the_page_are_not_offered_to_programs(call):
    info = call.http.get(f"{API}info").json()
    expected = {"card", "decode", "dimensions", "encode", "generate", "map_point", "models", "regenerate", "walk"}
    expected |= {"attack", "audit_file", "audit_model", "mitigate", "plan_audit", "verify"}
    expected |= {"appear", "complete", "compress", "decompress", "detect", "features", "layout", "reconstruct"}
    expected |= {"train_animation", "train_control", "train_start", "train_state"}
    expected |= {"fill", "surprise", "vary", "write"}
    assert set(info["named_endpoints"]) == {f"/{name}" for name in expected}
    assert not info["unnamed_endpoints"]


def test_the_same_actions_are_mcp_tools(call):
    schema = call.http.get(f"{API}mcp/schema").json()
    names = {tool["name"] for tool in schema}
    assert {"generate", "regenerate", "walk", "decode"} <= names
    assert len(names) == 31
    assert all(tool["description"] for tool in schema)


def test_gradio_client_can_use_it(small_app, tmp_path):
    from gradio_client import Client

    client = Client(small_app.url, download_files=str(tmp_path), verbose=False)
    files, *_ = client.predict("gan-small", "bag", 5, 2, {}, api_name="/generate")
    assert read_claim(Path(files[0]).read_bytes()).seed == 5


def test_the_first_page_comes_soon(app):
    assert app.seconds_to_first_page < 60  # 12 on two quiet cores; test machines are busy


def processor_seconds(process) -> float:
    """What a running process has used so far, all its threads together."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # user and system, after pid and name


def quiet(process, seconds: float = 400) -> None:
    """Wait until a running process has next to nothing to do: what it warms up after its start is warm."""
    ends, before = time.monotonic() + seconds, processor_seconds(process)
    while time.monotonic() < ends:
        time.sleep(1)
        now = processor_seconds(process)
        if now - before < 0.2:
            return
        before = now


def test_sixteen_samples_come_soon(app, small_app):
    """The figure itself (300 ms on two quiet cores, once warm) is measured by benchmarks/serving.py; here a slip is
    caught.

    A visitor waits for the clock; other programs beside a test stretch that, but not the processor's seconds.
    """
    call = Endpoints(app.url)
    (listed,) = call("models")
    for running in (small_app, app):
        quiet(running.process)
    for model in [m["name"] for m in listed if "generate" in m["capabilities"]]:
        call("generate", model, "", 0, 16, {})
        walls, worked = [], []
        for i in range(5):
            began, before = time.perf_counter(), processor_seconds(app.process)
            call("generate", model, "", 16 * i, 16, {})
            walls.append(time.perf_counter() - began)
            worked.append(processor_seconds(app.process) - before)
        print(f"{model}: {1000 * min(walls):.0f} ms at best, {1000 * statistics.median(walls):.0f} ms in the middle, "
              f"{1000 * min(worked):.0f} ms of the processor")  # fmt: skip
        assert min(*walls, *worked) < 3, model  # ten times the figure

"""Two visitors train toys in a running app while a third uses another tab: refreshes, steps a second, and who waits.

`python benchmarks/live_training.py` starts the app on a free port, with folders of its own, and writes
benchmarks/results/live_training.json after every part. Visitors are plain HTTP: each polls as the page does, five times
a second, and counts the answers that carried a new frame.
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx

REPOSITORY = Path(__file__).resolve().parent.parent
RESULTS = REPOSITORY / "benchmarks" / "results" / "live_training.json"
TICK = 0.2  # seconds, as genlab/tabs/train.py has it
RUNS = {
    "GAN, ring": {"data": "ring", "loss": "non-saturating", "steps": 20_000},
    "WGAN-GP, ring": {"data": "ring", "loss": "wasserstein-gp", "steps": 20_000},
    "VAE, moons": {"data": "moons", "family": "vae", "steps": 20_000},
}
OTHER = ["vae-fashion", [0.0] * 32]  # of `decode`, which is what another tab asks for when its map is pointed at


class App:
    """`python app.py` on a free port, with folders of its own; `url` ends in a slash."""

    def __init__(self, work: Path):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/"
        environment = {
            **os.environ, "PYTHONPATH": str(REPOSITORY), "GENLAB_CACHE": str(work / "cache"),
            "GENLAB_KEY_FOLDER": str(work / "keys"), "GENLAB_LEDGER": str(work / "ledger"),
            "GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": str(work / "files"),
        }  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=REPOSITORY, env=environment, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(self.url, timeout=5).status_code == 200:
                    return
            if self.process.poll() is not None:
                raise RuntimeError("The app did not start.")
            time.sleep(0.2)

    def stop(self) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(30)


def timer_of(url: str) -> int:
    """The number of the timer's event on the page."""
    config = httpx.get(f"{url}config", timeout=60).json()
    timers = {c["id"] for c in config["components"] if c["type"] == "timer"}
    return next(e["id"] for e in config["dependencies"] if any(t in timers and w == "tick" for t, w in e["targets"]))


class Visitor:
    """A page at work: starts a run as a program may, and then does what the timer does."""

    def __init__(self, url: str, tick: int, settings: dict):
        self.http, self.tick, self.settings = httpx.Client(base_url=url, timeout=60), tick, settings
        self.session = f"bench{id(self)}"
        self.key, self.times, self.bytes, self.waits = "", [], 0, []

    def call(self, name: str, *data) -> list:
        """The outputs of a public endpoint."""
        posted = self.http.post(f"gradio_api/call/{name}", json={"data": list(data)}).json()
        text = self.http.get(f"gradio_api/call/{name}/{posted['event_id']}").text
        return json.loads([line for line in text.splitlines() if line.startswith("data: ")][-1].removeprefix("data: "))

    def start(self) -> None:
        self.key = self.call("train_start", self.settings, None, None)[0]

    def step(self) -> int:
        models = self.call("train_state", self.key)[0]["models"]
        return models[0]["step"] if models else 0

    def watch(self, seconds: float) -> None:
        """Poll for so long; notes when an answer brought a new stage."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            began = time.perf_counter()
            answer = self.http.post("gradio_api/run/predict", json={
                "data": [self.key, None, 100], "fn_index": self.tick, "session_hash": self.session,
            })  # fmt: skip
            now = time.perf_counter()
            self.waits.append(now - began)
            self.bytes += len(answer.content)
            if "<figure" in answer.text:
                self.times.append(now)
            time.sleep(max(0.0, TICK - (now - began)))


def measure(url: str, process: int, tick: int, settings: dict, visitors: int, seconds: float) -> dict:
    """Steps a second and refreshes a second of each visitor, and how long a decoding elsewhere takes meanwhile."""
    people = [Visitor(url, tick, settings) for _ in range(visitors)]
    for person in people:
        person.start()
    began = time.monotonic()
    while min(person.step() for person in people) < 20:
        if time.monotonic() - began > 300:
            raise RuntimeError("The runs did not begin.")
        time.sleep(0.2)
    first, t, spent = [person.step() for person in people], time.perf_counter(), cpu_seconds(process)
    threads = [threading.Thread(target=person.watch, args=(seconds,)) for person in people]
    for thread in threads:
        thread.start()
    elsewhere = latency(url, seconds)
    for thread in threads:
        thread.join()
    wall = time.perf_counter() - t
    used = (cpu_seconds(process) - spent) / wall
    steps = [(person.step() - before) / wall for person, before in zip(people, first, strict=True)]
    for person in people:
        person.call("train_control", person.key, "stop")
    time.sleep(1)
    return {
        "visitors": visitors,
        "cores_used": round(used, 2),
        "steps_a_second": [round(value, 1) for value in steps],
        "refreshes_a_second": [round(len(person.times) / seconds, 2) for person in people],
        "poll_ms": round(1000 * statistics.median(w for person in people for w in person.waits), 1),
        "poll_ms_p95": round(1000 * share(0.95, [w for person in people for w in person.waits]), 1),
        "kilobytes_a_refresh": round(
            sum(p.bytes for p in people) / 1024 / max(1, sum(len(p.times) for p in people)), 1
        ),
        "decode_elsewhere_ms": elsewhere,
    }


def cpu_seconds(process: int) -> float:
    """What the app and the processes it started have computed so far: how far from a whole machine it had."""
    total, ticks = 0, os.sysconf("SC_CLK_TCK")
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[2]) == process:  # the process group that the app leads
                total += int(fields[11]) + int(fields[12])
    return total / ticks


def share(part: float, values: list[float]) -> float:
    """The value that this part of them does not exceed."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def latency(url: str, seconds: float) -> dict:
    """Milliseconds that a decoding takes, asked for once a second."""
    visitor, end, found = Visitor(url, 0, {}), time.perf_counter() + seconds, []
    while time.perf_counter() < end:
        began = time.perf_counter()
        visitor.call("decode", *OTHER)
        found.append(1000 * (time.perf_counter() - began))
        OTHER[1] = [value + 0.01 for value in OTHER[1]]  # a new code, so that nothing is remembered
        time.sleep(max(0.0, 1 - (time.perf_counter() - began)))
    return {"median": round(statistics.median(found), 1), "worst": round(max(found), 1), "n": len(found)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20, help="of each measurement")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        app = App(Path(work))
        try:
            tick = timer_of(app.url)
            time.sleep(60)  # the app warms its models up in the background
            found: dict = {"machine": machine(), "seconds": arguments.seconds}
            found["decode_alone_ms"] = latency(app.url, arguments.seconds)
            save(arguments.out, found)
            found["runs"] = {}
            for name, settings in RUNS.items():
                for visitors in (1, 2):
                    row = measure(app.url, app.process.pid, tick, settings, visitors, arguments.seconds)
                    found["runs"].setdefault(name, []).append(row)
                    found["load_average"] = os.getloadavg()[0]
                    print(name, json.dumps(row), flush=True)
                    save(arguments.out, found)
        finally:
            app.stop()


def save(path: Path, found: dict) -> None:
    """By temporary file and rename, after every part."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, path)


def machine() -> dict:
    """What it ran on."""
    sys.path.insert(0, str(REPOSITORY))
    from genlab.device import describe

    return {"device": describe("cpu"), "cores": len(os.sched_getaffinity(0)), "load_average": os.getloadavg()[0]}


if __name__ == "__main__":
    main()

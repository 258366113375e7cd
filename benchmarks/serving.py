"""How quickly the app starts and answers: `python benchmarks/serving.py`, written to benchmarks/results/serving.json.

Three figures, each on this machine as it is: from `python app.py` to a page in headless Chromium whose
button can be pressed; the first 16 samples after the start; and 16 samples once warm, end to end over raw
HTTP (request, queue, network, PNGs, seals, archive; the client is this process).
"""

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "serving.json"
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_page(address: str, process: subprocess.Popen, limit: float = 120.0) -> None:
    """Return when the server answers; raise when it died or the limit is over."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError("app.py stopped before it answered.")
        try:
            if httpx.get(address, timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise RuntimeError(f"app.py did not answer within {limit:.0f} s.")


def generate(client: httpx.Client, model: str, seed: int, count: int = 16) -> float:
    """Seconds of one request for samples, from the first byte sent to the last received."""
    started = time.perf_counter()
    body = {"data": [model, "", seed, count, {}]}
    event = client.post("/gradio_api/call/generate", json=body).raise_for_status().json()["event_id"]
    with client.stream("GET", f"/gradio_api/call/generate/{event}") as stream:
        text = "".join(stream.iter_text())
    if "event: complete" not in text:
        raise RuntimeError(f"/generate answered {text[:300]!r}.")
    return time.perf_counter() - started


def first_page(address: str) -> None:
    """Open the page in Chromium and wait until its button can be pressed."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        page.goto(address)
        page.get_by_role("button", name="Generate", exact=True).first.wait_for(state="visible", timeout=60_000)
        browser.close()


def measure(models: list[str], repeats: int) -> dict:
    """All figures of one start of the app."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    environment = os.environ | {"GRADIO_SERVER_PORT": str(port)}
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        wait_for_page(address, process)
        answered = time.monotonic() - started
        first_page(address)
        usable = time.monotonic() - started
        figures = {"first_answer_s": round(answered, 2), "first_page_usable_s": round(usable, 2)}
        with httpx.Client(base_url=address, timeout=60) as client:
            for model in models:
                figures[f"{model}_first_request_s"] = round(generate(client, model, 0), 3)
                times = sorted(generate(client, model, 100 + i) for i in range(repeats))
                figures[f"{model}_16_samples_median_s"] = round(statistics.median(times), 3)
                figures[f"{model}_16_samples_p95_s"] = round(times[int(0.95 * (len(times) - 1))], 3)
        return figures
    finally:
        process.terminate()
        process.wait(timeout=20)


def machine() -> str:
    """The machine in words."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    return f"{os.cpu_count()} cores, {model or platform.machine()}"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["vae-fashion", "gan-fashion"])
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    figures = measure(options.models, options.repeats)
    load = os.getloadavg()[0]
    result = {
        "command": "python benchmarks/serving.py",
        "machine": machine(),
        "load_average": round(load, 2),
        "repeats": options.repeats,
        "figures": figures,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    for name, value in figures.items():
        print(f"{name:36s} {value:8.3f}")


if __name__ == "__main__":
    main()

"""`python -m genlab train` killed in mid-run: the same command goes on, and the weights are those of a whole run."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
# The command line as it is, with a tiny recipe in the table, a pause after each step, and a save after each step.
SCRIPT = """
import functools, sys, time
import numpy as np
from genlab import __main__, recipes
from genlab.data import Data
from genlab.fit import fit

def slow(*args, **kwargs):
    for progress in fit(*args, save_seconds=0.0, **kwargs):
        time.sleep(PAUSE)
        yield progress

PAUSE = float(sys.argv.pop(1))
items = np.random.default_rng(0).integers(0, 256, (60, 1, 8, 8), dtype=np.uint8)
recipes.load = lambda name: Data(name, "train", items, np.zeros(60, np.int64), ("all",), "CC0-1.0", "Nobody")
recipes.fit = slow
recipes.RECIPES["gan-tiny"] = recipes.Recipe(
    "gan", "tiny", {"shape": (1, 8, 8), "latent": 3, "width": 4}, steps=40, batch=8, lr=1e-3, ema=0.9
)
sys.exit(__main__.main(sys.argv[1:]))
"""


def command(script: Path, work: Path, pause: float) -> list[str]:
    return [sys.executable, str(script), str(pause), "train", "gan-tiny", "--work", str(work)]


def weights(work: Path) -> str:
    return json.loads((work / "gan-tiny" / "config.json").read_text())["weights_sha256"]


def test_a_killed_command_goes_on_to_the_same_bits(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(command(script, whole, 0), env=environment, check=True, capture_output=True, timeout=300)

    run = subprocess.Popen(command(script, killed, 0.2), env=environment, stdout=subprocess.DEVNULL)
    state, began = killed / "gan-tiny" / "resume.pt", time.monotonic()
    while not state.exists() and run.poll() is None and time.monotonic() - began < 240:
        time.sleep(0.02)
    time.sleep(0.5)
    run.send_signal(signal.SIGKILL)
    assert run.wait(30) == -signal.SIGKILL, "it ended before it was killed"
    assert state.exists()
    assert not (killed / "gan-tiny" / "config.json").exists()

    subprocess.run(command(script, killed, 0), env=environment, check=True, capture_output=True, timeout=300)
    assert not state.exists()
    assert weights(killed) == weights(whole)

"""Devices: what is refused, what is described, and ZeroGPU's rule that work crosses a fork as pickles."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from genlab import device

REPOSITORY = Path(__file__).resolve().parent.parent

# Stands in for the package of a ZeroGPU Space: every borrowed function runs in a forked child, and what goes
# in and comes out is pickled, so that a tensor of the device or an open file could not pass.
SHIM = """
import os, pickle, sys, traceback

calls = []

def GPU(function=None, duration=60):
    if function is None:
        return lambda f: GPU(f, duration)
    def borrowed(*args, **kwargs):
        calls.append(duration)
        sent = pickle.dumps((args, kwargs))
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            try:
                a, k = pickle.loads(sent)
                answer = pickle.dumps((True, function(*a, **k)))
            except BaseException as error:
                traceback.print_exc()
                answer = pickle.dumps((False, repr(error)))
            with os.fdopen(writer, "wb") as out:
                out.write(answer)
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as into:
            good, value = pickle.loads(into.read())
        os.waitpid(child, 0)
        if not good:
            raise RuntimeError(value)
        return value
    return borrowed
"""

SCRIPT = """
import spaces
from genlab import device
assert device.ZERO_GPU
assert (device.serving_device(), device.lasting_device()) == ("cuda", "cpu")
device.serving_device = lambda: "cpu"
from genlab.studio import decode, encode, generate, walk
made = generate.generate("vae-tiny", seed=3, count=3)
assert len(made.pictures) == 3
code = encode.encode("vae-tiny", kind="example", number=0)
decode.decode("vae-tiny", list(code.code))
assert walk.walk("vae-tiny", code, encode.encode("vae-tiny", kind="seed", number=1, label=""), frames=3).gif
assert spaces.calls and all(5 <= seconds <= 15 for seconds in spaces.calls), spaces.calls
print("borrowed", len(spaces.calls))
"""


def test_zero_gpu_functions_cross_a_fork(tiny_shelf, tmp_path):
    (tmp_path / "spaces.py").write_text(SHIM)
    environment = os.environ | {
        "SPACES_ZERO_GPU": "1",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(REPOSITORY)]),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "borrowed" in done.stdout


def test_elsewhere_the_decorator_changes_nothing():
    def work():
        return 1

    assert device.gpu(5)(work) is work


@pytest.mark.parametrize("name", ["tpu", "cuda:x", "meta", ""])
def test_unknown_devices_get_one_sentence(name):
    with pytest.raises(ValueError, match="Devices are cpu and cuda"):
        device.check_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_a_missing_device_is_said():
    with pytest.raises(ValueError, match="no CUDA device: use --device cpu"):
        device.check_device("cuda")


def test_the_description_names_threads():
    assert f"{torch.get_num_threads()} thread" in device.describe("cpu")

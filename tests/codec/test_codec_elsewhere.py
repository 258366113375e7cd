"""A file written here is read with other arithmetic: other vector instructions round otherwise, as machines do."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from genlab import checkpoint
from genlab.codec.bits_back import Coder
from genlab.data import examples

REPOSITORY = Path(__file__).resolve().parents[2]
SHIPPED = checkpoint.SHELF / "vae-fashion"
PLAIN = {  # the slowest kernels of each library; MKL's too, where torch has it
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
    "MKL_CBWR": "COMPATIBLE",
    "OMP_NUM_THREADS": "2",
}
DECODE = """
import sys, numpy as np
from genlab import checkpoint
from genlab.codec.bits_back import Coder
file, out, folder = sys.argv[1:]
items = Coder(checkpoint.load(__import__("pathlib").Path(folder))).decode(open(file, "rb").read(), 12)
np.save(out, items)
"""


@pytest.mark.skipif(not (SHIPPED / checkpoint.WEIGHTS).is_file(), reason="vae-fashion is not trained here")
def test_a_file_is_read_with_other_instructions(tmp_path):
    items = examples.load("fashion").items[:12]
    (tmp_path / "file").write_bytes(Coder(checkpoint.load(SHIPPED)).encode(items))
    command = [sys.executable, "-c", DECODE, str(tmp_path / "file"), str(tmp_path / "out.npy"), str(SHIPPED)]
    environment = {**os.environ, **PLAIN, "PYTHONPATH": str(REPOSITORY)}
    subprocess.run(command, env=environment, check=True, cwd=REPOSITORY, timeout=300)
    assert np.array_equal(np.load(tmp_path / "out.npy"), items)

"""Are large inputs audited in time? `python benchmarks/audit_limits.py` writes benchmarks/results/audit_limits.json.

The inputs are made here: a zip of 2,000 pictures in five subfolders, as PNG of 512 pixels a side and as JPEG of 1,024,
and a CSV of 100,000 rows with three columns of groups, an outcome, a validation, hand labels, a reference and a
training set. `python -m audits bias` runs on each as a process of its own. Wall-clock seconds, those of them spent
waiting for a processor that others used (the kernel's run delay; they do not count), processor seconds, and the largest
resident set. The promise: 60 s, 1.5 GB, two cores.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import pandas as pd
from serving import machine

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "audit_limits.json"
SECONDS, BYTES = 60, 1.5e9
GROUPS, SHARES = ("very light", "light", "tan", "brown", "dark"), (0.55, 0.20, 0.12, 0.08, 0.05)
PICTURES, DIFFERENT, ROWS, VALIDATED, LOOKED = 2_000, 40, 100_000, 1_000, 100
KINDS = {"PNG": 512, "JPEG": 1024}  # side in pixels


def pictures(path: Path, kind: str, side: int) -> None:
    """A zip of pictures that compress like photographs, smooth colours with grain; each of 40 is there 50 times."""
    import io

    from PIL import Image

    rng, files = np.random.default_rng(0), []
    for _ in range(DIFFERENT):
        small = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        smooth = np.asarray(small.resize((side, side), Image.Resampling.BICUBIC), np.int16)
        grain = rng.integers(-4, 5, (side, side, 1), dtype=np.int16)
        file = io.BytesIO()
        Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8)).save(file, kind)
        files.append(file.getvalue())
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(PICTURES):
            archive.writestr(f"{rng.choice(GROUPS, p=SHARES)}/{i:04}.{kind.lower()}", files[i % DIFFERENT])


def table(folder: Path) -> list[str]:
    """The CSV and what belongs to it; the arguments that name them."""
    rng, names = np.random.default_rng(0), np.array(GROUPS)

    def people(count: int) -> pd.DataFrame:
        tone = rng.choice(5, count, p=SHARES)
        glasses = np.where(rng.random(count) < 0.5 - 0.1 * tone, "glasses", "no glasses")
        found = pd.DataFrame({"item": [f"item{i}" for i in range(count)], "tone": names[tone], "glasses": glasses})
        found["hair"] = rng.choice(["short", "long", "none"], count, p=[0.46, 0.46, 0.08])
        return found.assign(score=rng.random(count).round(4))

    made = people(ROWS)
    made.to_csv(folder / "items.csv", index=False)
    people(ROWS).to_csv(folder / "training.csv", index=False)
    true = np.repeat(np.arange(5), VALIDATED)
    read = np.where(rng.random(len(true)) < 0.95, true, rng.integers(0, 5, len(true)))
    pd.DataFrame({"true": names[true], "predicted": names[read]}).to_csv(folder / "validation.csv", index=False)
    looked = made.groupby("tone").head(LOOKED)
    looked.rename(columns={"tone": "label"})[["item", "label"]].to_csv(folder / "labels.csv", index=False)
    pd.DataFrame({"group": names, "share": SHARES}).to_csv(folder / "reference.csv", index=False)
    arguments = ["--groups", "tone,glasses,hair", "--outcome", "score", "--training", "training.csv"]
    for option in ("validation", "labels", "reference"):
        arguments += [f"--{option}", f"tone={option}.csv"]
    return ["items.csv", *arguments]


def audited(arguments: list[str], folder: Path) -> dict:
    """Seconds and bytes of one audit, run as a process of its own with two threads."""
    command = [sys.executable, "-m", "audits", "bias", *arguments, "--out", "out"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    seconds = time.monotonic() - began
    delay = Path(f"/proc/{process.pid}/schedstat")  # processor time and run delay of the main thread, nanoseconds
    waited = int(delay.read_text().split()[1]) / 1e9 if delay.exists() else 0.0
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with status {process.returncode}.")
    report = json.loads((folder / "out" / "report.json").read_text())
    return {
        "seconds": round(seconds, 1), "waited": round(waited, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_bytes": used.ru_maxrss * 1024, "findings": len(report["findings"]), "title": report["title"],
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        for kind, side in KINDS.items():
            name = f"{PICTURES:,} pictures ({kind}, {side} pixels a side) in a zip"
            pictures(folder / "set.zip", kind, side)
            size = (folder / "set.zip").stat().st_size
            found[name] = audited(["set.zip", "--groups", "folder", "--reference", "uniform"], folder) | {"bytes": size}
        arguments = table(folder)
        size = (folder / "items.csv").stat().st_size
        found[f"{ROWS:,} rows of CSV, with everything an audit can be given"] = audited(arguments, folder) | {
            "bytes": size
        }
    for name, entry in found.items():
        entry["kept"] = entry["seconds"] - entry["waited"] <= SECONDS and entry["peak_bytes"] <= BYTES
        shown = "{seconds} s, {waited} of them waiting, {peak_bytes:,} bytes, kept: {kept}".format(**entry)
        print(f"{name}: {shown}")
    body = {"command": "python benchmarks/audit_limits.py", "machine": machine()}
    body |= {"load average": os.getloadavg()[1], "limits": {"seconds": SECONDS, "bytes": BYTES}, "inputs": found}
    RESULTS.write_text(json.dumps(body, indent=1) + "\n")
    return 0 if all(entry["kept"] for entry in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())

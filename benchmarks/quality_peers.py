"""The quality figures against torch-fidelity and prdc on the same features: how far apart, and how long each takes.

`python benchmarks/quality_peers.py` writes benchmarks/results/quality_peers.json, a step at a time, and goes on where
it stopped. Peers live in an environment of their own, /tmp/peers here, that also sees this one's packages (a file
us.pth in its site-packages names .venv's), with `pip install --no-deps torch-fidelity torchvision prdc`:

    taskset -c 0 env OMP_NUM_THREADS=1 /tmp/peers/bin/python benchmarks/quality_peers.py

Everybody gets the same float64 arrays and one thread: prdc asks for eight, joblib's sequential backend gives it one.
Seconds are CPU seconds of the process, since machines are shared; wall-clock seconds stand beside them. Features: a
random network of two rectified layers on items of Fashion-MNIST (test items as real, mixed-up pairs of training items
as generated), 10,000 x 2,048; and the 64 features of the project's own judge.

With `--device cuda` ours are torch tensors on that device, the way there counted, peers have every core of the
machine's CPU, seconds are those of the clock after a first turn, and quality_peers_cuda.json is written.
"""

import argparse
import contextlib
import functools
import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

if "cuda" not in sys.argv:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from serving import machine

from audits.quality import class_score, frechet_distance, prdc
from audits.quality.kernel import polynomial_mmd
from genlab.data import load
from genlab.metrics.baselines import baseline
from genlab.studio import shelf

RESULTS = Path(__file__).resolve().parent / "results" / "quality_peers.json"
COUNT, WIDTH, FEW = 10_000, 2_048, 2_000
K, K_FIDELITY = 5, 3  # neighbours: of prdc's examples, and torch-fidelity's default


def pictures() -> tuple[np.ndarray, np.ndarray]:
    """Real and generated items (10,000, 784) in [0, 1]."""
    real = load("fashion", "test").items.astype(np.float64) / 255
    made = baseline("mixup", load("fashion"), count=COUNT)[0]
    return real.reshape(COUNT, -1), made.reshape(COUNT, -1).astype(np.float64)


def random_features(real: np.ndarray, fake: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Two rectified layers of random weights, what they take centred by the real items so that few units are dead."""
    rng = np.random.default_rng(7)
    for size in (1024, width):
        weights = rng.normal(size=(real.shape[1], size)) * np.sqrt(2 / real.shape[1])
        bias, middle = 0.1 * rng.normal(size=size), real.mean(0)
        real, fake = (np.maximum(0, (x - middle) @ weights + bias) for x in (real, fake))
    return real, fake


def judged(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, 64) of the judge, and the logits (n, 10) it reads off them."""
    judge = shelf.model("judge-fashion")
    found = judge.features(torch.from_numpy(x.reshape(-1, 1, 28, 28)).float())
    logits = judge.head(torch.nn.functional.silu(found)).detach()
    return found.double().numpy(), logits.double().numpy()


@functools.cache
def operators() -> torch.library.Library:
    """What the binary part of torchvision would define, which torch-fidelity imports and does not use here."""
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


def fidelity(name: str) -> ModuleType:
    """A module of torch-fidelity."""
    operators()
    return importlib.import_module(f"torch_fidelity.{name}")


# ---- each figure by a peer and by us: functions of features (real, fake)


def peer_frechet(real, fake) -> dict:
    fid = fidelity("metric_fid")
    told = [fid.fid_features_to_statistics(torch.from_numpy(x)) for x in (real, fake)]
    return {"distance": fid.fid_statistics_to_metric(*told, False)["frechet_inception_distance"]}


def peer_kernel(real, fake) -> dict:
    told = fidelity("metric_kid").kid_features_to_metric(
        torch.from_numpy(real), torch.from_numpy(fake), kid_subsets=1, kid_subset_size=len(real), verbose=False
    )
    return {"distance": told["kernel_inception_distance_mean"]}


def peer_precision(real, fake) -> dict:
    told = fidelity("metric_prc").prc_features_to_metric(
        torch.from_numpy(fake), torch.from_numpy(real), prc_neighborhood=K_FIDELITY, verbose=False
    )
    return {name: told[name] for name in ("precision", "recall")}


def peer_neighbours(real, fake) -> dict:
    from joblib import parallel_backend
    from prdc import compute_prdc

    alone = parallel_backend("sequential") if torch.get_num_threads() == 1 else contextlib.nullcontext()
    with alone, contextlib.redirect_stdout(None):
        return {name: float(value) for name, value in compute_prdc(real, fake, K).items()}


def peer_score(_, logits) -> dict:
    told = fidelity("metric_isc").isc_features_to_metric(torch.from_numpy(logits), splits=1, shuffle=False)
    return {"score": told["inception_score_mean"]}


def our_score(_, logits) -> dict:
    return {"score": class_score(torch.from_numpy(logits).softmax(1).numpy())}


def our_neighbours(k: int, names: tuple[str, ...]) -> Callable:
    def measure(real, fake) -> dict:
        found = prdc(real, fake, k=k)
        return {name: getattr(found, name) for name in names}

    return measure


FOUR = ("precision", "recall", "density", "coverage")
FIGURES: dict[str, tuple[Callable, Callable]] = {
    "Fréchet distance, torch-fidelity": (lambda a, b: {"distance": frechet_distance(a, b)}, peer_frechet),
    "precision, recall, density and coverage, prdc": (our_neighbours(K, FOUR), peer_neighbours),
    "kernel distance, torch-fidelity": (lambda a, b: {"distance": polynomial_mmd(a, b)}, peer_kernel),
    "precision and recall, torch-fidelity": (our_neighbours(K_FIDELITY, FOUR[:2]), peer_precision),
}


def compared(ours: Callable, peer: Callable, real: np.ndarray, fake: np.ndarray) -> dict:
    """Values of both, the largest relative difference, and the seconds of each."""
    told, seconds, walls = {}, {}, {}
    for who, function in (("ours", ours), ("peer", peer)):
        cpu, wall = time.process_time(), time.perf_counter()
        told[who] = function(real, fake)
        seconds[who], walls[who] = time.process_time() - cpu, time.perf_counter() - wall
    apart = max(abs(value - told["ours"][name]) / max(abs(value), 1e-12) for name, value in told["peer"].items())
    return {
        **told, "relative difference": float(apart), "items": len(real), "width": real.shape[1],
        "CPU seconds": {who: round(s, 2) for who, s in seconds.items()},
        "wall seconds": {who: round(s, 2) for who, s in walls.items()},
        "times as fast": round(seconds["peer"] / max(seconds["ours"], 1e-9), 2),
    }  # fmt: skip


def compared_there(ours: Callable, peer: Callable, real: np.ndarray, fake: np.ndarray) -> dict:
    """The same with ours on the CUDA device, by the clock, the middle of three turns after a first one."""

    def moved(a, b) -> dict:
        found = ours(*(torch.from_numpy(x).cuda() for x in (a, b)))
        torch.cuda.synchronize()
        return found

    told, walls = {}, {}
    for who, function in (("ours", moved), ("peer", peer)):
        taken = []
        for _ in range(4):
            began = time.perf_counter()
            told[who] = function(real, fake)
            taken.append(time.perf_counter() - began)
        walls[who] = float(np.median(taken[1:]))
    apart = max(abs(value - told["ours"][name]) / max(abs(value), 1e-12) for name, value in told["peer"].items())
    return {
        **told, "relative difference": float(apart), "items": len(real), "width": real.shape[1],
        "wall seconds": {who: round(s, 4) for who, s in walls.items()},
        "times as fast": round(walls["peer"] / walls["ours"], 2),
    }  # fmt: skip


def steps(measure: Callable = compared) -> dict[str, Callable[[], dict]]:
    """Every comparison by name, features made when it is asked for."""
    made: dict[str, tuple] = {}

    def sets(name: str) -> tuple[np.ndarray, np.ndarray]:
        if name not in made:
            made.clear()
            real, fake = pictures()
            if name == "judge, 64":
                made[name] = judged(real)[0], judged(fake)[0]
            elif name == "logits":
                made[name] = judged(real)[1], judged(fake)[1]
            else:
                count, width = (FEW, 256) if name == "random, 256" else (COUNT, WIDTH)
                made[name] = random_features(real[:count], fake[:count], width)
        return made[name]

    found = {}
    for features in ("random, 2048", "random, 256", "judge, 64"):
        for figure, (ours, peer) in FIGURES.items():
            found[f"{figure}: {features}"] = lambda o=ours, p=peer, f=features: measure(o, p, *sets(f))
    found["class score, torch-fidelity: logits"] = lambda: compared(our_score, peer_score, *sets("logits"))
    return found


def main() -> None:
    """Run the comparisons that are not yet there and print all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--again", nargs="*", default=[], metavar="WORDS", help="measure those with these words again")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    there = arguments.device == "cuda"
    arguments.out = arguments.out or (RESULTS.with_stem("quality_peers_cuda") if there else RESULTS)
    if not there:
        torch.set_num_threads(1)
    for name in ("metric_fid", "metric_kid", "metric_prc", "metric_isc"):
        fidelity(name)  # imported before anything is timed
    importlib.import_module("prdc")
    kept = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    kept |= {"command": "python benchmarks/quality_peers.py", "machine": machine(), "threads": torch.get_num_threads()}
    if there:
        kept |= {"command": kept["command"] + " --device cuda", "device": torch.cuda.get_device_name()}
    found = kept.setdefault("figures", {})
    every = steps(compared_there if there else compared)
    for name, step in every.items():
        if there and ("2048" not in name or "kernel" in name):
            continue  # what has no way on a device, or is over in no time
        if name not in found or any(words in name for words in arguments.again):
            found[name] = step()
            arguments.out.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
        told = found[name]
        print(f"{name}: apart {told['relative difference']:.1e}, {told.get('CPU seconds', told['wall seconds'])} s, "
              f"{told['times as fast']} times as fast", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()

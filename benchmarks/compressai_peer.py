"""CompressAI's scale hyperprior beside `photo-codec`: as many parameters, the same tiles, as many steps.

    python benchmarks/compressai_peer.py train --weights FOLDER [--device cuda]   a network a rate, two learning rates
    python benchmarks/compressai_peer.py measure --weights FOLDER                 bits of files on the test pictures

CompressAI 1.2.8 lives in an environment of its own that also sees this one's packages (`pip install --no-deps
compressai einops pytorch-msssim`); what it imports and does not use here is stood in for. Its network is
`ScaleHyperprior` (Ballé et al. 2018), one a rate, where ours is one network for every rate. It learns by its own
example's loss, optimisers and auxiliary step, on crops of 128 pixels; at that example's learning rate, 1e-4, and at
ours, 1e-3 along a cosine, and whichever of the two reaches the lower BD-rate is the one that counts (`measure` takes
those whose networks are all there). Written to benchmarks/results/compressai_peer.json: BD-rate against JPEG of both
codecs in one run, and CPU seconds on one thread.
"""

import argparse
import importlib.abc
import importlib.machinery
import json
import math
import os
import sys
import time
from pathlib import Path
from unittest import mock

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
import torch

RESULTS = Path(__file__).resolve().parent / "results" / "compressai_peer.json"
WIDTH, LATENT = 44, 66  # channels of its layers and of its latents: about as many parameters as ours
WEIGHTS = (0.0018, 0.0067, 0.025, 0.0932)  # lambda: of its own eight, every other but the last ones
RATES = {"own": 1e-4, "ours": 1e-3}  # learning rates
STEPS, BATCH, CROP = 11_000, 4, 128
UNUSED = ("torch_geometric", "torchvision", "pandas", "tomli", "hydra", "omegaconf", "pyntcloud", "h5py")


class StandIn(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Modules that are imported and never used, where they are not installed."""

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in UNUSED:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        module = mock.MagicMock(name=spec.name)
        module.__path__, module.__spec__, module.__name__ = [], spec, spec.name
        return module

    def exec_module(self, module):
        pass


def network() -> torch.nn.Module:
    """CompressAI's network, untrained."""
    if not any(isinstance(finder, StandIn) for finder in sys.meta_path):
        sys.meta_path.append(StandIn())
    from compressai.models import ScaleHyperprior

    return ScaleHyperprior(WIDTH, LATENT)


def file_of(folder: Path, weight: float, rate: str) -> Path:
    return folder / f"hyperprior-{weight}-{rate}.pt"


def train(weight: float, rate: str, folder: Path, device: str) -> None:
    """One network at one rate-distortion weight, kept as a state dict."""
    from genlab.data import load
    from genlab.fit import Batches

    torch.manual_seed(0)
    net, data = network().to(device).train(), load("photograph-tiles")
    mine = [p for name, p in net.named_parameters() if not name.endswith(".quantiles")]
    others = [p for name, p in net.named_parameters() if name.endswith(".quantiles")]
    optimiser, auxiliary = torch.optim.Adam(mine, lr=RATES[rate]), torch.optim.Adam(others, lr=1e-3)
    batches, rng = Batches(data.items, batch=BATCH, device=device), np.random.default_rng(0)
    began = time.monotonic()
    for step in range(STEPS):
        if rate == "ours":
            optimiser.param_groups[0]["lr"] = RATES[rate] * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / STEPS)))
        images = batches[step].items
        top, left = rng.integers(0, images.shape[2] - CROP + 1, 2)
        images = images[:, :, top : top + CROP, left : left + CROP]
        told = net(images)
        bits = sum(-likelihood.log2().sum() for likelihood in told["likelihoods"].values())
        bpp = bits / (len(images) * CROP * CROP)
        error = (told["x_hat"] - images).square().mean()
        optimiser.zero_grad()
        auxiliary.zero_grad()
        (bpp + weight * 255**2 * error).backward()
        torch.nn.utils.clip_grad_norm_(mine, 1.0)
        optimiser.step()
        net.aux_loss().backward()
        auxiliary.step()
        if (step + 1) % 1000 == 0:
            print(f"{weight} {rate} {step + 1:,} bpp {float(bpp):.3f} PSNR {-10 * math.log10(float(error)):.2f} "
                  f"{time.monotonic() - began:.0f} s", flush=True)  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    state = {key: value.half() if value.is_floating_point() else value for key, value in net.state_dict().items()}
    torch.save({"state": state, "seconds": round(time.monotonic() - began)}, file_of(folder, weight, rate))


def trained(folder: Path, weight: float, rate: str) -> torch.nn.Module:
    """One of the networks, ready to write files."""
    kept = torch.load(file_of(folder, weight, rate), map_location="cpu", weights_only=True)
    net = network()
    net.load_state_dict(
        {key: value.float() if value.is_floating_point() else value for key, value in kept["state"].items()}
    )
    net.update(force=True)
    return net.eval()


def trained_all(folder: Path, rate: str) -> tuple[torch.nn.Module, ...]:
    """The networks of a learning rate, by weight; none where one of them has not been trained."""
    if not all(file_of(folder, weight, rate).exists() for weight in WEIGHTS):
        return ()
    return tuple(trained(folder, weight, rate) for weight in WEIGHTS)


@torch.no_grad()
def coded(net: torch.nn.Module, pixels: np.ndarray) -> tuple[bytes, np.ndarray]:
    """The bytes of a picture, two lengths and its size counted as eight, and what comes back."""
    height, width = pixels.shape[:2]
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    x = torch.nn.functional.pad(x, (0, -width % 64, 0, -height % 64), mode="replicate")
    told = net.compress(x)
    back = net.decompress(told["strings"], told["shape"])["x_hat"][0, :, :height, :width]
    raw = b"".join(part[0] for part in told["strings"]) + bytes(8)
    return raw, back.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy()


def measure(folder: Path) -> None:
    """Both codecs on the photographs that neither learnt from."""
    import functools

    import photo_codec as bench
    from serving import machine

    from genlab.studio import shelf

    torch.set_num_threads(1)
    model, pictures = shelf.model(bench.NAME), bench.pictures()["photographs"]
    nets = {rate: trained_all(folder, rate) for rate in RATES}
    jpeg = functools.partial(bench.theirs, "JPEG")
    curves = []
    for name, pixels in pictures:
        found = {"ours": bench.curve(functools.partial(bench.ours, model), bench.OURS, pixels)}
        found["JPEG"] = bench.curve(jpeg, bench.OTHERS["JPEG"], pixels)
        for rate, four in nets.items():
            if four:
                found[f"CompressAI, {rate} learning rate"] = bench.curve(lambda p, n: coded(n, p), four, pixels)
        curves.append(found)
        print(name, flush=True)
    result = {
        "command": "python benchmarks/compressai_peer.py measure",
        "machine": machine(),
        "weights_sha256": shelf.config_of(bench.NAME)["weights_sha256"],
        "parameters": {"ours": sum(p.numel() for p in model.parameters()), "CompressAI, each of "
                       f"{len(WEIGHTS)}": sum(p.numel() for p in network().parameters())},
        "steps": STEPS, "batch": BATCH,
        "bd_rate_against_jpeg": {}, "curves": {},
    }  # fmt: skip
    for codec in curves[0]:
        if codec != "JPEG":
            told = [{"ours": c[codec], "JPEG": c["JPEG"]} for c in curves]
            result["bd_rate_against_jpeg"][codec] = {m: bench.summary(told, "JPEG", m) for m in ("psnr", "ms_ssim")}
        result["curves"][codec] = bench.mean_curve(curves, codec)
    result["times"] = {
        "ours": bench.times(model),
        "CompressAI": times(next(four for four in nets.values() if four)[1], bench),
    }
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["bd_rate_against_jpeg"], indent=1), result["times"])


def times(net: torch.nn.Module, bench) -> dict[str, float]:
    """Median CPU seconds to encode and decode 768x512 pixels on one thread."""
    pixels, taken = bench.tiled(512, 768), []
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    for _ in range(6):
        start = time.process_time()
        told = net.compress(x)
        middle = time.process_time()
        net.decompress(told["strings"], told["shape"])
        taken.append((middle - start, time.process_time() - middle))
    encode, decode = np.median(taken[1:], axis=0)
    return {"encode_1_threads": round(float(encode), 3), "decode_1_threads": round(float(decode), 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("verb", choices=("train", "measure"))
    parser.add_argument("--weights", type=Path, required=True, help="folder of the trained networks")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--only", nargs=2, metavar=("LAMBDA", "RATE"), help="train one network, say 0.025 own")
    asked = parser.parse_args()
    if asked.verb == "measure":
        measure(asked.weights)
        return
    wanted = [(float(asked.only[0]), asked.only[1])] if asked.only else [(w, r) for w in WEIGHTS for r in RATES]
    for weight, rate in wanted:
        if not file_of(asked.weights, weight, rate).exists():
            train(weight, rate, asked.weights, asked.device)


if __name__ == "__main__":
    main()

"""Autoencoders beside what they have to beat: `python benchmarks/autoencoders.py`.

Written to benchmarks/results/autoencoders.json. Denoising: test items with Gaussian noise that is not clipped, ours
beside non-local means, total variation, a median and a Wiener filter in the principal components, whose settings are
chosen for each amount of noise on the last training items. Bottleneck: what comes back from k numbers, beside PCA with
the same k. Maps: places of test items in two dimensions beside PCA, t-SNE and UMAP; t-SNE has to be fitted to the items
it shows, the others also place new ones. All PSNR are of the mean squared error over all items; every output is put
into [0, 1] before it is measured.
"""

import argparse
import importlib.metadata
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from serving import machine

from genlab.data import load
from genlab.metrics import maps
from genlab.models.corruption import corrupt
from genlab.seeds import Seeds
from genlab.studio import shelf
from genlab.studio.evaluate_codes import FIRST_SEED, SIGMAS
from genlab.studio.flat_map import project

RESULTS = Path(__file__).resolve().parent / "results" / "autoencoders.json"
DENOISER, FLAT = "ae-fashion-denoising", "ae-fashion-neighbours"
TUNED = 200  # last training items that the others' settings are chosen on
LAID = 2_000  # test items of the maps
TAUGHT = 10_000  # training items that UMAP is fitted to before it places test items
Denoiser = Callable[[np.ndarray], np.ndarray]  # noisy items (n, 28, 28) to clean ones


def psnr(errors: np.ndarray) -> dict:
    """Of squared errors, one an item: the pooled PSNR and its 95 % interval."""
    value, half = errors.mean(), 1.96 * errors.std(ddof=1) / len(errors) ** 0.5
    low, middle, high = (-10 * float(np.log10(e)) for e in (value + half, value, value - half))
    return {"value": round(middle, 3), "low": round(low, 3), "high": round(high, 3), "n": len(errors), "unit": "dB"}


def gain(ours: np.ndarray, theirs: np.ndarray) -> dict:
    """By how many dB our pooled error is smaller, with the interval of the ratio of two means over the same items."""
    ratio = 10 * np.log10(theirs.mean() / ours.mean())
    spread = (theirs / theirs.mean() - ours / ours.mean()).std(ddof=1) * 10 / np.log(10)
    half = 1.96 * spread / len(ours) ** 0.5
    return {"value": round(ratio, 3), "low": round(ratio - half, 3), "high": round(ratio + half, 3), "n": len(ours)}


def errors_of(found: np.ndarray, clean: np.ndarray) -> np.ndarray:
    """Mean squared error of each item."""
    return np.square(np.clip(found, 0, 1) - clean).reshape(len(clean), -1).mean(1)


# ---- denoising


def noisy(clean: np.ndarray, sigma: float, first: int) -> np.ndarray:
    """Items with the noise of seeds `first`, `first` + 1, ..., not clipped."""
    import torch

    seen = corrupt(torch.from_numpy(clean).float(), "gaussian", sigma, seeds=Seeds.count_from(first, len(clean)))
    return seen.numpy().astype(np.float64)


def candidates(sigma: float, basis: tuple) -> Iterator[tuple[str, str, Denoiser]]:
    """Every classical method with every setting that is tried: (method, setting, function)."""
    from scipy.ndimage import median_filter
    from skimage.restoration import denoise_nl_means, denoise_tv_chambolle

    def each(function) -> Denoiser:
        return lambda items: np.stack([function(item) for item in items])

    for patch, reach in ((3, 5), (3, 11), (5, 7)):
        for h in (0.4, 0.6, 0.8, 1.0, 1.3):
            setting = f"patch {patch}, reach {reach}, h {h} sigma"
            yield "non-local means", setting, each(
                lambda x, p=patch, d=reach, h=h: denoise_nl_means(
                    x, patch_size=p, patch_distance=d, h=h * sigma, sigma=sigma, fast_mode=True
                )
            )  # fmt: skip
    for weight in (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.45, 0.7):
        yield "total variation", f"weight {weight}", each(
            lambda x, w=weight: denoise_tv_chambolle(x, weight=w, max_num_iter=100)
        )  # fmt: skip
    for size in (2, 3, 5):
        yield "median", f"size {size}", lambda x, s=size: median_filter(x, size=(1, s, s), mode="nearest")
    mean, directions, variances = basis
    shrink = variances / (variances + sigma**2)
    yield (
        "PCA-Wiener",
        "all components",
        lambda x: ((((x.reshape(len(x), -1) - mean) @ directions.T) * shrink) @ directions + mean).reshape(x.shape),
    )


def denoising(count: int) -> dict:
    """Ours beside the best setting of each classical method, for every amount of noise."""
    train, test = load("fashion"), load("fashion", "test")
    rows = train.items[:-TUNED].reshape(-1, 784) / 255
    mean = rows.mean(0)
    variances, directions = np.linalg.eigh(np.cov((rows - mean).T))
    basis = (mean, directions.T[::-1], np.maximum(variances[::-1], 0))
    held, clean = train.items[-TUNED:, 0] / 255, test.items[:count, 0] / 255
    found = {}
    for sigma in SIGMAS.values():
        seen, tried = noisy(clean, sigma, FIRST_SEED), noisy(held, sigma, FIRST_SEED - TUNED)
        best: dict[str, tuple[float, str, Denoiser]] = {}
        for method, setting, function in candidates(sigma, basis):
            error = errors_of(function(tried), held).mean()
            if method not in best or error < best[method][0]:
                best[method] = (error, setting, function)
        theirs = {method: errors_of(function(seen), clean) for method, (_, _, function) in best.items()}
        ours = errors_of(brought_back(DENOISER, seen), clean)
        whole = test.items[:, 0] / 255
        everything = errors_of(brought_back(DENOISER, noisy(whole, sigma, FIRST_SEED)), whole)
        strongest = min(theirs, key=lambda method: theirs[method].mean())
        found[f"sigma {sigma}"] = {
            "shown": psnr(errors_of_raw(seen, clean)),
            **{method: psnr(errors) | {"setting": best[method][1]} for method, errors in theirs.items()},
            DENOISER: psnr(ours),
            f"{DENOISER}, all test items": psnr(everything),
            "gain over the best of them": gain(ours, theirs[strongest]) | {"best": strongest},
        }
        print(f"sigma {sigma}", json.dumps(found[f"sigma {sigma}"], indent=1), flush=True)
    return found


def errors_of_raw(found: np.ndarray, clean: np.ndarray) -> np.ndarray:
    """As `errors_of`, without putting values into [0, 1]."""
    return np.square(found - clean).reshape(len(clean), -1).mean(1)


def brought_back(name: str, items: np.ndarray) -> np.ndarray:
    """What a model makes of items (n, 28, 28)."""
    import torch

    model = shelf.model(name)
    return model.reconstruct(torch.from_numpy(items[:, None]).float())[:, 0].double().numpy()


# ---- bottleneck


def bottleneck() -> dict:
    """What comes back of the test items from k numbers, beside PCA with as many, fitted to the training items."""
    train, test = load("fashion"), load("fashion", "test")
    rows, shown = train.items.reshape(-1, 784) / 255, test.items.reshape(-1, 784) / 255
    mean = rows.mean(0)
    directions = np.linalg.eigh(np.cov((rows - mean).T))[1].T[::-1]
    found, by_pca = {}, {}
    for known in shelf.with_capability("autoencode"):
        model = shelf.model(known.name)
        if known.data != "fashion" or "generate" in known.capabilities or known.latent >= shown.shape[1]:
            continue
        ours = errors_of(brought_back(known.name, test.items[:, 0] / 255), test.items[:, 0] / 255)
        k = known.latent
        if k not in by_pca:
            codes = (shown - mean) @ directions[:k].T
            by_pca[k] = errors_of((codes @ directions[:k] + mean), shown)
        found[known.name] = {
            "numbers": k,
            "parameters": sum(p.numel() for p in model.parameters()),
            "ours": psnr(ours),
            "PCA": psnr(by_pca[k]),
            "gain": gain(ours, by_pca[k]),
        }
        print(known.name, found[known.name], flush=True)
    return found


# ---- maps


def places_of(name: str, items: np.ndarray) -> np.ndarray:
    """Codes of items uint8 (n, 1, 28, 28), float64."""
    import torch

    model = shelf.model(name)
    return model.encode(torch.from_numpy(items).float() / 255).double().numpy()


def scores(items: np.ndarray, labels: np.ndarray, places: np.ndarray) -> dict:
    """The three scores of a map, neighbours being looked for among the items on it."""
    told = {
        "k-NN accuracy": maps.knn_accuracy(places, labels),
        "trustworthiness": maps.trustworthiness(items, places),
        "continuity": maps.continuity(items, places),
    }
    return {name: rounded(score) for name, score in told.items()}


def rounded(score: maps.Score) -> dict:
    return {"value": round(score.value, 4), "low": round(score.low, 4), "high": round(score.high, 4), "n": score.n}


def flat_maps() -> dict:
    """Ours, PCA, t-SNE and UMAP on the same test items, and all but t-SNE on items they were not fitted to."""
    train, test = load("fashion"), load("fashion", "test")
    items, labels = test.items[:LAID].reshape(LAID, -1) / 255, test.labels[:LAID]
    rows = train.items.reshape(len(train), -1) / 255
    mean = rows.mean(0)
    plane = np.linalg.eigh(np.cov((rows - mean).T))[1].T[::-1][:2]
    learnt = {
        FLAT: (places_of(FLAT, train.items), places_of(FLAT, test.items)),
        "PCA of the training items": (
            (rows - mean) @ plane.T,
            (test.items.reshape(len(test), -1) / 255 - mean) @ plane.T,
        ),
    }
    found = {}
    for name, (known, new) in learnt.items():
        among = maps.knn_accuracy(new, test.labels, (known, train.labels))
        found[name] = {
            "places new items": True,
            **scores(items, labels, new[:LAID]),
            "k-NN accuracy, all test items among training items": rounded(among),
        }
        print(name, found[name], flush=True)
    for method in ("t-SNE", "UMAP"):
        began = time.monotonic()
        try:
            places = project(method, items.astype(np.float32))
        except ImportError:
            found[method] = "not installed"
            continue
        found[f"{method}, fitted to these items"] = {
            "places new items": method == "UMAP",
            **scores(items, labels, places),
            "seconds": round(time.monotonic() - began, 1),
        }
        print(method, found[f"{method}, fitted to these items"], flush=True)
    if "UMAP" not in found:
        found[f"UMAP, fitted to {TAUGHT:,} training items"] = umap_out_of_sample(
            rows[:TAUGHT], train.labels, items, labels
        )
    return found


def umap_out_of_sample(rows: np.ndarray, told: np.ndarray, items: np.ndarray, labels: np.ndarray) -> dict:
    """UMAP's places of items it was not fitted to."""
    from umap import UMAP

    began = time.monotonic()
    fitted = UMAP(n_components=2, random_state=0, n_jobs=1).fit(rows.astype(np.float32))
    places, known = fitted.transform(items.astype(np.float32)), np.asarray(fitted.embedding_)
    among = maps.knn_accuracy(places, labels, (known, told[: len(rows)]))
    body = {
        "places new items": True,
        **scores(items, labels, places),
        "k-NN accuracy among its training items": rounded(among),
        "seconds": round(time.monotonic() - began, 1),
    }
    print("UMAP out of sample", body, flush=True)
    return body


PARTS = {"denoising": denoising, "bottleneck": bottleneck, "maps": flat_maps}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--count", type=int, default=2_000, help="test items of the denoising side by side")
    options = parser.parse_args()
    body = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    packages = ("torch", "scikit-image", "scikit-learn", "umap-learn", "numpy", "scipy")
    versions = {}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    body |= {"command": "python benchmarks/autoencoders.py", "machine": machine(), "versions": versions}
    body["weights"] = {
        name: shelf.config_of(name)["weights_sha256"] for name in shelf.names() if name.startswith("ae-")
    }
    for part in options.parts:
        body[part] = denoising(options.count) if part == "denoising" else PARTS[part]()
        RESULTS.write_text(json.dumps(body, indent=1) + "\n")


if __name__ == "__main__":
    main()

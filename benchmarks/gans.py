"""Generators against laws whose truth is known: `python benchmarks/gans.py [toys] [stacked] [emoji]`.

Written step by step to benchmarks/results/gans.json; what is there already is not run again. Toys: a ring of 8 and a
grid of 25 Gaussians, ten seeds each, the recipes `gan-ring` and `gan-grid`: modes found, points within three deviations
of one, the spread of every mode over the true one after the same cut, CPU seconds. Stacked: 1,000 kinds of three
digits, 26,000 samples of unconditional generators, named by the classifier `judge-digits`: a VAE whose codes are drawn
by a flow, flow matching in pixels, a GAN that began as a VAE, and a plain DCGAN.
Emoji: the kernel distance of `progan-emoji` and of a DCGAN of as many weights that learnt for as many CPU seconds, on
the features of `judge-emoji` and of a packaged InceptionV3, a sheet of samples, and the share of near copies in
pixels. A model that is missing in the folder `--work` is trained there first.
"""

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from serving import machine

from genlab.metrics.modes import ModeCoverage, kl_to, mode_coverage

RESULTS = Path(__file__).resolve().parent / "results" / "gans.json"
SECTIONS = ("toys", "stacked", "emoji")
SEEDS, POINTS = 10, 20_000
STACKED = ("vae-stacked-digits", "flow-stacked-digits", "gan-stacked-digits", "dcgan-stacked-digits")
DIGITS = "judge-digits"
SAMPLES = 26_000
EMOJI, EMOJI_JUDGE = ("progan-emoji", "dcgan-emoji"), "judge-emoji"
DRAWN, OPINIONS = 3_000, 1_000  # drawings of each generator, and those of them that the second network sees


def told(seen: ModeCoverage) -> dict:
    """What the file of results keeps of it."""
    spreads = np.nan_to_num(seen.spreads)  # a mode without points has none
    return {
        "modes": seen.found,
        "of": seen.modes,
        "high_quality": round(seen.high_quality, 4),
        "kl": round(seen.divergence, 4),
        "least_spread": round(float(spreads.min()), 3),
        "greatest_spread": round(float(spreads.max()), 3),
    }


def toy(name: str, seed: int) -> dict:
    """One run of a toy's recipe with another seed, and what its points cover."""
    import torch

    from genlab.data import load, toys
    from genlab.fit import Batches, fit
    from genlab.recipes import recipe_of, untrained
    from genlab.seeds import Seeds

    recipe, data, modes = recipe_of(f"gan-{name}"), load(name), toys.MODES[name]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = untrained(recipe)
    started = time.process_time()
    batches = Batches(data.items, data.labels, batch=recipe.batch, seed=seed)
    for _ in fit(model, batches, steps=recipe.steps, lr=recipe.lr, ema=recipe.ema, seed=seed, every=recipe.steps):
        pass
    seconds = time.process_time() - started
    points = model.sample(Seeds.count_from(1_000_000, POINTS)).numpy()
    seen = mode_coverage(points, modes.centres, modes.deviation)
    return told(seen) | {"cpu_seconds": round(seconds, 1), "steps": recipe.steps}


def trained(name: str, work: Path):
    """A model of the work folder, trained there first where it is missing, and how it was trained."""
    from genlab import checkpoint
    from genlab.recipes import train

    if not (work / name / "config.json").exists():
        for stage, progress in train(name, work):
            if progress.step % 500 == 0:
                print(f"{name} {stage} {progress.step:,}/{progress.steps:,}", flush=True)
    config = checkpoint.read(work / name)
    facts = {key: config["trained_on"][key] for key in ("seconds", "device")} | {"parameters": config["parameters"]}
    return checkpoint.load(work / name), facts | {"steps": config["recipe"]["steps"]}


def kinds(counts: np.ndarray) -> dict:
    """Kinds found, and the KL divergence of their shares to equal ones and to those of the training digits."""
    from genlab.data import stacked_digits

    shares, equal = counts / counts.sum(), np.full(stacked_digits.KINDS, 1 / stacked_digits.KINDS)
    return {
        "kinds": int((counts > 0).sum()),
        "kl": round(kl_to(shares, equal), 4),
        "kl_to_data": round(kl_to(shares, stacked_digits.shares()), 4),
    }


def named(judge, images) -> np.ndarray:
    """The number that the three channels of each picture read, (n,)."""
    import torch

    digits = torch.stack([judge.logits(images[:, c : c + 1]).argmax(1) for c in range(3)], 1)
    return (digits @ torch.tensor([100, 10, 1])).numpy()


def stacked(name: str, work: Path) -> dict:
    """What one generator covers; `test digits` and `perfect` are the instrument and its floor."""
    import torch

    from genlab.data import load, stacked_digits
    from genlab.seeds import Seeds

    judge, facts = trained(DIGITS, work)
    if name == DIGITS:
        digits, triples = load("mnist", "test"), load("stacked-digits", "test")
        right = judge.logits(torch.from_numpy(digits.items).float() / 255).argmax(1).numpy() == digits.labels
        drawn = np.random.default_rng(0).choice(stacked_digits.KINDS, SAMPLES, p=stacked_digits.shares())
        return facts | {
            "accuracy": round(float(right.mean()), 4),
            "triples_right": round(float((named(judge, torch.from_numpy(triples.items).float() / 255)
                                          == triples.labels).mean()), 4),
            "perfect": kinds(np.bincount(drawn, minlength=stacked_digits.KINDS)),
        }  # fmt: skip
    model, facts = trained(name, work)
    plain = {"truncation": 4.0, "guidance": 1.0, "steps": 25.0, "precision": "bfloat16"}  # samples as they were learnt
    known = {field.name for field in dataclasses.fields(model.Knobs)}
    knobs = dataclasses.replace(model.default_knobs(), **{key: plain[key] for key in known & set(plain)})
    counts = np.zeros(stacked_digits.KINDS, np.int64)
    for first in range(0, SAMPLES, 1000):
        images = model.sample(Seeds.count_from(1_000_000 + first, 1000), knobs=knobs)
        counts += np.bincount(named(judge, images), minlength=len(counts))
    return facts | kinds(counts) | {"samples": SAMPLES}


def emoji(name: str, work: Path) -> dict:
    """Distances of one generator's drawings to those of the training split, in the features of two networks."""
    import torch
    from packaged_inception import Inception

    from audits.privacy.copies import nearest_copies
    from audits.quality.frechet import frechet_distance
    from audits.quality.kernel import kernel_distance
    from genlab.data import load
    from genlab.seeds import Seeds

    judge, facts = trained(EMOJI_JUDGE, work)
    train, test = (torch.from_numpy(load("emoji", split).items).float() / 255 for split in ("train", "test"))
    train = train[np.random.default_rng(0).permutation(len(train))]
    known, second = judge.features(train).numpy(), Inception()
    if name == EMOJI_JUDGE:
        right = judge.logits(test).argmax(1).numpy() == load("emoji", "test").labels
        middle, others = len(train) // 2, second.features(train[: 2 * OPINIONS])
        return facts | {
            "accuracy": round(float(right.mean()), 4),
            "half_against_half": shown(kernel_distance(known[:middle], known[middle:])),
            "half_against_half_inception": shown(kernel_distance(others[:OPINIONS], others[OPINIONS:])),
        }
    model, facts = trained(name, work)
    images = model.sample(Seeds.count_from(1_000_000, DRAWN), knobs=model.Knobs(truncation=4.0))
    sheet(images[: 8 * 16], RESULTS.parent / f"{name}.webp")
    made, drawn = judge.features(images).numpy(), second.features(images[:OPINIONS])
    flat = [part.flatten(1).numpy() for part in (images[:2000], train, test)]
    return facts | {
        "kernel": shown(kernel_distance(made, known)),
        "kernel_inception": shown(kernel_distance(drawn, second.features(train[:OPINIONS]))),
        "frechet": round(frechet_distance(made, known), 4),
        "copies": shown(nearest_copies(*flat)),
    }


def sheet(images, path: Path, columns: int = 16) -> None:
    """Pictures (n, 3, h, w) in rows, as one WebP that is good enough to look at."""
    from PIL import Image

    n, channels, height, width = images.shape
    rows = images.view(n // columns, columns, channels, height, width).permute(0, 3, 1, 4, 2)
    whole = rows.reshape(n // columns * height, columns * width, channels)
    Image.fromarray(whole.mul(255).round().byte().numpy()).save(path, quality=85)


def shown(finding) -> dict:
    """A finding's figures as JSON, to four digits."""
    kept = dataclasses.asdict(finding)
    return {key: float(f"{kept[key]:.4g}") for key in ("value", "low", "high")} | {"n": kept["n"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", choices=[[], *SECTIONS], help="which figures (default: all)")
    parser.add_argument("--work", type=Path, default=Path(".cache/trials"), help="where trained models lie")
    chosen = parser.parse_args()
    steps = {
        "toys": [(f"{name} seed {seed}", toy, (name, seed)) for seed in range(SEEDS) for name in ("ring", "grid")],
        "stacked": [(name, stacked, (name, chosen.work)) for name in (DIGITS, *STACKED)],
        "emoji": [(name, emoji, (name, chosen.work)) for name in (EMOJI_JUDGE, *EMOJI)],
    }
    for section in chosen.sections or SECTIONS:
        for row, measure, arguments in steps[section]:
            if row in measured().get(section, {}):
                continue
            figures = measure(*arguments)
            found = measured()  # again: another section may have been measured beside this one
            found["machine"] = machine()
            found.setdefault(section, {})[row] = figures
            RESULTS.write_text(json.dumps(found, indent=1) + "\n")
            print(section, row, json.dumps(figures), flush=True)


def measured() -> dict:
    """What the file of results holds."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


if __name__ == "__main__":
    main()

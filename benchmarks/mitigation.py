"""How fair can a biased model be made without training it again, at what cost, and who says so?

`python benchmarks/mitigation.py [MODEL ...] [--methods ...]` writes benchmarks/results/mitigation.json after every
method. Groups are read by judge-portraits, which the methods use, and by the palette oracle, which counts pixels and
which no method ever saw. Coverage is the share of real test portraits of a group (judge's features, 5 neighbours)
that have a generated one of that group in their neighbourhood; recall the share within the generated ones' reach.
"""

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch

from audits.bias import representation
from genlab.data import load, portraits
from genlab.metrics import palette
from genlab.metrics.fitted import CHOSEN, METHODS, PLACED, Fit, drawer, learn_from, placer
from genlab.metrics.group_coverage import covered
from genlab.metrics.mitigation import fill_pool, finish, halves, steer
from genlab.metrics.selection import effective
from genlab.seeds import Seeds
from genlab.studio import shelf
from genlab.studio.pictures import to_bytes

RESULTS = Path(__file__).resolve().parent / "results" / "mitigation.json"
TONES = portraits.ATTRIBUTES["tone"]
COUNT, POOL, EACH, REFERENCE = 10_000, 4_000, 300, 500
FEWER = {"rejection": 2_000, "retouched": 500}  # dear methods
COVERED = 1_000  # items a group that coverage is measured on, at most


def shares(groups: np.ndarray) -> dict:
    """Shares with intervals, the discrepancy to uniform, and a fair model's."""
    found = representation(np.array(TONES)[groups], reference="uniform", expected=TONES)
    part = {t: [round(getattr(found[f"share.{t}"], k), 4) for k in ("value", "low", "high")] for t in TONES}
    gap = found["discrepancy"]
    return {"shares": part, "discrepancy": gap.value, "low": gap.low, "high": gap.high, "fair": gap.floor, "n": gap.n}


class Bench:
    """One model, the judge, and what every method needs."""

    def __init__(self, name: str):
        self.judge = shelf.model("judge-portraits")
        self.cut = halves(shelf.model(name))
        self.target = np.full(len(TONES), 1 / len(TONES))
        self.pool = finish(fill_pool(self.cut, self.read, POOL))
        test = load("portraits-balanced", "test")
        tones = test.attributes["tone"]
        rows = np.sort(np.concatenate([np.flatnonzero(tones == g)[:COVERED] for g in range(len(TONES))]))
        self.real, self.real_groups = self.opinion(test.items[rows])[1], tones[rows]

    def read(self, images):
        return self.judge.attribute_logits(images)["tone"].softmax(1)

    def score(self, images):
        return self.judge.attribute_slopes(images)["tone"]

    def opinion(self, items: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Groups (n,), features (n, w) and whether the judge knows such pictures (n,), of uint8 items."""
        parts = [self.judge.opinion(p.float() / 255) for p in torch.from_numpy(items).split(1024)]
        groups = torch.cat([p.logits["tone"].argmax(1) for p in parts]).numpy()
        known = torch.cat([p.strangeness <= self.judge.limit for p in parts]).numpy()
        return groups, torch.cat([p.features for p in parts]).double().numpy(), known

    def fit(self, name: str) -> Fit:
        """What the method learns."""
        pool, features = self.pool, {}
        if name == "reweighting":
            made = torch.cat([self.judge.features(self.cut.decode(z, None)) for z in pool.latents.split(256)])
            fair = load("portraits-balanced", "validate").items[:REFERENCE]
            features = {"drawn": made.double().numpy(), "reference": self.opinion(fair)[1]}
        fit = learn_from(name, pool, self.target, **features)
        if name in PLACED:
            steered = finish(steer(self.cut, placer(fit, self.cut), self.read, self.target, each=EACH))
            fit = replace(fit, obeyed=steered.obeyed)
        return fit

    def measure(self, name: str, count: int) -> dict:
        """The method's figures on `count` items."""
        began = time.process_time()
        fit = self.fit(name)
        draw = drawer(fit, self.cut, self.read, self.score)
        fitted, items, decodes = time.process_time() - began, [], 0
        for start in range(0, count, 256):
            drawn = draw(Seeds.count_from(start, min(256, count - start)))
            items.append(to_bytes(drawn.images))
            decodes += int(drawn.decodes.sum())
            if start % 2048 == 0:
                print(f"  {name} {start}", flush=True)
        seconds, items = time.process_time() - began - fitted, np.concatenate(items)
        read, features, known = self.opinion(items)
        seen = palette.tones(items)
        return {
            "palette": shares(seen[seen >= 0]), "judge": shares(read), "no tone in pixels": int((seen < 0).sum()),
            "agreement": float((read == seen)[seen >= 0].mean()), "known to the judge": float(known.mean()),
            "decodes per item": decodes / count, "by group": self.covered(features, read),
            "effective pool": effective(fit.learnt) if name in CHOSEN else None,
            "cpu ms an item": 1000 * seconds / count, "cpu s to fit": fitted,
        }  # fmt: skip

    def covered(self, made: np.ndarray, groups: np.ndarray) -> dict:
        """Recall and coverage of the real portraits of each group."""
        found = covered(self.real, self.real_groups, made, groups, groups=len(TONES), most=COVERED)
        return {
            tone: {"recall": c.recall, "coverage": c.coverage, "n": c.made}
            for tone, c in zip(TONES, found, strict=True)
            if c.recall == c.recall
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=["vae-portraits-biased"])
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--count", type=int, default=COUNT)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"models": {}}
    kept |= {"command": "python benchmarks/mitigation.py", "machine": platform.processor() or platform.machine()}
    for name in asked.models:
        bench = Bench(name)
        weights = shelf.config_of(name)["weights_sha256"]
        entry = kept["models"].get(name)
        if entry is None or entry["weights"] != weights:  # figures of other weights do not stay beside these
            entry = kept["models"][name] = {"weights": weights, "methods": {}}
        for method in asked.methods.split(","):
            found = bench.measure(method, min(asked.count, FEWER.get(method, asked.count)))
            entry["methods"][method] = found
            RESULTS.write_text(json.dumps(kept, indent=1) + "\n")
            p, j = found["palette"], found["judge"]
            print(
                f"{name} {method}: palette {p['discrepancy']:.4f} [{p['low']:.4f}, {p['high']:.4f}], judge "
                f"{j['discrepancy']:.4f}, n {p['n']}, {found['decodes per item']:.2f} decodes an item",
                flush=True,
            )


if __name__ == "__main__":
    main()

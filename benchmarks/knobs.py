"""How the shipped models' default knobs were chosen: `python benchmarks/knobs.py`, written to benchmarks/results.

Samples of each setting against the last 10,000 training items, in the features of the judge: Fréchet distance
(lower is better) and recall. The test split is not looked at. Seeds are other than those of `evaluate`.
"""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from serving import machine

from audits.quality import frechet_finding, prdc
from genlab.data import load
from genlab.studio import shelf
from genlab.studio.evaluate import default_knobs, draw, features, judge_of

RESULTS = Path(__file__).resolve().parent / "results" / "knobs.json"
COUNT, SEED, COMPARED_WITH = 2_500, 5_000_000, 10_000
GRIDS = {
    "vae-fashion": [{"guidance": g, "detail": d} for g in (1.0, 1.5, 2.0) for d in (0.5, 0.75, 1.0)],
    "gan-fashion": [{"truncation": t} for t in (1.2, 1.5, 2.0, 2.5, 4.0)],
}


def main() -> None:
    """Measure every setting, print and write."""
    started = time.monotonic()
    data, judge = load("fashion"), judge_of("fashion")
    real = features(judge, data.items[-COMPARED_WITH:])
    found = {}
    for name, grid in GRIDS.items():
        model = shelf.model(name)
        rows = []
        for knobs in grid:
            made = features(judge, draw(model, COUNT, seed=SEED, **knobs)[0])
            distance = frechet_finding(real, made)
            recall = prdc(real[:COUNT], made).recall
            rows.append({
                "knobs": knobs, "distance": round(distance.value, 4), "low": round(distance.low, 4),
                "high": round(distance.high, 4), "n": COUNT, "recall": round(recall, 4),
            })  # fmt: skip
            print(name, knobs, f"{distance.value:.3f} [{distance.low:.3f}, {distance.high:.3f}]  recall {recall:.3f}")
        defaults = default_knobs(model)
        found[name] = {"shipped": {key: getattr(defaults, key) for key in grid[0]}, "settings": rows}
    result = {
        "command": "python benchmarks/knobs.py",
        "machine": machine(),
        "seconds": round(time.monotonic() - started),
        "models": found,
    }
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()

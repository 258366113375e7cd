"""How the metrics disagree on every generator: `python benchmarks/measure.py` writes benchmarks/results/measure.json.

Each generator is measured beside sets of its data that break one metric each (genlab/studio/measure.py says how they
are made): 2,000 items a set, as the tab Measure shows them. A data set's own sets are measured once; what is in the
file for the same weights is not measured again. With `--count` other than 2,000 the figures are printed and not kept.
"""

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from serving import machine

from audits.report import figure
from genlab.studio import shelf
from genlab.studio.measure import KEPT, MODEL, RESULTS, WHY, bench_of, models, set_items


def main() -> None:
    """Measure what is missing, keep and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=models(), metavar="NAME")
    parser.add_argument("--count", type=int, default=KEPT)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    kept = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    if arguments.count != KEPT:
        kept = {}
    kept |= {"command": "python benchmarks/measure.py", "machine": machine(), "count": arguments.count}
    for name in arguments.models:
        known = shelf.entry(name)
        data = kept.setdefault("data", {}).setdefault(known.data, {"judge": shelf.entry(judge(known.data)).weights})
        for set_name in WHY:
            if set_name not in data.setdefault("sets", {}):
                data["sets"][set_name] = figures(known.data, arguments.count, set_name, None)
                keep(kept, arguments)
            show(f"{known.data}: {set_name}", data["sets"][set_name])
        told = kept.setdefault("models", {}).get(name)
        if told is None or told["weights"] != known.weights:
            found = figures(known.data, arguments.count, MODEL, name)
            told = kept["models"][name] = {"weights": known.weights, "data": known.data, "figures": found}
            keep(kept, arguments)
        show(name, told["figures"])


def judge(data: str) -> str:
    return f"judge-{data.partition('-')[0]}"


def figures(data: str, count: int, set_name: str, model: str | None) -> list[dict]:
    bench = bench_of(data, count)
    return [asdict(f) for f in bench.figures(set_items(set_name, model, bench))]


def keep(kept: dict, arguments: argparse.Namespace) -> None:
    if arguments.count == KEPT:
        arguments.out.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


def show(name: str, found: list[dict]) -> None:
    print(
        f"{name}: " + ", ".join(f"{f['name']} {figure(f['value'])} ({figure(f['floor'])})" for f in found), flush=True
    )


if __name__ == "__main__":
    main()

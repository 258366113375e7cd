"""What the bench found about detectors, for the page: a table, and why likelihood and reconstruction fall short."""

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent.parent.parent / "benchmarks" / "results" / "anomaly.json"
OURS = "ours (combined)"
REASON = (
    "A network trained to rebuild normal items also rebuilds others, best those with little to draw: a plain bag is "
    "easier than a patterned shirt, whichever of the two is normal. The likelihood of a VAE has the same fault: choose "
    "its score above and see."
)
REMEDY = (
    "So items are compared by contours and shades with the nearest normal ones, relative to how far normal items "
    "lie apart there; nothing in that depends on how much there is to draw."
)
Row = tuple[str, str, str, str]


def told() -> tuple[list[Row], list[str]]:
    """Rows (detector, mean area, worst class, seconds a class) on Fashion-MNIST, best first, and sentences."""
    try:
        sections = json.loads(RESULTS.read_text(encoding="utf-8"))["sections"]
    except (OSError, ValueError, KeyError):
        return [], [REASON, REMEDY]
    found = {}
    for name in ("fashion", "fashion_peers", "fashion_networks"):
        found |= _found(sections, name)
    ranked = sorted((p for p in found.items() if "mean" in p[1]), key=lambda pair: -pair[1]["mean"])
    rows = [(name, f"{r['mean']:.3f}", f"{r['worst']:.3f}", f"{r['seconds_a_class']:.0f}") for name, r in ranked]
    return rows, [REASON, *failure(_found(sections, "out_of_distribution")), REMEDY, *elsewhere(sections)]


def failure(found: dict[str, Any]) -> list[str]:
    """The measured failure of a VAE's likelihood, where it was measured."""
    vae, ours = found.get("VAE likelihood"), found.get(OURS)
    if not vae or not ours:
        return []
    worst, ours_worst = (min(of, key=lambda name: of[name]["auroc"]) for of in (vae, ours))
    return [
        f"Measured: the likelihood of a VAE of Fashion-MNIST tells {worst} from clothes with an area of "
        f"{vae[worst]['auroc']:.3f}, and MNIST's digits with {vae['MNIST']['auroc']:.3f} (0.5 is guessing; below it, "
        f"strangers look more normal than clothes do). The detector on this page: {ours[worst]['auroc']:.3f} and "
        f"{ours['MNIST']['auroc']:.4f}, and at worst, over eight sets of strangers, {ours[ours_worst]['auroc']:.3f} "
        f"({ours_worst})."
    ]


def elsewhere(sections: dict[str, Any]) -> list[str]:
    """How it does on digits, solar cells and tables, beside the best of the others, where they were measured."""
    said = []
    mnist = _found(sections, "mnist").get(OURS, {})
    if "mean" in mnist:
        said.append(f"MNIST, one digit normal: mean area {mnist['mean']:.3f}, worst digit {mnist['worst']:.3f}")
    cells = {name: r["auroc"] for name, r in _found(sections, "solar_cells").items()}
    said += _beside("solar cells with a defect", cells)
    for table, methods in _found(sections, "tables").items():
        said += _beside(f"the table {table}", {name: r["mean"] for name, r in methods.items()})
    return [f"Elsewhere: {'; '.join(said)}."] if said else []


def _beside(what: str, areas: dict[str, float]) -> list[str]:
    others = {name: area for name, area in areas.items() if name != OURS}
    if OURS not in areas or not others:
        return []
    best = max(others, key=others.__getitem__)
    return [f"{what}: {areas[OURS]:.3f}, the best other {others[best]:.3f} ({best})"]


def _found(sections: dict[str, Any], name: str) -> dict[str, Any]:
    return sections.get(name, {}).get("found", {})

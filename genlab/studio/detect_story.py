"""What the bench found about detectors, for the page: the table, and why likelihood and reconstruction fall short."""

import json
from pathlib import Path

RESULTS = Path(__file__).resolve().parent.parent.parent / "benchmarks" / "results" / "anomaly.json"
REASON = (
    "A network trained to rebuild normal items also rebuilds others, best those with little to draw: a plain bag is "
    "easier than a patterned shirt, whichever of the two is normal. The likelihood of a VAE has the same fault."
)
REMEDY = (
    "So items are compared by contours and shades with the nearest normal ones, relative to how far normal items "
    "lie apart there; nothing in that depends on how much there is to draw."
)


def told() -> tuple[list[tuple[str, str, str, str]], list[str]]:
    """Rows (detector, mean area, worst class, seconds a class) on Fashion-MNIST, best first, and sentences."""
    try:
        sections = json.loads(RESULTS.read_text(encoding="utf-8"))["sections"]
    except (OSError, ValueError, KeyError):
        return [], [REASON, REMEDY]
    found = {}
    for name in ("fashion", "fashion_peers"):
        found |= sections.get(name, {}).get("found", {})
    ranked = sorted(found.items(), key=lambda pair: -pair[1]["mean"])
    rows = [(name, f"{r['mean']:.3f}", f"{r['worst']:.3f}", f"{r['seconds_a_class']:.0f}") for name, r in ranked]
    return rows, [REASON, *failure(sections.get("out_of_distribution", {}).get("found", {})), REMEDY]


def failure(found: dict) -> list[str]:
    """The measured failure of a VAE's likelihood, where it was measured."""
    vae, ours = found.get("VAE likelihood"), found.get("ours (combined)")
    if not vae or not ours:
        return []
    worst = min(vae, key=lambda name: vae[name]["auroc"])
    return [
        f"Measured: a VAE of Fashion-MNIST ranks {worst} against clothes with an area of {vae[worst]['auroc']:.3f} "
        f"(0.5 is guessing, below it the strange ones look more normal than clothes), and MNIST's digits with "
        f"{vae['MNIST']['auroc']:.3f}; the detector on this page with {ours[worst]['auroc']:.3f} and "
        f"{ours['MNIST']['auroc']:.3f}."
    ]

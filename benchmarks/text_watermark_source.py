"""The text mark on a made-up source: `python benchmarks/text_watermark_source.py`, written beside in results/.

Three figures. What a marked token adds to the score, by entropy: the table `EVIDENCE` in
`audits/watermark/text_detection.py`. How many marked texts are found at a false-positive rate of 1e-6, by length, whole
and after edits. How small p-values get on unmarked texts, each under a key of its own.

Texts come from a made-up source over 2,048 tokens: at each step a token of rank r has a probability proportional to
r^-a, ranks are shuffled anew, and a varies from step to step, so that some tokens are nearly certain and others open,
as in language: at a mean of 2.5 bits their
standard deviation is 3.2. That no context comes back is kinder than language,
where repeated contexts carry no mark.
"""

import argparse
import functools
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from scipy.stats import norm
from serving import machine
from statsmodels.stats.proportion import proportion_confint

from audits.watermark import text_detection
from audits.watermark.text import Tournament
from audits.watermark.text_detection import EVIDENCE, RATE, detect, power, scores, weights

RESULTS = Path(__file__).resolve().parent / "results" / "text_watermark_source.json"
VOCABULARY, SPREAD = 2048, 0.9  # SPREAD: standard deviation of log a
LENGTHS = (32, 64, 128, 256, 512)
EDITS = {"whole": 0.0, "10 % replaced": 0.1, "20 % replaced": 0.2, "30 % replaced": 0.3}
RANKS = np.log(np.arange(1, VOCABULARY + 1))


def source(exponent: float) -> np.ndarray:
    """Probabilities by rank, (2048,)."""
    p = np.exp(-exponent * RANKS)
    return p / p.sum()


@functools.cache
def base(bits: float, spread: float) -> float:
    """The exponent around which a varies for a mean entropy of `bits`."""
    z = norm.ppf((np.arange(400) + 0.5) / 400)
    low, high = 0.01, 100.0
    for _ in range(40):
        middle = (low * high) ** 0.5
        entropy = np.mean([entropy_of(source(middle * np.exp(spread * x))) for x in z])
        low, high = (middle, high) if entropy > bits else (low, middle)
    return low


def entropy_of(p: np.ndarray) -> float:
    """Bits."""
    return float(-(p * np.log2(np.maximum(p, 1e-300))).sum())


def text(mark: Tournament | None, length: int, bits: float, rng: np.random.Generator, spread: float = SPREAD):
    """A text of `length` tokens of the source, marked or not, and the entropy of every step."""
    tokens, entropies = [], []
    for _ in range(length):
        p = source(base(bits, spread) * np.exp(spread * rng.normal()))
        entropies.append(entropy_of(p))
        p = p[rng.permutation(VOCABULARY)]
        if mark:
            p = mark.adjust(tokens, p)
        tokens.append(int(np.searchsorted(np.cumsum(p), rng.random() * (1 - 1e-12))))
    return tokens, entropies


def evidence(bits: float, tokens: int, rng: np.random.Generator) -> dict:
    """Mean and standard deviation of a marked token's score, in those of an unmarked one."""
    mark = Tournament(rng.bytes(32), VOCABULARY)
    ids, entropies = text(mark, tokens, bits, rng)
    ids = np.array(ids)
    w = weights(mark.depth)
    found = scores(mark, ids, text_detection.counted_places(ids, mark.context))
    z = (found - w.sum() / 2) / np.sqrt((w**2).sum() / 4)
    return {
        "bits": round(float(np.mean(entropies)), 3), "sd_of_bits": round(float(np.std(entropies)), 2), "n": len(z),
        "mean": round(float(z.mean()), 3), "error": round(float(z.std() / len(z) ** 0.5), 3),
        "sd": round(float(z.std()), 3),
    }  # fmt: skip


def edited(tokens: list[int], share: float, rng: np.random.Generator) -> list[int]:
    """The text with so many of its tokens replaced by others."""
    return [int(rng.integers(VOCABULARY)) if rng.random() < share else token for token in tokens]


def found_by_length(bits: float, spread: float, count: int, rng: np.random.Generator) -> list[dict]:
    """Of `count` marked texts, each under a key of its own: how many are found, by length and edit."""
    texts = []
    for _ in range(count):
        mark = Tournament(rng.bytes(32), VOCABULARY)
        texts.append((mark, text(mark, max(LENGTHS), bits, rng, spread)[0]))
    rows = []
    for name, share in EDITS.items():
        changed = [(mark, edited(tokens, share, rng)) for mark, tokens in texts]
        for length in LENGTHS:
            p = [detect(tokens[:length], [mark]).p_value for mark, tokens in changed]
            hits = sum(x <= RATE for x in p)
            low, high = proportion_confint(hits, count, method="beta")
            rows.append({
                "edit": name, "tokens": length, "found": round(hits / count, 3), "low": round(low, 3),
                "high": round(high, 3), "n": count, "median_p": float(f"{np.median(p):.2g}"),
                "predicted": round(power(length - 4, bits), 3) if not share else None,
            })  # fmt: skip
            print(bits, "bits, spread", spread, rows[-1])
    return rows


def null(count: int, length: int, rng: np.random.Generator) -> dict:
    """Unmarked texts of the source at 2.5 bits, each under a key of its own: p-values below usual thresholds."""
    texts = [text(None, length, 2.5, rng)[0] for _ in range(50)]
    p = np.array([detect(texts[i % 50], [Tournament(rng.bytes(32), VOCABULARY)]).p_value for i in range(count)])
    rates = {f"{t:g}": int((p <= t).sum()) for t in (0.1, 0.01, 0.001, 1e-6)}
    return {"texts": count, "tokens": length, "at_most": rates, "smallest": float(f"{p.min():.3g}")}


def speed(rng: np.random.Generator) -> dict:
    """Milliseconds to adjust one distribution, and to read 512 tokens."""
    mark, p = Tournament(bytes(32), VOCABULARY), rng.dirichlet(np.full(VOCABULARY, 0.05))
    tokens = rng.integers(0, VOCABULARY, 512).tolist()
    times = {}
    for name, act in (("adjust", lambda: mark.adjust(tokens, p)), ("detect", lambda: detect(tokens, [mark]))):
        act()
        taken = []
        for _ in range(50):
            started = time.perf_counter()
            text_detection.tail.cache_clear()
            act()
            taken.append(time.perf_counter() - started)
        times[name + "_ms"] = round(1e3 * float(np.median(taken)), 3)
    return times


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=200, help="marked texts for each entropy")
    parser.add_argument("--null", type=int, default=20_000, help="unmarked texts")
    arguments = parser.parse_args()
    started, rng = time.monotonic(), np.random.default_rng(20)
    table = []
    for bits in (0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0):
        table.append(evidence(bits, 6000, rng))
        print(table[-1], flush=True)
    result = {
        "command": "python benchmarks/text_watermark_source.py",
        "machine": machine(),
        "evidence": table,
        "evidence_in_use": EVIDENCE,
        "speed": speed(rng),
        "unmarked": [null(arguments.null, length, rng) for length in (64, 320)],
        "found": {
            f"{bits} bits, {kind}": found_by_length(bits, spread, arguments.texts, rng)
            for bits in (1.0, 2.5)
            for kind, spread in (("uneven", SPREAD), ("even", 0.0))
        },
    }
    result["seconds"] = round(time.monotonic() - started)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(result["unmarked"], result["speed"])


if __name__ == "__main__":
    main()

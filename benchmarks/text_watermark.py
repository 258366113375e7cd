"""The mark in texts of a model here: false alarms, what is found, what it costs, beside SynthID and green lists.

    python benchmarks/text_watermark.py [--only false_alarms|detection|cost ...] [--times] [--model gpt-shakespeare]

Every figure is written to benchmarks/results/text_watermark.json as soon as it is there, with the hash of the weights,
and is not measured again while they stay (`--again` does); drawn texts are kept in the cache. `--quick` is a trial that
writes nothing.

`false_alarms`: real text nobody marked, the held-out ends of the plays, Moby-Dick and the addresses. For each of 100
keys every work is cut into windows of 512 tokens from a random place on, a thousand or so, and once more from another
place; 2,000 of these are drawn, and the shorter lengths are their halves, quarters and eighths. So a token is in two
windows of a length at most. Each window is read on its own, contexts counted anew, by the detector as it ships; only
the coins are looked up, computed once a key. Peers read 96 windows under each of the first 50 keys, no token in two of
them. Intervals are Clopper and Pearson's and take windows as independent; `over binomial` is the variance of a key's
count over the binomial's, 1 where they are, and where it is far above, the range over keys says more. A rate is
"nominal" where its interval holds the nominal one, else "conservative" or "too high".

`detection`: 208 texts of 512 tokens, thirteen prompts of held-out text with sixteen seeds and one key each, the same
for every method; the prompt is not read. Found is p at most 1e-6: ours exact, the peers' by normal approximation, so a
peer's false alarms are those of `false_alarms` and not always what they are called. Lengths are beginnings of the same
texts; bits a token are of the model's distribution after the knobs, before the mark. Edits are of the words of the
first 256 tokens, which are then tokenised anew; "tokenised anew" alone is the first of them.

`cost`: nats a token under the unmarked model, and distinct pairs of tokens in a text and in a key's sixteen texts
together, each less that of the unmarked text with the same prompt and seed. The interval is Student's over the thirteen
prompts, since texts of one prompt share a key. A mark that distorts nothing has 0 inside for nats; fewer
distinct pairs in sixteen texts together is what one key for all of them costs, whatever the mark.

`--times`: CPU milliseconds a token to adjust a distribution (peers in batches of sixteen), and to read 512 tokens, the
table of a green list made before.
"""

import argparse
import functools
import json
import os
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from scipy.stats import t as student
from serving import machine
from statsmodels.stats.proportion import proportion_confint
from text_watermark_peers import METHODS, READERS, Recalled
from text_watermark_texts import BATCH, SETTINGS, Drawings

from audits.watermark import text_detection
from audits.watermark.text_edits import EDITS
from genlab.data import texts
from genlab.models.gpt import Knobs
from genlab.studio import shelf

RESULTS = Path(__file__).resolve().parent / "results" / "text_watermark.json"
SECTIONS = ("false_alarms", "detection", "cost")
NOMINAL, RATE = (0.01, 0.001), 1e-6
SHARES, EDITED = (0.1, 0.2, 0.3), 256  # of words; tokens of the texts that are edited
ROUNDS = 15  # of the timing


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    keys: int = 100
    peer_keys: int = 50
    windows: int = 2000  # under each key
    peer_windows: int = 96
    batches: int = 13
    lengths: tuple[int, ...] = (64, 128, 256, 512)


QUICK = Size(keys=3, peer_keys=2, windows=16, peer_windows=16, batches=2, lengths=(32, 64))


def exact(hits: int, n: int) -> dict:
    """A share with the interval of Clopper and Pearson."""
    low, high = proportion_confint(hits, n, method="beta")
    return {"share": round(hits / n, 6), "low": round(float(low), 6), "high": round(float(high), 6), "n": n}


# ---- false alarms


def windows(streams: list[np.ndarray], length: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` of the windows that follow each other in the streams from a random place on: (count, length).

    Where there are too few, the streams are cut again from another place, until there are enough.
    """
    rows: list[np.ndarray] = []
    if max(map(len, streams)) < length:
        raise ValueError(f"No text is long enough for a window of {length} tokens.")
    while sum(map(len, rows)) < count:
        for stream in streams:
            if len(stream) >= length:
                at = int(rng.integers(min(length, len(stream) - length + 1)))
                rows.append(stream[at : at + (len(stream) - at) // length * length].reshape(-1, length))
    cut = np.concatenate(rows)
    return cut[rng.permutation(len(cut))[:count]]


@functools.cache
def held_out(model) -> list[np.ndarray]:
    """The end of each work in tokens."""
    return [np.array(model.tokens_of(text)) for part in texts.SOURCES for text in texts.load(part, "test").texts]


def false_alarms(name: str, model, size: Size) -> dict:
    """Shares of small p-values on unmarked text, by length and nominal rate."""
    streams = held_out(model)
    counts = {length: [] for length in size.lengths}
    keys, many = (size.keys, size.windows) if name == "ours" else (size.peer_keys, size.peer_windows)
    for number in range(keys):
        rows = windows(streams, max(size.lengths), many, np.random.default_rng([7, number]))
        reader = READERS[name](number, model.vocabulary)
        if name == "ours":
            reader.mark = Recalled(reader.mark, rows)
        for length in size.lengths:
            p = reader.p_values(rows.reshape(-1, length))
            counts[length].append([int((p <= nominal).sum()) for nominal in NOMINAL])
    each = {length: len(rows) * max(size.lengths) // length for length in size.lengths}
    return {"keys": keys, "by length": {
        str(length): {f"{nominal:g}": judged(np.array(found)[:, i], each[length], nominal)
                      for i, nominal in enumerate(NOMINAL)}
        for length, found in counts.items()
    }}  # fmt: skip


def judged(hits: np.ndarray, each: int, nominal: float) -> dict:
    """The rate over all keys (k,), `each` windows a key, against the nominal one."""
    found = exact(int(hits.sum()), each * len(hits))
    rate = found["share"]
    binomial = each * rate * (1 - rate)
    reading = "conservative" if found["high"] < nominal else "too high" if found["low"] > nominal else "nominal"
    return found | {
        "reading": reading,
        "over binomial": round(float(hits.var(ddof=1) / binomial), 2) if binomial else None,
        "lowest key": round(float(hits.min() / each), 6), "highest key": round(float(hits.max() / each), 6),
    }  # fmt: skip


# ---- detection


def detection(name: str, setting: str, drawings: Drawings, size: Size) -> dict:
    """What is found by length, and after edits where the knobs are as they come."""
    longest, edited = max(size.lengths), min(EDITED, max(size.lengths))
    p_values: dict[str, list[float]] = {}
    bits, same = [], []
    for batch in range(size.batches):
        drawn = drawings.of(name, setting, batch, longest)
        reader = METHODS[name](batch, drawings.model.vocabulary)
        bits.append(drawn["bits"].mean())
        for length in size.lengths:
            p_values.setdefault(f"{length} tokens", []).extend(reader.p_values(drawn["tokens"][:, :length]))
        if setting != next(iter(SETTINGS)):
            continue
        written = [drawings.model.text_of(row[:edited].tolist()) for row in drawn["tokens"]]
        again = [drawings.model.tokens_of(text) for text in written]
        same += [a == row[:edited].tolist() for a, row in zip(again, drawn["tokens"], strict=True)]
        p_values.setdefault(f"{edited} tokens, tokenised anew", []).extend(reader.p_values(again))
        for kind, edit in EDITS.items():
            for share in SHARES:
                rng = np.random.default_rng([8, batch])
                rows = [drawings.model.tokens_of(edit(text, share, rng)) for text in written]
                label = f"{edited} tokens, {share:.0%} of words {kind}"
                p_values.setdefault(label, []).extend(reader.p_values(rows))
    found = {label: told(np.array(p)) for label, p in p_values.items()}
    mean = float(np.mean(bits))
    if name == "ours":
        for length in size.lengths:
            found[f"{length} tokens"]["foretold"] = round(text_detection.power(length, mean), 3)
    about = {"bits a token": round(mean, 3), "found": found}
    return about | ({"same tokens anew": round(float(np.mean(same)), 3)} if same else {})


def told(p: np.ndarray) -> dict:
    """The share of p-values that count as found."""
    return exact(int((p <= RATE).sum()), len(p)) | {"median p": float(f"{np.median(p):.2g}")}


# ---- cost


def cost(name: str, drawings: Drawings, size: Size) -> dict:
    """Nats a token and distinct pairs, beside the unmarked texts with the same seeds."""
    own, other = [], []
    for batch in range(size.batches):
        for kept, method in ((own, name), (other, "unmarked")):
            drawn = drawings.of(method, next(iter(SETTINGS)), batch, max(size.lengths))
            kept.append({
                "nats a token": -drawn["log_chances"].mean(),
                "distinct pairs in a text": np.mean([distinct([row]) for row in drawn["tokens"]]),
                "distinct pairs in sixteen": distinct(drawn["tokens"]),
            })  # fmt: skip
    found = {}
    for figure in own[0]:
        a, b = (np.array([row[figure] for row in rows], float) for rows in (own, other))
        low, high = student.interval(0.95, len(a) - 1, (a - b).mean(), (a - b).std(ddof=1) / len(a) ** 0.5)
        found[figure] = {
            "value": round(float(a.mean()), 4), "unmarked": round(float(b.mean()), 4),
            "difference": round(float((a - b).mean()), 4), "low": round(float(low), 4), "high": round(float(high), 4),
            "zero inside": bool(low <= 0 <= high), "prompts": len(a), "texts": BATCH * len(a),
        }  # fmt: skip
    nats = found["nats a token"]
    found["perplexity"] = {key: round(float(np.exp(nats[key])), 2) for key in ("value", "unmarked")}
    return found


def distinct(rows) -> float:
    """Different pairs of neighbouring tokens over all pairs."""
    pairs = [pair for row in rows for pair in zip(row[:-1].tolist(), row[1:].tolist(), strict=True)]
    return len(set(pairs)) / len(pairs)


# ---- times


def times(name: str, drawings: Drawings, size: Size) -> dict:
    """CPU milliseconds a token of adjusting, and of reading as many tokens as the longest texts have."""
    longest = max(size.lengths)
    drawn = drawings.of("unmarked", next(iter(SETTINGS)), 0, longest)["tokens"].astype(np.int64)
    built = METHODS[name](0, drawings.model.vocabulary)
    turned = built.drawing(Knobs())
    history = torch.from_numpy(drawn[:, : longest // 2])
    logits = drawings.model.network(history, use_cache=False).logits[:, -1].detach().float()
    chances = logits.double().softmax(-1).numpy()
    if "adjust" in turned:
        adjusting = [lambda: [turned["adjust"](i, history[i].tolist(), chances[i]) for i in range(BATCH)]]
    else:
        adjusting = [lambda: turned["processors"](history, logits)]
    found = {}
    for label, act, per in (
        ("adjust, ms a token", adjusting[0], BATCH), ("read, ms", lambda: built.p_values(drawn[:1]), 1),
    ):  # fmt: skip
        taken = []
        for _ in range(ROUNDS):
            text_detection.tail.cache_clear()
            began = time.process_time()
            act()
            taken.append(time.process_time() - began)
        found[label] = round(1e3 * float(np.median(taken[1:])) / per, 3)
    return found | {"tokens read": longest}


def work(sections: list[str], drawings: Drawings, size: Size):
    """(section, entry, how it is measured), in order."""
    marked = [name for name in METHODS if name != "unmarked"]
    for section in sections:
        if section == "false_alarms":
            for name in READERS:
                yield section, name, lambda name=name: false_alarms(name, drawings.model, size)
        elif section == "detection":
            for setting, (_, methods) in SETTINGS.items():
                for name in methods:
                    entry = f"{name}, {setting}"
                    yield section, entry, lambda n=name, s=setting: detection(n, s, drawings, size)
        else:
            measure = {"cost": cost, "times": times}[section]
            for name in marked:
                yield section, name, lambda n=name, m=measure: m(n, drawings, size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=SECTIONS, help="some sections (default: all)")
    parser.add_argument("--times", action="store_true", help="only measure times")
    parser.add_argument("--model", default="gpt-shakespeare")
    parser.add_argument("--again", action="store_true", help="measure what is there already, too")
    parser.add_argument("--quick", action="store_true", help="a trial of a few texts; nothing is written")
    asked = parser.parse_args()
    text_detection.tail = functools.cache(text_detection.tail.__wrapped__)  # scores come again from key to key
    size = QUICK if asked.quick else Size()
    config = shelf.config_of(asked.model)
    weights = config["weights_sha256"]
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() and not asked.quick else {}
    if kept.get("weights") != weights:
        kept = {"model": asked.model, "weights": weights}
    drawings = Drawings(shelf.model(asked.model), weights)
    for section, entry, measure in work(["times"] if asked.times else asked.only or SECTIONS, drawings, size):
        if entry in kept.get(section, {}) and not asked.again:
            continue
        began = time.process_time()
        figures = measure()
        figures["cpu seconds"] = round(time.process_time() - began, 1)
        figures["command"] = f"python benchmarks/text_watermark.py {'--times' if asked.times else f'--only {section}'}"
        print(section, entry, json.dumps(figures, indent=1), flush=True)
        kept.setdefault(section, {})[entry] = figures
        kept |= {"machine": machine(), "versions": {p: version(p) for p in ("numpy", "torch", "transformers")}}
        if not asked.quick:
            RESULTS.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Held-out Shakespeare in bits a character: our GPT beside n-grams, xz and PPMd, all of which have read the same text.

`python benchmarks/language.py` writes benchmarks/results/language.json. The last tenth of each of the 42 works is
scored. GPT and the n-grams (modified Kneser-Ney over GPT's own tokens, orders 1 to 6) score each work's end alone, from
its start. A compressor has no training: it is primed, which means that its figure is the size of training text and
held-out text together less that of the training text. It goes on learning inside the held-out text, which the other
two do not. PPMd is pyppmd's (`pip install pyppmd`, in an environment of its own, or a folder named in PYTHONPATH);
where it is not installed, the file says so. `--works N` takes fewer works: a trial, which writes nothing.
"""

import argparse
import json
import lzma
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from serving import machine

from genlab import checkpoint
from genlab.data import load
from genlab.metrics.ngram import learn
from genlab.studio import shelf
from genlab.studio.figures import pooled_figure

RESULTS = Path(__file__).resolve().parent / "results" / "language.json"
MODEL = "gpt-shakespeare"
ORDERS = (1, 2, 3, 4, 5, 6)  # of the n-grams
CONTEXTS = (4, 5, 6, 8, 12)  # of PPMd, bytes looked back on
MEMORY = 2**29  # bytes of PPMd's model, more than it fills
MISSING = "not run: pyppmd is not installed"


def primed(compress: Callable[[bytes], bytes], before: str, after: str) -> float:
    """Bits that `after` adds to a compressed file when `before` stands in front of it."""
    given = before.encode()
    return 8.0 * (len(compress(given + after.encode())) - len(compress(given)))


def xz(raw: bytes) -> bytes:
    """As `xz -9 --extreme`; its dictionary is larger than both texts."""
    return lzma.compress(raw, preset=9 | lzma.PRESET_EXTREME)


def ppmd(order: int) -> Callable[[bytes], bytes]:
    """pyppmd's compressor of variant H (PPMd7, that of 7-Zip), checked by decompressing.

    Variant I does not give texts of this length back whole (pyppmd 1.3), so its sizes are not quoted.

    Raises:
        ImportError: it is not installed.
    """
    import pyppmd

    def compress(raw: bytes) -> bytes:
        packed = pyppmd.compress(raw, max_order=order, mem_size=MEMORY, variant="H")
        back = pyppmd.Ppmd7Decoder(order, MEMORY).decode(packed, len(raw))  # the file does not say where it ends
        assert back == raw
        return packed

    return compress


def figure_of(bits: np.ndarray, letters: np.ndarray) -> dict:
    """Bits a character of all works, with the bootstrap's 95 % interval over works."""
    found = pooled_figure(bits, letters, "bits a character")
    return {key: found[key] for key in ("value", "low", "high")}


def compressors(train: str, test: str) -> dict[str, float | str]:
    """Bits a character of the held-out text, the compressor primed with the training text."""
    found: dict[str, float | str] = {"xz -9 --extreme": primed(xz, train, test) / len(test)}
    for order in CONTEXTS:
        name = f"PPMd7 (pyppmd), order {order}"
        try:
            found[name] = primed(ppmd(order), train, test) / len(test)
        except ImportError:
            print(f"PPMd: {MISSING}", file=sys.stderr)
            return found | {"PPMd": MISSING}
        print(f"{name}: {found[name]:.4f}", flush=True)
    return found


def main() -> None:
    """Measure, print, and write unless it is a trial."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--works", type=int, metavar="N", help="only the first N works: a trial")
    arguments = parser.parse_args()
    train, test = load("shakespeare").texts, load("shakespeare", "test").texts[: arguments.works]
    model = shelf.model(MODEL)
    tokens, letters = [model.tokens_of(text) for text in test], np.array([len(text) for text in test])

    began = time.perf_counter()
    ours = np.array([model.code_lengths(t).sum() for t in tokens]) / np.log(2)
    seconds = time.perf_counter() - began
    found = {MODEL: figure_of(ours, letters)}
    print(f"{MODEL}: {found[MODEL]['value']:.4f}", flush=True)
    taught = [model.tokens_of(text) for text in train]
    counted, ratios = {}, {}
    for order in ORDERS:
        table = learn(taught, vocabulary=model.vocabulary, order=order)
        bits = np.array([-table.log_chances(t).sum() for t in tokens]) / np.log(2)
        counted[order], ratios[order] = figure_of(bits, letters), figure_of(ours, bits)
        found[f"{order}-gram, modified Kneser-Ney, the same tokens"] = counted[order]
        print(f"{order}-gram: {counted[order]['value']:.4f}", flush=True)
    best = min(counted, key=lambda order: counted[order]["value"])
    result = {
        "command": "python benchmarks/language.py",
        "machine": machine(),
        "data": f"the last tenth of {len(test)} works of Shakespeare, {letters.sum():,} characters; all methods have "
        f"read the first nine tenths of all works, {sum(map(len, train)):,} characters",
        "weights": checkpoint.read(shelf.folder_of(MODEL))["weights_sha256"],
        "bits per character": found,
        "bits per character, primed and still learning": compressors("".join(train), "".join(test)),
        "bits against the best n-gram, ratio": {f"{best}-gram": ratios[best]},
        "the network itself, bytes in bf16": 2 * sum(p.numel() for p in model.parameters()),
        "the training text under xz, bytes": len(xz("".join(train).encode())),
        "seconds of our model": seconds,
    }
    print(json.dumps(result, indent=1))
    if not arguments.works:
        RESULTS.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Do marked texts give the key away? `python benchmarks/text_watermark_keys.py`, written to benchmarks/results.

The peer is the SynthID processor of transformers. Its g-value of a token is an entry of a public table of 65,536 coins,
at a place that is a linear congruential hash of the last five tokens, plus a key, times a constant: only the key's last
16 bits matter. So whoever holds marked texts and no key can count the hashes of their five-token windows modulo 65,536
and correlate that histogram with the table: one FFT scores all 65,536 candidates, and each layer's key stands out.

The same attack is made on our tournament, whose coins are HMAC and SHAKE of a 256-bit key, and on an unmarked text. A
score is in standard deviations of chance; the largest of 65,536 is 4.3 or so by chance, and `p` pays for all of them.
Texts come from the made-up source of `text_watermark_source.py`, over 2,048 tokens, at 2.5 bits a token.
"""

import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
import transformers
from scipy.stats import norm
from serving import machine
from text_watermark_source import SPREAD, VOCABULARY, base, source
from transformers.generation.logits_process import SynthIDTextWatermarkLogitsProcessor

from audits.watermark.text import Tournament
from audits.watermark.text_detection import detect

RESULTS = Path(__file__).resolve().parent / "results" / "text_watermark_keys.json"
TEXTS, LENGTH, BITS, DEPTH, NGRAM = 63, 388, 2.5, 30, 5
TABLE, HASH = 1 << 16, 6364136223846793005  # of the library, public
WRONG_KEYS, READ = 300, 20  # of our own detector, and texts that each is tried on


def distributions(rng: np.random.Generator) -> np.ndarray:
    """The next token's distribution of each text: (texts, 2048)."""
    rows = [source(base(BITS, SPREAD) * np.exp(SPREAD * rng.normal())) for _ in range(TEXTS)]
    return rng.permuted(np.stack(rows), axis=1)


def drawn(p: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A token of each distribution (n, v): int64 (n,)."""
    cumulated = np.cumsum(p, axis=1)
    return (cumulated < rng.random((len(p), 1)) * cumulated[:, -1:]).sum(1).clip(max=VOCABULARY - 1)


def marked_by_the_library(keys: list[int], rng: np.random.Generator) -> np.ndarray:
    """Texts (63, 388) drawn through the library's own processor."""
    processor = SynthIDTextWatermarkLogitsProcessor(
        ngram_len=NGRAM, keys=keys, sampling_table_size=TABLE, sampling_table_seed=0, context_history_size=1024,
        device=torch.device("cpu"),
    )  # fmt: skip
    texts = np.zeros((TEXTS, 1), np.int64)  # a first token, as a prompt
    for _ in range(LENGTH):
        scores = torch.from_numpy(np.log(np.maximum(distributions(rng), 1e-300)))
        adjusted = torch.softmax(processor(torch.from_numpy(texts), scores), 1).numpy()
        texts = np.column_stack([texts, drawn(adjusted, rng)])
    return texts[:, 1:]


def marked_by_us(mark: Tournament | None, rng: np.random.Generator) -> np.ndarray:
    """Texts (63, 388) drawn through our tournament, or unmarked."""
    texts = np.zeros((TEXTS, 0), np.int64)
    for _ in range(LENGTH):
        p = distributions(rng)
        if mark:
            p = np.stack([mark.adjust(text, row) for text, row in zip(texts.tolist(), p, strict=True)])
        texts = np.column_stack([texts, drawn(p, rng)])
    return texts


def scores_of_all_keys(texts: np.ndarray, table: np.ndarray) -> np.ndarray:
    """How far more ones than chance each key modulo 65,536 would see: (65,536,) in standard deviations."""
    windows = np.lib.stride_tricks.sliding_window_view(texts, NGRAM, axis=1).reshape(-1, NGRAM)
    hashed = np.ones(len(windows), np.int64)
    for column in windows.T:
        hashed = (hashed + column) * HASH + 1  # int64 that wraps, as in the library
    histogram = np.bincount(hashed % TABLE, minlength=TABLE)
    coins = 2.0 * table[(np.arange(TABLE) * (HASH % TABLE) + 1) % TABLE] - 1  # of hash plus key, modulo 65,536
    coins -= coins.mean()
    found = np.fft.irfft(np.conj(np.fft.rfft(histogram)) * np.fft.rfft(coins), TABLE)
    return found / np.sqrt(((histogram - histogram.mean()) ** 2).sum())


def summary(scores: np.ndarray, keys: set[int]) -> dict:
    """Of the thirty best candidates how many are right, and how far they stand out."""
    order = np.argsort(-scores)
    wrong = np.array([score for key, score in enumerate(scores) if key not in keys])
    best = float(scores[order[0]])
    row = {
        "largest_score": round(best, 2),
        "p_of_the_largest": float(f"{min(1.0, TABLE * norm.sf(best)):.3g}"),
        "candidates_beyond_p_0.01": int((TABLE * norm.sf(scores) <= 0.01).sum()),
    }
    if keys:
        row |= {
            "keys": len(keys),
            "recovered_among_as_many_best": len(keys & set(order[: len(keys)].tolist())),
            "smallest_score_of_a_key": round(min(float(scores[key]) for key in keys), 2),
            "largest_score_of_another": round(float(wrong.max()), 2),
        }
    return row


def main() -> None:
    """Mark, attack, print and write."""
    started, rng = time.monotonic(), np.random.default_rng(5)
    keys = rng.integers(0, 2**62, DEPTH).tolist()
    short = {key % TABLE for key in keys}
    generator = torch.Generator().manual_seed(0)
    table = torch.randint(0, 2, (TABLE,), generator=generator).numpy()
    theirs = marked_by_the_library(keys, rng)
    found = {"transformers SynthID": summary(scores_of_all_keys(theirs, table), short)}
    print(found, flush=True)
    mark = Tournament(rng.bytes(32), VOCABULARY)
    ours, plain = marked_by_us(mark, rng), marked_by_us(None, rng)
    found["our tournament"] = summary(scores_of_all_keys(ours, table), set())
    found["unmarked"] = summary(scores_of_all_keys(plain, table), set())
    windows = TEXTS * (LENGTH - NGRAM + 1)
    sample = ours[:READ].ravel().tolist()
    guesses = [detect(sample, [Tournament(rng.bytes(32), VOCABULARY)]).p_value for _ in range(WRONG_KEYS)]
    result = {
        "command": "python benchmarks/text_watermark_keys.py",
        "machine": machine(),
        "versions": {"transformers": transformers.__version__, "torch": torch.__version__, "numpy": np.__version__},
        "tokens": windows,
        "bits_per_token": BITS,
        "candidates": TABLE,
        "attack": found,
        "our_mark_in_the_same_texts": {
            "p_value_of_the_key": detect(sample, [mark]).p_value,
            "smallest_p_value_of_wrong_keys": float(f"{min(guesses):.3g}"),
            "wrong_keys": WRONG_KEYS,
            "tokens": len(sample),
        },
        "seconds": round(time.monotonic() - started),
    }
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()

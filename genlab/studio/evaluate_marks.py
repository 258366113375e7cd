"""Figures of the marks that go into what a model draws: of texts, and of pictures that start from noise with signs.

Every item is marked under a key of its own and read by the detector that Verify uses, unedited. What edits leave of a
mark is measured by `benchmarks/text_watermark.py` and `benchmarks/noise_mark.py`.
"""

import hashlib
from collections.abc import Iterator

import numpy as np
import torch

from audits.watermark import noise
from audits.watermark.text import Tournament
from audits.watermark.text_detection import RATE, detect
from genlab.data import load
from genlab.seeds import Seeds
from genlab.studio.evaluate_text import AT_ONCE, LENGTH, TEXTS
from genlab.studio.figures import FIRST_SEED, Figure, pooled_figure, share_figure

ITEMS = 400  # drawn pictures
KEYS = 10  # under which each held-out piece of text is read
NOMINAL = 0.01  # false alarms
Figures = Iterator[tuple[str, Figure | None]]


def key(number: int) -> bytes:
    """A key of the measurement's own."""
    return hashlib.sha256(f"key {number} of the evaluation".encode()).digest()


def text_mark_figures(model, data: str, *, quick: bool) -> Figures:
    """Marked texts that are found, what the mark costs under the model itself, and real text that is called marked."""
    yield "mark_found", None
    count, length = (AT_ONCE, LENGTH // 4) if quick else (TEXTS, LENGTH)
    marks = [Tournament(key(i), model.vocabulary) for i in range(count)]
    texts, nats = texts_with_nats(model, count, length, marks)
    found = sum(detect(tokens, [mark]).p_value <= RATE for tokens, mark in zip(texts, marks, strict=True))
    yield "mark_found", share_figure(found, count, f"share of marked texts of {length} tokens found at 1e-6")
    yield "mark_cost", None
    _, plain = texts_with_nats(model, count, length, None)
    yield "mark_cost", pooled_figure(nats - plain, np.full(count, length), "nats a token more than unmarked", floor=0.0)
    yield "mark_false_alarms", None
    streams = [model.tokens_of(text) for text in load(data, "test").texts]
    rows = [t[i : i + length] for t in streams for i in range(0, len(t) - length + 1, length)]
    rows = rows[: 10 if quick else None]
    alarms = sum(detect(row, [mark]).p_value <= NOMINAL for mark in marks[:KEYS] for row in rows)
    unit = f"share of held-out pieces of {length} tokens with p at most {NOMINAL:g}"
    yield "mark_false_alarms", share_figure(alarms, KEYS * len(rows), unit, NOMINAL)


def texts_with_nats(
    model, count: int, length: int, marks: list[Tournament] | None
) -> tuple[list[list[int]], np.ndarray]:
    """Texts from nothing, each with its own mark or with none, and the nats (n,) that the model itself gives them."""
    texts, nats = [], []
    for start in range(0, count, AT_ONCE):
        seeds = Seeds.count_from(FIRST_SEED + start, min(AT_ONCE, count - start), model.device)
        own = None if marks is None else marks[start : start + AT_ONCE]
        adjust = None if own is None else lambda item, tokens, chances, own=own: own[item].adjust(tokens, chances)
        steps = list(model.write([], seeds, most=length, ends=False, adjust=adjust))
        drawn = np.array([step.tokens for step in steps]).T
        logs = np.array([step.log_chances[np.arange(len(seeds)), step.tokens] for step in steps])
        texts += drawn.tolist()
        nats += (-logs.sum(0)).tolist()
    return texts, np.array(nats)


def noise_mark_figures(model, *, quick: bool) -> Figures:
    """Pictures as they were drawn, from noise with the signs of a key, whose signs are read back."""
    yield "noise_mark_found", None
    count, size = ITEMS // 10 if quick else ITEMS, int(np.prod(model.shape))
    device = next(model.parameters()).device
    found = 0
    for start in range(0, count, AT_ONCE):
        rows = range(start, min(start + AT_ONCE, count))
        signs = np.concatenate([noise.signs(key(i), [i % noise.NONCES], size) for i in rows])
        seeds = Seeds.count_from(FIRST_SEED + start, len(rows), device, torch.from_numpy(signs))
        labels = torch.tensor([i % model.classes for i in rows], device=device) if model.classes else None
        drawn = model.sample(seeds, labels, model.default_knobs())
        seen = model.retrace((drawn * 255).round() / 255).cpu().numpy()
        found += sum(noise.detect(row[None], [key(i)]).p_value <= RATE for i, row in zip(rows, seen, strict=True))
    yield "noise_mark_found", share_figure(found, count, "share of unedited pictures whose signs are read at 1e-6")

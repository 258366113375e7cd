"""Figures of a language model of names with their groups: held-out names, and the lists beside what it draws."""

import math
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import torch

from audits.text.distinctness import distinctness
from audits.text.memorisation import memorisation
from audits.text.tokens import normal
from genlab.data import Corpus, load
from genlab.metrics.ngram import learn
from genlab.seeds import Seeds
from genlab.studio.figures import FIRST_SEED, Figure, from_finding, pooled_figure, share_figure

ORDER = 5  # of the n-gram
ITEMS, FEW, AT_ONCE = 10_000, 640, 16  # drawn items
LONGEST = 40  # tokens of a drawn item, its control tokens among them
ROWS = 256  # held-out items that are scored side by side
Figures = Iterator[tuple[str, Figure | None]]


def rows_of(model, corpus: Corpus, told: tuple[str, ...]) -> list[list[int]]:
    """The tokens of every item: a start, its groups of the attributes that are `told`, "any" of the others, an end."""
    rows = []
    for i, text in enumerate(corpus.texts):
        groups = {name: corpus.groups[name][corpus.attributes[name][i]] for name in told}
        rows.append([*model.asked(**groups), *model.tokens_of(text), 0])
    return rows


def item_nats(model, rows: list[list[int]]) -> np.ndarray:
    """Nats (n,) of items given their groups; the end counts."""
    front, found = 1 + len(model.controls), []
    for start in range(0, len(rows), ROWS):
        part = [row[: model.context + 1] for row in rows[start : start + ROWS]]
        longest = max(map(len, part))
        padded = torch.tensor([row + [0] * (longest - len(row)) for row in part], device=model.device)
        chances = model.log_chances(padded[:, :-1]).gather(2, padded[:, 1:, None])[..., 0]
        kept = torch.arange(1, longest, device=model.device) >= front
        kept = kept[None] & (torch.arange(1, longest)[None] < torch.tensor([[len(row)] for row in part])).to(
            kept.device
        )
        found.append(-torch.where(kept, chances, 0.0).double().sum(1).cpu().numpy())
    return np.concatenate(found)


def item_likelihood_figures(model, data: str) -> Figures:
    """Bits a character of held-out items, told their groups and not told, beside an n-gram; groups read off a name."""
    yield "bits_per_character", None
    train, test = load(data), load(data, "test")
    attributes, front = tuple(model.controls), 1 + len(model.controls)
    rows = rows_of(model, test, attributes)
    letters = np.array([len(row) - front for row in rows])  # the end is one
    bits = item_nats(model, rows) / np.log(2)
    yield "bits_per_character", pooled_figure(bits, letters, "bits a character, groups given")
    unasked = item_nats(model, rows_of(model, test, ())) / np.log(2)
    yield "bits_per_character_unasked", pooled_figure(unasked, letters, "bits a character, groups not given")
    counted = learn(rows_of(model, train, attributes), vocabulary=model.vocabulary, order=ORDER, given=front)
    other = np.array([-counted.log_chances(row, given=front).sum() for row in rows]) / np.log(2)
    unit = f"bits a character, {ORDER}-gram with the same groups in front"
    yield f"bits_per_character_{ORDER}gram", pooled_figure(other, letters, unit)
    yield "bits_against_5gram", pooled_figure(bits, other, "ratio of bits, to the 5-gram's", floor=1.0)
    for name, groups in model.controls.items():
        yield f"{name}_read", None
        chances = np.stack([item_nats(model, asked_as(model, test, name, group)) for group in groups], 1)
        shares = np.array(list(train.shares()[name].values()))
        best = (np.log(np.maximum(shares, 1e-12)) - chances).argmax(1)
        hits, commonest = int((best == test.attributes[name]).sum()), int(shares.argmax())
        floor = float((test.attributes[name] == commonest).mean())
        unit = f"share of held-out names whose {name} the model's chances tell"
        yield f"{name}_read", share_figure(hits, len(test), unit, floor)


def asked_as(model, corpus: Corpus, attribute: str, group: str) -> list[list[int]]:
    """Every item's tokens as if it were of one group of an attribute; its other groups are not told."""
    start = model.asked(**{attribute: group})
    return [[*start, *model.tokens_of(text), 0] for text in corpus.texts]


# ---- what it draws


def drawn_items(model, count: int, *, seed: int = FIRST_SEED) -> tuple[list[str], dict[str, np.ndarray]]:
    """`count` items with the groups that the model drew for them, without a mark, knobs at their defaults."""
    texts, groups = [], defaultdict(list)
    for start in range(0, count, AT_ONCE):
        seeds = Seeds.count_from(seed + start, min(AT_ONCE, count - start), model.device)
        steps = [step.tokens for step in model.write([0], seeds, most=LONGEST)]
        for column in zip(*steps, strict=True):
            tokens = [token for token in column if token > 0]
            texts.append(model.text_of(tokens[len(model.controls) :]))
            for name, token in zip(model.controls, tokens, strict=False):
                first = model.special.index(f"<{name}: {model.controls[name][0]}>")
                groups[name].append(token - first)
    return texts, {name: np.array(numbers) for name, numbers in groups.items()}


def item_sample_figures(model, data: str, *, quick: bool) -> Figures:
    """Drawn items that stand in the lists, those that repeat, and how far the groups keep to the training shares."""
    yield "trained_items", None
    train, test = load(data), load(data, "test")
    texts, groups = drawn_items(model, FEW if quick else ITEMS)
    found = {finding.name: finding for finding in memorisation(texts, train.texts, test.texts).findings}
    yield "trained_items", from_finding(found["share.trained"]) | {"unit": "share of drawn items in the training list"}
    yield (
        "held_out_items",
        from_finding(found["share.held_out"]) | {"unit": "share of drawn items in the held-out list"},
    )
    ratio = found["ratio.items"]
    if all(math.isfinite(bound) for bound in (ratio.value, ratio.low, ratio.high)):
        yield "memorisation_ratio", from_finding(ratio) | {"unit": "listed items drawn, trained to held out"}
    if not quick:  # repeats grow with the number of items
        shuffled = np.random.default_rng(0).permutation(len(train.texts))
        report = distinctness(texts, unit="characters")
        repeats = next(finding for finding in report.findings if finding.name == "repeated")
        real = [train.texts[i] for i in shuffled[: len(texts)]]
        told = next(f for f in distinctness(real, unit="characters").findings if f.name == "repeated")
        unit = "share of items that repeat an earlier one"
        yield "repeated_items", from_finding(repeats, told.value) | {"unit": unit}
    for name, known in model.controls.items():
        yield f"{name}_deviation", deviation(np.array(known)[groups[name]], train.shares()[name])
    yield from kept_groups(model, texts, groups, (train, test))


def deviation(drawn: np.ndarray, trained: dict[str, float]) -> Figure:
    """The largest difference between a group's share among drawn items and in training, with a bootstrap's interval.

    The floor is what as many draws from the training shares would show on average.
    """
    n, names = len(drawn), list(trained)
    target = np.array(list(trained.values()))
    shares = np.array([(drawn == name).mean() for name in names])
    value, rng = float(np.abs(shares - target).max()), np.random.default_rng(0)
    again = np.abs(rng.multinomial(n, shares / shares.sum(), size=2_000) / n - target).max(1)
    fair = np.abs(rng.multinomial(n, target / target.sum(), size=2_000) / n - target).max(1)
    low, high = np.quantile(again, [0.025, 0.975])
    return {
        "value": value, "low": min(float(low), value), "high": max(float(high), value), "n": n,
        "floor": float(fair.mean()), "unit": "largest difference of a group's share",
    }  # fmt: skip


def kept_groups(model, texts: list[str], groups: dict[str, np.ndarray], lists: tuple[Corpus, Corpus]) -> Figures:
    """Of the drawn items that stand in a list, the share that stands there with the group it was drawn with.

    No judge is asked. The floor is the same with the groups of the drawn items exchanged at random.
    """
    for name in model.controls:
        listed = defaultdict(set)
        for corpus in lists:
            for text, group in zip(corpus.texts, corpus.attributes[name], strict=True):
                listed[normal(text)].add(int(group))
        rows = [i for i, text in enumerate(texts) if normal(text) in listed]
        if not rows:
            continue
        drawn = groups[name][rows]
        among = [listed[normal(texts[i])] for i in rows]
        hits = sum(int(group) in known for group, known in zip(drawn, among, strict=True))
        mixed = np.random.default_rng(0).permutation(drawn)
        floor = sum(int(group) in known for group, known in zip(mixed, among, strict=True)) / len(rows)
        unit = f"share of listed items that have the {name} they were drawn with"
        yield f"{name}_kept", share_figure(hits, len(rows), unit, floor)

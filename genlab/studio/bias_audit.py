"""The bias audit of gathered items: a report, its files, and pictures of every group."""

import functools
import io
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from audits.bias.table_audit import audit_table
from audits.report import Finding, Report
from genlab.studio import pictures, shelf
from genlab.studio.collect import Collected, from_model, of_pictures
from genlab.studio.naming import attributes_of, judge_for
from genlab.studio.shelf import StudioError

REFERENCES = ("uniform", "training data", "own shares", "none")
QUESTIONS = {"the model behind it": "model", "these items only": "folder"}
SHEET, ACROSS = 24, 8  # pictures of a group's contact sheet, and how many in a row
TEMPLATE = (
    "item,tone,glasses\nportrait-001.png,light,glasses\nportrait-002.png,dark,no glasses\nportrait-003.png,tan,\n"
)


@dataclass(frozen=True)
class Asked:
    """What a visitor wants to know.

    Attributes:
        columns: of groups, the first one the attribute that the others are compared across.
        reference: one of `REFERENCES`.
        own: for "own shares" lines `group, share`, or `column.group, share` where there are several columns.
        question: "model" or "folder".
        outcome: a column of numbers whose gaps between groups are wanted.
    """

    columns: tuple[str, ...]
    reference: str = "uniform"
    own: str = ""
    question: str = "model"
    outcome: str | None = None
    level: float = 0.95
    seed: int = 0


@dataclass(frozen=True)
class Audited:
    """A report and what a page shows beside it.

    Attributes:
        by_column: the shares' findings of each column, in its groups' order, named by the group alone.
        cells: counts (rows, columns) of the first two columns' combinations, with their names; None with one column.
        headlines: what to read first, one sentence a column.
    """

    report: Report
    by_column: dict[str, tuple[Finding, ...]]
    cells: tuple[tuple[str, ...], tuple[str, ...], np.ndarray] | None
    headlines: tuple[str, ...]

    def files(self) -> dict[str, bytes]:
        """The report's four files by name."""
        texts = {"report.json": self.report.to_json(), "report.csv": self.report.to_csv()}
        texts["report.html"] = self.report.to_html()
        return {name: text.encode() for name, text in texts.items()} | {"report.pdf": self.report.to_pdf()}


def audit(collected: Collected, asked: Asked, *, labels: Mapping[str, Any] | None = None) -> Audited:
    """Audit gathered items.

    Args:
        labels: hand labels (Series by item) by column. A column that no namer filled is judged by its labels alone.

    Raises:
        ValueError: one sentence about what was given and what is allowed.
    """
    if collected.further is not None and not collected.columns:
        return _measured(collected.further)
    items, columns = collected.items, list(dict.fromkeys(asked.columns))
    labels = {c: given for c, given in (labels or {}).items() if len(given)}
    alone = [c for c in labels if c not in items.table.columns]
    if alone:  # nobody named these groups but the person who looked: the items looked at are the sample
        looked = items.table.assign(**{c: labels.pop(c).reindex(items.table.index) for c in alone})
        items = replace(items, table=looked)
    absent = [c for c in columns if c not in items.table.columns]
    if not columns or absent:
        known = ", ".join(map(str, items.table.columns)) or "none: label some items by hand first"
        raise StudioError(f"Choose attributes to audit; {collected.name} has {known}.")
    table = items.table[[*columns, *([asked.outcome] if asked.outcome and asked.outcome not in columns else [])]]
    items = replace(items, table=table, empty=items.empty if columns == ["folder"] else ())
    names = {c: list(collected.expected.get(c, ())) for c in columns}
    report = audit_table(
        items,
        columns,
        name=collected.name,
        validation={c: v for c, v in collected.validation.items() if c in columns and c not in alone},
        labels={c: given for c, given in labels.items() if c in columns},
        reference=references(collected, columns, asked),
        expect=names,
        training=collected.training[columns] if _tied(collected, columns) else None,
        outcome=asked.outcome,
        question=asked.question,
        level=asked.level,
        seed=asked.seed,
    )
    told = [f"{len(table) - int(table[c].isna().sum()):,} items were labelled by hand for {c}." for c in alone]
    report = replace(report, caveats=(*collected.caveats, *told, *report.caveats))
    by_column = {c: shares_of(report, c, len(columns) > 1) for c in columns}
    if collected.further is not None:
        report, more = _with(report, collected.further), [f"{by}.{c}" for by in ("alone", "told") for c in columns]
        by_column |= {c: shares for c in more if (shares := shares_of(report, c, True))}
    return Audited(report, by_column, _cells(table, columns, by_column), _headlines(report, by_column))


def _with(report: Report, further: Report) -> Report:
    caveats = tuple(dict.fromkeys((*report.caveats, *further.caveats)))
    return replace(report, findings=(*report.findings, *further.findings), caveats=caveats)


def _measured(report: Report) -> Audited:
    """A report that is complete without any items: shares of pairs of sentences."""
    shares = shares_of(report, "", False)
    off = [f.reading for f in report.findings if f.verdict == "worse" and not f.name.startswith("test.")]
    words = off or ["No preference is shown in any set; that is not proof of fairness."]
    return Audited(report, {"first sentence preferred": shares}, None, tuple(words))


def _tied(collected: Collected, columns: Sequence[str]) -> bool:
    known = collected.training is not None and len(columns) > 1
    return known and all(c in collected.training.columns for c in columns)


def references(collected: Collected, columns: Sequence[str], asked: Asked) -> dict[str, Any]:
    """The reference of every column: None, "uniform", or shares by group.

    Raises:
        ValueError: there is no training data to compare with, or the own shares cannot be read.
    """
    if asked.reference not in REFERENCES:
        raise StudioError(f"The reference is one of {', '.join(REFERENCES)}; {str(asked.reference)[:40]!r} was given.")
    if asked.reference == "none":
        return {}
    if asked.reference == "uniform":
        return dict.fromkeys(columns, "uniform")
    if asked.reference == "own shares":
        return own_shares(asked.own, columns)
    if collected.training is None:
        raise StudioError(
            f"The training data of {collected.name} is not known here: compare with uniform or with your own shares."
        )
    found = {}
    for column in columns:
        if column in collected.training.columns:
            shares = collected.training[column].value_counts(normalize=True)
            found[column] = {g: float(shares.get(g, 0.0)) for g in collected.expected.get(column, shares.index)}
    return found


def own_shares(text: object, columns: Sequence[str]) -> dict[str, dict[str, float]]:
    """Shares by column from lines `group, share` or `column.group, share`; percent signs are understood.

    Raises:
        StudioError: a line is something else.
    """
    found: dict[str, dict[str, float]] = {}
    for line in str(text or "").splitlines():
        if not line.strip():
            continue
        group, _, share = line.rpartition(",")
        group, share = group.strip(), share.strip()
        column = next((c for c in columns if group.startswith(f"{c}.")), None)
        if column:
            group = group.removeprefix(f"{column}.")
        elif len(columns) == 1:
            column = columns[0]
        try:
            number = float(share.removesuffix("%")) / (100 if share.endswith("%") else 1)
        except ValueError:
            number = None
        if column is None or not group or number is None or group in found.get(column, {}):
            example = "dark, 20%" if len(columns) == 1 else f"{columns[0]}.dark, 20%"
            raise StudioError(
                f"Write each group's share once, a line each, such as {example!r}; {line[:60]!r} was given."
            )
        found.setdefault(column, {})[group] = number
    if not found:
        raise StudioError("Write your own shares, a line a group such as 'dark, 20%', or choose another reference.")
    return found


def shares_of(report: Report, column: str, several: bool) -> tuple[Finding, ...]:
    """The findings `share.<group>` of a column, renamed to the group."""
    prefix = f"{column}.share." if several else "share."
    return tuple(replace(f, name=f.name.removeprefix(prefix)) for f in report.findings if f.name.startswith(prefix))


def _cells(table, columns, by_column):
    if len(columns) < 2:
        return None
    import pandas as pd

    rows, across = (tuple(f.name for f in by_column[c]) for c in columns[:2])
    counted = pd.crosstab(table[columns[0]].to_numpy(), table[columns[1]].to_numpy())
    return rows, across, counted.reindex(index=rows, columns=across, fill_value=0).to_numpy()


def _headlines(report: Report, by_column: dict[str, tuple[Finding, ...]]) -> tuple[str, ...]:
    """One sentence a column: what is off, or that nothing can be told; then what is amplified."""
    words = []
    for column, shares in by_column.items():
        off = [f for f in shares if f.verdict == "worse" and f.floor is not None]
        if off:
            told = ", ".join(f"{f.name} {f.value:.0%} and not {f.floor:.0%}" for f in sorted(off, key=_away)[:4])
            words.append(
                f"{column}: {told}. These differ from the reference by more than chance and known errors explain."
            )
        elif shares and all((f.low, f.high) == (0, 1) for f in shares):
            words.append(
                f"{column}: some of these groups cannot be told apart by their judge, so nothing is said of any."
            )
        elif any(f.floor is not None for f in shares):
            words.append(f"{column}: nothing here contradicts the reference; that is not proof of fairness.")
        else:
            words.append(f"{column}: shares without a reference to compare with.")
    for f in report.findings:
        if f.name.endswith(".amplification") and f.verdict:
            tie = f.name.removesuffix(".amplification")
            state = {"worse": "amplified", "better": "weakened"}.get(
                f.verdict, "neither amplified nor weakened for sure"
            )
            words.append(
                f"{tie}: the ties of the training data are {state} ({f.value:+.3f}, {f.low:+.3f} to {f.high:+.3f})."
            )
        if f.name.endswith("shift") and f.verdict == "worse":
            words.append(f.reading)
    return tuple(words)


def _away(f: Finding) -> float:
    return -abs(f.value - f.floor)


_making = threading.Lock()


def example() -> tuple[Collected, Asked, Audited] | None:
    """What `_example` gives, made by one thread while the others wait."""
    with _making:
        return _example()


@functools.lru_cache(maxsize=1)
def _example() -> tuple[Collected, Asked, Audited] | None:
    """The model that is biased on purpose, 400 items of it, audited against equal shares; None where there is none."""
    known = [e.name for e in of_pictures()]
    name = next((n for n in sorted(known) if n.endswith("-biased")), next(iter(known), None))
    if name is None:
        return None
    groups = list(attributes_of(judge_for(shelf.entry(name))))
    columns = tuple(dict.fromkeys([groups[0], *(g for g in groups if g == "glasses")]))
    work = from_model(name, count=400, seed=0, columns=columns)
    while True:
        try:
            next(work)
        except StopIteration as done:
            asked = Asked(columns)
            return done.value, asked, audit(done.value, asked)


# ---- pictures


def contact_sheet(collected: Collected, column: str, group: str) -> bytes | None:
    """Up to 24 pictures of a group side by side, a PNG: sealed where they were generated here, else as they came.

    None where the items have no pictures or the group is empty.
    """
    from PIL import Image

    if column not in collected.items.table.columns or not collected.thumbs:
        return None
    named = collected.items.table[column]
    chosen = [item for item in named.index[named == group] if item in collected.thumbs][:SHEET]
    if not chosen:
        return None
    rows = -(-len(chosen) // ACROSS)
    side, gap = 64, 4
    sheet = Image.new("RGB", (ACROSS * (side + gap) - gap, rows * (side + gap) - gap), "white")
    for i, item in enumerate(chosen):
        with Image.open(io.BytesIO(collected.thumbs[item])) as thumb:
            left, top = (i % ACROSS) * (side + gap), (i // ACROSS) * (side + gap)
            sheet.paste(thumb, (left + (side - thumb.width) // 2, top + (side - thumb.height) // 2))
    sheet = sheet.resize((sheet.width * 2, sheet.height * 2), Image.Resampling.NEAREST)
    return leaving(
        collected,
        np.asarray(sheet).transpose(2, 0, 1),
        "audit sheet",
        {"column": column, "group": group, "items": " ".join(chosen)},
    )


def leaving(collected: Collected, picture: bytes | np.ndarray, what: str, inputs: Mapping[str, str]) -> bytes:
    """A picture of the audit, PNG or pixels (c, h, w), as it may leave: sealed where items were generated here."""
    drawn = isinstance(picture, np.ndarray)
    if collected.made is None:
        return pictures.png(picture) if drawn else picture
    from audits.provenance import Claim
    from genlab.studio.marking import Drawn, mark

    model, weights, first = collected.made
    claim = Claim(model, weights, what, first, dict(inputs), {})
    return mark(Drawn(picture, pictures.png) if drawn else picture, "image/png", claim).media


# ---- planning


def plan(gap: object, share: object, column: str = "", judge: str = "") -> str:
    """How many items show a gap of `gap` from `share`, in one sentence, the errors of the judge counted in.

    Args:
        column: an attribute that the judge names; with neither, groups are taken as exactly known.

    Raises:
        ValueError: the gap and the share leave no two shares between 0 and 1.
    """
    from audits.bias.planner import items_for_gap

    for name, value in (("gap", gap), ("share", share)):
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < 1:
            raise StudioError(f"The {name} is a number between 0 and 1; {str(value)[:40]!r} was given.")
    known, told = _errors(column, judge)
    return f"{items_for_gap(-gap if share + gap >= 1 else gap, share=share, **known).reading} {told}"


def seen_with(count: int, share: float, column: str = "", judge: str = "") -> str:
    """The smallest gap above `share` that `count` items show four times in five, in one sentence."""
    from audits.bias.planner import detectable_gap

    gap = detectable_gap(count, share=share, **_errors(column, judge)[0])
    if np.isnan(gap):
        return f"{count:,} items show no gap at all."
    return f"{count:,} items show gaps of {gap:.1%} and more from a share of {share:.0%} four times in five."


def _errors(column: str, judge: str) -> tuple[dict[str, Any], str]:
    """The judge's accuracy on its worst group and on the rest, with the validation items behind them; and in words."""
    table = shelf.config_of(judge).get("attributes", {}).get(column) if judge else None
    if table is None:
        return {}, "Groups are taken as known."
    counts = np.array(table["counts"], float)
    rows, right = counts.sum(1), np.diag(counts)
    worst = int((right / rows).argmin())
    others = 1 - (counts[:, worst].sum() - right[worst]) / (counts.sum() - rows[worst])
    known = {"accuracy": (right[worst] / rows[worst], others), "validation": int(rows.min())}
    group = table["names"][worst]
    return known, f"Counted in: {judge} is right about {known['accuracy'][0]:.1%} of {group!r}, its worst group."

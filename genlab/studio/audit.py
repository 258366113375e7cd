"""From what was read to a report: references checked, one audit of everything, its headline, and files to take away."""

import functools
import io
import re
import shlex
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from audits.bias import tables
from audits.bias.cells import table_csv
from audits.bias.inputs import Items
from audits.bias.table_audit import audit_table
from audits.report import Finding, Report
from genlab.studio.audit_groups import UNNAMED, Reading
from genlab.studio.shelf import StudioError

REFERENCES = ("none", "uniform", "training", "own")


@dataclass(frozen=True)
class Audited:
    """One audit of one reading.

    Attributes:
        report: all findings and caveats.
        headline: the first thing to read, one or two sentences.
        reference: by attribute the share that each group should have.
        labels: by attribute the hand labels by item, "" where somebody looked and could not tell.
    """

    reading: Reading
    report: Report
    headline: str
    reference: dict[str, dict[str, float]] = field(default_factory=dict)
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    question: str = "model"
    with_training: bool = False

    @property
    def attributes(self) -> tuple[str, ...]:
        return tuple(self.reading.groups)

    def findings(self, attribute: str, kind: str = "share") -> list[tuple[str, Finding]]:
        """(group, finding) of one attribute, in the report's order."""
        start = f"{attribute}.{kind}." if len(self.attributes) > 1 else f"{kind}."
        return [(f.name.removeprefix(start), f) for f in self.report.findings if f.name.startswith(start)]

    def finding(self, attribute: str, name: str) -> Finding | None:
        """A finding of an attribute by its name, None where the report has none."""
        wanted = f"{attribute}.{name}" if len(self.attributes) > 1 else name
        return next((f for f in self.report.findings if f.name == wanted), None)

    @functools.cached_property
    def files(self) -> dict[str, bytes]:
        """The report in its four forms."""
        return {
            "report.json": self.report.to_json().encode(),
            "report.csv": self.report.to_csv().encode(),
            "report.html": self.report.to_html().encode(),
            "report.pdf": self.report.to_pdf(),
        }

    @functools.cached_property
    def archive(self) -> bytes:
        """A zip of the report and of every table that `command` needs to make it again."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            contents = {f"report/{name}": content for name, content in self.files.items()}
            contents |= {name: content.encode() for name, content in _tables(self).items()}
            contents["command.txt"] = (command(self) + "\n").encode()
            for name, content in contents.items():
                archive.writestr(zipfile.ZipInfo(name), content)
        return packed.getvalue()


def audit(
    reading: Reading, *, reference: object = "uniform", own: Mapping[str, Mapping[str, float]] | None = None,
    labels: Mapping[str, Mapping[str, str]] | None = None, question: str = "model", level: float = 0.95, seed: int = 0,
) -> Audited:  # fmt: skip
    """Audit what was read.

    Args:
        reference: "none", "uniform", "training" (where it is known), or "own": the table in `own`, by attribute.
        labels: hand labels by attribute and item; "" for an item that was looked at in vain.
        question: "model" or "folder": whom the intervals answer for.

    A reference or labels that cannot be used are named among the caveats, and the rest of the audit is kept.

    Raises:
        ValueError: nothing can be audited.
    """
    if reference not in REFERENCES:
        raise StudioError(f"References are {', '.join(REFERENCES)}; {str(reference)[:40]!r} was given.")
    if question not in ("model", "folder"):
        raise StudioError(f"The question is model or folder; {str(question)[:40]!r} was given.")
    notes = list(reading.notes)
    looked = {a: {i: g for i, g in found.items() if g} for a, found in (labels or {}).items()}
    skips = {a: sum(not g for g in found.values()) for a, found in (labels or {}).items()}
    reading, looked = _labels_alone(reading, looked, notes)
    reading = _usable(reading, notes)
    groups = {a: _names(reading, a, looked.get(a, {})) for a in reading.groups}
    references = _references(reading, groups, str(reference), own or {}, notes)
    table, attributes = reading.table, list(reading.groups)
    for a, found in list(looked.items()):
        found = {i: g for i, g in found.items() if i in table.index}
        strange = sorted(set(found.values()) - set(groups[a])) if a in groups else sorted(looked)
        if a not in groups or strange:
            notes.append(f"Labels of {a} were left out: {tables.listed(strange)} are not among its groups.")
            looked.pop(a)
        elif not found:
            looked.pop(a)
        else:
            looked[a] = found
            if skips.get(a):
                notes.append(f"{skips[a]:,} pictures were skipped as not to be told for {a}: they count for no group.")
    training = reading.training if reference == "training" and len(attributes) > 1 else None
    if training is not None and any(a not in training.columns for a in attributes):
        training = None
    report = audit_table(
        Items(table, (), tuple(notes)), attributes, name=reading.source.name,
        validation={a: v for a, v in reading.validation.items() if set(v["true"]) >= set(groups[a])},
        labels={a: _series(found) for a, found in looked.items()},
        reference=references, expect=groups, training=training,
        outcome=reading.how.outcome or None, question=question, level=level, seed=seed,
    )  # fmt: skip
    kept = {a: dict(found) for a, found in (labels or {}).items()}
    made = Audited(reading, report, "", references, kept, question, training is not None)
    return replace(made, headline=headline(made))


def _labels_alone(reading: Reading, looked: dict, notes: list[str]) -> tuple[Reading, dict]:
    """Where labels are all there is, the labelled items are the set: a simple random sample of it."""
    if reading.how.way != "labels":
        return reading, looked
    attribute = next(iter(reading.groups))
    found = {i: g for i, g in looked.get(attribute, {}).items() if i in reading.table.index}
    if not found:
        raise StudioError("Groups come from your labels alone: label some pictures first, then look at the result.")
    notes.append(f"Groups are hand labels of {len(found):,} of {len(reading.table):,} pictures, drawn at random.")
    return replace(reading, table=_series(found).to_frame(attribute)), {}


def _usable(reading: Reading, notes: list[str]) -> Reading:
    """The reading without columns that cannot be audited, each named in the notes; StudioError where none is left."""
    import pandas as pd

    groups, how = {}, reading.how
    for a, names in reading.groups.items():
        found = len(set(names) | set(reading.table[a].dropna()))
        if not 1 <= found <= tables.MAX_GROUPS:
            why = (
                "has no group in any row"
                if not found
                else f"has {found:,} different values; groups are {tables.MAX_GROUPS} at most"
            )
            notes.append(f"The column {a} was left out: it {why}.")
        else:
            groups[a] = names
    if not groups:
        raise StudioError(f"Nothing can be audited. {notes[-1]}")
    if how.outcome and pd.to_numeric(reading.table[how.outcome], errors="coerce").isna().any():
        notes.append(f"The outcome {how.outcome} was left out: it is not a number in every row.")
        how = replace(how, outcome="")
    return replace(reading, groups=groups, how=how)


def _series(found: Mapping[str, str]):
    import pandas as pd

    return pd.Series(dict(found), dtype=object).rename_axis("item")


def _names(reading: Reading, attribute: str, labels: Mapping[str, str]) -> tuple[str, ...]:
    named = list(dict.fromkeys([*reading.groups[attribute], *sorted(reading.table[attribute].dropna().unique())]))
    extra = sorted(set(labels.values()) - set(named)) if reading.how.way in ("folder", "columns") else []
    return tuple(n for n in [*named, *extra] if n != UNNAMED)


def _references(reading: Reading, groups: dict, kind: str, own: Mapping, notes: list[str]) -> dict:
    found = {}
    for a, names in groups.items():
        if kind == "uniform":
            found[a] = dict.fromkeys(names, 1 / len(names))
        elif kind == "training":
            if a in reading.shares:
                found[a] = dict(reading.shares[a])
            else:
                notes.append(f"The training shares of {a} are not recorded, so it is shown without a reference.")
        elif kind == "own" and a in own:
            found[a] = dict(own[a])
        if a in found:
            try:
                tables.as_reference(found[a], list(names))
            except ValueError as error:
                notes.append(f"The reference of {a} was left out. {error}")
                del found[a]
    return found


def read_reference(text: object, attributes: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Lines `attribute: group share, group share` as shares by attribute; one attribute needs no name.

    Raises:
        ValueError: a line has another form or names an unknown attribute. Sums are checked by the audit.
    """
    found: dict[str, dict[str, float]] = {}
    for line in str(text or "").splitlines():
        if not line.strip():
            continue
        name, mark, rest = line.partition(":")
        if not mark and len(attributes) == 1:
            name, rest = attributes[0], line
        name = name.strip()
        if name not in attributes:
            raise StudioError(
                f"A line of the reference begins with {tables.listed(attributes, 12)} and a colon, not {name[:40]!r}."
            )
        shares = {}
        for part in rest.split(","):
            match = re.fullmatch(r"\s*(.+?)[\s=]+([0-9.]+)\s*(%?)\s*", part)
            try:
                share = float(match[2]) / (100 if match[3] else 1)
            except (TypeError, ValueError):
                raise StudioError(
                    f"Write each share as a group and a number, such as dark 0.2; {part.strip()[:40]!r} was given."
                ) from None
            if match[1] in shares:
                raise StudioError(f"The reference of {name} names {match[1][:40]!r} twice.")
            shares[match[1]] = share
        found[name] = shares
    if not found:
        raise StudioError(
            "Your own reference is empty: write a line for each attribute, such as tone: light 0.5, dark 0.5."
        )
    return found


# ---- the first sentence


def headline(made: Audited) -> str:
    """What the audit found, as a person would say it first."""
    alarms = [a for a in made.attributes if (f := made.finding(a, "shift")) and f.verdict == "worse"]
    off = [(a, g, f) for a in made.attributes for g, f in made.findings(a) if f.verdict == "worse"]
    off.sort(key=lambda found: -max(found[2].low - found[2].floor, found[2].floor - found[2].high))
    start = (
        f"{_join(alarms)}: your labels contradict the classifier here, and the labels are what counts. "
        if alarms
        else ""
    )
    if off:
        a, g, f = off[0]
        side = "under" if f.high < f.floor else "over"
        words = f"“{g}” is {side}-represented in {a}: {_span(f)}, where the reference says {f.floor:.0%}."
        others = len(off) - 1
        return start + words + (f" {others} more {'group is' if others == 1 else 'groups are'} off." if others else "")
    n = len(made.reading.table)
    if made.reference:
        widest = max(((f.high - f.low) / 2 for a in made.reference for _, f in made.findings(a)), default=0.0)
        return (
            start
            + f"Nothing in {n:,} items contradicts the reference; gaps below about {100 * widest:.0f} points could hide in the intervals."
        )
    a = made.attributes[0]
    g, f = max(made.findings(a), key=lambda found: found[1].value)
    return start + f"The largest group of {a} is “{g}”: {_span(f)} of {n:,} items. Choose a reference to judge it."


def _span(f: Finding) -> str:
    if f.low == f.high:
        return f"{f.value:.1%}"
    return f"{f.value:.1%} ({f.low:.1%} to {f.high:.1%})"


def _join(names: list[str]) -> str:
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0]


# ---- the same in a terminal


def command(made: Audited) -> str:
    """The line that gives the same figures from the tables in `archive`, or from the uploaded file itself."""
    reading, tables_of = made.reading, _tables(made)
    own = reading.how.way in ("columns", "folder")
    source = reading.source.name if own else f"{slug(reading.source.name)}.csv"
    words = ["python", "-m", "audits", "bias", source, "--groups", ",".join(made.attributes)]
    several = len(made.attributes) > 1
    for a in made.attributes:
        prefix = f"{a}=" if several else ""
        for option in ("validation", "labels", "reference"):
            file = f"{option}-{slug(a)}.csv"
            if file in tables_of:
                words += [f"--{option}", prefix + file]
    for a, groups in reading.groups.items():
        absent = [g for g in groups if g not in set(reading.table[a].dropna())]
        if absent and not any(f.endswith(f"-{slug(a)}.csv") for f in tables_of if not f.startswith("labels")):
            words += ["--expect", (f"{a}=" if several else "") + ",".join(groups)]
    words += ["--training", "training.csv"] if "training.csv" in tables_of else []
    words += ["--outcome", reading.how.outcome] if reading.how.outcome else []
    words += ["--question", made.question] if made.question != "model" else []
    return shlex.join([*words, "--out", "report"])


def slug(text: str) -> str:
    """`text` as part of a file name."""
    stem = Path(text).stem if text.lower().endswith((".zip", ".csv", ".tsv", ".txt", ".parquet")) else text
    return re.sub(r"[^\w-]+", "-", stem, flags=re.ASCII).strip("-")[:60] or "set"


def _tables(made: Audited) -> dict[str, str]:
    import pandas as pd

    reading, found = made.reading, {}
    if reading.how.way not in ("columns", "folder"):
        found[f"{slug(reading.source.name)}.csv"] = table_csv(reading.table.reset_index())
    for a in made.attributes:
        if a in reading.validation:
            found[f"validation-{slug(a)}.csv"] = table_csv(reading.validation[a])
        if a in made.reference:
            shares = made.reference[a]
            found[f"reference-{slug(a)}.csv"] = table_csv(
                pd.DataFrame({"group": list(shares), "share": list(shares.values())})
            )
        if any(made.labels.get(a, {}).values()) and reading.how.way != "labels":
            kept = {i: g for i, g in made.labels[a].items() if i in reading.table.index}
            found[f"labels-{slug(a)}.csv"] = table_csv(pd.DataFrame({"item": list(kept), "label": list(kept.values())}))
    if made.with_training:
        found["training.csv"] = table_csv(reading.training[list(made.attributes)])
    return found


def example_table() -> str:
    """A table to try the audit with, and a template for one's own: 600 items, two columns of groups, an outcome."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(7)
    tone = rng.choice(["light", "medium", "dark"], 600, p=[0.52, 0.31, 0.17])
    glasses = np.where(rng.random(600) < np.where(tone == "light", 0.4, 0.15), "glasses", "no glasses")
    sharp = (rng.random(600) < np.where(tone == "dark", 0.74, 0.86)).astype(int)
    items = [f"picture-{i:04d}.png" for i in range(1, 601)]
    return table_csv(pd.DataFrame({"item": items, "tone": tone, "glasses": glasses, "sharp": sharp}))

"""Where groups come from: columns, subfolders, our judges, a zero-shot classifier, skin tone, or hand labels alone.

Reading goes item by item and can be stopped at any time; what was read until then is kept and audited.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from audits.bias.inputs import FOLDER, read_table
from audits.bias.tables import listed
from genlab.studio import audit_judges, audit_sources, hub, shelf, uploads
from genlab.studio.audit_sources import Source
from genlab.studio.shelf import StudioError

WAYS = ("columns", "folder", "judge", "zero-shot", "skin tone", "labels")
CHUNK = 32  # pictures named at a time
UNNAMED = "not named"  # the one stratum of a set whose groups come from labels alone
TONES = tuple(f"tone {i}" for i in range(1, 11))


@dataclass(frozen=True)
class How:
    """Where groups come from.

    Attributes:
        way: one of `WAYS`.
        attributes: columns or attributes to audit.
        judge: for "judge".
        prompts: for "zero-shot", by group.
        classifier: for "zero-shot", the model on the Hub, and its `revision`.
        groups: for "labels", the names to choose from.
        outcome: a column of numbers, for "columns".
    """

    way: str
    attributes: tuple[str, ...] = ()
    judge: str = ""
    prompts: Mapping[str, str] = field(default_factory=dict)
    classifier: str = hub.CLASSIFIER
    revision: str = ""
    groups: tuple[str, ...] = ()
    outcome: str = ""


@dataclass(frozen=True)
class Step:
    """How far the reading is."""

    done: int
    total: int
    words: str


@dataclass(frozen=True)
class Reading:
    """What was read.

    Attributes:
        table: a DataFrame indexed by item, a column an attribute (and the outcome), missing where not named.
        groups: the groups of every attribute, those that no item has included.
        validation: held-out items of the instrument by attribute.
        shares: training shares by attribute.
        notes: what the report must say about the reading.
        kept: pictures of a pipeline as PNG, by item: they are too dear to draw twice.
        stopped: whether somebody stopped it.
    """

    source: Source
    how: How
    table: object
    groups: dict[str, tuple[str, ...]]
    validation: dict = field(default_factory=dict)
    shares: dict = field(default_factory=dict)
    training: object = None
    notes: tuple[str, ...] = ()
    kept: dict[str, bytes] = field(default_factory=dict)
    stopped: bool = False


def read(source: Source, how: How, *, stop: Callable[[], bool] = lambda: False) -> Iterator[Step | Reading]:
    """Steps, and last the `Reading`. With `stop` it ends early with what there is.

    Raises:
        ValueError: one sentence: what was asked for does not fit the source, or nothing could be read.
    """
    if how.way not in WAYS:
        raise StudioError(f"Groups come from {', '.join(WAYS)}; {str(how.way)[:40]!r} was given.")
    if source.kind == "table":
        if how.way != "columns":
            raise StudioError(f"{source.name} is a table: its groups come from its columns.")
        yield from _columns(source, how)
        return
    if how.way == "columns":
        raise StudioError(f"{source.name} has no columns: its groups come from its pictures.")
    if how.way == "folder" and FOLDER not in source.columns:
        raise StudioError(f"The pictures in {source.name} lie in no subfolders: choose another origin of groups.")
    yield from _pictures(source, how, stop)


def _columns(source: Source, how: How) -> Iterator[Step | Reading]:
    yield Step(0, 1, f"Reading {source.name}")
    wanted = list(dict.fromkeys([*how.attributes, *([how.outcome] if how.outcome else [])]))
    if not how.attributes:
        raise StudioError(f"Choose one or more columns of groups; {source.name} has {listed(source.columns, 12)}.")
    table = read_table(Path(source.path), wanted, items=True)
    if table.index.has_duplicates:
        table = table.set_axis([str(i + 1) for i in range(len(table))])
        source_notes = ("Some names of items stand twice: rows are counted instead, and cannot be labelled by name.",)
    else:
        source_notes = ()
    groups = {c: tuple(sorted(table[c].dropna().unique())) for c in how.attributes}
    yield Reading(source, how, table, groups, notes=source_notes)


class Namer:
    """Names groups of pictures a chunk at a time, and counts those that it does not know."""

    def __init__(self, source: Source, how: How):
        self.how, self.strange, self.untold, self.notes = how, 0, 0, list(source.notes)
        self.validation, self.shares, self.training = {}, {}, None
        if how.way == "judge":
            judge = audit_judges.instrument(how.judge)
            self.shape = shelf.entry(how.judge).shape
            chosen = how.attributes or tuple(judge.attributes)
            strange = [a for a in chosen if a not in judge.attributes]
            if strange:
                raise StudioError(f"{how.judge} names {listed(judge.attributes, 12)}, not {listed(strange)}.")
            self.groups = {a: judge.attributes[a] for a in chosen}
            self.validation = {a: v for a, v in judge.validation.items() if a in chosen}
            self.notes.append(judge.about)
            if source.kind == "model":
                self.shares, self.training = audit_judges.training_shares(source.model), source.model
        elif how.way == "zero-shot":
            self.groups = {(how.attributes or ("group",))[0]: tuple(how.prompts)}
            self.loaded = hub.classifier(how.classifier, how.revision)
            self.notes.append(
                f"Groups were named by {how.classifier} at {self.loaded[2][:12]} from prompts; its errors on these "
                "pictures are unknown until some are labelled by hand."
            )
        elif how.way == "skin tone":
            self.groups = {"skin tone": TONES}
            self.notes.append(
                "Tones are read from the pixels of an ellipse in the middle of each picture: they describe drawn or "
                "photographed colour, light included, and not a person."
            )
        elif how.way == "folder":
            self.groups = {FOLDER: ()}
        else:
            self.groups = {(how.attributes or ("group",))[0]: tuple(how.groups)}

    def __call__(self, items: list[str], found: list[np.ndarray]) -> dict[str, list[str | None]]:
        if self.how.way == "folder":
            return {FOLDER: [item.split("/", 1)[0] if "/" in item else None for item in items]}
        if self.how.way == "judge":
            return self._judged(found)
        name = next(iter(self.groups))
        if self.how.way == "zero-shot":
            return {name: hub.zero_shot(self.loaded, found, self.how.prompts)}
        if self.how.way == "skin tone":
            return {name: self._toned(found)}
        return {name: [UNNAMED] * len(items)}

    def _judged(self, found: list[np.ndarray]) -> dict[str, list[str | None]]:
        from PIL import Image

        sized = [f.shape[:2] == self.shape[1:] for f in found]
        fitted = [
            f.transpose(2, 0, 1)[: self.shape[0]] if same else uploads.fitted(Image.fromarray(f), self.shape)[0]
            for f, same in zip(found, sized, strict=True)
        ]
        if not all(sized):
            side = f"{self.shape[1]} x {self.shape[2]}"
            note = f"Pictures of other sizes were fitted to the {side} pixels that {self.how.judge} takes."
            self.notes += [] if note in self.notes else [note]
        numbers, known = audit_judges.named(self.how.judge, np.ascontiguousarray(np.stack(fitted)))
        self.strange += int((~known).sum())
        return {
            a: [self.groups[a][k] if sure else None for k, sure in zip(numbers[a], known, strict=True)]
            for a in self.groups
        }

    def _toned(self, found: list[np.ndarray]) -> list[str | None]:
        from audits.bias.skin_tone import face_region, skin_tone

        named = []
        for picture in found:
            small = audit_sources.thumbnail(picture, 96).transpose(1, 2, 0) / 255
            tone = skin_tone(small[face_region(96, 96)]).tone
            self.untold += tone is None
            named.append(None if tone is None else f"tone {tone}")
        return named

    def told(self, read: int) -> list[str]:
        """The notes, with what was counted."""
        notes = list(self.notes)
        if self.strange:
            notes.insert(
                0,
                f"{self.strange:,} of {read:,} pictures are outside what {self.how.judge} knows: their groups are not "
                "to be trusted and were left out.",
            )
        if self.untold:
            notes.insert(0, f"The tone of {self.untold:,} of {read:,} pictures cannot be told; they were left out.")
        return notes


def _pictures(source: Source, how: How, stop: Callable[[], bool]) -> Iterator[Step | Reading]:
    import pandas as pd

    total = len(source.items)
    yield Step(0, total, "Loading what is needed")
    namer = Namer(source, how)
    kept: dict[str, bytes] = {}
    columns: dict[str, list] = {a: [] for a in namer.groups}
    names, skipped, waiting = [], [], []
    stopped = False
    chunk = audit_sources.CHUNK if source.kind == "model" else 1 if source.kind == "pipeline" else CHUNK

    def name_waiting() -> None:
        if waiting:
            items, found = [item for item, _ in waiting], [picture for _, picture in waiting]
            for a, values in namer(items, found).items():
                columns[a] += values
            names.extend(items)
            waiting.clear()

    pipeline_notes: list[str] = []
    stream = (
        _piped(source, kept, pipeline_notes, stop)
        if source.kind == "pipeline"
        else audit_sources.pixels(source, source.items)
    )
    for done, (item, picture) in enumerate(stream, 1):
        if picture is None:
            skipped.append(item)
        else:
            waiting.append((item, picture))
        if len(waiting) >= chunk:
            name_waiting()
        if done % chunk == 0 or done == total:
            verb = "Drawn" if source.kind in ("model", "pipeline") else "Read"
            yield Step(done, total, f"{verb} {done:,} of {total:,} pictures")
        if stop():
            stopped = True
            break
    name_waiting()
    stopped = stopped or (source.kind == "pipeline" and stop())
    if not names:
        if stopped:
            raise StudioError("Stopped before the first picture: there is nothing to audit yet.")
        raise StudioError(f"{source.name} holds no picture that can be read ({len(skipped):,} files were skipped).")
    notes = [*pipeline_notes, *namer.told(len(names))]
    if skipped:
        notes.insert(0, f"{len(skipped):,} files were skipped (unreadable or too large): {listed(skipped)}.")
    if stopped:
        notes.insert(0, f"Stopped after {len(names):,} of {total:,} items: this audit answers for those.")
    table = pd.DataFrame(columns, index=pd.Index(names, name="item"), dtype=object)
    if all(table[a].isna().all() for a in table):
        raise StudioError(_nothing(how, len(names)))
    groups = (
        {FOLDER: tuple(sorted(set(table[FOLDER].dropna()) | set(source.empty)))}
        if how.way == "folder"
        else namer.groups
    )
    yield Reading(
        source, how, table, groups, namer.validation, namer.shares,
        None if namer.training is None else audit_judges.training_table(namer.training),
        tuple(notes), kept, stopped,
    )  # fmt: skip


def _nothing(how: How, count: int) -> str:
    if how.way == "judge":
        return f"None of the {count:,} pictures is of a kind that {how.judge} knows: label some by hand instead."
    if how.way == "skin tone":
        return f"The skin tone of none of the {count:,} pictures can be told: label some by hand instead."
    return "No picture has a group."


def _piped(source: Source, kept: dict[str, bytes], notes: list[str], stop) -> Iterator[tuple[str, np.ndarray]]:
    made, revision = hub.pipeline(source.model, source.revision)
    notes.append(f"Drawn by {source.model} at {revision[:12]} in {hub.STEPS} steps, one seed an item.")
    for i, item in enumerate(source.items):
        prompt = source.prompts[i % len(source.prompts)] if source.prompts else ""
        try:
            picture = hub.draw(made, int(item), prompt, stop=stop)
        except hub.Stopped:
            return
        kept[item] = audit_sources.as_png(picture)
        yield item, picture

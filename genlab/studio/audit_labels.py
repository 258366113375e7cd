"""The labelling step: pictures drawn evenly from the predicted groups, shown in an order that says nothing of them.

Whoever labels never sees what was predicted. The state is a value: every press of a button makes a new one, so undo is
exact, and a CSV of the labels is enough to go on later.
"""

import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from audits.bias.cells import as_meant, table_csv
from audits.bias.labelled import to_label
from audits.provenance import Claim, Sealed
from genlab.studio import audit_sources, generate, pictures, shelf
from genlab.studio.audit_groups import Reading
from genlab.studio.audit_sources import CHUNK, Source
from genlab.studio.marking import mark
from genlab.studio.shelf import StudioError

COUNT = 100
MOST_GROUPS = 12  # buttons
SIDE = 448  # pixels of the picture that is labelled
ACROSS, SHEET = 4, 12  # pictures in a row of a contact sheet, and on the whole of it
LARGEST = 2**20  # bytes of a labels file


@dataclass(frozen=True)
class Own:
    """A visitor's own picture shown back to them. It is never signed: a signature would say that it was made here."""

    media: bytes
    media_type: str = "image/png"


@dataclass(frozen=True)
class Labelling:
    """Hand labels in the making: `labels` by item, "" where a picture was skipped; `order` of what was pressed."""

    attribute: str
    groups: tuple[str, ...]
    items: tuple[str, ...]
    labels: dict[str, str]
    order: tuple[str, ...] = ()

    @property
    def current(self) -> str | None:
        """The item that waits for a label, None when all have one."""
        return next((item for item in self.items if item not in self.labels), None)

    @property
    def done(self) -> int:
        return sum(item in self.labels for item in self.items)

    def put(self, number: int) -> "Labelling":
        """The current item labelled with the group of that number, from 0. Raises StudioError where there is none."""
        if not 0 <= number < len(self.groups):
            raise StudioError(f"Groups have the numbers 1 to {len(self.groups)}.")
        return self._with(self.groups[number])

    def skip(self) -> "Labelling":
        """The current item passed over: it cannot be told."""
        return self._with("")

    def undo(self) -> "Labelling":
        """The last label taken back."""
        if not self.order:
            return self
        return replace(
            self, labels={i: g for i, g in self.labels.items() if i != self.order[-1]}, order=self.order[:-1]
        )

    def _with(self, group: str) -> "Labelling":
        if self.current is None:
            return self
        return replace(self, labels={**self.labels, self.current: group}, order=(*self.order, self.current))


def begin(reading: Reading, attribute: str, *, count: object = COUNT, seed: int = 0, labels: bytes = b"") -> Labelling:
    """The items to label for one attribute, and the labels of an earlier sitting where a CSV of them is given.

    Raises:
        ValueError: the attribute is unknown or has too many groups, there are no pictures, or the CSV is not one.
    """
    if attribute not in reading.groups:
        raise StudioError(f"Attributes here are {', '.join(reading.groups)}; {str(attribute)[:40]!r} was given.")
    if reading.source.kind == "table":
        raise StudioError("A table has no pictures to label: upload a zip of them, or draw them with a model.")
    groups = reading.groups[attribute]
    if not 2 <= len(groups) <= MOST_GROUPS:
        raise StudioError(f"Labelling takes 2 to {MOST_GROUPS} groups; {attribute} has {len(groups)}.")
    count = shelf.whole(count, "number of labels", 1, 1000)
    known = reading.table[attribute].dropna()
    drawn = [str(item) for item in to_label(known, count, seed=seed)]
    earlier = read_labels(labels, attribute) if labels else {}
    found = {i: g for i, g in earlier.items() if i in known.index and (g in groups or not g)}
    if earlier and not found:
        raise StudioError("None of these labels is of a picture and a group of this set: is it the right file?")
    extra = [item for item in found if item not in set(drawn)]
    items = tuple([*extra, *drawn])
    return Labelling(attribute, groups, items, found, tuple(i for i in items if i in found))


def labels_csv(labellings: Iterable[Labelling]) -> str:
    """Labels as CSV: item, label (empty: skipped) and attribute."""
    import pandas as pd

    rows = [(i, x.labels[i], x.attribute) for x in labellings for i in x.items if i in x.labels]
    return table_csv(pd.DataFrame(rows, columns=["item", "label", "attribute"]))


def read_labels(content: bytes, attribute: str) -> dict[str, str]:
    """Labels of one attribute from what `labels_csv` wrote, or from any CSV with the columns item and label.

    Raises:
        StudioError: it is no such CSV.
    """
    import pandas as pd

    wrong = "Labels are a CSV file with the columns item and label, as this page writes it."
    if len(content) > LARGEST:
        raise StudioError(f"{wrong} This one is larger than 1 MiB.")
    try:
        table = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except Exception as error:  # whatever is wrong with a CSV, it means the same
        raise StudioError(wrong) from error
    if not {"item", "label"} <= set(table.columns):
        raise StudioError(wrong)
    table = table.apply(as_meant)
    if "attribute" in table:
        table = table[table["attribute"].isin([attribute, ""])]
    return dict(zip(table["item"], table["label"], strict=True))


# ---- pictures


def shown(reading: Reading, items: Sequence[str], *, side: int = SIDE) -> Iterable[tuple[str, Sealed | Own]]:
    """Pictures large enough to be judged by eye, one an item, in the order given; small ones grow pixel by pixel."""
    for item, picture in _pixels(reading, items):
        large = audit_sources.thumbnail(picture, side)
        yield item, _sealed(reading.source, pictures.png(large), int(item) if item.isdigit() else 0, {"view": "label"})


def sheets(reading: Reading, attribute: str, *, most: int = SHEET) -> list[tuple[str, int, Sealed | Own]]:
    """(group, its number of items, contact sheet of the first few) for every group of an attribute that has items."""
    table = reading.table[attribute].dropna()
    chosen = {g: [str(i) for i in table.index[table == g][:most]] for g in reading.groups[attribute]}
    chosen = {g: items for g, items in chosen.items() if items}
    every = [item for items in chosen.values() for item in items]
    found = {item: audit_sources.thumbnail(picture, 128) for item, picture in _pixels(reading, every)}
    made = []
    for group, items in chosen.items():
        tiles = np.stack([found[item] for item in items])
        blank = np.full((-len(tiles) % ACROSS, *tiles.shape[1:]), 255, np.uint8)
        picture = pictures.png(pictures.grid(np.concatenate([tiles, blank]), ACROSS))
        told = {"sheet": str(len(items)), "attribute": attribute, "group": group, "items": " ".join(items)[:2000]}
        first = int(items[0]) if items[0].isdigit() else 0
        made.append((group, int((table == group).sum()), _sealed(reading.source, picture, first, told)))
    return made


def _pixels(reading: Reading, items: Sequence[str]) -> Iterable[tuple[str, np.ndarray]]:
    source = reading.source
    if source.kind == "pipeline":
        from PIL import Image

        for item in items:
            with Image.open(io.BytesIO(reading.kept[item]), formats=["PNG"]) as image:
                yield item, np.asarray(image.convert("RGB"))
        return
    for at in range(0, len(items), CHUNK):
        for item, picture in audit_sources.pixels(source, items[at : at + CHUNK]):
            if picture is not None:
                yield item, picture


def _sealed(source: Source, media: bytes, seed: int, told: dict[str, str]) -> Sealed | Own:
    """What was made here leaves signed; what a visitor brought is shown back as it is."""
    if source.kind == "model":
        known = shelf.entry(source.model)
        knobs = generate.whole_knobs(known, None)
        labels = audit_sources.labels_of(source, [seed])
        told = told | ({"label": known.classes[labels[0]]} if labels and "sheet" not in told else {})
        return mark(media, "image/png", Claim(known.name, known.weights, "audit", seed, told, knobs))
    if source.kind == "pipeline":
        # The commit stands for the weights, which the Hub keeps under it.
        weights = hashlib.sha256(f"{source.model}@{source.revision}".encode()).hexdigest()
        told = told | {"revision": source.revision}
        return mark(media, "image/png", Claim(source.model, weights, "audit", seed, told))
    return Own(media)

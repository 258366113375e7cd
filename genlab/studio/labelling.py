"""Looking with one's own eyes: which items to label by hand, what was said of them, and the table that keeps it."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from genlab.studio.collect import Collected
from genlab.studio.shelf import StudioError, whole

USUAL = 100  # items that are worth an afternoon's five minutes
MOST = 1_000
GROUPS = 12  # that can be told apart by one key each
UNSURE = "cannot tell"


@dataclass(frozen=True)
class Labelling:
    """Where a person stands in looking at items.

    Attributes:
        column: the attribute that is asked about.
        groups: what can be answered, beside `UNSURE`.
        queue: items in the order in which they are shown; the order says nothing about a group.
        given: what was said, by item, in order.
    """

    column: str
    groups: tuple[str, ...]
    queue: tuple[str, ...]
    given: dict[str, str] = field(default_factory=dict)

    @property
    def now(self) -> str | None:
        """The item to look at, None when all were seen."""
        return next((item for item in self.queue if item not in self.given), None)

    def answered(self, group: object) -> "Labelling":
        """After one answer about the present item.

        Raises:
            StudioError: it is no group, or nothing is left to look at.
        """
        item = self.now
        if item is None:
            raise StudioError("Every item of this round has been looked at.")
        if group != UNSURE and group not in self.groups:
            raise StudioError(f"Answer with {', '.join(self.groups)} or {UNSURE}; {str(group)[:40]!r} was given.")
        return replace(self, given={**self.given, item: str(group)})

    def undone(self) -> "Labelling":
        """Without the last answer."""
        return replace(self, given=dict(list(self.given.items())[:-1]))

    def labels(self):
        """Labels by item (a Series), without those that could not be told."""
        import pandas as pd

        sure = {item: group for item, group in self.given.items() if group != UNSURE}
        return pd.Series(sure, dtype=object, name="label").rename_axis("item")


def begin(
    collected: Collected, column: str, groups: Sequence[str], *, count: object = USUAL, seed: int = 0
) -> Labelling:
    """A round of labelling: items drawn within each predicted group, or at random where nobody predicted any.

    Raises:
        StudioError: there are no pictures, or the groups are too few or too many.
    """
    from audits.bias.labelled import to_label

    if not collected.thumbs:
        raise StudioError("There are no pictures to look at: only a set of pictures can be labelled here.")
    known = list(collected.expected.get(column, ())) or _named(collected, column)
    groups = tuple(dict.fromkeys(g.strip() for g in groups if g.strip())) or tuple(known)
    if not 2 <= len(groups) <= GROUPS:
        raise StudioError(f"Name 2 to {GROUPS} groups to choose between; there are {len(groups)}.")
    count = whole(count, "number of items to label", 10, MOST)
    table = collected.items.table
    if column in table.columns:
        strange = sorted(set(table[column].dropna()) - set(groups))
        if strange:
            raise StudioError(f"The groups must have every predicted one among them; {strange[0]!r} is missing.")
        predicted = table[column].dropna()
    else:
        predicted = table.assign(all="all")["all"]
    return Labelling(column, groups, tuple(map(str, to_label(predicted, count, seed=seed))))


def _named(collected: Collected, column: str) -> list[str]:
    table = collected.items.table
    return sorted(table[column].dropna().unique()) if column in table.columns else []


def to_csv(labelling: Labelling) -> bytes:
    """The answers as a table `item`, `label` that `python -m audits bias --labels` and `resumed` read."""
    import pandas as pd

    from audits.bias.cells import table_csv

    rows = pd.DataFrame({"item": list(labelling.given), "label": list(labelling.given.values())})
    return table_csv(rows).encode()


def resumed(labelling: Labelling, csv: bytes) -> Labelling:
    """With the answers of a table that was saved before; those come first, the rest of the round follows.

    Raises:
        StudioError: it is no such table, or it speaks of other items or groups.
    """
    import pandas as pd

    from audits.bias.cells import as_meant

    try:
        table = pd.read_csv(io.BytesIO(csv), dtype=str, keep_default_na=False, encoding="utf-8-sig").apply(as_meant)
    except (ValueError, pd.errors.ParserError, pd.errors.EmptyDataError):
        raise StudioError("The labels cannot be read: a CSV with the columns item and label is needed.") from None
    if not {"item", "label"} <= set(table.columns):
        raise StudioError(f"The labels need the columns item and label, not {', '.join(table.columns)[:80]}.")
    strange = sorted(set(table["label"]) - {*labelling.groups, UNSURE, ""})
    if strange:
        raise StudioError(f"The labels name {strange[0][:40]!r}, which is not among {', '.join(labelling.groups)}.")
    given = {i: g for i, g in zip(table["item"], table["label"], strict=True) if g}
    known = set(labelling.queue)
    other = [item for item in given if item not in known]
    if other:
        raise StudioError(
            f"The labels speak of {len(other):,} items that are not in this round, such as {other[0][:40]!r}: use the "
            "same set, attribute and number of items as when they were saved."
        )
    return replace(labelling, given=given | {i: g for i, g in labelling.given.items() if i not in given})

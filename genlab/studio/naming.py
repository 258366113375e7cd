"""Who says which group a picture belongs to: a judge of ours, a zero-shot classifier, or the colour of its skin.

A namer takes pictures and gives a group a column, None where it cannot tell. What is known of its errors travels with
it as a table of validation items, so that an audit can count them in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from genlab.studio import shelf, uploads
from genlab.studio.shelf import Entry, StudioError

Named = dict[str, list[str | None]]  # a group an item, by column
PROMPTS = 40  # groups that a zero-shot classifier is asked about, at most
WORDS = 200  # characters of a prompt


class Namer(Protocol):
    """Names the groups of pictures (PIL, RGB); `expected` lists the groups of every column.

    `validation` has, by column, a table `true`, `predicted` of items on which its errors are known.
    """

    expected: Mapping[str, tuple[str, ...]]
    validation: Mapping[str, Any]
    caveats: tuple[str, ...]

    def name(self, pictures: Sequence[Any]) -> Named: ...


def judges() -> list[Entry]:
    """Judges on the shelf that name attributes."""
    return [known for known in shelf.with_capability("classify") if attributes_of(known.name)]


def attributes_of(judge: str) -> dict[str, tuple[str, ...]]:
    """The groups of every attribute that a judge names, by attribute, from its published confusion counts."""
    tables = shelf.config_of(judge).get("attributes", {})
    return {name: tuple(table["names"]) for name, table in tables.items()}


def judge_for(known: Entry) -> str | None:
    """The judge on the shelf that can name the groups of a model's items, if there is one."""
    name = f"judge-{known.data.partition('-')[0]}"
    return name if name in shelf.names() and attributes_of(name) else None


@dataclass(frozen=True)
class ByJudge:
    """The groups that a judge of ours names; None for pictures that are nothing it knows."""

    judge: str
    columns: tuple[str, ...]
    caveats: tuple[str, ...] = field(init=False)
    expected: Mapping[str, tuple[str, ...]] = field(init=False)
    validation: Mapping[str, Any] = field(init=False)

    def __post_init__(self):
        from genlab.studio.evaluate_attributes import validation

        known = attributes_of(self.judge)
        absent = [c for c in self.columns if c not in known]
        if absent or not self.columns:
            raise StudioError(f"{self.judge} names {', '.join(known) or 'nothing'}; choose among them.")
        tables = shelf.config_of(self.judge)["attributes"]
        caveat = (
            f"Groups were named by {self.judge}, whose errors on held-out drawings are counted in; pictures unlike "
            "those it learnt from were left out."
        )
        object.__setattr__(self, "caveats", (caveat,))
        object.__setattr__(self, "expected", {c: known[c] for c in self.columns})
        object.__setattr__(self, "validation", {c: validation(tables[c]) for c in self.columns})

    def name(self, pictures: Sequence[Any]) -> Named:
        from genlab.studio.evaluate_attributes import named

        judge = shelf.model(self.judge)
        items = np.stack([uploads.fitted(picture, judge.shape)[0] for picture in pictures])
        found = named(judge, items)
        return {
            column: [
                self.expected[column][g] if known else None
                for g, known in zip(found[column], found["known"], strict=True)
            ]
            for column in self.columns
        }


@dataclass(frozen=True)
class BySkinTone:
    """The Monk tone of the middle of each picture, or "cannot tell"."""

    column: str = "skin tone"
    validation: Mapping[str, Any] = field(default_factory=dict)
    caveats: tuple[str, ...] = (
        "Skin tone was read from the pixels in the middle of each picture: it says what light and paint show, and "
        "nothing of who somebody is; pictures that are no frontal face should be left out.",
    )

    @property
    def expected(self) -> Mapping[str, tuple[str, ...]]:
        return {self.column: (*(f"tone {i}" for i in range(1, 11)), "cannot tell")}

    def name(self, pictures: Sequence[Any]) -> Named:
        from audits.bias.skin_tone import skin_tones, tone_names

        items = [uploads.fitted(picture, (3, 96, 96))[0].transpose(1, 2, 0) / 255 for picture in pictures]
        return {self.column: list(tone_names(skin_tones(np.stack(items))))}


@dataclass(frozen=True)
class ByZeroShot:
    """The group whose description fits a picture best, by a CLIP-like model of the Hub (Radford et al. 2021)."""

    model: str
    prompts: Mapping[str, Mapping[str, str]]  # column -> group -> description
    validation: Mapping[str, Any] = field(default_factory=dict)

    @property
    def caveats(self) -> tuple[str, ...]:
        return (
            f"Groups were named by {self.model} from descriptions alone. Nobody has measured how often it is wrong on "
            "these pictures, so no error of it is counted in: label some of them by hand.",
        )

    @property
    def expected(self) -> Mapping[str, tuple[str, ...]]:
        return {column: tuple(groups) for column, groups in self.prompts.items()}

    def name(self, pictures: Sequence[Any]) -> Named:
        from genlab.studio.zero_shot import zero_shot

        named: Named = {}
        for column, groups in self.prompts.items():
            best = zero_shot(self.model, pictures, list(groups.values())).argmax(1)
            named[column] = [list(groups)[i] for i in best]
        return named


@dataclass(frozen=True)
class Nobody:
    """No group for anything: a person will look."""

    expected: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    validation: Mapping[str, Any] = field(default_factory=dict)
    caveats: tuple[str, ...] = ()

    def name(self, pictures: Sequence[Any]) -> Named:
        return {}


def prompts_from(text: object, column: str = "group") -> dict[str, dict[str, str]]:
    """Descriptions from lines `group = description`, with `[column]` lines between them where there are several.

    Raises:
        StudioError: a line is something else, a group comes twice, or there are fewer than two.
    """
    found: dict[str, dict[str, str]] = {}
    for line in str(text or "").splitlines():
        line = line.strip()
        if not line:
            continue
        if line.startswith("[") and line.endswith("]"):
            column = line[1:-1].strip() or column
            continue
        group, equals, words = (part.strip() for part in line.partition("="))
        if not equals or not group or not words or len(words) > WORDS or group in found.get(column, {}):
            raise StudioError(
                f"Describe each group once on a line of its own, as 'group = a photo of ...'; {line[:60]!r} was given."
            )
        found.setdefault(column, {})[group] = words
    if not found or any(len(groups) < 2 for groups in found.values()):
        raise StudioError("A zero-shot classifier chooses between groups: describe two or more, one a line.")
    if sum(map(len, found.values())) > PROMPTS:
        raise StudioError(f"At most {PROMPTS} groups can be described.")
    return found

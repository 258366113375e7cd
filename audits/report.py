"""What an audit returns: findings, each with its interval, its floor and its reading."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from dataclasses import dataclass, fields
from pathlib import Path

MAX_JSON = 8 * 2**20
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Finding:
    """One measured figure.

    `low` and `high` bound `value` (how is said by the audit that made it), `n` counts the items behind it,
    `floor` is what a perfect model would show at this size, `verdict` is "better", "worse", "cannot tell" or
    empty, and `reading` is the figure in one plain sentence. NaN stands for a figure that does not exist.
    """

    name: str
    value: float
    low: float
    high: float
    n: int
    unit: str = ""
    floor: float | None = None
    verdict: str = ""
    reading: str = ""

    def __post_init__(self):
        for field in ("name", "unit", "verdict", "reading"):
            if not isinstance(getattr(self, field), str):
                raise TypeError(f"Finding.{field} must be text, not {type(getattr(self, field)).__name__}.")
        for field in ("value", "low", "high"):
            object.__setattr__(self, field, float(getattr(self, field)))
        object.__setattr__(self, "n", int(self.n))
        if self.floor is not None:
            object.__setattr__(self, "floor", float(self.floor))
        if self.low > self.high:
            raise ValueError(f"The interval of {self.name!r} is upside down: {self.low} > {self.high}.")


@dataclass(frozen=True)
class Report:
    """A titled list of findings and the caveats they must not be quoted without."""

    title: str
    findings: tuple[Finding, ...]
    caveats: tuple[str, ...] = ()

    def __post_init__(self):
        object.__setattr__(self, "findings", tuple(self.findings))
        object.__setattr__(self, "caveats", tuple(self.caveats))

    def __getitem__(self, name: str) -> Finding:
        """The finding called `name`; KeyError names the ones there are."""
        for finding in self.findings:
            if finding.name == name:
                return finding
        raise KeyError(f"{name!r} is not in this report, which has {[f.name for f in self.findings]}")

    def to_json(self) -> str:
        """JSON text; a figure that is NaN or infinite becomes null."""
        body = {
            "title": self.title,
            "findings": [{name: _finite(getattr(f, name)) for name in _COLUMNS} for f in self.findings],
            "caveats": list(self.caveats),
        }
        return json.dumps(body, indent=2, allow_nan=False) + "\n"

    def to_csv(self) -> str:
        """One row per finding. Text cells that a spreadsheet would run as a formula get a leading quote."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for finding in self.findings:
            writer.writerow([_cell(getattr(finding, name)) for name in _COLUMNS])
        return out.getvalue()

    def to_html(self) -> str:
        """One self-contained page: no script, nothing fetched, every text escaped."""
        from audits.report_html import page

        return page(self)

    def to_pdf(self) -> bytes:
        """The same as a PDF; the same report gives the same bytes."""
        from audits.report_pdf import document

        return document(self)

    def write(self, folder: str | os.PathLike) -> tuple[Path, ...]:
        """Write report.json, .csv, .html and .pdf into `folder` (made if absent) and return their paths."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        contents = {
            "report.json": self.to_json().encode(),
            "report.csv": self.to_csv().encode(),
            "report.html": self.to_html().encode(),
            "report.pdf": self.to_pdf(),
        }
        for name, content in contents.items():
            partial = folder / f".{name}.{os.getpid()}"
            partial.write_bytes(content)
            partial.replace(folder / name)
        return tuple(folder / name for name in contents)

    @classmethod
    def from_json(cls, text: str | bytes) -> Report:
        """Read what `to_json` wrote; null figures come back as NaN. Anything else is a ValueError."""
        if len(text) > MAX_JSON:
            raise ValueError(f"A report of {len(text):,} bytes is over the limit of {MAX_JSON:,}.")
        try:
            body = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError("This is not a report: it is not valid JSON.") from error
        if not isinstance(body, dict) or set(body) != {"title", "findings", "caveats"}:
            raise ValueError("This is not a report: its keys must be title, findings and caveats.")
        caveats = body["caveats"]
        if not isinstance(body["findings"], list) or not isinstance(caveats, list):
            raise ValueError("This is not a report: findings and caveats must be lists.")
        if not isinstance(body["title"], str) or not all(isinstance(c, str) for c in caveats):
            raise ValueError("This is not a report: its title and caveats must be text.")
        return cls(body["title"], tuple(_finding(row) for row in body["findings"]), tuple(caveats))


_COLUMNS = tuple(field.name for field in fields(Finding))


def against_floor(low: float, high: float, floor: float | None, *, lower_is_better: bool) -> str:
    """The verdict on an interval: "better", "worse" or, when it holds the floor, "cannot tell"."""
    if floor is None:
        return ""
    if not (math.isfinite(low) and math.isfinite(high) and math.isfinite(floor)) or low <= floor <= high:
        return "cannot tell"
    return "better" if (high < floor) == lower_is_better else "worse"


def figure(value: float | None) -> str:
    """A number as a reader sees it: four significant digits, an en dash where there is none."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.4g}"


def printable(text: str) -> str:
    """`text` with control characters, direction overrides and lone surrogates made visible as U+FFFD."""
    return "".join(c if c in "\n\t" or not _unprintable(ord(c)) else "\ufffd" for c in text)


def _unprintable(c: int) -> bool:
    return (
        c < 32 or 0x7F <= c < 0xA0 or 0x202A <= c <= 0x202E or 0x2066 <= c <= 0x2069
        or 0xD800 <= c <= 0xDFFF or c in (0xFFFE, 0xFFFF)
    )  # fmt: skip


def _finite(value):
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cell(value) -> str:
    if isinstance(value, str):
        value = printable(value)
        return "'" + value if value.lstrip(" \n").startswith(_FORMULA) else value
    return "" if value is None or not math.isfinite(value) else repr(value)


def _finding(row) -> Finding:
    if not isinstance(row, dict) or set(row) != set(_COLUMNS):
        raise ValueError(f"This is not a report: each finding needs exactly {', '.join(_COLUMNS)}.")
    numbers = ("value", "low", "high", "floor")
    for name in numbers:
        if isinstance(row[name], bool) or not isinstance(row[name], int | float | None):
            raise ValueError(f"This is not a report: {name} must be a number or null.")
    if isinstance(row["n"], bool) or not isinstance(row["n"], int):
        raise ValueError("This is not a report: n must be a whole number.")
    nan = {name: math.nan for name in ("value", "low", "high") if row[name] is None}
    try:
        return Finding(**(row | nan))
    except (TypeError, OverflowError) as error:
        raise ValueError(f"This is not a report: {error}") from error

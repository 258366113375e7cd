"""The words of a card: a model's `about.md`, the placeholders in it, and how figures are written."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

TEXTS = (
    "Summary",
    "Intended use",
    "Out-of-scope use",
    "Factors",
    "Limitations",
    "Misuse and deepfakes",
    "Samples",
    "Failures",
)
PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)(?:\.(interval|low|high|floor|n|unit))?\}")
TYPED = re.compile(r"(?<![\w.])\d+\.\d+|\d\s?%")  # a decimal or a percentage in prose is a figure


def about(folder: Path) -> dict[str, str]:
    """The sections of a model's `about.md` by title.

    Raises:
        CheckpointError: the file or one of its sections is missing.
    """
    from genlab.checkpoint import CheckpointError

    path = folder / "about.md"
    if not path.is_file():
        raise CheckpointError(f"{folder.name} has no about.md, which holds the words of its card.")
    text = path.read_text(encoding="utf-8")
    texts = {title: section(text, title) for title in TEXTS}
    missing = [title for title, words in texts.items() if not words]
    if missing:
        raise CheckpointError(f"{folder.name}: about.md lacks the sections {', '.join(missing)}.")
    return texts


def section(text: str, title: str) -> str:
    """What stands under a second-level heading, stripped; "" when there is no such heading."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    return found[1].strip() if found else ""


def filled(placeholder: re.Match, metrics: dict[str, dict]) -> str:
    """The figure that a placeholder stands for."""
    name, part = placeholder.groups()
    if name not in metrics:
        return "(not measured yet)"
    m = metrics[name]
    readers: dict[str | None, Callable[[], str]] = {
        None: lambda: number(m["value"]),
        "interval": lambda: interval(m),
        "unit": lambda: m["unit"],
        "n": lambda: f"{m['n']:,}",
    }
    return readers.get(part, lambda: "(no floor)" if m[part] is None else number(m[part]))()


def number(value: float) -> str:
    """Four significant digits."""
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def interval(metric: dict[str, Any]) -> str:
    """`low to high`."""
    return f"{number(metric['low'])} to {number(metric['high'])}"


def spoken(name: str) -> str:
    """A metric's name in words: `fashion_fid` is Fashion-FID."""
    kind, mark, rest = name.partition("_fid")
    if mark:
        return f"{kind.capitalize()}-FID{rest.replace('_', ' ')}"
    return name[:1].upper() + name[1:].replace("_", " ")


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"

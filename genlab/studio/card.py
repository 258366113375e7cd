"""A model's card as the app shows it: its text in parts, with the pictures that belong between them."""

import re
from dataclasses import dataclass
from pathlib import Path

from audits.provenance import Claim, Sealed
from genlab.studio import shelf
from genlab.studio.marking import mark

PICTURE = re.compile(r"^!\[([^\]]*)\]\(([a-z_]+\.png)\)$", re.MULTILINE)
LARGEST = 8 * 2**20


@dataclass(frozen=True)
class Part:
    """A stretch of Markdown, and the picture that follows it, if any, with its text alternative."""

    text: str
    picture: Sealed | None = None
    alt: str = ""


def card(name: str) -> tuple[Part, ...]:
    """The card of a model, its figures from `config.json`, without the front matter that the Hub reads.

    Raises:
        StudioError: no such model.
        CheckpointError: the folder lacks what a card is made of.
    """
    from genlab import cards

    folder = shelf.folder_of(name)
    text = cards.render(name, shelf.folder())
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL).strip()
    text = re.sub(r"^(#{1,5}) ", r"#\1 ", text, flags=re.MULTILINE)  # the page has its own first heading
    parts, at = [], 0
    for found in PICTURE.finditer(text):
        picture = _picture(folder / found[2], name)
        parts.append(Part(text[at : found.start()].strip(), picture, found[1] if picture else ""))
        at = found.end()
    return (*parts, Part(text[at:].strip()))


def _picture(path: Path, name: str) -> Sealed | None:
    """A picture of the model's folder, with a claim of its own where it has none yet."""
    from audits.provenance import MediaError, read_claim

    if not path.is_file() or path.stat().st_size > LARGEST:
        return None
    media = path.read_bytes()
    try:
        claim = read_claim(media)
    except ValueError:
        claim = None
    if claim is None:
        weights = str(shelf.config_of(name).get("weights_sha256", ""))
        claim = Claim(name, weights, "card", 0, {"file": path.name}, {})
    try:
        return mark(media, "image/png", claim)
    except MediaError:
        return None

"""The pictures of a language model's card: texts on a page, with nothing left out, and those that went most wrong."""

import io
from collections.abc import Sequence

import numpy as np

from audits.text.words import hidden as without_slurs
from genlab.data import load
from genlab.studio import shelf
from genlab.studio.shelf import Entry

WIDE, MARGIN, SIZE, LINE = 900, 18, 14, 19  # pixels
TEXTS, LENGTH = 6, 110  # texts on a page, and tokens of each
TRIED = 48  # texts that failures are looked for among
NAMES, NAMES_TRIED = 3, 640  # names of a country; names that failures are looked for among
NAMES_SHOWN, FILLED, FILLED_TRIED = 45, 7, 400  # failures; windows shown, and looked for failures in
NEAR = 12  # tokens shown either side of a wrong guess
MISTAKES = 18
Block = tuple[str, str]  # a heading and a text


def sheets(known: Entry) -> dict[str, bytes]:
    """`samples.png` and `failures.png` as PNG files."""
    model = shelf.model(known.name)
    if "fill" in known.capabilities:
        return {"samples.png": page(filled(model, known.data)), "failures.png": page(surest_wrong(model, known.data))}
    if known.groups:
        return {"samples.png": page(names_by_group(model), columns=2), "failures.png": page(oddest_names(model))}
    return {"samples.png": page(first_texts(model), columns=2), "failures.png": page(oddest_texts(model), columns=2)}


# ---- texts


def first_texts(model) -> list[Block]:
    """The texts of seeds 0 to 5."""
    from genlab.studio.evaluate_text import written

    texts = [model.text_of(tokens) for tokens in written(model, TEXTS, most=LENGTH, seed=0)]
    return [(f"seed {i}", text if text.strip() else "(ended at once)") for i, text in enumerate(texts)]


def oddest_texts(model) -> list[Block]:
    """Of `TRIED` texts those that the model itself finds least likely, by bits a character."""
    from genlab.studio.evaluate_text import written

    texts = written(model, TRIED, most=LENGTH, ends=False, seed=0)
    bits = [model.code_lengths(t).sum() / np.log(2) / max(1, len(model.text_of(t))) for t in texts]
    order = np.argsort(-np.array(bits), kind="stable")[:TEXTS]
    return [(f"seed {i}: {bits[i]:.2f} bits a character", model.text_of(texts[i])) for i in order]


# ---- names


def names_by_group(model) -> list[Block]:
    """Names of every group of the first attribute, from seed 0 on; the model draws the other ones."""
    from genlab.seeds import Seeds

    attribute, blocks = next(iter(model.controls)), []
    for number, group in enumerate(model.controls[attribute]):
        seeds = Seeds.count_from(number * NAMES, NAMES, model.device)
        steps = [step.tokens for step in model.write(model.asked(**{attribute: group})[:2], seeds, most=40)]
        columns = [[token for token in column if token > 0] for column in zip(*steps, strict=True)]
        blocks.append((group, ", ".join(with_groups(model, column) for column in columns)))
    return blocks


def with_groups(model, tokens: Sequence[int]) -> str:
    """A name and the groups that were drawn with it."""
    groups = [model.special[t].partition(": ")[2][:-1] for t in tokens if 2 < t < len(model.special)]
    return f"{model.text_of(tokens)} ({', '.join(groups)})" if groups else model.text_of(tokens)


def oddest_names(model) -> list[Block]:
    """Of `NAMES_TRIED` names those that the model finds least likely given their groups, by bits a letter."""
    from genlab.studio.evaluate_items import drawn_items, item_nats

    texts, groups = drawn_items(model, NAMES_TRIED, seed=0)
    told = [{name: known[groups[name][i]] for name, known in model.controls.items()} for i in range(len(texts))]
    rows = [[*model.asked(**of), *model.tokens_of(text), 0] for text, of in zip(texts, told, strict=True)]
    bits = item_nats(model, rows) / np.log(2) / np.array([len(text) + 1 for text in texts])
    order = np.argsort(-bits, kind="stable")[:NAMES_SHOWN]
    lines = [f"{texts[i] or '(no letter)'} ({', '.join(told[i].values())}) {bits[i]:.1f}" for i in order]
    return [(f"bits a letter, of {len(texts)} names", "; ".join(lines))]


# ---- hidden words


def spelled(model, tokens: Sequence[int]) -> str:
    """Tokens as text, on one line."""
    return " ".join(model.text_of(tokens).split())


def filled(model, data: str) -> list[Block]:
    """Held-out windows with the guess in each gap, and the word that stood there where it was another one."""
    from genlab.studio.evaluate_text import guesses, hide, windows

    rows = windows(model, load(data, "test"), FILLED)
    gone = hide(rows, len(model.special))
    found, blocks = iter(guesses(model, rows, gone)[0]), []
    for number, (row, places) in enumerate(zip(rows, gone, strict=True)):
        parts: list[str] = []
        start = 0
        for place in np.flatnonzero(places):
            guess = next(found)
            parts += [spelled(model, row[start:place]), gap(model, guess, row[place])]
            start = place + 1
        parts.append(spelled(model, row[start:]))
        blocks.append((f"held-out window {number + 1}: [guess] or [guess / what stood there]", joined(parts)))
    return blocks


def gap(model, guess: int, word: int, chance: str = "") -> str:
    """What was guessed in a gap, and what stood there; pieces of words without their sign."""
    own, other = (spelled(model, [token]).removeprefix("##") for token in (guess, word))
    return f"[{own}{chance}]" if guess == word else f"[{own}{chance} / {other}]"


def joined(parts: list[str]) -> str:
    """Parts of a text in one line, pieces of words put together."""
    return " ".join(filter(None, parts)).replace(" ##", "").removeprefix("##")


def surest_wrong(model, data: str) -> list[Block]:
    """Held-out words that the model guessed wrong, surest first, in what stood around them."""
    from genlab.studio.evaluate_text import guesses, hide, windows

    rows = windows(model, load(data, "test"), FILLED_TRIED)
    gone = hide(rows, len(model.special))
    found, sure = guesses(model, rows, gone)
    of, place = np.nonzero(gone)
    wrong = np.flatnonzero(found != rows[gone])
    wrong = wrong[np.argsort(-sure[wrong], kind="stable")][:MISTAKES]
    lines = []
    for i in wrong:
        row, at = rows[of[i]], place[i]
        told = gap(model, found[i], row[at], f" {100 * np.exp(sure[i]):.0f} %")
        before, after = (spelled(model, part) for part in (row[max(0, at - NEAR) : at], row[at + 1 : at + 1 + NEAR]))
        lines.append(("", f"... {joined([before, told, after])} ..."))
    return lines


# ---- a page


def page(blocks: Sequence[Block], *, columns: int = 1) -> bytes:
    """Headings and texts, wrapped, black on white in columns, as a PNG file; listed slurs are masked."""
    from PIL import Image, ImageDraw

    font, small = letters(SIZE), letters(SIZE - 3)
    column = (WIDE - MARGIN * (columns + 1)) // columns
    lines: list[list[tuple[str, bool]]] = []
    for heading, text in blocks:
        own = [(heading, True)] if heading else []
        lines.append([*own, *((line, False) for line in wrapped(without_slurs(text).text, font, column)), ("", False)])
    share, piles = -(-sum(map(len, lines)) // columns), [[] for _ in range(columns)]
    place = 0
    for block in lines:
        if len(piles[place]) + len(block) // 2 > share and place < columns - 1:
            place += 1
        piles[place] += block
    sheet = Image.new("L", (WIDE, 2 * MARGIN + LINE * max(1, *map(len, piles))), 255)
    pen = ImageDraw.Draw(sheet)
    for number, pile in enumerate(piles):
        left = MARGIN + number * (column + MARGIN)
        for row, (line, heading) in enumerate(pile):
            pen.text((left, MARGIN + LINE * row), line, fill=110 if heading else 0, font=small if heading else font)
    file = io.BytesIO()
    sheet.save(file, "PNG", optimize=True)
    return file.getvalue()


def wrapped(text: str, font, width: int) -> list[str]:
    """Lines of at most `width` pixels; a word that is wider is cut."""
    found = []
    for paragraph in text.strip("\n").expandtabs(4).split("\n"):
        line = ""
        for word in paragraph.split(" "):
            while font.getlength(word) > width:
                kept = next(n for n in range(len(word) - 1, 0, -1) if n == 1 or font.getlength(word[:n]) <= width)
                found += [line] * bool(line) + [word[:kept]]
                line, word = "", word[kept:]
            if line and font.getlength(f"{line} {word}") > width:
                found.append(line)
                line = word
            else:
                line = f"{line} {word}" if line else word
        found.append(line)
    return found


def letters(size: int):
    """DejaVu Sans, which has the letters of every country here; Pillow's own font where it is not installed."""
    from PIL import ImageFont

    try:
        return ImageFont.truetype("DejaVuSans.ttf", size)
    except OSError:
        return ImageFont.load_default(size)

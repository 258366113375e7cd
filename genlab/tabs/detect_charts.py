"""What the Detect tab shows: curves as drawings with their figures in words, items as a table, a series as a line."""

import base64
from collections.abc import Sequence

import numpy as np

from genlab.studio import detect, pictures
from genlab.studio.detect import Judged, Learnt
from genlab.tabs.audit_charts import text

SIDE, EDGE = 260, 46  # pixels of a drawing, and of its margin with the numbers
ORDERS = ("strangest first", "closest to the threshold", "most normal first", "false alarms", "missed anomalies")
SHOWN = 12


def curve(
    title: str, x: np.ndarray, y: np.ndarray, spot: tuple[float, float], words: str, axes: tuple[str, str]
) -> str:
    """A curve in the unit square with the place of the threshold on it."""

    def at(a: float, b: float) -> str:
        return f"{EDGE + a * (SIDE - EDGE - 8):.1f},{SIDE - EDGE - b * (SIDE - EDGE - 8):.1f}"

    keep = np.unique(np.linspace(0, len(x) - 1, min(len(x), 400)).astype(int))
    line = " ".join(at(float(a), float(b)) for a, b in zip(x[keep], y[keep], strict=True))
    cx, cy = at(*spot).split(",")
    frame = f'<path class="axis" d="M{at(0, 1)} L{at(0, 0)} L{at(1, 0)}"/>'
    marks = "".join(
        f'<text x="{at(v, 0).split(",")[0]}" y="{SIDE - EDGE + 15}" text-anchor="middle">{v:g}</text>'
        f'<text x="{EDGE - 5}" y="{float(at(0, v).split(",")[1]) + 4:.1f}" text-anchor="end">{v:g}</text>'
        for v in (0, 0.5, 1)
    )
    named = (
        f'<text x="{(SIDE + EDGE) / 2:.0f}" y="{SIDE - 3}" text-anchor="middle">{text(axes[0])}</text>'
        f'<text transform="translate(11 {(SIDE - EDGE) / 2:.0f}) rotate(-90)" text-anchor="middle">'
        f"{text(axes[1])}</text>"
    )
    return (
        f'<figure class="curve"><figcaption><strong>{text(title)}</strong> {text(words)}</figcaption>'
        f'<svg viewBox="0 0 {SIDE} {SIDE}" role="img" aria-label="{text(f"{title}: {words}")}">{frame}{marks}{named}'
        f'<polyline points="{line}"/><circle cx="{cx}" cy="{cy}" r="5"/></svg></figure>'
    )


def both_curves(judged: Judged, rate: float) -> str:
    """ROC and precision-recall, or a sentence that says what is missing."""
    drawn = detect.drawn(judged, rate)
    if drawn is None:
        return (
            '<p class="note">Curves appear when the test items have labels: subfolders (one called normal, good or ok) '
            "or a column called label.</p>"
        )
    found, wrong, exact = drawn.at
    area, low, high = drawn.area
    roc = curve(
        "ROC", drawn.false_alarms, drawn.found, (wrong, found), f"area {area:.3f} ({low:.3f} to {high:.3f})",
        ("false alarms", "anomalies found"),
    )  # fmt: skip
    chance = f"average {drawn.average_precision:.3f} (chance {judged.truth.mean():.3f})"
    axes = ("anomalies found", "of alarms, right")
    precision = curve("Precision", drawn.found, drawn.precision, (found, exact), chance, axes)
    return f'<div class="curves">{roc}{precision}</div>'


def order(judged: Judged, rate: float, which: str) -> np.ndarray:
    """Numbers of the items in the order asked for."""
    strangest, alarms = np.argsort(-judged.scores, kind="stable"), judged.alarms(rate)
    if which == ORDERS[1]:
        return np.argsort(np.abs(np.log(judged.p_values / rate)), kind="stable")
    if which == ORDERS[2]:
        return strangest[::-1]
    if judged.truth is not None and which == ORDERS[3]:
        return strangest[(alarms & ~judged.truth)[strangest]]
    if judged.truth is not None and which == ORDERS[4]:
        return strangest[(~alarms & judged.truth)[strangest]][::-1]
    return strangest


def item_table(learnt: Learnt, judged: Judged, rate: float, which: str) -> str:
    """Items with score, p-value and verdict; pictures with where they differ and their nearest normal one."""
    rows = order(judged, rate, which)[:SHOWN]
    if not len(rows):
        return '<p class="note">There is no such item at this false-alarm rate.</p>'
    seen = learnt.kind == "images"
    cells, beside = picture_cells(learnt, judged.items.values[rows]) if seen else ([""] * len(rows), "")
    labels = judged.items.labels
    head = '<th scope="col">Item</th><th scope="col">Where it differs</th>'
    head += f'<th scope="col">{text(beside)}</th>'
    head = (head if seen else "") + '<th scope="col">Name</th><th scope="col">Score</th><th scope="col">p-value</th>'
    head += '<th scope="col">Verdict</th>'
    body = ""
    for i, cell in zip(rows, cells, strict=True):
        alarm = judged.p_values[i] <= rate
        label = f"<small>{text(labels[i])}</small>" if labels is not None and labels[i] else ""
        body += (
            f'<tr>{cell}<th scope="row">{text(judged.items.names[i][:80])}{label}</th>'
            f'<td class="number">{judged.scores[i]:.2f}</td><td class="number">{judged.p_values[i]:.4f}</td>'
            f'<td><span class="standing {"off" if alarm else "even"}">{"anomaly" if alarm else "normal"}</span></td>'
            "</tr>"
        )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="Items, {text(which)}">'
        '<table class="listing found">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def picture_cells(learnt: Learnt, values: np.ndarray) -> tuple[list[str], str]:
    """Three cells a picture: itself, itself under its map, the picture it is compared with; and what that one is."""
    found = detect.compared(learnt, values)
    if found is None:
        return [f"<td>{_image(v, 'the item')}</td><td>–</td><td>–</td>" for v in values], "Compared with"
    heat, other, what = found
    cells = [
        f"<td>{_image(v, 'the item')}</td><td>{_image(_heated(v, h), 'the item, red where it differs')}</td>"
        f"<td>{_image(n, what.lower())}</td>"
        for v, h, n in zip(values, heat, other, strict=True)
    ]
    return cells, what


def _heated(item: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A picture (c, s, s), greyed, under its map: nothing up to the usual difference, red where it differs most."""
    grey = item.mean(0) * 0.75
    strength = 0.85 * np.clip((heat - 1) / (max(3.0, float(heat.max())) - 1), 0, 1) ** 1.5
    red, blue = grey + strength * (255 - grey), grey * (1 - strength)
    return np.stack([red, blue + 40 * strength, blue]).clip(0, 255).astype(np.uint8)


def _image(item: np.ndarray, words: str) -> str:
    media = base64.b64encode(pictures.png(pictures.enlarge(item, 2 if item.shape[-1] < 60 else 1))).decode()
    return f'<img class="pixels" src="data:image/png;base64,{media}" width="64" height="64" alt="{words}">'


def series(judged: Judged, rate: float) -> str:
    """The first channels of a series as lines, with the steps that raise an alarm, and those labelled, below."""
    values, alarms = judged.items.values, judged.alarms(rate)
    width, height, count = 900, 90, len(values)
    keep = np.unique(np.linspace(0, count - 1, min(count, 1800)).astype(int))
    lines = ""
    for channel in range(min(3, values.shape[1])):
        row = values[keep, channel]
        low, spread = float(row.min()), float(np.ptp(row)) or 1.0
        points = " ".join(
            f"{width * k / max(count - 1, 1):.1f},{channel * height + 80 - 70 * (v - low) / spread:.1f}"
            for k, v in zip(keep, row, strict=True)
        )
        lines += f'<polyline points="{points}"/><text x="2" y="{channel * height + 10}">'
        lines += f"{text(judged.items.columns[channel][:40])}</text>"
    top = min(3, values.shape[1]) * height
    bars = _spans(alarms, width, top + 4, "alarm")
    if judged.truth is not None:
        bars += _spans(judged.truth, width, top + 22, "truth")
    below = "red: steps that raise an alarm" + ("; grey: steps labelled anomalies" if judged.truth is not None else "")
    words = f"{int(alarms.sum()):,} of {count:,} steps raise an alarm; {below}"
    return (
        f'<figure class="series"><figcaption>{text(words)}.</figcaption>'
        f'<svg viewBox="0 0 {width} {top + 40}" role="img" '
        f'aria-label="{text(words)}">{lines}{bars}</svg></figure>'
    )


def _spans(flags: np.ndarray, width: int, top: int, kind: str) -> str:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    unit = width / max(len(flags), 1)
    return "".join(
        f'<rect class="{kind}" x="{a * unit:.1f}" y="{top}" width="{max((b - a) * unit, 1):.1f}" height="13"/>'
        for a, b in zip(edges[::2], edges[1::2], strict=True)
    )


def headline(learnt: Learnt, judged: Judged, rate: float, origin: str) -> str:
    """What the threshold does, in sentences."""
    alarms, count, held = judged.alarms(rate), len(judged.scores), len(learnt.calibration)
    what = "steps" if learnt.kind == "series" else "items"
    words = [f"{int(alarms.sum()):,} of {count:,} {what} raise an alarm at a false-alarm rate of {rate:.1%}."]
    if rate < learnt.smallest_rate():
        words = [
            f"Nothing can raise an alarm at {rate:.1%}: with {held:,} held-out normal items the lowest rate that can "
            f"be stated is {learnt.smallest_rate():.2%}. Move the slider up or give more normal items."
        ]
    if judged.truth is not None:
        found, normal = int((alarms & judged.truth).sum()), ~judged.truth
        low, high = detect.expected(learnt, int(normal.sum()), rate)
        law = "" if learnt.kind == "series" else f" ({low:,} to {high:,} were to be expected)"
        words.append(
            f"{found:,} of {int(judged.truth.sum()):,} labelled anomalies are found, and "
            f"{int((alarms & normal).sum()):,} of {int(normal.sum()):,} normal {what} are called strange{law}."
        )
    told = [f"Learnt from {origin}, in {learnt.seconds:.0f} s; {held:,} of them held out to calibrate."]
    notes = "".join(f"<li>{text(note)}</li>" for note in (*told, *learnt.notes, *judged.notes))
    return "".join(f"<p>{text(w)}</p>" for w in words) + f'<ul class="note">{notes}</ul>'


def why(rows: Sequence[tuple[str, str, str, str]], sentences: Sequence[str]) -> str:
    """The table of detectors that were measured, and what it teaches."""
    body = "".join(
        f'<tr><th scope="row">{text(name)}</th>'
        + "".join(f'<td class="number">{text(c)}</td>' for c in cells)
        + "</tr>"
        for name, *cells in rows
    )
    head = "".join(f'<th scope="col">{h}</th>' for h in ("Detector", "Mean area", "Worst class", "Seconds a class"))
    said = "".join(f"<p>{text(s)}</p>" for s in sentences)
    return (
        f'{said}<div class="scroll" tabindex="0" role="region" aria-label="Detectors compared"><table class="listing">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )

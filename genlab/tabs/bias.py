"""Bias audit: choose or bring a generated set, say what it should look like, and read what can be told from it."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from audits.bias.pictures import contents
from genlab.studio import bias_audit as studio
from genlab.studio import collect, naming, shelf
from genlab.studio.bias_audit import Asked, Audited
from genlab.studio.collect import Collected
from genlab.tabs import audit_charts as charts
from genlab.tabs import audit_controls, labeller, watching
from genlab.tabs.api import AT_ONCE, HEAVY
from genlab.tabs.audit_controls import FILES, HERE, HUB, JUDGE, QUIET, SKIN, SUBFOLDERS, ZERO, Controls
from genlab.tabs.errors import guarded
from genlab.tabs.files import stored_bytes, uploaded_paths

HOUR = 3600
PRIVATE = {"preprocess": False, "api_visibility": "private"}
OPTIONS = {**PRIVATE, "concurrency_id": HEAVY, "concurrency_limit": AT_ONCE}


@dataclass(frozen=True)
class Held:
    """What a visitor audits at the moment: the items, what was asked of them, and hand labels by column."""

    collected: Collected
    asked: Asked
    labels: dict[str, Any]


def build(tab: gr.Tab) -> None:
    """The tab's contents and events."""
    held, seen = gr.State(None, time_to_live=HOUR), gr.State(False)
    with gr.Row(elem_classes="result-first"):
        with gr.Column(scale=4, min_width=300):
            controls, template, preview, planning = audit_controls.build()
            with gr.Row(elem_classes="tight"):
                go = gr.Button("Audit", variant="primary", scale=2)
                halt = gr.Button("Stop", scale=1)
            example = gr.Button("Example: a model that is biased on purpose", size="md")
            command = gr.Textbox(
                label="Copy as command", lines=2, interactive=False, buttons=["copy"], elem_classes="command"
            )
        with gr.Column(scale=7, min_width=320, elem_classes="result"):
            state = gr.HTML("", elem_id="audit-state", padding=False)
            verdict = gr.HTML(
                '<p class="note">Choose a set and press Audit.</p>', elem_id="audit-verdict", padding=False,
                elem_classes="headlines",
            )  # fmt: skip
            shares = gr.HTML("", elem_id="audit-shares", padding=False)
            with gr.Row(elem_classes=["tight", "downloads"]):
                downloads = [
                    gr.DownloadButton(label, size="md", interactive=False, min_width=110)
                    for label in ("Report (HTML)", "PDF", "CSV", "JSON")
                ]
            with gr.Row(elem_classes=["tight", "stacks"]):
                heat = gr.HTML("", padding=False, min_width=280)
                gaps = gr.HTML("", padding=False, min_width=320)
            with gr.Group(visible=False) as looks:
                group = gr.Dropdown([], label="Pictures of", filterable=False, elem_id="audit-group")
                sheet = gr.Image(
                    label="Pictures of the group", height=290, interactive=False, image_mode=None,
                    buttons=["fullscreen", "download"], elem_classes="pixels", elem_id="audit-sheet",
                    alt_text="Up to 24 pictures of the chosen group side by side",
                )  # fmt: skip
            rest = gr.HTML("", padding=False, elem_id="audit-rest")
    results = [held, state, verdict, shares, heat, gaps, looks, group, sheet, rest, *downloads, command]
    labels = labeller.build(held, results, shown)

    run = guarded(_run)
    go.click(guarded(_begin), None, state, **QUIET).then(
        run, controls.inputs(), [*results, *labels], show_progress="hidden", **OPTIONS
    )
    filled = [controls.source, controls.model, controls.columns, controls.reference, controls.count]
    example.click(guarded(_example), None, [*filled, *results, *labels], show_progress="hidden", **OPTIONS).then(
        *audit_controls.by_source(controls, template, preview), **QUIET
    )
    tab.select(guarded(_arrive), seen, [seen, *filled, *results, *labels], show_progress="hidden", **OPTIONS)
    halt.click(guarded(_stop), None, state, **QUIET)
    group.input(guarded(_look), [held, group], sheet, show_progress="hidden", **OPTIONS)
    audit_controls.follow(controls, template, preview, planning)


def _arrive(seen: bool) -> Iterator[list]:
    if seen:
        yield [gr.skip()] * (1 + 5 + RESULTS + labeller.OUTPUTS)
        return
    for update in _example():
        yield [True, *update]


# ---- the audit


def _run(request: gr.Request, *given: object) -> Iterator[list]:
    """Gather, audit and show, a bar on the way; what was there before stays until something new is."""
    c = dict(zip(Controls.__dataclass_fields__, given, strict=True))
    yield from _watched(lambda: _gathering(c), _asked(c), request)


def _watched(begin, asked: Asked, request: gr.Request) -> Iterator[list]:
    key = watching.key_of(request, "audit")
    idle = [gr.skip()] * (RESULTS + labeller.OUTPUTS)

    def bar(words: str) -> list:
        return [idle[0], words, *idle[2:]]

    yield bar(watching.bar(0, 0, "starting"))
    try:
        collected = yield from watching.steps(begin(), key, bar)
    except watching.Stopped:
        yield bar(watching.told("Stopped. What was there before is still there."))
        return
    except Exception:
        yield bar("")
        raise
    yield bar(watching.bar(0, 0, "working out intervals"))
    if not asked.columns or not len(collected.items.table.columns):
        asked = Asked(**{**vars(asked), "columns": tuple(collected.columns)})
    held = Held(collected, asked, {})
    if not collected.columns and collected.further is None:
        words = "Nobody has named any group yet: look at some of the pictures below, and the audit follows from that."
        yield [held, watching.told(words), *idle[2:RESULTS], *labeller.ready(collected, asked)]
        return
    try:
        audited = studio.audit(collected, asked)
    except Exception:
        yield bar("")
        raise
    yield [*shown(held, audited), *labeller.ready(collected, asked)]


def _asked(c: dict[str, Any]) -> Asked:
    columns = tuple(c["columns"] or ())
    if c["source"] != HERE and c["namer"] == ZERO and not _is_table(c):
        columns = tuple(naming.prompts_from(c["descriptions"]))
    return Asked(
        columns, c["reference"], c["own"] or "", studio.QUESTIONS.get(c["question"], "model"), c["outcome"] or None
    )


def _is_table(c: dict[str, Any]) -> bool:
    given = uploaded_paths(c["files"])
    return c["source"] == FILES and len(given) == 1 and collect.is_table(given[0][1])


def _gathering(c: dict[str, Any]):
    columns = c["columns"] or []
    if c["source"] == HERE:
        return collect.from_model(c["model"], count=c["count"], seed=c["seed"], columns=columns)
    if c["source"] == HUB:
        prompts = [line.strip() for line in str(c["prompts"] or "").splitlines() if line.strip()]
        return collect.from_hub(c["hub"], _namer(c), count=c["count"], seed=c["seed"], prompts=prompts)
    given = uploaded_paths(c["files"])
    if not given:
        raise shelf.StudioError("Nothing was uploaded: give a zip, a table or pictures first.")
    if _is_table(c):
        return collect.from_table(given[0][1], columns, outcome=c["outcome"] or None)
    name, path = given[0]
    folders = c["namer"] == SUBFOLDERS
    if len(given) == 1 and path.suffix.lower() == ".zip":
        return collect.from_pictures(contents(Path(path)), _namer(c), name=name, by_subfolder=folders)
    if folders:
        raise shelf.StudioError("Single pictures have no subfolder: put them into a zip, or choose who names groups.")
    return collect.from_pictures(collect.loose(given), _namer(c), name=f"{len(given):,} pictures", by_subfolder=False)


def _namer(c: dict[str, Any]) -> naming.Namer:
    if c["namer"] == JUDGE:
        judges = naming.judges()
        if not judges:
            raise shelf.StudioError("No judge of portraits is on the shelf: choose who else names the groups.")
        return naming.ByJudge(judges[0].name, tuple(c["columns"] or ()))
    if c["namer"] == SKIN:
        return naming.BySkinTone()
    if c["namer"] == ZERO:
        return naming.ByZeroShot(str(c["clip"] or ""), naming.prompts_from(c["descriptions"]))
    return naming.Nobody()


def _example() -> Iterator[list]:
    """The model that is biased on purpose, audited; made once and kept."""
    made = studio.example()
    entries = [e.name for e in collect.auditable()]
    if made is None:
        yield [gr.skip(), gr.update(choices=entries), *[gr.skip()] * (3 + RESULTS + labeller.OUTPUTS)]
        return
    collected, asked, audited = made
    filled = [
        HERE,
        gr.update(choices=entries, value=collected.name),
        audit_controls.columns_of_model(collected.name),
        asked.reference,
        len(collected.items.table),
    ]
    yield [*filled, *shown(Held(collected, asked, {}), audited), *labeller.ready(collected, asked)]


def _begin(request: gr.Request) -> str:
    return watching.begin(watching.key_of(request, "audit"))


def _stop(request: gr.Request) -> str:
    watching.stop(watching.key_of(request, "audit"))
    return watching.told("Stopping at the next step ...")


# ---- what is shown

RESULTS = 15  # outputs of `shown`


def shown(held: Held, audited: Audited) -> list:
    """Everything on the right of the page."""
    collected, asked = held.collected, held.asked
    groups = [
        (f"{column}: {f.name} ({f.n:,})", f"{column}\n{f.name}")
        for column, findings in audited.by_column.items()
        for f in findings
        if f.n and collected.thumbs and column in collected.items.table.columns
    ]
    first = _rarest(audited, groups)
    files = audited.files()
    stem = collected.name.rpartition(".")[0] or collected.name
    names = {"report.html": "html", "report.pdf": "pdf", "report.csv": "csv", "report.json": "json"}
    paths = [stored_bytes(files[name], f"bias-audit-{_slug(stem)}.{ending}") for name, ending in names.items()]
    heat = "" if audited.cells is None else charts.heat_map(list(audited.by_column)[:2], *audited.cells)
    return [
        held,
        "",
        charts.headlines(audited.headlines),
        "".join(charts.shares_chart(c, findings) for c, findings in audited.by_column.items()),
        heat,
        charts.gap_charts(audited.report),
        gr.update(visible=bool(groups)),
        gr.update(choices=groups, value=first),
        _look(held, first) if first else None,
        charts.everything(audited.report),
        *[gr.update(value=path, interactive=True) for path in paths],
        _command(collected, asked),
    ]


def _rarest(audited: Audited, groups: list) -> str | None:
    counts = {f"{column}\n{f.name}": f.n for column, findings in audited.by_column.items() for f in findings if f.n}
    known = [value for _, value in groups]
    return min(known, key=counts.__getitem__) if known else None


def _look(held: Held | None, chosen: str | None) -> str | None:
    if held is None or not chosen or "\n" not in chosen:
        return None
    column, group = chosen.split("\n", 1)
    png = studio.contact_sheet(held.collected, column, group)
    return None if png is None else stored_bytes(png, f"{_slug(column)}-{_slug(group)}.png")


def _command(collected: Collected, asked: Asked) -> str:
    if not collected.command:
        return ""
    words = list(collected.command)
    if not collected.columns:
        return shlex.join([*words, "--out", "report"])
    if asked.reference == "uniform":
        words += ["--reference", "uniform"]
    elif asked.reference == "training data":
        words += ["--reference", "training"]
    elif asked.reference == "own shares":
        words += ["--reference", "shares.csv"]
    words += ["--question", "folder"] if asked.question == "folder" else []
    return shlex.join([*words, "--out", "report"])


def _slug(text: str) -> str:
    return "".join(c if c.isalnum() and c.isascii() else "-" for c in text)[:40].strip("-") or "set"

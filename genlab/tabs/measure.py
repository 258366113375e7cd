"""Measure: one generator beside sets made to break a metric each: what every metric can see, and what it cannot."""

import html

import gradio as gr

from audits.report import Finding, figure
from genlab.studio import measure as studio
from genlab.tabs import watching
from genlab.tabs.api import AT_ONCE, HEAVY
from genlab.tabs.errors import guarded

OPTIONS = {"preprocess": False, "api_visibility": "private"}
INTRO = (
    "No number says how good a generator is. Each metric sees some faults and is blind to others, so here one "
    "generator stands beside sets that were made to break one metric and please the rest. A figure is judged by its "
    "**floor**: what other real items of the same number show."
)
SHORT = {
    "Fréchet distance": "Fréchet", "kernel distance": "Kernel", "copies of training items": "Copies",
    "class score": "Classes",
}  # fmt: skip
ASKS = {
    "Fréchet distance": "Are mean and spread of the features those of real items? Lower is better.",
    "kernel distance": "The same of all moments up to the third, without bias in small sets. Lower is better.",
    "precision": "Does each generated item lie among real ones?",
    "recall": "Does each real item lie among generated ones?",
    "density": "In how many real neighbourhoods does a generated item lie? Unlike precision, outliers do not help.",
    "coverage": "Does each real item have a generated one as a neighbour? Unlike recall, outliers do not help.",
    "class score": "Is the judge sure of each item, and are its answers varied? Real items are not asked.",
    "copies of training items": "Is an item suspiciously near to one training item? Lower is better.",
}
MARKS = {"worse": "✗", "cannot tell": "≈", "better": "✓"}
SAID = {
    "worse": "worse than real items",
    "cannot tell": "cannot be told from real items",
    "better": "beyond real items",
}
STYLE = """
.scroll { overflow-x: auto; border: 1px solid var(--border-color-primary); border-radius: 12px;
  background: var(--background-fill-primary); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .9rem; }
caption { text-align: left; padding: 8px 10px; color: var(--body-text-color-subdued); font-size: .84rem; }
th, td { padding: 7px 9px; text-align: right; border-top: 1px solid var(--border-color-primary);
  white-space: nowrap; }
thead th { border-top: 0; font-weight: 600; font-size: .82rem; }
tbody th { text-align: left; font-weight: 600; position: sticky; left: 0; min-width: 108px; max-width: 150px;
  white-space: normal; background: var(--background-fill-primary); }
td.worse { background: #fbe3df; color: #7a1a12; }
td.better { background: #d8f1e6; color: #0b4a34; }
.dark & td.worse { background: #4d1a14; color: #ffd3cc; }
.dark & td.better { background: #0d3a2b; color: #c4f2dd; }
td b { display: inline-block; width: 1em; text-align: center; margin-right: 3px; }
td.words { text-align: left; white-space: normal; min-width: 220px; }
th.words { text-align: left; }
tr.own > * { border-bottom: 2px solid var(--primary-700); }
.dark & tr.own > * { border-bottom-color: var(--primary-300); }
.sets { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(330px, 100%), 1fr)); gap: 12px;
  margin: 14px 0; align-items: start; }
article { border: 1px solid var(--border-color-primary); border-radius: 12px; padding: 12px; min-width: 0;
  background: var(--background-fill-primary); }
h2 { margin: 0 0 4px; font-size: 1.02rem; font-weight: 650; }
p { margin: 4px 0 0; font-size: .9rem; }
summary { cursor: pointer; margin-top: 8px; font-size: .88rem; font-weight: 600; }
details .scroll { margin-top: 6px; }
article th, article td { padding: 6px 8px; }
article td small { display: block; color: var(--body-text-color-subdued); font-size: .76rem; }
"""


def build(tab: gr.Tab) -> None:
    """The tab's contents and events."""
    seen = gr.State(False)
    gr.Markdown(INTRO, elem_classes="note")
    with gr.Row(elem_classes="tight"):
        model = gr.Dropdown([], label="Generator", elem_id="measure-model", filterable=False, scale=3)
        count = gr.Slider(
            100, studio.MOST, value=200, step=100, label="Items a set, if measured now", scale=3,
            elem_id="measure-count", info="Fewer are quicker, and their intervals wider.",
        )  # fmt: skip
        with gr.Column(scale=2, min_width=160):
            go = gr.Button("Measure now", variant="primary")
            stop = gr.Button("Stop", size="md")
    progress = gr.HTML("", elem_id="measure-progress", padding=False)
    shown = gr.HTML(
        '<p class="note">The figures come when the tab is opened.</p>', css_template=STYLE, elem_id="measure-shown",
        apply_default_css=False, padding=False,
    )  # fmt: skip
    command = gr.Textbox(label="Copy as command", interactive=False, buttons=["copy"], elem_classes="command")
    outputs = [shown, command]
    tab.select(guarded(_arrive), seen, [seen, model, *outputs], show_progress="hidden", **OPTIONS)
    model.input(guarded(_kept), model, outputs, **OPTIONS)
    go.click(guarded(_begin), None, progress, queue=False, show_progress="hidden", api_visibility="private").success(
        guarded(_measure), [model, count], [progress, *outputs], concurrency_id=HEAVY, concurrency_limit=AT_ONCE,
        show_progress="hidden", **OPTIONS,
    )  # fmt: skip
    stop.click(guarded(_stop), None, None, queue=False, show_progress="hidden", api_visibility="private")


def _begin(request: gr.Request) -> str:
    return watching.begin(watching.key_of(request, "measure"))


def _stop(request: gr.Request) -> None:
    watching.stop(watching.key_of(request, "measure"))


def _arrive(seen: bool) -> list:
    if seen:
        return [gr.skip()] * 4
    names = studio.models()
    if not names:
        words = '<p class="note">No generator on this shelf has a judge for its data, so nothing can be measured.</p>'
        return [True, gr.skip(), words, ""]
    first = next((name for name in names if studio.kept(name)), names[0])
    return [True, gr.update(choices=names, value=first), *_kept(first)]


def _kept(name: str) -> list:
    known = studio.kept(name)
    if known is None:
        words = '<p class="note">No figures of these weights are kept: press <b>Measure now</b>.</p>'
        return [words, f"python benchmarks/measure.py --models {name}"]
    return [page(known), known.command]


def _measure(request: gr.Request, name: str, count: float):
    work, key = studio.measure(name, count=count), watching.key_of(request, "measure")
    last = None

    def followed():
        nonlocal last
        for step in work:
            if isinstance(step, studio.Measured):
                last = step
            else:
                yield step

    try:
        yield from watching.steps(followed(), key, lambda bar: [bar, gr.skip(), gr.skip()])
    except watching.Stopped:
        yield [watching.told("Stopped: the figures below are those from before."), gr.skip(), gr.skip()]
        return
    yield ["", page(last), last.command]


def page(measured: studio.Measured) -> str:
    """The matrix of sets and metrics, a card for every set, and what each metric asks."""
    return (
        matrix(measured) + f'<div class="sets">{"".join(card(measured, row) for row in measured.rows)}</div>' + asks()
    )


def matrix(measured: studio.Measured) -> str:
    """Every set against every metric: value, a mark against the floor, the floor in the last row of the head."""
    heads = "".join(f'<th scope="col">{html.escape(_short(m))}</th>' for m in studio.METRICS)
    rows = ""
    for row in measured.rows:
        name = measured.model if row.name == studio.MODEL else row.name
        own = ' class="own"' if row.name == studio.MODEL else ""
        cells = "".join(_cell(row.finding(metric)) for metric in studio.METRICS)
        rows += f'<tr{own}><th scope="row">{html.escape(name)}</th>{cells}</tr>'
    caption = (
        f"{measured.count:,} items a set, with one judge. {MARKS['worse']} worse than other real items, "
        f"{MARKS['cannot tell']} cannot be told from them, {MARKS['better']} beyond them: no virtue by itself."
    )
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Every set by every metric"><table>'
        f'<caption>{caption}</caption><thead><tr><th scope="col" class="words">Set</th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _short(metric: str) -> str:
    return SHORT.get(metric, metric.capitalize())


def _cell(finding: Finding | None) -> str:
    if finding is None:
        return "<td>–</td>"
    return f'<td class="{finding.verdict.replace(" ", "-")}">{_marked(finding)}</td>'


def _marked(finding: Finding) -> str:
    """The value with its mark, which a screen reader reads as words."""
    said = SAID.get(finding.verdict, "")
    mark = f'<b role="img" aria-label="{said}" title="{said}">{MARKS.get(finding.verdict, "")}</b>'
    return f"{mark}{_number(finding.value)}"


def _number(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 10 else figure(value)


def card(measured: studio.Measured, row: studio.Row) -> str:
    """One set: why it is there, who is content and who objects, and its figures with intervals, folded away."""
    name = measured.model if row.name == studio.MODEL else row.name
    lines = "".join(
        f'<tr><th scope="row">{html.escape(_short(f.name))}</th>'
        f"<td>{_marked(f)}<small>{_number(f.low)} to {_number(f.high)}</small></td><td>{_number(f.floor)}</td></tr>"
        for f in row.findings
    )
    title = html.escape(name[:1].upper() + name[1:] if row.name != studio.MODEL else name)
    return (
        f"<article><h2>{title}</h2><p>{html.escape(row.why)}</p><p>{html.escape(split(row))}</p>"
        f'<details><summary>Figures and intervals</summary><div class="scroll" tabindex="0" role="region" '
        f'aria-label="Figures of {title}"><table><thead><tr><th scope="col" class="words">Metric</th>'
        '<th scope="col">Value, 95 % interval</th><th scope="col">Floor</th></tr></thead>'
        f"<tbody>{lines}</tbody></table></div></details></article>"
    )


def split(row: studio.Row) -> str:
    """Which metrics are content with a set and which object, as one sentence."""
    objecting = [_short(f.name) for f in row.findings if f.verdict == "worse"]
    content = [_short(f.name) for f in row.findings if f.verdict != "worse"]
    if not objecting:
        return "Every metric is content with it."
    if not content:
        return "Every metric objects."
    return f"Content: {', '.join(content)}. Objecting: {', '.join(objecting)}."


def asks() -> str:
    """What each metric asks of a set."""
    rows = "".join(
        f'<tr><th scope="row">{html.escape(_short(m))}</th><td class="words">{html.escape(ASKS[m])}</td></tr>'
        for m in studio.METRICS
    )
    return (
        "<details><summary>What each metric asks</summary>"
        '<div class="scroll" tabindex="0" role="region" aria-label="What each metric asks"><table><tbody>'
        f"{rows}</tbody></table></div></details>"
    )

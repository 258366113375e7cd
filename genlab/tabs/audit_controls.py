"""The controls of the Bias audit tab: which set, who names its groups, what to compare with."""

from dataclasses import dataclass

import gradio as gr

from genlab.studio import bias_audit as studio
from genlab.studio import collect, naming, shelf
from genlab.tabs import audit_charts as charts
from genlab.tabs.errors import guarded
from genlab.tabs.files import stored_bytes, uploaded_paths

HERE, FILES, HUB = "A model here", "Your pictures or table", "A pipeline of the Hub"
SUBFOLDERS, JUDGE, SKIN, ZERO, EYES = (
    "subfolder names", "the portrait judge", "skin tone in the pixels", "descriptions (zero-shot)", "my own eyes only",
)  # fmt: skip
NAMERS = (SUBFOLDERS, JUDGE, SKIN, ZERO, EYES)
QUIET = {"preprocess": False, "api_visibility": "private", "queue": False, "show_progress": "hidden"}
PROMPTS = (
    "[glasses]\nglasses = a portrait of a person with glasses\nno glasses = a portrait of a person without glasses"
)


@dataclass(frozen=True)
class Controls:
    """What a visitor sets, in the order in which handlers get it."""

    source: gr.Radio
    model: gr.Dropdown
    files: gr.File
    namer: gr.Radio
    hub: gr.Textbox
    prompts: gr.Textbox
    clip: gr.Textbox
    descriptions: gr.Textbox
    columns: gr.CheckboxGroup
    outcome: gr.Dropdown
    reference: gr.Radio
    own: gr.Textbox
    question: gr.Radio
    count: gr.Slider
    seed: gr.Number

    def inputs(self) -> list:
        return list(vars(self).values())


def build() -> tuple[Controls, gr.DownloadButton, gr.HTML, gr.HTML]:
    """The controls, a table to fill in, a place for a table's first rows, and one for the planner's sentence."""
    source = gr.Radio([HERE, FILES, HUB], value=HERE, label="Audit", elem_id="audit-source")
    model = gr.Dropdown([], label="Model", filterable=False, elem_id="audit-model")
    files = gr.File(
        label="A zip (its subfolders may be the groups), a CSV or Parquet table, or pictures", file_count="multiple",
        height=130, visible=False, elem_id="audit-files",
    )  # fmt: skip
    template = gr.DownloadButton("CSV template", size="md", visible=False)
    preview = gr.HTML("", padding=False, elem_id="audit-preview")
    hub = gr.Textbox(label="Pipeline", placeholder="owner/model", visible=False, max_length=200)
    prompts = gr.Textbox(
        label="Prompts, one a line", lines=2, visible=False, max_length=2000,
        info="For pipelines that draw what a text says. Pictures take the prompts in turn.",
    )  # fmt: skip
    namer = gr.Radio(list(NAMERS), value=SUBFOLDERS, label="Groups come from", visible=False, elem_id="audit-namer")
    clip = gr.Textbox("openai/clip-vit-base-patch32", label="Zero-shot classifier", visible=False, max_length=200)
    descriptions = gr.Textbox(PROMPTS, label="A description of every group", lines=4, visible=False, max_length=4000)
    columns = gr.CheckboxGroup([], label="Attributes", info="The first one is crossed with the others.")
    outcome = gr.Dropdown([], label="Outcome (a column of numbers), if any", visible=False, filterable=False)
    reference = gr.Radio(list(studio.REFERENCES), value="uniform", label="Compare with")
    own = gr.Textbox(
        label="Own shares", lines=3, visible=False, placeholder="dark, 20%\nlight, 80%", max_length=4000,
        info="A line a group; with several attributes: attribute.group, share.",
    )  # fmt: skip
    question = gr.Radio(list(studio.QUESTIONS), value="the model behind it", label="The answer is about")
    count = gr.Slider(collect.FEWEST, collect.MOST, value=400, step=20, label="Items to draw")
    planning = gr.HTML("", padding=False, elem_id="audit-plan", elem_classes="note")
    seed = gr.Number(0, label="Seed of the first item")
    controls = Controls(
        source, model, files, namer, hub, prompts, clip, descriptions, columns, outcome, reference, own, question,
        count, seed,
    )  # fmt: skip
    return controls, template, preview, planning


def follow(controls: Controls, template: gr.DownloadButton, preview: gr.HTML, planning: gr.HTML) -> None:
    """Controls that change with others."""
    c = controls
    c.source.input(*by_source(c, template, preview), **QUIET)
    c.model.input(guarded(_model_columns), c.model, [c.columns, c.reference], **QUIET)
    c.namer.input(guarded(_namer_fields), [c.namer], [c.clip, c.descriptions, c.columns], **QUIET)
    c.files.change(guarded(_preview), [c.files, c.namer], [preview, c.columns, c.outcome, c.namer], **QUIET)
    c.reference.input(lambda chosen: gr.update(visible=chosen == "own shares"), c.reference, c.own, **QUIET)
    planned = guarded(_plan), [c.source, c.model, c.columns, c.count], planning
    gr.on([c.columns.change, c.count.release], *planned, **QUIET)


def by_source(c: Controls, template: gr.DownloadButton, preview: gr.HTML) -> tuple:
    """The handler, inputs and outputs that show what a source needs and nothing else."""
    outputs = [c.model, c.files, c.hub, c.prompts, c.namer, c.clip, c.descriptions, c.columns, c.outcome, c.count]
    return guarded(_source_fields), [c.source, c.model, c.namer], [*outputs, c.question, template, preview]


# ---- what they become


def _source_fields(source: str, model: str, namer: str) -> list:
    here, files, hub = (source == name for name in (HERE, FILES, HUB))
    pictures = namer if not hub or namer != SUBFOLDERS else JUDGE
    chosen = pictures if not here else None
    most = collect.MOST_FROM_HUB if hub else collect.MOST
    return [
        gr.update(visible=here),
        gr.update(visible=files),
        gr.update(visible=hub),
        gr.update(visible=hub),
        gr.update(visible=not here, choices=list(NAMERS[1:] if hub else NAMERS), value=pictures),
        gr.update(visible=chosen == ZERO),
        gr.update(visible=chosen == ZERO),
        columns_of_model(model) if here else _columns_of(chosen),
        gr.update(visible=False, choices=[], value=None),
        gr.update(visible=not files, maximum=most, value=40 if hub else 400),
        gr.update(value="these items only" if files else "the model behind it"),
        gr.update(visible=files, value=stored_bytes(studio.TEMPLATE.encode(), "template.csv") if files else None),
        "",
    ]


def columns_of_model(name: str):
    """The attributes that can be audited of a model, the first of them and glasses chosen."""
    groups = collect.attributes_of(shelf.entry(name))
    return gr.update(choices=groups, value=groups[:1] + [g for g in groups if g in ("glasses", "gender")])


def _model_columns(name: str) -> list:
    known = collect.training_of(shelf.entry(name).data, ()) is not None
    return [columns_of_model(name), gr.skip() if known else "uniform"]


def _columns_of(namer: str | None):
    if namer == JUDGE:
        judge = naming.judges()
        groups = list(naming.attributes_of(judge[0].name)) if judge else []
        return gr.update(choices=groups, value=groups[:1])
    fixed = {SUBFOLDERS: ["folder"], SKIN: ["skin tone"], ZERO: ["as described"], EYES: []}
    groups = fixed.get(namer, [])
    return gr.update(choices=groups, value=groups)


def _namer_fields(namer: str) -> list:
    return [gr.update(visible=namer == ZERO), gr.update(visible=namer == ZERO), _columns_of(namer)]


def _preview(payload: object, namer: str) -> list:
    """The columns of a table with their first rows; for pictures, the names that the namer would give."""
    given = uploaded_paths(payload)
    if len(given) != 1 or not collect.is_table(given[0][1]):
        return ["", _columns_of(namer), gr.update(visible=False), gr.update(visible=True)]
    found = collect.preview(given[0][1])
    head = "".join(f'<th scope="col">{charts.text(str(name))}</th>' for name in found.rows.columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{charts.text(str(v)[:60])}</td>" for v in row) + "</tr>"
        for row in found.rows.fillna("").itertuples(index=False)
    )
    counts = "".join(f'<td class="note">{n:,} values</td>' for n in found.groups.values())
    table = (
        '<div class="scroll" tabindex="0" role="region" aria-label="First rows of the table"><table class="listing">'
        f"<caption>First rows of {charts.text(given[0][0])}</caption><thead><tr>{head}</tr></thead><tbody>{rows}"
        f"<tr>{counts}</tr></tbody></table></div>"
    )
    names = [str(name) for name in found.groups if name != "item"]
    return [
        table,
        gr.update(choices=names, value=list(found.columns)[:2]),
        gr.update(choices=["", *names], value="", visible=True),
        gr.update(visible=False),
    ]


def _plan(source: str, model: str, columns: list, count: object) -> str:
    """What the chosen number of items can show of the first attribute, and what a gap of five points would take."""
    judge = naming.judge_for(shelf.entry(model)) if source == HERE and model in shelf.names() else None
    if not columns or judge is None or columns[0] not in naming.attributes_of(judge):
        return ""
    share = 1 / len(naming.attributes_of(judge)[columns[0]])
    items = shelf.whole(count, "number of items", collect.FEWEST, collect.MOST)
    told = studio.seen_with(items, share, columns[0], judge), studio.plan(0.05, share, columns[0], judge)
    return f"<p>{charts.text(' '.join(told))}</p>"

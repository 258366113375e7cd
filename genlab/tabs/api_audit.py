"""Named endpoints of the bias audit, for programs and MCP clients."""

from typing import Any

import gradio as gr

from audits.bias.pictures import contents
from genlab.studio import bias_audit as studio
from genlab.studio import collect, naming
from genlab.studio.bias_audit import Asked, Audited
from genlab.tabs.api import endpoint
from genlab.tabs.files import stored_bytes, uploaded_paths


def audit_model(
    model: str, groups: list[str], reference: str, count: int, seed: int
) -> tuple[dict[str, Any], list[str]]:
    """Audit whom a model draws or names: shares of every group with intervals, gaps, intersections and amplification.

    Of a model of texts: which of two sentences that differ in one group of words it finds more probable.

    Args:
        model: a generator whose items a judge can name, such as vae-portraits-biased or gpt-names, or a model of texts.
        groups: attributes such as tone and glasses, or country and gender of names; the first one is crossed with the
            others. A model of texts has none, and of it this, the reference, the count and the seed are not looked at.
        reference: uniform, training data or none.
        count: items to draw, 20 to 2,000.
        seed: of the first item.

    Returns:
        The report with every finding, and the report as HTML, PDF, CSV and JSON files.
    """
    names = [str(g) for g in groups or []] if isinstance(groups, list) else [str(groups)]
    collected = _finished(collect.from_model(model, count=count, seed=seed, columns=names))
    return _given(studio.audit(collected, Asked(tuple(names), reference or "uniform")))


def audit_file(file: str, groups: list[str], reference: str, question: str) -> tuple[dict[str, Any], list[str]]:
    """Audit a set of your own: a CSV or Parquet table of groups, or a zip of pictures with a subfolder a group.

    Args:
        file: the table or the zip.
        groups: columns of the table; for a zip, folder, or attributes that the portrait judge names.
        reference: uniform or none.
        question: model (the model behind the items) or folder (these items only).

    Returns:
        The report with every finding, and the report as HTML, PDF, CSV and JSON files.
    """
    ((name, path),) = uploaded_paths(file) or [("", None)]
    names = [str(g) for g in groups or []] if isinstance(groups, list) else [str(groups)]
    if path is None:
        raise studio.StudioError("No file was given: send a table or a zip of pictures.")
    if collect.is_table(path):
        work = collect.from_table(path, names)
    else:
        judged = [g for g in names if g != "folder"]
        judges = naming.judges()
        namer = naming.ByJudge(judges[0].name, tuple(judged)) if judged and judges else naming.Nobody()
        work = collect.from_pictures(contents(path), namer, name=name, by_subfolder="folder" in names)
    asked = Asked(tuple(names), reference or "none", question=question or "folder")
    return _given(studio.audit(_finished(work), asked))


def plan_audit(gap: float, share: float, group: str) -> str:
    """Say how many items show a gap in a group's share, the judge's own errors counted in; it may be never.

    Args:
        gap: the difference to be seen, such as 0.05.
        share: the share that a fair model would have, between 0 and 1.
        group: an attribute that the portrait judge names, or empty where groups are known exactly.
    """
    judges = naming.judges()
    return studio.plan(gap, share, group, judges[0].name if group and judges else "")


def _finished(work):
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value


def _given(audited: Audited) -> tuple[dict[str, Any], list[str]]:
    import json

    files = audited.files()
    return json.loads(files["report.json"]), [stored_bytes(content, name) for name, content in files.items()]


def build() -> None:
    """Declare the endpoints; nothing of this shows on the page."""
    with gr.Row(visible=False):
        text, file = gr.Textbox(label="text"), gr.File(label="file")
        groups = gr.JSON(label="groups", value=["tone"])
        reference = gr.Textbox(label="reference", value="uniform")
        question = gr.Textbox(label="question", value="model")
        count, seed = gr.Number(label="count", value=400), gr.Number(label="seed", value=0)
        gap, share = gr.Number(label="gap", value=0.05), gr.Number(label="share", value=0.5)
        report, files = gr.JSON(label="report"), gr.File(label="files", file_count="multiple")
        button = gr.Button()
    endpoint(button, audit_model, [text, groups, reference, count, seed], [report, files])
    endpoint(button, audit_file, [file, groups, reference, question], [report, files])
    endpoint(button, plan_audit, [gap, share, text], [text])

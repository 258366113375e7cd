"""The named endpoint of the Mitigate tab."""

import gradio as gr

from genlab.studio import mitigate as studio
from genlab.tabs.api import endpoint
from genlab.tabs.files import stored
from genlab.tabs.mitigate import QUEUE, report_files


def mitigate(
    model: str, attribute: str, method: str, target: dict, seed: int, count: int
) -> tuple[str, str, list[str], dict]:
    """Give the groups of a biased portrait model the shares you ask for, without training it again, and measure that.

    Args:
        model: vae-portraits-biased, or another generator of portraits without classes.
        attribute: tone, hair, glasses, facial_hair, covering or clothing; only tone has an independent oracle.
        method: screened, mixture, direction, resampling, reweighting, rejection, retouched or plain.
        target: share of each group, summing to 1; empty for equal shares.
        seed: whole number from 0; item i has seed + i.
        count: how many items before and after, 32 to 500.

    Returns:
        A signed PNG of items before and one after, the report as JSON, CSV, HTML and PDF, and the verdict with every
        figure and both claims.
    """
    work = studio.mitigate(model, attribute=attribute, method=method, target=target or None, seed=seed, count=count)
    while True:
        try:
            next(work)
        except StopIteration as done:
            made = done.value
            break
    figures = {f.name: {"value": f.value, "low": f.low, "high": f.high, "n": f.n} for f in made.report.findings}
    told = {"verdict": made.said, "fitted_on": made.fitted_on, "caveats": list(made.report.caveats)}
    told |= {"figures": {k: {a: _finite(b) for a, b in v.items()} for k, v in figures.items()}}
    told |= {"before": made.before.sheet.claim.as_dict(), "after": made.after.sheet.claim.as_dict()}
    return stored(made.before.sheet, "before"), stored(made.after.sheet, "after"), report_files(made), told


def _finite(value: float) -> float | None:
    return value if value == value else None


def build() -> None:
    """Declare the endpoint; nothing of this shows on the page."""
    with gr.Row(visible=False):
        model, attribute = gr.Textbox(label="model"), gr.Textbox(label="attribute", value=studio.CHECKED)
        method, target = gr.Textbox(label="method", value="screened"), gr.JSON(label="target", value={})
        seed, count = gr.Number(label="seed", value=0), gr.Number(label="count", value=200)
        before, after, told = gr.File(label="before"), gr.File(label="after"), gr.JSON(label="figures")
        reports = gr.File(label="reports", file_count="multiple")
        button = gr.Button()
    inputs = [model, attribute, method, target, seed, count]
    endpoint(button, mitigate, inputs, [before, after, reports, told], queue=QUEUE, at_once=1)

"""Mitigate: choose shares and a method for a biased model, and see before and after through two instruments."""

import threading
import time
from dataclasses import dataclass, field

import gradio as gr

from genlab.studio import mitigate as studio
from genlab.studio.mitigate import METHODS, Mitigated
from genlab.tabs import mitigate_words as words
from genlab.tabs.errors import guarded
from genlab.tabs.files import stored, stored_bytes

QUEUE = "mitigation"  # a queue of its own: a fit takes a minute, and pictures should not wait for it
EQUAL, OWN = "Equal shares", "My own shares"
GROUPS = 11  # the most that an attribute has
EXAMPLE = ("tone", "mixture")
FORMATS = {"JSON": "to_json", "CSV": "to_csv", "HTML": "to_html", "PDF": "to_pdf"}


@dataclass
class Job:
    """One visitor's request: whether it was cancelled, and what to say at its end."""

    cancelled: threading.Event = field(default_factory=threading.Event)
    said: str = ""


_jobs: dict[str, Job] = {}  # by session; `_ended` takes it out
MOST_JOBS = 200


def build(demo: gr.Blocks) -> None:
    """The tab's contents and events."""
    with gr.Row(elem_classes="result-first"):
        with gr.Column(scale=4, min_width=300):
            model = gr.Dropdown([], label="Model", elem_id="mitigate-model", filterable=False)
            attribute = gr.Dropdown([], label="What to change the shares of", filterable=False)
            method = gr.Dropdown(
                [(label, name) for name, label in METHODS.items()], value=EXAMPLE[1], label="Method",
                filterable=False, elem_id="mitigate-method",
                info="Screening tries many latents an item, so it takes longest; nothing is trained again.",
            )  # fmt: skip
            wanted = gr.Radio([EQUAL, OWN], value=EQUAL, label="Target")
            with gr.Column(visible=False) as table:
                shares = [gr.Number(0, label=f"Group {i + 1}", visible=False, min_width=120) for i in range(GROUPS)]
            seed = gr.Number(0, label="Seed")
            count = gr.Slider(studio.FEWEST, studio.MOST, value=200, step=4, label="Items a side")
            with gr.Row(elem_classes="tight"):
                go = gr.Button("Mitigate", variant="primary", scale=2, elem_id="mitigate-go")
                stop = gr.Button("Cancel", interactive=False, scale=1, elem_id="mitigate-stop")
            status = gr.HTML("", elem_id="mitigate-status", padding=False)
            example = gr.Button("Example: equal shares of tone", size="md")
            command = gr.Textbox(
                label="Copy as Python", lines=4, max_lines=8, interactive=False, buttons=["copy"],
                elem_classes="command",
            )  # fmt: skip
        with gr.Column(scale=7, min_width=320, elem_classes="result"):
            said = gr.HTML("", elem_id="mitigate-said", padding=False)
            with gr.Row(visible=False, elem_classes="tight") as pictures:
                before = _sheet("Before", "The model's own items, as it draws them from these seeds")
                after = _sheet("After", "Items of the same seeds with the method")
            figures = gr.HTML("", elem_id="mitigate-figures", padding=False)
            with gr.Row(visible=False, elem_classes=["tight", "downloads"]) as taken:
                files = [gr.DownloadButton(f"Report ({kind})", size="md", min_width=120) for kind in FORMATS]
    gr.HTML('<h2 class="part">All methods, measured by the bench</h2>', padding=False)
    bench = gr.HTML("", elem_id="mitigate-bench", padding=False)

    private = {"api_visibility": "private", "preprocess": False}
    quick = {**private, "queue": False, "show_progress": "hidden"}
    target = [wanted, table, *shares]
    demo.load(
        guarded(_arrive), None, [model, attribute, command, figures, bench, *target], show_progress="hidden", **private
    )
    model.input(guarded(_change_model), [model, attribute], [figures, bench, *target], **quick)
    attribute.input(guarded(_change_attribute), [model, attribute], target, **quick)
    wanted.input(guarded(_change_target), [model, attribute, wanted], [table, *shares], **quick)
    asked = [model, attribute, method, wanted, seed, count, *shares]
    shown = [status, said, pictures, before, after, figures, taken, *files, command]
    buttons = [status, go, stop, example]
    work = {**private, "show_progress": "hidden", "concurrency_id": QUEUE, "concurrency_limit": 1}
    by_example = example.click(guarded(_example), model, [attribute, method, seed, count, *target], **quick)
    for first in (go.click, by_example.then):
        ran = first(guarded(_begun), None, buttons, **quick).then(guarded(_run), asked, shown, **work)
        for after_it in (ran.success, ran.failure):  # `then` is not called after a failure
            after_it(guarded(_ended), None, buttons, **quick)
    stop.click(guarded(_stop), None, [status, stop], **quick)


def _sheet(label: str, words: str) -> gr.Image:
    return gr.Image(
        label=label, height=420, interactive=False, image_mode=None, buttons=["download", "fullscreen"], alt_text=words,
        elem_id=f"mitigate-{label.lower()}", min_width=150,
    )  # fmt: skip


# ---- events


def _arrive() -> list:
    able, names = studio.candidates(), studio.attributes()
    if not able:  # no reason to trouble those who came for another tab
        missing = words.told("The shelf has no judge-portraits, or no model of portraits without classes to change.")
        return [gr.skip(), gr.skip(), "", missing, "", EQUAL, gr.skip(), *[gr.skip()] * GROUPS]
    choices = [(_label(name), name) for name in names]
    biased = next((name for name in able if "biased" in name), able[0])
    return [
        gr.update(choices=able, value=biased), gr.update(choices=choices, value=names[0]),
        command_of(biased, names[0], EXAMPLE[1], None, 0, 200), *_change_model(biased, names[0]),
    ]  # fmt: skip


def _label(attribute: str) -> str:
    checked = "checked by an independent oracle" if attribute == studio.CHECKED else "the judge alone; no oracle"
    return f"{attribute.replace('_', ' ')} ({checked})"


def _change_model(model: str, attribute: str) -> list:
    return [words.opening(model), words.bench(model), *_change_attribute(model, attribute)]


def _change_attribute(model: str, attribute: str) -> list:
    return [EQUAL, gr.update(visible=False), *_numbers(model, attribute)]


def _change_target(model: str, attribute: str, wanted: str) -> list:
    return [gr.update(visible=wanted == OWN), *_numbers(model, attribute)]


def _numbers(model: str, attribute: str) -> list:
    groups = studio.groups_of(model, attribute)
    shares = [round(1 / len(groups), 2)] * len(groups)
    shares[0] = round(1 - sum(shares[1:]), 2)
    filled = [gr.update(label=g, value=s, visible=True) for g, s in zip(groups, shares, strict=True)]
    return filled + [gr.update(visible=False, value=0)] * (GROUPS - len(filled))


def _example(model: str) -> list:
    return [EXAMPLE[0], EXAMPLE[1], 0, 96, *_change_attribute(model, EXAMPLE[0])]


def _begun(request: gr.Request) -> list:
    while len(_jobs) >= MOST_JOBS:
        _jobs.pop(next(iter(_jobs)), None)
    _jobs[request.session_hash] = Job()
    off = gr.update(interactive=False)
    return [words.told("Waiting for its turn …"), off, gr.update(interactive=True), off]


def _run(
    request: gr.Request, model: str, attribute: str, method: str, wanted: str, seed: object, count: object,
    *shares: object,
):  # fmt: skip
    job = _jobs.setdefault(request.session_hash, Job())
    began, target = time.monotonic(), None
    if wanted == OWN:
        groups = studio.groups_of(model, attribute)
        target = dict(zip(groups, shares[: len(groups)], strict=True))
    work = studio.mitigate(model, attribute=attribute, method=method, target=target, seed=seed, count=count)
    rest = [gr.skip()] * (7 + len(FORMATS))
    while not job.cancelled.is_set():
        try:
            step = next(work)
        except StopIteration as done:
            job.said = f"Done in {time.monotonic() - began:.0f} s: before and after stand side by side."
            yield [words.told(job.said), *_shown(done.value, target)]
            return
        yield [words.progress(step), *rest]
    work.close()
    job.said = "Cancelled. What was learnt of the model so far is kept: the next run goes on from there."


def _ended(request: gr.Request) -> list:
    job, on = _jobs.pop(request.session_hash, Job()), gr.update(interactive=True)
    return [words.told(job.said) if job.said else "", on, gr.update(interactive=False), on]


def _stop(request: gr.Request) -> list:
    if request.session_hash in _jobs:
        _jobs[request.session_hash].cancelled.set()
    return [words.told("Stopping …"), gr.update(interactive=False)]


# ---- what they fill in


def _shown(made: Mitigated, target: dict | None) -> list:
    name = f"{made.wanted.model}-{made.seed}-{made.wanted.attribute}"
    before = stored(made.before.sheet, f"{name}-before")
    after = stored(made.after.sheet, f"{name}-{made.wanted.method}")
    reports = [gr.update(value=path) for path in report_files(made)]
    return [
        words.verdict(made), gr.update(visible=True), before, after, words.result(made), gr.update(visible=True),
        *reports,
        command_of(made.wanted.model, made.wanted.attribute, made.wanted.method, target, made.seed, made.count),
    ]  # fmt: skip


def report_files(made: Mitigated) -> list[str]:
    """Paths of the report in every format."""
    paths = []
    for kind, method in FORMATS.items():
        content = getattr(made.report, method)()
        content = content.encode() if isinstance(content, str) else content
        paths.append(stored_bytes(content, f"mitigation-{made.wanted.model}.{kind.lower()}"))
    return paths


def command_of(model: str, attribute: str, method: str, target: dict | None, seed: int, count: int) -> str:
    """Python that asks a running app for the same."""
    arguments = ", ".join(map(repr, (model, attribute, method, target or {}, seed, count)))
    lines = ["from gradio_client import Client", 'lab = Client("http://127.0.0.1:7860")']
    return "\n".join([*lines, f"print(lab.predict({arguments}, api_name='/mitigate'))"])

"""Detect: choose or bring what is normal, learn it while you watch, and see what is strange, how much and where."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from genlab.studio import detect as studio
from genlab.studio import detect_examples, detect_files, detect_session, detect_story
from genlab.studio.detect import Judged, Learnt
from genlab.studio.detect_session import Wanted
from genlab.studio.shelf import StudioError
from genlab.tabs import detect_charts as charts
from genlab.tabs import watching
from genlab.tabs.api import AT_ONCE, HEAVY
from genlab.tabs.errors import guarded
from genlab.tabs.files import stored_bytes, uploaded_paths

HOUR = 3600
EXAMPLE, OWN = "An example", "Your own items"
KINDS = {"Pictures": "images", "Table (CSV)": "table", "Time series (CSV)": "series"}
SCORES = {
    "Combined: three views, nearest normal items": "combined",
    "Nearest neighbours in the pixels": "neighbours",
    "One Gaussian (Mahalanobis distance)": "gaussian",
    "A mixture of Gaussians": "mixture",
    "Reconstruction error of a VAE (pictures)": "reconstruction",
    "Evidence of a VAE (pictures)": "evidence",
    "Evidence less complexity (pictures)": "complexity",
}
QUIET = {"preprocess": False, "api_visibility": "private", "queue": False, "show_progress": "hidden"}
OPTIONS = {"preprocess": False, "api_visibility": "private", "concurrency_id": HEAVY, "concurrency_limit": AT_ONCE}
RESULTS = 9  # outputs of `_shown`


@dataclass(frozen=True)
class Held:
    """What a visitor looks at: the key of a detector, the items it judged, and where the normal ones came from."""

    key: str
    judged: Judged
    wanted: Wanted
    origin: str
    tested: str


def build(tab: gr.Tab) -> None:
    """The tab's contents and events."""
    held, seen = gr.State(None, time_to_live=HOUR), gr.State(False)
    with gr.Row(elem_classes="result-first"):
        with gr.Column(scale=4, min_width=300):
            source = gr.Radio([EXAMPLE, OWN], value=EXAMPLE, label="What is normal", elem_id="detect-source")
            example = gr.Dropdown(
                detect_examples.names(), value=detect_session.FIRST, label="Normal is", filterable=False,
                elem_id="detect-example",
                info="The other classes of clothes are the anomalies. A table and a series are at the end.",
            )  # fmt: skip
            kind = gr.Radio(list(KINDS), value="Pictures", label="Kind", visible=False, elem_id="detect-kind")
            normal = gr.File(
                label="Normal items: a zip or pictures, or one CSV (a row an item or a time step)", height=120,
                file_count="multiple", visible=False, elem_id="detect-normal",
            )  # fmt: skip
            tested = gr.Radio([EXAMPLE, OWN], value=EXAMPLE, label="What to test", elem_id="detect-tested")
            test = gr.File(
                label="Items to test; subfolders or a column label bring the curves", height=120, file_count="multiple",
                visible=False, elem_id="detect-test",
            )  # fmt: skip
            method = gr.Dropdown(list(SCORES), value=next(iter(SCORES)), label="Score", filterable=False)
            with gr.Row(elem_classes="tight"):
                go = gr.Button("Learn and test", variant="primary", scale=2, elem_id="detect-go")
                halt = gr.Button("Stop", scale=1)
            rate = gr.Slider(
                0.1, 20, value=1, step=0.1, label="False-alarm rate (percent of normal items)", elem_id="detect-rate"
            )
            command = gr.Textbox(
                label="Copy as command", lines=2, interactive=False, buttons=["copy"], elem_classes="command"
            )
        with gr.Column(scale=7, min_width=320, elem_classes="result"):
            state = gr.HTML("", elem_id="detect-state", padding=False)
            head = gr.HTML(
                '<p class="note">Choose what is normal and press Learn and test.</p>', elem_id="detect-head",
                padding=False, elem_classes="headlines",
            )  # fmt: skip
            curves = gr.HTML("", elem_id="detect-curves", padding=False)
            which = gr.Dropdown(
                list(charts.ORDERS), value=charts.ORDERS[0], label="Show", filterable=False, elem_id="detect-order"
            )
            items = gr.HTML("", elem_id="detect-items", padding=False)
            with gr.Row(elem_classes=["tight", "downloads"]):
                table = gr.DownloadButton("Scores (CSV)", size="md", interactive=False, min_width=120)
                kept = gr.DownloadButton("The detector", size="md", interactive=False, min_width=120)
    gr.HTML('<h2 class="part">Why not simply the reconstruction error?</h2>', padding=False)
    gr.HTML(charts.why(*detect_story.told()), elem_id="detect-why", padding=False)

    asked = [source, example, kind, normal, tested, test, method, rate, which]
    results = [held, state, head, curves, items, table, kept, command, seen]
    run = {"show_progress": "hidden", **OPTIONS}
    go.click(guarded(_begin), None, state, **QUIET).then(guarded(_run), asked, results, **run)
    tab.select(guarded(_arrive), [seen, *asked], results, **run)
    halt.click(guarded(_stop), None, state, **QUIET)
    live = {**QUIET, "trigger_mode": "always_last"}
    gr.on([rate.input, which.input], guarded(_look), [held, rate, which], [head, curves, items, command], **live)
    rate.release(guarded(_table), [held, rate], table, **QUIET)
    fields = [example, kind, normal, test, tested]
    gr.on([source.input, tested.input], guarded(_fields), [source, tested], fields, **QUIET)


# ---- events


def _arrive(request: gr.Request, seen: bool, *asked: object) -> Iterator[list]:
    if seen:
        yield [gr.skip()] * RESULTS
        return
    watching.begin(watching.key_of(request, "detect"))
    yield from _run(request, *asked)


def _run(
    request: gr.Request, source: str, example: str, kind: str, normal: Any, tested: str, test: Any, method: str,
    rate: object, which: str,
) -> Iterator[list]:  # fmt: skip
    """Learn, judge and show, a bar on the way; what was there before stays until something new is."""
    idle = [gr.skip()] * RESULTS

    def bar(words: str) -> list:
        return [idle[0], words, *idle[2:]]

    yield bar(watching.bar(0, 0, "starting"))
    try:
        own = source == OWN
        given = tuple(uploaded_paths(normal)) if own else ()
        if own and not given:
            raise StudioError("No normal items were uploaded: give a zip, pictures or a CSV first.")
        wanted = Wanted("" if own else example, KINDS.get(kind, "images"), given, method=SCORES.get(method, method))
        asked = tuple(uploaded_paths(test)) if tested == OWN or own else ()
        if (tested == OWN or own) and not asked:
            raise StudioError("No items to test were uploaded: give some, of the same kind as the normal ones.")
        key, learnt = yield from watching.steps(detect_session.learn(wanted), watching.key_of(request, "detect"), bar)
        yield bar(watching.bar(0, 0, "judging"))
        judged = detect_session.judge(learnt, example=wanted.example, test=asked)
    except watching.Stopped:
        yield bar(watching.told("Stopped. What was there before is still there."))
        return
    except Exception:
        yield bar("")
        raise
    origin = detect_session.origin(wanted, learnt)
    found = Held(key, judged, wanted, origin, _named(asked))
    yield _shown(found, learnt, rate, which)


def _named(files: tuple) -> str:
    """What the command calls uploaded items."""
    return files[0][0] if len(files) == 1 else "TEST" if files else ""


def _look(held: Held | None, rate: object, which: str) -> list:
    if held is None:
        return [gr.skip()] * 4
    learnt, share = _learnt(held), _share(rate)
    return [*_views(held, learnt, share, which), _command(held, share)]


def _table(held: Held | None, rate: object):
    return gr.skip() if held is None else _scores(held, _share(rate))


def _fields(source: str, tested: str) -> list:
    own = source == OWN
    return [
        gr.update(visible=not own), gr.update(visible=own), gr.update(visible=own),
        gr.update(visible=own or tested == OWN), gr.update(visible=not own),
    ]  # fmt: skip


def _begin(request: gr.Request) -> str:
    return watching.begin(watching.key_of(request, "detect"))


def _stop(request: gr.Request) -> str:
    watching.stop(watching.key_of(request, "detect"))
    return watching.told("Stopping at the next step ...")


# ---- what is shown


def _shown(held: Held, learnt: Learnt, rate: object, which: str) -> list:
    share = _share(rate)
    kept = stored_bytes(detect_files.pack(learnt), "detector.safetensors")
    return [
        held, "", *_views(held, learnt, share, which), _scores(held, share),
        gr.update(value=kept, interactive=True), _command(held, share), True,
    ]  # fmt: skip


def _views(held: Held, learnt: Learnt, rate: float, which: str) -> list[str]:
    judged = held.judged
    line = charts.series(judged, rate) if learnt.kind == "series" else ""
    return [
        charts.headline(learnt, judged, rate, held.origin),
        line + charts.both_curves(judged, rate),
        charts.item_table(learnt, judged, rate, which),
    ]


def _scores(held: Held, rate: float):
    return gr.update(value=stored_bytes(held.judged.table(rate).encode(), "scores.csv"), interactive=True)


def _learnt(held: Held) -> Learnt:
    found = detect_session.kept(held.key)
    if found is None:
        raise StudioError(
            "This detector has left the memory, because others came after it: press Learn and test again."
        )
    return found


def _share(rate: object) -> float:
    """Percent as the slider gives them to a rate."""
    number = isinstance(rate, int | float) and not isinstance(rate, bool)
    return studio.check_rate(rate / 100 if number else rate)


def _command(held: Held, rate: float) -> str:
    wanted = held.wanted
    words = ["python", "-m", "genlab", "detect"]
    if wanted.example:
        words += ["--example", wanted.example]
    else:
        words += ["--normal", wanted.normal[0][0] if len(wanted.normal) == 1 else "NORMAL", "--kind", wanted.kind]
    words += ["--test", held.tested] if held.tested else []
    words += ["--out", "scores.csv", "--false-alarm", f"{rate:g}"]
    words += ["--score", wanted.method] if wanted.method != "combined" else []
    return shlex.join(words)

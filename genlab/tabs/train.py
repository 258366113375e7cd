"""Train: watch a GAN or a VAE learn, pause it, step through it, put two side by side, and replay what was seen."""

import time
from dataclasses import dataclass

import gradio as gr
import numpy as np

from genlab.studio import training, training_data, training_pictures
from genlab.studio.shelf import StudioError
from genlab.studio.training import Lane, State
from genlab.studio.training_presets import PRESETS
from genlab.tabs import train_charts as charts
from genlab.tabs import train_controls as knobs
from genlab.tabs.api import AT_ONCE, HEAVY
from genlab.tabs.errors import guarded
from genlab.tabs.files import stored, uploaded_path

TICK, SLOW, LINGER = 0.2, 1.0, 4.0  # seconds: of the timer, between two drawings of the curves, after the last action
STORAGE = "genlab-training"
NOW = 100  # the slider's right end: as it stands
QUIET = knobs.QUIET
PLOTS = tuple(charts.CURVES)


@dataclass
class Seen:
    """What one page was shown last, so that only what is new is sent."""

    stage: tuple = ()
    words: str = ""
    plots: tuple = ()
    drawn: float = 0.0
    until: float = 0.0  # the timer runs at least so long


def build(tab: gr.Tab) -> None:
    """The tab's contents and events."""
    key = gr.BrowserState(None, storage_key=STORAGE, secret=STORAGE)
    seen, points = gr.State(None), gr.State(None)
    timer = gr.Timer(TICK, active=False)
    with gr.Row(elem_classes="tight"):
        preset = gr.Dropdown(
            [p.title for p in PRESETS], value=PRESETS[0].title, label="Begin with", filterable=False,
            elem_id="train-preset", scale=4, min_width=280,
        )  # fmt: skip
        told = gr.Markdown(PRESETS[0].seen, elem_id="train-told", elem_classes="note")
    with gr.Row(elem_classes=["tight", "train-buttons"]):
        begin = gr.Button("Start", variant="primary", size="md", scale=2, min_width=110, elem_id="train-start")
        halt, once, on, end = (
            gr.Button(name, size="md", min_width=90) for name in ("Pause", "One step", "Continue", "Stop")
        )
    with gr.Row(elem_classes="result-first"):
        with gr.Column(scale=4, min_width=300):
            controls, pad, archive = knobs.build()
            command = gr.Textbox(
                label="Copy as Python", lines=4, max_lines=6, interactive=False, buttons=["copy"],
                elem_classes="command", value=knobs.command_of(knobs.FIRST),
            )  # fmt: skip
        with gr.Column(scale=7, min_width=320, elem_classes="result"):
            words = gr.HTML(knobs.sentence("Nothing runs yet."), elem_id="train-words", padding=False)
            stage = gr.HTML(charts.stage(None, (), None, 0), elem_id="train-stage", padding=False)
            with gr.Row(elem_classes="tight"):
                back = gr.Slider(
                    0, NOW, value=NOW, step=1, label="Replay: per cent of what was trained", scale=3, min_width=220,
                    elem_id="train-replay",
                )  # fmt: skip
                film = gr.Button("Make the animation", min_width=150, size="md")
            with gr.Row(elem_classes=["tight", "downloads"]):
                gif = gr.DownloadButton("Animation (GIF)", size="md", interactive=False, min_width=130)
                mp4 = gr.DownloadButton("Video (MP4)", size="md", interactive=False, min_width=130)
            with gr.Row(elem_classes="tight"):
                plots = [
                    gr.LinePlot(x="step", y="value", color="series", label=name, show_label=False, title=name,
                                height=270, min_width=250,
                                x_title="step", y_title=" ", color_title=" ", tooltip="axis", buttons=[],
                                visible=False, y_lim=charts.RANGES.get(name), elem_classes="train-plot")
                    for name in PLOTS
                ]  # fmt: skip
            gr.Markdown(
                "Everything is trained while you look, by the average of the weights and from the same noise "
                "throughout. A run that nobody looks at is saved after some seconds and goes on when you come back; "
                "after an hour it is removed, with whatever you gave for it.",
                elem_classes="note",
            )
    view = [seen, words, stage, timer, *plots]
    chosen = [preset, told, *controls.inputs(), pad, archive, command]
    tab.select(guarded(_arrive), [key, seen, back], [key, *chosen, *view], **QUIET)
    timer.tick(guarded(_tick), [key, seen, back], view, **QUIET)
    begin.click(
        guarded(_start), [key, points, archive, *controls.inputs()], [key, back, gif, mp4, command, *view], **QUIET
    )
    for button, action in ((halt, "pause"), (once, "step"), (on, "continue"), (end, "stop")):
        button.click(guarded(_acting(action)), [key, seen, back], view, **QUIET)
    back.input(guarded(_replay), [key, back, seen], [seen, stage], trigger_mode="always_last", **QUIET)
    film.click(
        guarded(_film), key, [gif, mp4], preprocess=False, api_visibility="private", concurrency_id=HEAVY,
        concurrency_limit=AT_ONCE, show_progress="minimal",
    )  # fmt: skip
    pad.input(guarded(_drawn), None, points, trigger_mode="always_last", **QUIET)
    knobs.follow(controls, preset, told, pad, archive, command)


# ---- events


def _arrive(key: str | None, seen: Seen | None, back: object) -> list:
    """The tab is opened: the browser's key finds an earlier run, and a process is made ready for the next."""
    training.ready()
    key = key or training.new_key()
    state = training.state(key)
    chosen = [gr.skip()] * knobs.CHOSEN if state is None or seen is not None else knobs.chosen(state.wanted)
    return [key, *chosen, *_view(state, key, Seen(until=time.monotonic() + LINGER), back, wake=True)]


def _tick(key: str | None, seen: Seen | None, back: object) -> list:
    if not key:
        return [gr.skip()] * (4 + len(PLOTS))
    return _view(training.state(key), key, seen or Seen(), back)


def _start(key: str | None, points: object, archive: object, *given: object) -> list:
    key = key or training.new_key()
    state = training.start(key, knobs.settings(given), points=points, archive=uploaded_path(archive))
    none = gr.update(value=None, interactive=False)
    seen = Seen(until=time.monotonic() + LINGER)
    return [key, NOW, none, none, knobs.command_of(state.wanted), *_view(state, key, seen, NOW, wake=True)]


def _acting(action: str):
    def act(key: str | None, seen: Seen | None, back: object) -> list:
        if not key:
            raise StudioError("Nothing runs yet: press Start first.")
        seen = seen or Seen()
        seen.until = time.monotonic() + LINGER
        return _view(training.control(key, action), key, seen, back, wake=True)

    return act


def _replay(key: str | None, back: object, seen: Seen | None) -> list:
    if not key:
        return [gr.skip(), gr.skip()]
    seen = seen or Seen()
    if back == NOW:
        state = training.state(key)
        seen.stage = ()
        return [seen, gr.skip() if state is None else _stage(state, state.lanes, key)]
    state, lanes = training.frame(key, back / NOW if isinstance(back, int | float) else back)
    seen.stage = ("replay", back)
    return [seen, _stage(state, lanes, key)]


def _film(key: str | None) -> list:
    made = training_pictures.animation(key or training.new_key())
    return [gr.update(value=stored(sealed, "training"), interactive=True) for sealed in (made.gif, made.mp4)]


def _drawn(event: gr.EventData) -> object:
    return event._data.get("points") if isinstance(event._data, dict) else None


# ---- what is shown


def _view(state: State | None, key: str, seen: Seen, back: object, *, wake: bool = False) -> list:
    """Sentence, stage, timer and curves, each only where it is new; `wake` starts the timer."""
    now = time.monotonic()
    if state is None:
        empty = charts.stage(None, (), _NOTHING, 0)
        return [seen, knobs.sentence("Nothing runs yet."), empty, gr.Timer(active=False), *_skipped()]
    words = " ".join([state.words, *state.notes])
    said = gr.skip() if words == seen.words else knobs.sentence(words, bad=state.standing == "failed")
    shown = (state.run, tuple((lane.title, lane.at) for lane in state.lanes))
    fresh = back == NOW and shown != seen.stage
    stage = _stage(state, state.lanes, key) if fresh else gr.skip()
    moving = state.moving or now < seen.until
    plotted = (state.run, tuple(lane.step for lane in state.lanes))
    plots = _skipped()
    if plotted != seen.plots and (now - seen.drawn > SLOW or not state.moving):
        plots, seen.plots, seen.drawn = _plots(state), plotted, now
    seen.words = words
    if fresh:
        seen.stage = shown
    timer = gr.Timer(active=moving) if wake or not moving else gr.skip()
    return [seen, said, stage, timer, *plots]


def _skipped() -> list:
    return [gr.skip()] * len(PLOTS)


def _stage(state: State, lanes: tuple[Lane, ...], key: str) -> str:
    modes = training_data.modes_of(state.wanted.data)
    real = training.real_points(key) if state.wanted.plane else _NOTHING
    return charts.stage(state, lanes, real, 0 if modes is None else len(modes[0]))


_NOTHING = np.empty((0, 2), np.float32)


def _plots(state: State) -> list:
    """Each plot with its rows; those without any are hidden."""
    import pandas as pd

    made = []
    for name in PLOTS:
        rows = charts.rows(state.lanes, name)
        if not rows:
            made.append(gr.update(visible=False))
            continue
        frame = pd.DataFrame(rows, columns=["step", "value", "series"])
        made.append(gr.LinePlot(value=frame, color_map=charts.colours(state.lanes, name), visible=True))
    return made

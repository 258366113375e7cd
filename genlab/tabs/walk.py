"""The walk at the foot of Explore: two ends, the frames between them, and the files to take away."""

import json
from dataclasses import dataclass

import gradio as gr

from genlab.studio import shelf
from genlab.studio import walk as studio
from genlab.studio.encode import Encoded
from genlab.tabs.api import AT_ONCE, HEAVY
from genlab.tabs.errors import guarded
from genlab.tabs.files import stored


@dataclass(frozen=True)
class End:
    """One end of the walk: (model, code) in a state, and its picture."""

    code: gr.State
    picture: gr.Image


@dataclass(frozen=True)
class Walking:
    """Both ends, for the tab that fills them."""

    start: End
    end: End

    def ends(self) -> list:
        return [self.start.code, self.start.picture, self.end.code, self.end.picture]


def build() -> Walking:
    """The section's contents and events."""
    gr.HTML('<h2 class="part">A walk between two items</h2>', padding=False)
    with gr.Row(elem_classes=["tight", "ends"]):
        start, end = (_end(label) for label in ("From", "To"))
        with gr.Column(scale=3, min_width=260):
            frames = gr.Slider(studio.FEWEST, studio.MOST, value=24, step=1, label="Frames")
            path = gr.Radio(
                list(studio.PATHS), value=studio.PATHS[0], label="Path",
                info="Spherical keeps the codes' usual length; linear cuts straight through.",
            )  # fmt: skip
            go = gr.Button("Walk", variant="primary")
    with gr.Column(elem_id="walk-result", visible=False) as result:
        strip = gr.Image(
            label="Frames", height=190, interactive=False, image_mode=None, buttons=["fullscreen"],
            alt_text="Frames of the walk from left to right", elem_classes="pixels",
        )  # fmt: skip
        with gr.Row():
            video = gr.Video(label="Animation", height=300, interactive=False, buttons=[], loop=True)
            with gr.Column():
                gif = gr.DownloadButton("Animation (GIF)", size="md", interactive=False)
                mp4 = gr.DownloadButton("Video (MP4)", size="md", interactive=False)
                png = gr.DownloadButton("Strip of frames (PNG)", size="md", interactive=False)
                command = gr.Textbox(
                    label="Copy as Python", lines=4, max_lines=6, interactive=False, buttons=["copy"],
                    elem_classes="command",
                )  # fmt: skip
    go.click(
        guarded(_walk), [start.code, end.code, frames, path], [result, strip, video, gif, mp4, png, command],
        concurrency_id=HEAVY, concurrency_limit=AT_ONCE, preprocess=False, api_visibility="private",
        show_progress="minimal",
    )  # fmt: skip
    return Walking(start, end)


def _end(label: str) -> End:
    with gr.Column(scale=2, min_width=140):
        picture = gr.Image(
            label=label, height=190, interactive=False, image_mode=None, buttons=[], elem_classes="pixels",
            alt_text=f"The item that the walk goes {label.lower()}",
        )  # fmt: skip
    return End(gr.State(None), picture)


def _walk(start: tuple[str, Encoded] | None, end: tuple[str, Encoded] | None, frames: object, path: str) -> list:
    if start is None or end is None:
        raise shelf.StudioError("A walk needs two items: choose one to walk from and one to walk to.")
    if start[0] != end[0]:
        raise shelf.StudioError("Both ends of a walk must be codes of one model: choose one of them again.")
    name = start[0]
    made = studio.walk(name, start[1], end[1], frames=frames, path=path)
    strip, gif, mp4 = (stored(sealed, f"{name}-walk") for sealed in (made.strip, made.gif, made.mp4))
    files = [gr.update(value=file, interactive=True) for file in (gif, mp4, strip)]
    return [gr.update(visible=True), strip, mp4, *files, command_of(name, start[1], end[1], frames, path)]


def command_of(name: str, start: Encoded, end: Encoded, frames: object, path: str) -> str:
    """Python that asks a running app for the same walk."""
    lines = ["from gradio_client import Client", 'lab = Client("http://127.0.0.1:7860")']
    lines += [f"start = {json.dumps(start.code)}", f"end = {json.dumps(end.code)}"]
    lines += [f"print(lab.predict({name!r}, start, end, {frames}, {path!r}, api_name='/walk'))"]
    return "\n".join(lines)

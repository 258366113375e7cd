"""The named endpoint of the Detect tab."""

from pathlib import Path
from typing import Any

import gradio as gr

from genlab.studio import detect as studio
from genlab.studio import detect_files, detect_session
from genlab.studio.detect_session import Wanted
from genlab.studio.shelf import StudioError
from genlab.tabs.api import endpoint
from genlab.tabs.files import stored_bytes, uploaded_path, uploaded_paths


def detect(
    example: str, kind: str, normal: list[str], test: list[str], detector: str, false_alarm: float, score: str
) -> tuple[dict[str, Any], str, str]:
    """Learn what is normal from normal items alone and say which other items are not, at a stated false-alarm rate.

    Args:
        example: a class such as shirt, whose normal and test items are here; empty to give your own.
        kind: images, table or series, of your own items.
        normal: a zip of pictures, pictures, or one CSV of numbers (a row an item, or a time step).
        test: items to judge, likewise; empty with an example for its own.
        detector: a detector file that an earlier call gave, instead of normal items.
        false_alarm: the share of normal items that may raise an alarm, 0.001 to 0.5.
        score: combined, neighbours, gaussian or mixture; of pictures also reconstruction, evidence or complexity.

    Returns:
        Figures (items, alarms, areas under the curves where labels are, notes), the scores as CSV with item, score,
        p_value and anomaly, and the detector as a file.
    """
    rate = studio.check_rate(false_alarm)
    kept = uploaded_path(detector)
    given, asked = tuple(uploaded_paths(normal)), tuple(uploaded_paths(test))
    if sum(map(bool, (example, given, kept))) != 1:
        raise StudioError("Give one of three: an example, normal items, or a detector.")
    wanted = Wanted(example or "", kind or "images", given, Path(kept) if kept else None, score or "combined")
    work = detect_session.learn(wanted)
    while True:
        try:
            next(work)
        except StopIteration as done:
            _, learnt = done.value
            break
    judged = detect_session.judge(learnt, example=wanted.example, test=asked)
    told: dict[str, Any] = {
        "items": len(judged.scores), "alarms": int(judged.alarms(rate).sum()), "held_out": len(learnt.calibration),
        "lowest_rate": learnt.smallest_rate(), "notes": [*learnt.notes, *judged.notes],
    }  # fmt: skip
    if judged.truth is not None:
        names = ("value", "low", "high", "n")
        told["figures"] = {n: dict(zip(names, row, strict=True)) for n, *row in studio.figures(judged, rate)}
    scores = stored_bytes(judged.table(rate).encode(), "scores.csv")
    return told, scores, stored_bytes(detect_files.pack(learnt), "detector.safetensors")


def build() -> None:
    """Declare the endpoint; nothing of this shows on the page."""
    with gr.Row(visible=False):
        example, kind = gr.Textbox(label="example", value="shirt"), gr.Textbox(label="kind", value="images")
        normal = gr.File(label="normal", file_count="multiple")
        test = gr.File(label="test", file_count="multiple")
        detector = gr.File(label="detector")
        rate, score = gr.Number(label="false_alarm", value=0.01), gr.Textbox(label="score", value="combined")
        told, scores, kept = gr.JSON(label="figures"), gr.File(label="scores"), gr.File(label="kept")
        button = gr.Button()
    endpoint(button, detect, [example, kind, normal, test, detector, rate, score], [told, scores, kept])

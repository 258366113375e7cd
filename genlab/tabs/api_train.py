"""The named endpoints of the Train tab: start a run, ask how it stands, steer it, take its replay away."""

from typing import Any

import gradio as gr

from genlab.studio import training, training_pictures
from genlab.studio.training import State
from genlab.tabs.api import endpoint
from genlab.tabs.files import stored, uploaded_path

POLL, POLLS = "training", 8  # asking how a run stands waits for no network


def train_start(settings: dict, points: list, archive: str) -> tuple[str, dict[str, Any]]:
    """Train a small GAN or VAE live; two runs work at a time, others wait with a place number.

    Args:
        settings: data (ring, grid, moons, spiral, points, fashion, portraits, own), family (gan, vae), loss (minimax,
            non-saturating, hinge, wasserstein, wasserstein-clip, wasserstein-gp, relativistic), against (a second one
            or none), steps, batch, lr, latent, critic_steps, critic_rate, penalty, beta, warm_up, free_bits, seed.
        points: for data points: rows of two numbers from 0 to 1.
        archive: for data own: a zip of pictures.

    Returns:
        A key that the run is found by, and how it stands, as `train_state` tells it.
    """
    key = training.new_key()
    return key, told(training.start(key, settings, points=points, archive=uploaded_path(archive)))


def train_state(key: str) -> dict[str, Any]:
    """How a run stands; a run that nobody asks about for some seconds is parked until somebody does.

    Args:
        key: as `train_start` gave it.

    Returns:
        {"standing": waiting, working, paused, parked, stopped, done or failed, "words", "place" in the queue,
        "models": for each its loss, step, steps a second, curves (name -> steps and values), alarms and trouble}.
    """
    return told(training.required_state(key))


def train_control(key: str, action: str) -> dict[str, Any]:
    """Pause a run, let it take one step, continue or stop it.

    Args:
        key: as `train_start` gave it.
        action: pause, step, continue or stop.

    Returns:
        How it stands, as `train_state` tells it.
    """
    return told(training.control(key, action))


def train_animation(key: str) -> tuple[str, str, dict]:
    """The replay of a run as a signed GIF and a signed MP4.

    Args:
        key: as `train_start` gave it.

    Returns:
        Both files and their claim.
    """
    made = training_pictures.animation(key)
    return stored(made.gif, "training"), stored(made.mp4, "training"), made.gif.claim.as_dict()


def told(state: State) -> dict[str, Any]:
    """A state as JSON, without its frames."""
    models = [
        {
            "loss": lane.title, "step": lane.step, "seconds": lane.seconds, "speed": lane.speed,
            "curves": {name: list(curve) for name, curve in lane.curves.items()}, "alarms": list(lane.alarms),
            "trouble": lane.trouble, "weights": lane.weights,
        }
        for lane in state.lanes
    ]  # fmt: skip
    return {
        "standing": state.standing, "words": state.words, "place": state.place, "settings": state.wanted.as_dict(),
        "notes": list(state.notes), "models": models,
    }  # fmt: skip


def build() -> None:
    """Declare the endpoints; nothing of this shows on the page."""
    with gr.Row(visible=False):
        settings, points = gr.JSON(label="settings", value={}), gr.JSON(label="points")
        archive, file, key = gr.File(label="archive"), gr.File(label="file"), gr.Textbox(label="key")
        action, answer, button = gr.Textbox(label="action"), gr.JSON(label="state"), gr.Button()
    endpoint(button, train_start, [settings, points, archive], [key, answer], queue=POLL, at_once=POLLS)
    endpoint(button, train_state, [key], [answer], queue=POLL, at_once=POLLS)
    endpoint(button, train_control, [key, action], [answer], queue=POLL, at_once=POLLS)
    endpoint(button, train_animation, [key], [file, archive, answer])

"""The controls of the Train tab: a preset, or data, family, loss and knobs; and the same as Python."""

import html
import json
from dataclasses import dataclass
from typing import Any

import gradio as gr

from genlab.studio import training_settings
from genlab.studio.training_presets import BY_TITLE, PRESETS
from genlab.studio.training_settings import DATA, FAMILIES, LOSSES, NONE, OWN, PLANE, POINTS, Wanted
from genlab.tabs import train_pad
from genlab.tabs.errors import guarded

QUIET = {"preprocess": False, "api_visibility": "private", "queue": False, "show_progress": "hidden"}
BESIDE = {"Nothing": NONE} | {title: name for name, (title, _) in LOSSES.items()}
FIRST = training_settings.check(PRESETS[0].settings)


@dataclass(frozen=True)
class Controls:
    """What a visitor sets, in the order in which handlers get it; the names are those of `Wanted`."""

    data: gr.Dropdown
    family: gr.Radio
    loss: gr.Dropdown
    against: gr.Dropdown
    lr: gr.Number
    batch: gr.Number
    steps: gr.Number
    latent: gr.Slider
    critic_steps: gr.Slider
    critic_rate: gr.Number
    penalty: gr.Number
    beta: gr.Number
    warm_up: gr.Slider
    free_bits: gr.Slider
    seed: gr.Number

    def inputs(self) -> list:
        return list(vars(self).values())


NAMES = tuple(Controls.__dataclass_fields__)
CHOSEN = 2 + len(NAMES) + 3  # outputs of `chosen`
OF_GAN = ("loss", "against", "critic_steps", "critic_rate", "penalty")
OF_VAE = ("beta", "warm_up", "free_bits")


def build() -> tuple[Controls, gr.HTML, gr.File]:
    """The controls, the pad to draw on, and the place for a zip."""
    with gr.Row(elem_classes="tight"):
        data = gr.Dropdown([(t, n) for n, t in DATA.items()], value=FIRST.data, label="Data", filterable=False,
                           min_width=130, elem_id="train-data")  # fmt: skip
        family = gr.Radio([(t, n) for n, t in FAMILIES.items()], value=FIRST.family, label="Family", min_width=130)
    pad = train_pad.component()
    archive = gr.File(label="A zip of pictures", height=120, visible=False, elem_id="train-zip")
    with gr.Row(elem_classes="tight"):
        loss = gr.Dropdown([(t, n) for n, (t, _) in LOSSES.items()], value=FIRST.loss, label="Loss", filterable=False,
                           min_width=140)  # fmt: skip
        against = gr.Dropdown(list(BESIDE.items()), value=FIRST.against, label="Beside it", filterable=False,
                              min_width=140)  # fmt: skip
    with gr.Accordion("Knobs", open=False, elem_id="train-knobs"):
        with gr.Row(elem_classes="tight"):
            lr = gr.Number(FIRST.lr, label="Learning rate", min_width=110)
            batch = gr.Number(FIRST.batch, label="Batch", min_width=90)
            steps = gr.Number(FIRST.steps, label="Steps", min_width=90)
            seed = gr.Number(FIRST.seed, label="Seed", min_width=80)
        latent = gr.Slider(1, 64, value=FIRST.latent, step=1, label="Numbers in a code")
        critic_steps = gr.Slider(
            1, 10, value=FIRST.critic_steps, step=1, label="Critic's steps for one of the generator"
        )
        with gr.Row(elem_classes="tight"):
            critic_rate = gr.Number(FIRST.critic_rate, label="Critic's rate over the generator's", min_width=150)
            penalty = gr.Number(
                FIRST.penalty, label="Gradient penalty", min_width=130,
                info="At real items (R1); of WGAN-GP between real and generated.",
            )  # fmt: skip
        beta = gr.Number(FIRST.beta, label="Weight of the KL (beta)", visible=False)
        warm_up = gr.Slider(0, 1, value=FIRST.warm_up, step=0.05, label="KL warm-up, share of the run", visible=False)
        free_bits = gr.Slider(0, 2, value=FIRST.free_bits, step=0.05, label="Free nats of each latent", visible=False)
    made = Controls(data, family, loss, against, lr, batch, steps, latent, critic_steps, critic_rate, penalty, beta,
                    warm_up, free_bits, seed)  # fmt: skip
    return made, pad, archive


def follow(c: Controls, preset: gr.Dropdown, told: gr.Markdown, pad: gr.HTML, archive: gr.File, command: gr.Textbox):
    """Controls that change with others."""
    preset.input(guarded(_choose), preset, [told, *c.inputs(), pad, archive, command], **QUIET)
    dependent = [*[getattr(c, n) for n in (*OF_GAN, *OF_VAE)], c.batch, pad, archive]
    gr.on([c.family.input, c.data.input], guarded(_fields), [c.family, c.data], dependent, **QUIET)
    changed = [i.release if isinstance(i, gr.Slider) else i.input for i in c.inputs()]
    gr.on(changed, guarded(_command), c.inputs(), command, trigger_mode="always_last", **QUIET)


# ---- events


def _choose(title: str) -> list:
    return chosen(training_settings.check(BY_TITLE[title].settings))[1:]


def chosen(wanted: Wanted) -> list:
    """The preset that has these settings where one does, its sentence, the controls, what they need, and the Python."""
    known = next((p for p in PRESETS if training_settings.check(p.settings) == wanted), None)
    preset = [gr.skip(), gr.skip()] if known is None else [known.title, known.seen]
    return [*preset, *_filled(wanted), *_places(wanted.data), command_of(wanted)]


def _filled(wanted: Wanted) -> list:
    shown = _visible(wanted.family)
    return [gr.update(value=getattr(wanted, n), **({"visible": shown[n]} if n in shown else {})) for n in NAMES]


def _visible(family: str) -> dict[str, bool]:
    return dict.fromkeys(OF_GAN, family == "gan") | dict.fromkeys(OF_VAE, family == "vae")


def _places(data: str) -> list:
    return [gr.update(visible=data == POINTS), gr.update(visible=data == OWN)]


def _dependent(controls: Controls, pad: gr.HTML, archive: gr.File) -> list:
    return [*[getattr(controls, n) for n in (*OF_GAN, *OF_VAE)], controls.batch, controls.penalty, pad, archive]


def _fields(family: str, data: str) -> list:
    shown = _visible(family)
    return [*[gr.update(visible=shown[n]) for n in (*OF_GAN, *OF_VAE)], 128 if data in PLANE else 32, *_places(data)]


def _command(*given: object) -> str:
    try:
        return command_of(training_settings.check(settings(given)))
    except ValueError as error:
        return f"# {error}"


def settings(given: tuple) -> dict[str, Any]:
    """The controls' values by the names of `Wanted`; what the family has not is left out."""
    found = dict(zip(NAMES, given, strict=True))
    idle = OF_VAE if found["family"] == "gan" else OF_GAN
    return {name: value for name, value in found.items() if name not in idle}


def command_of(wanted: Wanted) -> str:
    """Python that starts the same run in an app at work."""
    usual = Wanted().as_dict()
    asked = {name: value for name, value in wanted.as_dict().items() if value != usual[name]}
    needs = {POINTS: "[[0.5, 0.5], ...]", OWN: "None"}.get(wanted.data, "None")
    zipped = 'handle_file("pictures.zip")' if wanted.data == OWN else "None"
    lines = ["from gradio_client import Client" + (", handle_file" if wanted.data == OWN else "")]
    lines += ['lab = Client("http://127.0.0.1:7860")']
    lines += [f"key, told = lab.predict({json.dumps(asked)}, {needs}, {zipped}, api_name='/train_start')"]
    return "\n".join([*lines, "print(lab.predict(key, api_name='/train_state'))"])


def sentence(words: str, *, bad: bool = False) -> str:
    """A sentence on the page."""
    return f'<p class="sentence" data-made="{"partly" if bad else "yes"}">{html.escape(words)}</p>'

"""A model's knobs as sliders and choices: a fixed row of controls that takes on whatever the model has."""

import gradio as gr

from genlab.studio.shelf import Entry

SLIDERS, CHOICES = 4, 2  # what a model may have of each; the contract says one to four knobs in all


def controls() -> list[gr.Component]:
    """The controls, hidden until a model fills them: first the sliders, then the choices."""
    sliders = [gr.Slider(0, 1, value=0, label=f"Knob {i + 1}", visible=False) for i in range(SLIDERS)]
    return sliders + [gr.Radio([], label=f"Choice {i + 1}", visible=False) for i in range(CHOICES)]


def names(entry: Entry) -> list[str | None]:
    """The knob that each control stands for, None where a control is not used."""
    numbers = [k.name for k in entry.knobs if not k.choices][:SLIDERS]
    chosen = [k.name for k in entry.knobs if k.choices][:CHOICES]
    return numbers + [None] * (SLIDERS - len(numbers)) + chosen + [None] * (CHOICES - len(chosen))


def updates(entry: Entry) -> list:
    """What the controls become for a model, at its defaults."""
    specs = {k.name: k for k in entry.knobs}
    made = []
    for i, name in enumerate(names(entry)):
        if name is None:
            made.append(gr.update(visible=False))
            continue
        spec, label = specs[name], name.replace("_", " ").capitalize()
        if i < SLIDERS:
            step = 0.05 if spec.high - spec.low <= 10 else 1
            made.append(
                gr.update(
                    minimum=spec.low, maximum=spec.high, step=step, value=spec.default, label=label, info=spec.help,
                    visible=True,
                )
            )  # fmt: skip
        else:
            made.append(
                gr.update(choices=list(spec.choices), value=spec.default, label=label, info=spec.help, visible=True)
            )
    return made


def values(entry: Entry, given: tuple) -> dict[str, float | str]:
    """The controls' values by the knobs' names; a control that the page has not filled yet is left out."""
    named = zip(names(entry), given, strict=True)
    return {name: value for name, value in named if name is not None and value is not None}


def changed(entry: Entry, given: dict[str, float | str]) -> dict[str, float | str]:
    """Those that are not at their default."""
    return {k.name: given[k.name] for k in entry.knobs if k.name in given and given[k.name] != k.default}

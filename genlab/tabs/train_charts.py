"""What the Train tab draws: the stage with points or pictures, the KL of each latent, and rows of the curves."""

import base64
import html
import math

import numpy as np

from genlab.studio import training_pictures as studio
from genlab.studio.training import Lane, State

SILENT = 0.05  # nats below which a latent says nothing
CURVES = {  # plot -> series, by the name they have in reports, and what they are called
    "Losses": {"critic": "critic", "generator": "generator", "elbo_bits": "bound (bits)"},
    "Gradient norms": {
        "critic_gradient": "critic", "generator_gradient": "generator", "gradient": "network",
    },
    "Critic: share right": {"accuracy": "right"},
    "Effective modes": {"modes": "modes"},
    "KL of the code (nats)": {"kl": "all latents"},
}  # fmt: skip
RANGES = {"Critic: share right": [0, 1], "Effective modes": [0, None]}  # of the values
LETTERS = ("A", "B")  # of two models side by side
COLOURS = ("#0f7d77", "#c2570c", "#6d4bc2", "#b3406f", "#4b5954", "#2563a8")


def stage(state: State | None, lanes: tuple[Lane, ...], real: np.ndarray, modes: int) -> str:
    """Each model as it stands: points on the critic's surface, or a sealed sheet of pictures; of a VAE its latents."""
    if state is None or not lanes:
        words = "Choose a preset and press Start." if state is None else state.words
        return f'<div class="stage-empty"><p>{html.escape(words)}</p></div>'
    return '<div class="stage">' + "".join(_figures(state, lanes, real, modes)) + "</div>"


def _figures(state: State, lanes: tuple[Lane, ...], real: np.ndarray, modes: int) -> list[str]:
    letters = [""] if len(lanes) == 1 else [f"{letter} · " for letter in LETTERS]
    return [_figure(state, lane, letter, real, modes) for letter, lane in zip(letters, lanes, strict=True)]


def _figure(state: State, lane: Lane, letter: str, real: np.ndarray, modes: int) -> str:
    told = _told(lane, modes)
    if not lane.frame:
        inside = '<div class="stage-empty"><p>The first frame comes in a moment.</p></div>'
    elif "pictures" in lane.frame:
        sealed = studio.sheet(state.wanted, lane)
        source = f"data:{sealed.media_type};base64,{base64.b64encode(sealed.media).decode()}"
        inside = f'<img class="sheet" src="{source}" alt="{html.escape(f"Pictures from fixed noise. {told}")}">'
    else:
        inside = plane(lane, real, told)
    bars = latents(lane.frame["rates"]) if "rates" in lane.frame else ""
    caption = f"<b>{letter}{html.escape(lane.title)}</b> · step {lane.at:,}"
    alarms = "".join(f'<p class="alarm">{html.escape(words)}</p>' for words in lane.alarms)
    return (
        f'<figure class="lane">{inside}<figcaption>{caption}<br>{html.escape(told)}</figcaption>{bars}{alarms}</figure>'
    )


def _told(lane: Lane, modes: int) -> str:
    parts = []
    if modes and "modes" in lane.curves:
        parts.append(f"{lane.curves['modes'][1][-1]:.1f} effective modes of {modes}")
    if "near" in lane.curves:
        parts.append(f"{lane.curves['near'][1][-1]:.0%} of points near one")
    return ", ".join(parts)


def plane(lane: Lane, real: np.ndarray, told: str) -> str:
    """The unit square as an SVG, y upwards."""
    surface = ""
    if "surface" in lane.frame:
        png = base64.b64encode(studio.surface_png(lane.frame["surface"])).decode()
        surface = f'<image href="data:image/png;base64,{png}" width="1" height="1" preserveAspectRatio="none"/>'
    words = html.escape(f"Generated points over real ones and the critic's decision surface. {told}")
    return (
        f'<svg class="plane" viewBox="0 0 1 1" role="img" aria-label="{words}">{surface}'
        f'<path class="real" d="{dots(real)}"/><path class="made" d="{dots(lane.frame["points"])}"/></svg>'
    )


def dots(points: np.ndarray) -> str:
    """Points (n, 2) as strokes without length, which round caps make dots of; those far outside are left out."""
    inside = points[np.isfinite(points).all(1) & (np.abs(points - 0.5) < 1).all(1)] if len(points) else points
    return "".join(f"M{x:.3f} {1 - y:.3f}h0" for x, y in inside)


def latents(rates: np.ndarray) -> str:
    """Bars of the KL of each latent, largest first."""
    ordered = np.sort(np.nan_to_num(rates))[::-1]
    top = max(1.0, float(ordered[0]))
    full, n = int((ordered > SILENT).sum()), len(ordered)
    words = f"{full} of {n} latents tell something (more than {SILENT:g} nats)"
    wide = 100 / n
    bars = "".join(
        f'<rect class="{"on" if rate > SILENT else "off"}" x="{i * wide + 0.1 * wide:.2f}" width="{0.8 * wide:.2f}" '
        f'y="{30 - max(0.6, 29 * rate / top):.2f}" height="{max(0.6, 29 * rate / top):.2f}"/>'
        for i, rate in enumerate(ordered)
    )
    svg = f'<svg viewBox="0 0 100 30" preserveAspectRatio="none" role="img" aria-label="{words}">{bars}</svg>'
    return f'<div class="latents"><p>KL of each latent, up to {top:.1f} nats: {words}.</p>{svg}</div>'


def rows(lanes: tuple[Lane, ...], plot: str) -> list[tuple[int, float, str]]:
    """(step, value, series) of one plot; two models side by side are told apart by name."""
    found = []
    for letter, lane in zip(LETTERS, lanes, strict=False):
        for name, called in CURVES[plot].items():
            steps, values = lane.curves.get(name, ([], []))
            series = called if len(lanes) == 1 else f"{letter} {called}"
            found += [(s, v, series) for s, v in zip(steps, values, strict=True) if math.isfinite(v)]
    return found


def colours(lanes: tuple[Lane, ...], plot: str) -> dict[str, str]:
    """A colour for every series of a plot."""
    names = list(dict.fromkeys(series for _, _, series in rows(lanes, plot)))
    return {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}

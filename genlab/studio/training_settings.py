"""What a visitor may train live: data, family, loss and a few knobs, each checked, and what they become as a model."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from genlab.studio.shelf import StudioError, whole

TOYS = {"ring": "Ring of 8", "grid": "Grid of 25", "moons": "Two moons", "spiral": "Spiral"}
POINTS, OWN = "points", "own"
DATA = {**TOYS, POINTS: "Points I draw", "fashion": "Fashion-MNIST", "portraits": "Portraits", OWN: "My own zip"}
PLANE = (*TOYS, POINTS)  # data that are points of the plane
FAMILIES = {"gan": "GAN", "vae": "VAE"}
LOSSES: dict[str, tuple[str, dict[str, Any]]] = {  # of a GAN: what it is called, and the arguments that make it
    "minimax": ("Minimax (saturating)", {"loss": "minimax", "spectral": False}),
    "non-saturating": ("Non-saturating", {"loss": "non-saturating", "spectral": False}),
    "hinge": ("Hinge, spectral norm", {"loss": "hinge", "spectral": True}),
    "wasserstein": ("Wasserstein, no bound", {"loss": "wasserstein", "spectral": False}),
    "wasserstein-clip": ("Wasserstein, clipped", {"loss": "wasserstein", "spectral": False, "clip": 0.1}),
    "wasserstein-gp": ("Wasserstein, gradient penalty", {"loss": "wasserstein", "spectral": False}),
    "relativistic": (
        "Relativistic, R1 and R2",
        {"loss": "relativistic", "spectral": False, "r1": 0.01, "r2": 0.01, "penalty_every": 4, "noise": 0.5},
    ),
}
NONE = "none"
GP = {True: 1.0, False: 10.0}  # usual weight of the penalty of "wasserstein-gp": of points, of pictures


@dataclass(frozen=True)
class Limit:
    """What a number may be, and why not more or less."""

    low: float
    high: float
    below: str
    above: str
    whole: bool = False


LIMITS = {
    "steps": Limit(10, 20_000, "so few show nothing", "longer runs belong to python -m genlab train", whole=True),
    "batch": Limit(
        4, 512, "losses of fewer items are noise, and there is nothing to normalise over", "a page cannot wait so long",
        whole=True,
    ),
    "lr": Limit(1e-6, 1.0, "nothing would be learnt", "the weights would run away at the first step"),
    "latent": Limit(1, 64, "an item needs at least one number", "a live run has no time for more", whole=True),
    "critic_steps": Limit(1, 10, "the critic has to learn too", "the generator would hardly learn", whole=True),
    "critic_rate": Limit(0.1, 10.0, "the critic would stand still", "the critic would run away"),
    "penalty": Limit(0.0, 100.0, "it is a weight", "nothing else would count"),
    "beta": Limit(0.0, 100.0, "it is a weight", "nothing else would count"),
    "warm_up": Limit(0.0, 1.0, "it is a share of the run", "it is a share of the run"),
    "free_bits": Limit(0.0, 5.0, "it is a number of nats", "no code holds as much here"),
    "seed": Limit(0, 2**31 - 1, "seeds are not negative", "that seed is too large", whole=True),
}  # fmt: skip
CALLED = {"lr": "learning rate", "steps": "number of steps", "batch": "batch", "latent": "size of the code"}


@dataclass(frozen=True)
class Wanted:
    """One training run, or two side by side on the same data and seed.

    Attributes:
        data: a key of `DATA`.
        family: a key of `FAMILIES`.
        loss: of a GAN, a key of `LOSSES`.
        against: the loss of a second GAN beside it, or "none".
        critic_rate: learning rate of the critic over the generator's.
        penalty: weight of the gradient penalty at real items (R1), for "relativistic" at generated ones too, for
            "wasserstein-gp" between the two; 0: none, or what the last two need.
        beta, warm_up, free_bits: of a VAE, as in `genlab.models.vae`.
    """

    data: str = "ring"
    family: str = "gan"
    loss: str = "non-saturating"
    against: str = NONE
    steps: int = 3000
    batch: int = 128
    lr: float = 1e-3
    latent: int = 8
    critic_steps: int = 1
    critic_rate: float = 1.0
    penalty: float = 0.0
    beta: float = 1.0
    warm_up: float = 0.0
    free_bits: float = 0.0
    seed: int = 0

    @property
    def plane(self) -> bool:
        """Whether items are points of the plane."""
        return self.data in PLANE

    @property
    def lanes(self) -> tuple[str, ...]:
        """What runs: one loss, or two; of a VAE its family's name."""
        if self.family == "vae":
            return ("vae",)
        return (self.loss,) if self.against == NONE else (self.loss, self.against)

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def check(given: Mapping[str, Any]) -> Wanted:
    """Settings by name, those left out at their defaults.

    Raises:
        StudioError: one sentence about what was given and what is allowed.
    """
    known = {f.name: f.default for f in fields(Wanted)}
    if not isinstance(given, Mapping):
        raise StudioError(f"Settings are names with values: {', '.join(known)}.")
    made: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            raise StudioError(f"Settings of a run are {', '.join(known)}; {str(name)[:40]!r} was given.")
        made[name] = number(name, value) if name in LIMITS else value
    wanted = Wanted(**made)
    choices = {"data": DATA, "family": FAMILIES, "loss": LOSSES, "against": {NONE: "", **LOSSES}}
    for name, allowed in choices.items():
        value = getattr(wanted, name)
        if not isinstance(value, str) or value not in allowed:
            raise StudioError(f"The {name} is one of {', '.join(allowed)}; {str(value)[:40]!r} was given.")
    if wanted.family == "gan" and wanted.against == wanted.loss:
        raise StudioError("Two runs side by side need two losses: choose another one for the second.")
    return wanted


def number(name: str, value: object) -> float | int:
    """A number within its limits.

    Raises:
        StudioError: it is none, or out of them.
    """
    limit, called = LIMITS[name], CALLED.get(name, name.replace("_", " "))
    real = isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
    if real and limit.low <= value <= limit.high and not limit.whole:
        return float(value)
    if real and limit.whole and limit.low <= value <= limit.high:
        return whole(value, called, int(limit.low), int(limit.high))
    why = "" if not real else f": {limit.below if value < limit.low else limit.above}"
    kind = "a whole number" if limit.whole else "a number"
    raise StudioError(
        f"The {called} is {kind} from {limit.low:g} to {limit.high:,g}; {str(value)[:40]!r} was given{why}."
    )


def arguments(wanted: Wanted, lane: str, shape: tuple[int, ...]) -> dict[str, Any]:
    """The arguments of the family's class for one lane; small networks, so that a page can watch them learn."""
    if lane == "vae":
        made = {"shape": shape, "latent": wanted.latent, "beta": wanted.beta, "warm_up": wanted.warm_up}
        made |= {"free_bits": wanted.free_bits}
        if wanted.plane:
            return made | {"width": 16}
        return made | {"width": 16, "likelihood": "gaussian", "patch": 1 if shape[1] <= 32 else 2}
    made = {"shape": shape, "latent": wanted.latent, "critic_steps": wanted.critic_steps, **LOSSES[lane][1]}
    made |= {"critic_rate": wanted.critic_rate}
    if lane == "wasserstein-gp":
        made |= {"gradient_penalty": wanted.penalty or GP[wanted.plane], "penalty_every": 1 if wanted.plane else 2}
    elif wanted.penalty:
        made |= {"r1": wanted.penalty, "penalty_every": 1 if wanted.plane else 2}
        made |= {"r2": wanted.penalty} if lane == "relativistic" else {}
    if wanted.plane:
        return made | {"width": 16} | ({"depth": 0} if lane == "relativistic" else {})
    return made | {"width": 8, "depth": 0, "patch": 1 if shape[1] <= 32 else 2}

"""From noise to pictures: a batch on its way through the steps of one of diffusers' schedulers."""

from contextlib import nullcontext
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from genlab.device import autocast
from genlab.models.contract import Images, Labels
from genlab.models.diffusion_fitted import nudged
from genlab.models.layers import micro_batch, pad_rows

if TYPE_CHECKING:
    from genlab.models.diffusion import Diffusion, Knobs

FITTED = "fitted steps"
LEVELS = 1000  # noise levels that the network is trained on
CLIPPED = -5.1  # least log signal-to-noise ratio that the second-order solver starts from (the schedule's end is -inf)
WIDE = 4  # batches at once where numbers are short: rows of bfloat16 come out the same in any number of full batches


class Path:
    """One padded batch on its way from noise to pictures.

    Args:
        z: noise (n, ...), n up to `together`.
        labels: (n,) or None.
        kept: pictures whose unknown pixels are no numbers, or None.
        begun: pictures that noise is added to as far as the way starts from, or None: noise alone.
        way: share of the way from noise to picture that is gone, in (0, 1]; all of it where nothing is begun.
    """

    def __init__(
        self,
        model: "Diffusion",
        z: Tensor,
        labels: Labels | None,
        kept: Images | None,
        begun: Images | None,
        knobs: "Knobs",
        steps: int,
        way: float = 1.0,
    ):
        self.model, self.count, self.guidance = model, len(z), float(knobs.guidance)
        full = micro_batch(z.device)
        self.rows = -(-len(z) // full) * full
        self.z = pad_rows(z, self.rows)
        if not z.is_cuda:
            model.unet.to(memory_format=torch.channels_last)  # up to half as fast again on a CPU, and the same numbers
        self.labels = None if labels is None else pad_rows(labels, self.rows)
        self.kept, self.start = None if kept is None else pad_rows(model.folded(kept), self.rows), self.z
        self.last, self.short = steps - 1, knobs.precision == "bfloat16"
        self.few, self.seen = (model.few_steps, []) if knobs.solver == FITTED else (None, [])
        self.skipped = max(min(round(steps / way), LEVELS) - steps, 0)  # of a whole way in steps of this length
        if self.few is None:
            self.scheduler = solver(model.process, knobs.solver)
            self.scheduler.set_timesteps(self.skipped + steps, device=z.device)
        times = self.scheduler.timesteps if self.few is None else torch.tensor(self.few.levels, device=z.device)
        self.calls = 2 if len(times) > self.skipped + steps else 1  # of the network a step, but for the last
        self.times = times[self.calls * self.skipped :]
        if begun is not None:
            a, s = model.shares(self.times[0])
            self.z = a * pad_rows(model.folded(begun), self.rows) + s * self.z
            if hasattr(self.scheduler, "set_begin_index"):
                self.scheduler.set_begin_index(self.calls * self.skipped)

    def advance(self, step: int, fresh: Tensor | None) -> Images:
        """Take one step; the pictures that the network makes out now, (n, ...), as it sees them."""
        clean = self.z
        for t in self.times[self.calls * step : self.calls * (step + 1)]:
            if self.kept is not None:
                a, s = self.model.shares(t)
                self.z = torch.where(self.kept.isnan(), self.z, a * self.kept + s * self.start)
            if self.few is not None:
                with nudged(torch.tensor(self.few.nudges[step])):
                    told = self.told(self.few.shown[step] * self.z, torch.full_like(t, self.few.told[step]))
                self.z = self.few.advance(step, self.z, told, self.seen, self.model)
                clean = self.seen[-1]
                continue
            told = self.told(self.z, t)
            clean, _ = self.model.parts(self.z, told, t)
            if fresh is None:
                self.z = self.scheduler.step(told, t, self.z).prev_sample
            elif self.model.process == "noise":
                fresh = pad_rows(fresh, self.rows)
                self.z = self.scheduler.step(told, t, self.z, eta=1.0, variance_noise=fresh).prev_sample
            else:
                now, following = self.scheduler.sigmas[self.skipped + step :][:2]
                self.z = posterior(self.z, clean, now, following, pad_rows(fresh, self.rows))
        return (self.z if step == self.last else clean)[: self.count]

    def told(self, z: Tensor, t: Tensor) -> Tensor:
        """What the network says of z at level t, in the numbers that were asked for."""
        level = t.to(z.dtype).expand(len(z))
        with autocast(z.device) if self.short else nullcontext():
            return self.model.told(z, level, self.labels, self.guidance).to(z.dtype)


def together(device: torch.device, precision: str) -> int:
    """Rows that go the way as one."""
    return micro_batch(device) * (WIDE if precision == "bfloat16" and device.type == "cpu" else 1)


def posterior(z: Tensor, x: Tensor, t: Tensor, s: Tensor, e: Tensor) -> Tensor:
    """A draw of z_s given z_t and x on a straight line, s < t (Kingma et al. 2021, appendix A.2, with a_t = 1 - t)."""
    kept = (1 - t) / (1 - s)
    added = t**2 - (kept * s) ** 2
    return kept * (s / t) ** 2 * z + (1 - s) * added / t**2 * x + added.sqrt() * s / t * e


# ---- diffusers' schedulers


def noise_scheduler():
    """The noise process: Nichol and Dhariwal's cosine schedule (2021, equation 17), its network telling v."""
    from diffusers import DDPMScheduler

    return DDPMScheduler(LEVELS, **NOISE)


def flow_scheduler():
    """The straight lines of flow matching."""
    from diffusers import FlowMatchEulerDiscreteScheduler

    return FlowMatchEulerDiscreteScheduler(LEVELS)


NOISE = {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction", "clip_sample": False}


def solver(process: str, name: str):
    """A scheduler of diffusers that goes from noise to pictures; "fresh noise" takes the first-order one's levels."""
    import diffusers

    if process == "flow":
        kind = "FlowMatchHeunDiscreteScheduler" if name == "second order" else "FlowMatchEulerDiscreteScheduler"
        return getattr(diffusers, kind)(LEVELS)
    if name == "second order":  # DPM-Solver++(2M), Lu et al. 2022
        settings = {key: value for key, value in NOISE.items() if key != "clip_sample"}
        return diffusers.DPMSolverMultistepScheduler(LEVELS, lambda_min_clipped=CLIPPED, **settings)
    return diffusers.DDIMScheduler(LEVELS, timestep_spacing="trailing", **NOISE)

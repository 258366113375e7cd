"""Diffusion against what is known on paper, and against diffusers' own loop over the same weights."""

import json
import math

import pytest
import torch
from diffusers import DDIMScheduler, DDPMPipeline, DDPMScheduler, FlowMatchEulerDiscreteScheduler, UNet2DModel
from safetensors.torch import load_file
from test_contract import make
from torch import nn

from genlab import checkpoint
from genlab.models import build
from genlab.models.contract import check_knobs
from genlab.models.diffusion import FITTED, Knobs, KnobsWithFewSteps
from genlab.models.diffusion_path import LEVELS
from genlab.seeds import Seeds
from genlab.studio import shelf

MEAN, SPREAD = 0.3, 0.4  # of the Gaussian whose perfect denoiser is known


class Perfect(nn.Module):
    """What the best network tells of pictures whose values are normal with `MEAN` and `SPREAD`, as a U-Net would."""

    def __init__(self, model):
        super().__init__()
        self.process, self.calls = model.process, 0
        self.signal, self.noise = model.signal.double(), model.noise.double()

    def forward(self, z, t, class_labels=None):
        self.calls += 1
        a, s = self.at(t)
        clean = MEAN + a * SPREAD**2 / (a**2 * SPREAD**2 + s**2) * (z - a * MEAN)
        e = (z - a * clean) / s
        told = a * e - s * clean if self.process == "noise" else e - clean
        return type("Told", (), {"sample": told})

    def at(self, t):
        if self.process == "flow":
            s = (t.double() / LEVELS).view(-1, 1, 1, 1)
            return 1 - s, s
        low = t.detach().long().clamp(max=LEVELS - 2)
        return (torch.lerp(x[low], x[low + 1], (t - low).double()).view(-1, 1, 1, 1) for x in (self.signal, self.noise))


def perfect(process: str):
    model = build("diffusion", {"shape": (1, 4, 4), "process": process, "widths": (8, 8), "patch": 1})
    del model.unet
    model.unet = Perfect(model)
    return model.eval()


class Same:
    """Seeds whose noise is given."""

    device = torch.device("cpu")

    def __init__(self, z):
        self.z = z

    def __len__(self):
        return len(self.z)

    def randn(self, *shape):
        return self.z


def ends(model, z, steps, solver):
    return model.sample(Same(z), None, Knobs(steps=steps, solver=solver)) * 2 - 1


@pytest.mark.parametrize(("solver", "order"), [("first order", 1), ("second order", 2)])
def test_the_error_falls_with_the_order_of_the_solver(solver, order):
    model, z = perfect("flow"), torch.linspace(-1, 1, 16, dtype=torch.float64).view(1, 1, 4, 4)
    truth = MEAN + SPREAD * z  # a Gaussian's path ends where its quantile lies
    few, many = ((ends(model, z, n, solver) - truth).abs().max().item() for n in (16, 32))
    assert few / many == pytest.approx(2**order, rel=0.2)


@pytest.mark.parametrize("process", ["noise", "flow"])
@pytest.mark.parametrize("solver", ["second order", "first order"])
def test_the_perfect_network_ends_at_the_quantiles(process, solver):
    model, z = perfect(process), torch.linspace(-1, 1, 16, dtype=torch.float64).view(1, 1, 4, 4)
    assert torch.allclose(ends(model, z, 100, solver).double(), MEAN + SPREAD * z, atol=0.02)


@pytest.mark.parametrize("process", ["noise", "flow"])
def test_fresh_noise_keeps_the_distribution(process):
    model = perfect(process)
    drawn = model.sample(Seeds.count_from(0, 300), None, Knobs(steps=60, solver="fresh noise")) * 2 - 1
    assert float(drawn.mean()) == pytest.approx(MEAN, abs=0.02)
    assert float(drawn.clamp(-0.999, 0.999).std()) == pytest.approx(SPREAD, rel=0.08)  # the clip at 1 takes a little


CALLS = {("noise", "second order"): 9, ("noise", "first order"): 9, ("flow", "second order"): 17}  # in 9 steps


@pytest.mark.parametrize(("process", "solver"), CALLS)
def test_calls_of_the_network_are_as_stated(process, solver):
    model = perfect(process)
    model.sample(Seeds([1]), None, Knobs(steps=9, solver=solver))
    assert model.unet.calls == CALLS[process, solver]


@pytest.mark.parametrize("process", ["noise", "flow"])
@pytest.mark.parametrize("solver", ["second order", "first order"])
def test_the_way_back_ends_at_the_noise_that_was_started_from(process, solver):
    model, z = perfect(process), torch.linspace(-1, 1, 16, dtype=torch.float64).view(1, 1, 4, 4)
    found = model.retrace((ends(model, z, 100, solver) + 1) / 2, steps=100)
    assert torch.allclose(found, (z / z.std()).clamp(-1, 1).flatten(1), atol=0.05)


@pytest.mark.parametrize("name", ["ddpm-fashion", "flow-portraits"])
def test_short_numbers_move_pixels_a_little(name):
    model = shelf.model(name)
    labels = torch.arange(4) % model.classes if model.classes else None
    drawn = {
        p: model.sample(Seeds.count_from(0, 4), labels, Knobs(steps=6, precision=p)) for p in ("float32", "bfloat16")
    }
    error = (drawn["bfloat16"] - drawn["float32"]).square().flatten(1).mean(1).sqrt()
    assert 0 < float(error.median()) < 0.01  # of most: where a path forks, it may end at another picture


@pytest.mark.parametrize("count", [20, 64, 81])
def test_short_numbers_are_the_same_in_any_company(count):
    model, knobs = shelf.model("ddpm-fashion"), Knobs(steps=2, precision="bfloat16")
    labels = torch.arange(count) % model.classes
    together = model.sample(Seeds.count_from(0, count), labels, knobs)
    for i in (2, count - 1):
        assert torch.equal(model.sample(Seeds([i]), labels[i : i + 1], knobs)[0], together[i])


def test_the_way_back_tells_nothing_where_pixels_were_clipped():
    model = perfect("flow")
    images = torch.full((1, 1, 4, 4), 0.4, dtype=torch.float64)
    images[..., :2] = 0
    images[0, 0, 3, 3] = 1
    found = model.retrace(images).view(4, 4)
    assert bool((found[:, 0] == 0).all())
    assert bool((found[:3, 3] != 0).all())
    assert not model.retraceable(Knobs(solver="fresh noise"))
    assert model.retraceable(Knobs())


def test_guidance_goes_along_the_line_from_any_class_to_the_label():
    model = make("diffusion")
    z, t, labels = torch.randn(3, 4, 4, 4), torch.full((3,), 500.0), torch.tensor([0, 1, 2])
    free, own, pushed = (model.told(z, t, labels, g) for g in (0, 1, 3))
    assert torch.allclose(pushed, free + 3 * (own - free), atol=1e-5)
    assert torch.equal(free, model.told(z, t, labels.flip(0), 0))
    assert not torch.allclose(own, free)


def test_frames_end_with_the_sample_and_there_is_one_a_step():
    model = make("diffusion")
    frames = list(model.denoised(Seeds.count_from(3, 2), torch.tensor([0, 1]), Knobs(steps=5)))
    assert len(frames) == 5
    assert torch.equal(frames[-1], model.sample(Seeds.count_from(3, 2), torch.tensor([0, 1]), Knobs(steps=5)))


@pytest.mark.parametrize("variant", ["diffusion", "diffusion flow"])
def test_diffusers_opens_the_folder_and_its_own_loop_draws_the_same(variant, tmp_path):
    model = make(variant)
    recipe = {"family": "diffusion", "model": json.loads(json.dumps(_arguments(variant)))}
    checkpoint.save(model, tmp_path, name="a", recipe=recipe, trained_on={})
    ours = checkpoint.load(tmp_path)
    unet = UNet2DModel.from_pretrained(tmp_path, subfolder="unet").eval()
    if variant == "diffusion flow":
        scheduler = FlowMatchEulerDiscreteScheduler.from_pretrained(tmp_path, subfolder="scheduler")
    else:
        scheduler = DDIMScheduler.from_pretrained(tmp_path, subfolder="scheduler", timestep_spacing="trailing")
    scheduler.set_timesteps(7)
    labels, z = torch.tensor([2, 0]), Seeds.count_from(5, 2).randn(4, 4, 4)
    with torch.no_grad():
        for t in scheduler.timesteps:
            z = scheduler.step(unet(z, t, class_labels=labels).sample, t, z).prev_sample
    theirs = (torch.nn.functional.pixel_shuffle(z, 2) / 2 + 0.5).clamp(0, 1)
    drawn = ours.sample(Seeds.count_from(5, 2), labels, Knobs(steps=7, solver="first order"))
    assert (drawn - theirs).abs().max() <= 1 / 255


def test_a_folder_without_classes_is_a_pipeline(tmp_path):
    model = make("diffusion colour")
    recipe = {"family": "diffusion", "model": json.loads(json.dumps(_arguments("diffusion colour")))}
    checkpoint.save(model, tmp_path, name="a", recipe=recipe, trained_on={})
    pipeline = DDPMPipeline.from_pretrained(tmp_path, use_safetensors=True)
    pipeline.set_progress_bar_config(disable=True)
    assert isinstance(pipeline.scheduler, DDPMScheduler)
    assert pipeline(num_inference_steps=2, output_type="np").images.shape == (1, 8, 8, 3)
    assert all(
        t.dtype == torch.bfloat16 for t in load_file(tmp_path / "unet/diffusion_pytorch_model.safetensors").values()
    )
    assert set(checkpoint.files_of(tmp_path)) == {
        "unet/diffusion_pytorch_model.safetensors", "unet/config.json", "scheduler/scheduler_config.json",
        "model_index.json", "config.json",
    }  # fmt: skip


@pytest.mark.parametrize("variant", ["diffusion", "diffusion colour", "diffusion flow"])
def test_completion_keeps_what_was_kept_and_listens_to_it(variant):
    model = make(variant)
    images = torch.rand(3, *model.shape)
    missing = torch.zeros(3, 8, 8, dtype=torch.bool)
    missing[:, 4:] = True
    made = model.complete(images, missing, Seeds.count_from(1, 3), None, Knobs(steps=6))
    assert torch.equal(made[:, :, :4], images[:, :, :4])
    assert 0 <= float(made.min()) <= float(made.max()) <= 1
    other = model.complete(1 - images, missing, Seeds.count_from(1, 3), None, Knobs(steps=6))
    assert not torch.equal(made[:, :, 4:], other[:, :, 4:])
    again = model.complete(images[1:2], missing[1:2], Seeds([2]), None, Knobs(steps=6))
    assert torch.equal(again[0], made[1])


def test_completion_of_the_perfect_network_fills_in_its_own_distribution():
    model = perfect("noise")
    missing = torch.ones(300, 4, 4, dtype=torch.bool)
    missing[:, :1] = False
    made = model.complete(torch.full((300, 1, 4, 4), 0.9), missing, Seeds.count_from(0, 300), None, Knobs(steps=40))
    assert float(made[:, :, 1:].mean() * 2 - 1) == pytest.approx(MEAN, abs=0.03)  # its values are independent


@pytest.mark.parametrize("change", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("process", ["noise", "flow"])
@pytest.mark.parametrize("solver", ["second order", "first order", "fresh noise"])
def test_a_changed_picture_of_the_perfect_network_lies_where_its_noisy_one_does(process, solver, change):
    model, steps = perfect(process), 60
    x, e = torch.linspace(0.3, 0.8, 16).view(1, 1, 4, 4), torch.linspace(1, -1, 16).view(1, 1, 4, 4)
    made = model.vary(x, Same(e), None, Knobs(steps=steps, solver=solver), change=change).double() * 2 - 1
    if solver == "fresh noise":
        assert made.isfinite().all()
        return
    a, s = model.unet.at(torch.tensor(LEVELS * change))
    quantile = (a * (x * 2 - 1) + s * e - a * MEAN) / (a**2 * SPREAD**2 + s**2).sqrt()
    assert torch.allclose(made, (MEAN + SPREAD * quantile).clamp(-1, 1).double(), atol=0.04)
    assert model.unet.calls == steps * (2 if (process, solver) == ("flow", "second order") else 1) - (
        (process, solver) == ("flow", "second order")
    )


@pytest.mark.parametrize("variant", ["diffusion", "diffusion colour", "diffusion flow"])
def test_pictures_are_changed_each_by_itself_and_less_by_less(variant):
    model = make(variant)
    images = torch.rand(3, *model.shape)
    for solver in ("second order", "first order", "fresh noise"):
        knobs = Knobs(steps=6, solver=solver)
        near, far = (model.vary(images, Seeds.count_from(1, 3), None, knobs, change=c) for c in (0.05, 1.0))
        assert 0 <= float(far.min()) <= float(far.max()) <= 1
        assert (near - images).abs().mean() < (far - images).abs().mean()
        assert torch.equal(model.vary(images[1:2], Seeds([2]), None, knobs, change=0.05)[0], near[1])
    for change in (0, -1, 1.1, math.nan):
        with pytest.raises(ValueError, match="above 0 and at most 1"):
            model.vary(images, Seeds.count_from(1, 3), change=change)
    with pytest.raises(ValueError, match="start from noise alone"):
        model.vary(images, Seeds.count_from(1, 3), knobs=KnobsWithFewSteps(solver=FITTED))


def test_bad_knobs_and_networks_are_refused_in_a_sentence():
    for knobs in ({"guidance": 1e6}, {"steps": 0}, {"steps": 5000}, {"solver": "magic"}, {"steps": math.nan}):
        with pytest.raises(ValueError, match=next(iter(knobs))):
            check_knobs(Knobs, knobs)
    with pytest.raises(ValueError, match="Sides are multiples of 8"):
        build("diffusion", {"shape": (1, 28, 28), "widths": (8, 8, 8)})
    with pytest.raises(ValueError, match="Processes are noise, flow"):
        build("diffusion", {"process": "magic"})


def _arguments(variant: str) -> dict:
    from variants import VARIANTS

    return VARIANTS[variant][1]


@pytest.mark.parametrize("variant", ["diffusion", "diffusion flow", "diffusion colour"])
def test_each_picture_is_gone_back_from_by_itself(variant):
    model = make(variant)
    images = torch.rand(3, *model.shape)
    found = model.retrace(images, steps=3)
    assert found.shape == (3, math.prod(model.shape))
    assert found.abs().max() <= 1
    assert torch.allclose(found[1:2], model.retrace(images[1:2], steps=3), atol=1e-4)

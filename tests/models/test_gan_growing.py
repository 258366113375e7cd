"""Progressive growing against cases known on paper: what a level shows, the fade-in, and resuming across one."""

import math

import pytest
import torch
from torch import nn

from genlab.fit import Batches, fit
from genlab.models import build
from genlab.models.gan_growing import GROWTH, Equalised, coarsened, enlarged, level_at, pixel_norm
from genlab.recipes import recipe_of
from genlab.seeds import Seeds

ARGUMENTS = {
    "shape": (3, 16, 16), "latent": 4, "width": 4, "stages": 2, "growing": True, "spectral": False,
    "loss": "non-saturating", "critic_rate": 1.0, "r1": 0.1,
}  # fmt: skip


def growing(**arguments):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build("gan", ARGUMENTS | arguments)


def at(gan, level):
    gan.generator.grow(level)
    gan.critic.grow(level)
    return gan


def test_levels_are_added_one_by_one_with_a_rest_before_each():
    assert level_at(0.0, 2) == level_at(GROWTH / 4, 2) == 0
    assert level_at(GROWTH * 3 / 8, 2) == pytest.approx(0.5)
    assert level_at(GROWTH / 2, 2) == level_at(GROWTH * 3 / 4, 2) == 1
    assert level_at(GROWTH * 7 / 8, 2) == pytest.approx(1.5)
    assert level_at(GROWTH, 2) == level_at(0.99, 2) == 2
    levels = [level_at(i / 1000, 3) for i in range(1000)]
    assert levels == sorted(levels)


@pytest.mark.parametrize("patch", [1, 2])
def test_a_fade_in_begins_at_the_enlarged_old_level_and_ends_at_the_new_one(patch):
    gan, noise = growing(patch=patch), torch.randn(3, 4)
    with torch.no_grad():
        old = at(gan, 1.0).generator(noise)
        begun, half = at(gan, 1 + 1 / 4096).generator(noise), at(gan, 1.5).generator(noise)
        new = at(gan, 2.0).generator(noise)
        assert old.shape == new.shape == (3, 3, 16, 16)
        assert torch.equal(old, enlarged(old[:, :, ::2, ::2]))  # a coarse picture, its pixels as blocks
        assert not torch.equal(new, enlarged(new[:, :, ::2, ::2]))
        assert torch.allclose(begun, old, atol=2e-3)
        assert torch.allclose(half, (old + new) / 2, atol=1e-5)
        images = torch.rand(4, 3, 16, 16)
        old = at(gan, 1.0).critic(images)
        assert torch.allclose(at(gan, 1 + 1 / 4096).critic(images), old, atol=2e-3)
        assert not torch.allclose(at(gan, 2.0).critic(images), old, atol=1e-3)
        blocks = enlarged(torch.nn.functional.avg_pool2d(images, 2))
        assert torch.allclose(at(gan, 1.0).critic(blocks), old, atol=1e-6)  # it sees no more than its level shows


def test_the_last_level_is_not_there_before_its_time():
    gan = at(growing(), 1.0)
    noise, images = torch.randn(2, 4), torch.rand(4, 3, 16, 16)
    with torch.no_grad():
        before = gan.generator(noise), gan.critic(images)
        for network in (gan.generator, gan.critic):
            for parameter in network.levels[1].parameters():
                parameter.add_(1.0)
        assert torch.equal(gan.generator(noise), before[0])
        assert torch.equal(gan.critic(images), before[1])


def test_real_pictures_lose_what_a_level_does_not_show():
    images = torch.rand(2, 3, 16, 16)
    assert torch.equal(coarsened(images, 2.0, stages=2), images)
    coarse = coarsened(images, 0.0, stages=2)
    assert torch.allclose(coarse[0, 0, :4, :4], images[0, 0, :4, :4].mean().expand(4, 4))
    middle = coarsened(images, 1.0, stages=2)
    assert torch.allclose(coarsened(images, 0.5, stages=2), (coarse + middle) / 2, atol=1e-6)
    gan = at(growing(), 0.0)
    assert torch.allclose(gan.scaled(images), coarse * 2 - 1, atol=1e-6)


def test_pixel_norm_gives_every_place_unit_mean_square():
    h = 7 * torch.randn(3, 5, 4, 4)
    assert torch.allclose(pixel_norm(h).square().mean(1), torch.ones(3, 4, 4), atol=1e-5)
    assert torch.allclose(pixel_norm(h), pixel_norm(3 * h), atol=1e-5)


def test_equalised_layers_store_unit_weights_and_keep_the_scale():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for layer, x, plain in (
            (Equalised(64, 50), torch.randn(2000, 64), nn.functional.linear),
            (Equalised(16, 50, 3), torch.randn(20, 16, 12, 12), lambda *a: nn.functional.conv2d(*a, padding=1)),
        ):
            fan_in = layer.weight[0].numel()
            assert float(layer.weight.std()) == pytest.approx(1, rel=0.05)
            with torch.no_grad():
                assert torch.allclose(layer(x), plain(x, layer.weight * (2 / fan_in) ** 0.5), atol=1e-4)
                inner = layer(x) if x.ndim == 2 else layer(x)[:, :, 1:-1, 1:-1]
                assert float(inner.square().mean()) == pytest.approx(2, rel=0.1)  # halved again by a rectifier


def test_a_run_cut_in_a_fade_in_ends_in_the_same_weights(tmp_path):
    items = torch.randint(256, (12, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels = torch.zeros(12, dtype=torch.long)
    settings = {"steps": 12, "lr": 1e-3, "ema": 0.9, "seed": 3, "every": 1}
    whole = growing()
    levels = []
    for _ in fit(whole, Batches(items, labels, batch=4), **settings):
        levels.append(whole.generator.level)
    assert 0 < levels[3] < 1 < levels[6] < 2 == levels[-1]
    for cut in (3, 6):  # inside of the first fade-in, and of the second
        file = tmp_path / f"{cut}.pt"
        run = fit(growing(), Batches(items, labels, batch=4), **settings, resume=file, save_seconds=-1)
        for _ in range(cut):
            next(run)
        run.close()
        second = growing()
        rest = list(fit(second, Batches(items, labels, batch=4), **settings, resume=file))
        assert rest[0].step == cut + 1
        for key, value in whole.state_dict().items():
            assert torch.equal(second.state_dict()[key], value), key


def test_the_recipe_of_large_portraits_grows_from_8_to_128_pixels():
    model = recipe_of("progan-portraits").model | {"width": 4, "latent": 8}
    items = torch.randint(256, (8, 3, 128, 128), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    gan, seen = build("gan", model), []
    for _ in fit(gan, Batches(items, torch.zeros(8, dtype=torch.long), batch=4), steps=8, lr=1e-3, every=1):
        made = gan.sample(Seeds.count_from(0, 2, "cpu"), None, gan.Knobs())
        assert made.shape == (2, 3, 128, 128)
        side = 8 * 2 ** math.ceil(gan.generator.level)
        assert torch.equal(made, enlarged(made[:, :, :: 128 // side, :: 128 // side], 128 // side))
        seen.append(side)
    assert seen[0] == 8
    assert seen[-1] == 128


def test_a_growing_gan_says_what_it_has_not():
    for wrong in ({"spectral": True}, {"classes": 3}, {"rehearsal": 0.2}, {"stages": 7, "shape": (3, 128, 128)}):
        with pytest.raises(ValueError, match="A growing GAN has"):
            growing(**wrong)

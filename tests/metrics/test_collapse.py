"""The watch on planted runs: it names what fails, when and why, and leaves healthy runs in peace."""

import numpy as np
import pytest

from genlab.metrics.collapse import PATIENCE, Watch

CENTRES = np.stack([np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)], 1)
STEPS = 1000
LOSSES = {"critic": 1.0, "generator": 0.8, "accuracy": 0.7}


def ring(n: int, rng: np.random.Generator, *, modes=range(8), blur: float = 0.02) -> np.ndarray:
    return CENTRES[rng.choice(list(modes), n)] + blur * rng.normal(size=(n, 2))


def watched(items, *, losses=lambda step: LOSSES, kl=lambda step: None, seed: int = 0) -> Watch:
    """A run of 40 looks at what `items(step, rng)` draws."""
    rng = np.random.default_rng(seed)
    watch = Watch(ring(1000, rng), steps=STEPS, seed=seed)
    for step in range(25, STEPS + 1, 25):
        watch.look(step, items(step, rng), losses=losses(step), kl=kl(step))
    return watch


@pytest.mark.parametrize("seed", range(10))
def test_healthy_runs_are_left_in_peace(seed):
    # blurred at first, one mode after the other, and all of them in the end
    assert not watched(lambda step, rng: ring(500, rng, blur=0.3 * (1 - step / STEPS) + 0.02), seed=seed).alarms
    assert not watched(lambda step, rng: ring(500, rng, modes=range(min(8, 1 + step // 40))), seed=seed).alarms


@pytest.mark.parametrize("seed", range(10))
def test_lost_modes_are_named_whether_they_stay_or_turn(seed):
    lost = watched(lambda step, rng: ring(500, rng, modes=range(8 if step < 500 else 6)), seed=seed).alarms
    assert list(lost) == ["mode collapse"]
    assert 500 <= lost["mode collapse"].since <= 525
    assert lost["mode collapse"].step <= 500 + 25 * 2 * PATIENCE
    assert "since step 5" in lost["mode collapse"].reading
    turning = watched(lambda step, rng: ring(500, rng, modes=[step // 25 % 8]), seed=seed).alarms
    assert list(turning) == ["mode collapse"]


def test_a_share_that_will_have_fallen_by_the_end_is_waited_for():
    def gains(until):
        return lambda step, rng: ring(500, rng, modes=range(min(8, 1 + 8 * min(step, until) // 800)))

    assert not watched(gains(STEPS)).alarms
    stalled = watched(gains(550)).alarms["mode collapse"]  # at six of eight
    assert 550 <= stalled.step <= 850
    assert "leaves out 2" in stalled.reading


def test_the_floor_is_what_real_items_show():
    rng = np.random.default_rng(3)
    watch = Watch(ring(1000, rng), steps=STEPS)
    assert watch.floor < 0.04
    assert watch.missing(ring(500, rng, modes=range(4))) == pytest.approx(0.5, abs=0.06)
    assert watch.missing(np.full((500, 2), np.nan)) == 1


def test_divergence_by_losses_and_by_items():
    def good(step, rng):
        return ring(500, rng)

    assert list(watched(good, losses=lambda s: LOSSES | {"critic": np.exp(s / 50)}).alarms) == ["divergence"]
    nan = watched(good, losses=lambda s: LOSSES | ({"penalty": np.nan} if s == 300 else {})).alarms["divergence"]
    assert (nan.step, nan.since) == (300, 300)
    assert "penalty is not a finite number" in nan.reading
    assert watched(lambda s, rng: ring(500, rng) * (np.nan if s > 500 else 1)).alarms["divergence"].step == 525
    far = watched(lambda s, rng: ring(500, rng) * (50 if s > 500 else 1)).alarms["divergence"]
    assert far.since == 525
    spike = watched(good, losses=lambda s: LOSSES | {"critic": 1e4 if s == 600 else 1.0})
    assert not spike.alarms


def test_posterior_collapse_by_latents():
    def good(step, rng):
        return ring(500, rng)

    silent = watched(good, kl=lambda s: np.full(8, 0.001)).alarms
    assert list(silent) == ["posterior collapse"]
    assert "8 of 8 latents" in silent["posterior collapse"].reading
    assert not watched(good, kl=lambda s: np.array([2.0] * 3 + [0.001] * 5)).alarms  # some latents are spare
    assert not watched(good, kl=lambda s: np.full(8, 0.0 if s < 300 else 1.0)).alarms  # the warm-up of a KL weight


def test_pictures_come_as_features():
    rng = np.random.default_rng(5)
    places = rng.normal(size=(10, 64)) * 3

    def drawn(n, classes):
        return places[rng.choice(classes, n)] + rng.normal(size=(n, 64))

    watch = Watch(drawn(1000, 10), steps=STEPS)
    assert watch.floor < 0.05
    assert watch.missing(drawn(500, 10)) < watch.floor + 0.05
    assert watch.missing(drawn(500, 7)) == pytest.approx(0.3, abs=0.08)


def test_bad_input_is_one_sentence():
    for real in (np.zeros((99, 2)), np.full((200, 2), np.nan)):
        with pytest.raises(ValueError, match="100 finite held-out items"):
            Watch(real, steps=10)

"""The training loop: it yields, it averages, it goes on after a kill to the same bits."""

import random

import numpy as np
import pytest
import torch

from genlab.fit import Batches, Diverged, blend, fit
from genlab.models import build

MODELS = {
    "vae": {"shape": (1, 8, 8), "latent": 3, "width": 4, "local": (1, 1)},
    "gan": {"shape": (1, 8, 8), "classes": 3, "latent": 3, "width": 4, "r1": 0.1, "augment": 1, "critic_steps": 2},
    "judge": {"shape": (1, 8, 8), "classes": 3, "width": 4, "feature": 8},
}


def start(family: str):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build(family, MODELS[family])


def batches(seed: int = 0) -> Batches:
    stream = np.random.default_rng(0)
    return Batches(stream.integers(0, 256, (40, 1, 8, 8), dtype=np.uint8), np.arange(40) % 3, batch=16, seed=seed)


def bits(model) -> list:
    return [value.clone() for value in model.state_dict().values()]


def equal(a: list, b: list) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_it_yields_where_it_stands():
    progress = list(fit(start("vae"), batches(), steps=7, lr=1e-3, every=3))
    assert [p.step for p in progress] == [3, 6, 7]
    assert all(p.steps == 7 for p in progress)
    assert all(isinstance(value, float) for p in progress for value in p.losses.values())
    assert progress[0].seconds <= progress[-1].seconds


@pytest.mark.parametrize("family", MODELS)
def test_a_killed_run_goes_on_to_the_same_bits(family, tmp_path):
    whole = start(family)
    list(fit(whole, batches(), steps=9, lr=1e-3, ema=0.9))

    state, killed = tmp_path / "run" / "resume.pt", start(family)
    run = fit(killed, batches(), steps=9, lr=1e-3, ema=0.9, resume=state, save_seconds=-1.0)
    for _ in range(4):
        next(run)
    run.close()
    assert state.exists()

    again = start(family)
    steps = [p.step for p in fit(again, batches(), steps=9, lr=1e-3, ema=0.9, resume=state, save_seconds=-1.0)]
    assert steps == [5, 6, 7, 8, 9]
    assert equal(bits(again), bits(whole))
    assert not again.training
    assert not state.exists()


def test_the_seed_decides_and_the_global_state_does_not():
    def trained(seed, noise):
        torch.manual_seed(noise)
        model = start("gan")
        list(fit(model, batches(), steps=3, lr=1e-3, seed=seed))
        return bits(model)

    with torch.random.fork_rng():
        assert equal(trained(1, 10), trained(1, 20))
        assert not equal(trained(1, 10), trained(2, 10))


@pytest.mark.parametrize("family", MODELS)
def test_the_global_states_never_move(family):
    model = start(family)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    for _ in fit(model, batches(), steps=3, lr=1e-3):
        assert torch.equal(torch.get_rng_state(), before[0])
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])
    assert random.getstate() == before[2]


def test_at_the_end_the_model_is_its_moving_average():
    average, plain, decay = start("judge"), start("judge"), 0.5
    states = []
    for _ in fit(plain, batches(), steps=4, lr=1e-2, ema=0.0):
        states.append([value.clone() for value in plain.parameters()])
    list(fit(average, batches(), steps=4, lr=1e-2, ema=decay))
    expected = [value.clone() for value in start("judge").parameters()]
    for t, state in enumerate(states):
        kept = min(decay, (1 + t) / (10 + t))
        expected = [kept * e + (1 - kept) * s for e, s in zip(expected, state, strict=True)]
    for found, e in zip(average.parameters(), expected, strict=True):
        assert torch.allclose(found, e, atol=1e-5)


def test_without_an_average_the_last_weights_stay():
    model, last = start("judge"), None
    for _ in fit(model, batches(), steps=3, lr=1e-2, ema=0.0):
        last = bits(model)
    assert equal(bits(model), last)


def test_blending_copies_counters():
    a, b = torch.nn.BatchNorm2d(2), torch.nn.BatchNorm2d(2)
    b.num_batches_tracked += 7
    b.running_mean += 1
    blend(a, b, 0.75)
    assert int(a.num_batches_tracked) == 7
    assert torch.allclose(a.running_mean, torch.full((2,), 0.25))


def test_an_epoch_shows_every_item_once_in_an_order_of_the_seed():
    items = np.arange(12, dtype=np.float32)[:, None]

    def epoch(seed, number):
        walk = Batches(items, np.arange(12), batch=4, seed=seed)
        return [int(v) for t in range(3 * number, 3 * number + 3) for v in walk[t].items[:, 0]]

    assert sorted(epoch(0, 0)) == sorted(epoch(0, 5)) == list(range(12))
    assert epoch(0, 0) == epoch(0, 0)
    assert len({tuple(epoch(s, e)) for s in (0, 1) for e in (0, 1)}) == 4
    walk = Batches(items, np.arange(12), batch=4)
    assert torch.equal(walk[5].labels, walk[5].items[:, 0].long())


def test_bytes_are_scaled_and_small_sets_fit_one_batch():
    walk = Batches(np.full((3, 1, 2, 2), 255, np.uint8), np.zeros(3, np.int64), batch=100)
    assert walk[0].items.shape == (3, 1, 2, 2)
    assert float(walk[0].items.max()) == 1.0


def test_closing_a_run_saves_what_it_did(tmp_path):
    whole, state, left = start("gan"), tmp_path / "resume.pt", start("gan")
    list(fit(whole, batches(), steps=6, lr=1e-3, ema=0.9))
    run = fit(left, batches(), steps=6, lr=1e-3, ema=0.9, resume=state)
    for _ in range(2):
        next(run)
    assert not state.exists()
    run.close()
    again = start("gan")
    assert [p.step for p in fit(again, batches(), steps=6, lr=1e-3, ema=0.9, resume=state)] == [3, 4, 5, 6]
    assert equal(bits(again), bits(whole))


class Poisoned(torch.nn.Module):
    """A weight whose loss is no number from the third step on."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def trainer(self, lr):
        return self

    def state_dict(self, *args, **kwargs):
        return super().state_dict(*args, **kwargs)

    def __call__(self, batch, fraction):
        with torch.no_grad():
            self.weight += 1 if fraction < 0.4 else float("nan")
        return {"critic": self.weight.detach()}


@pytest.mark.parametrize("every", [1, 4])
def test_losses_that_are_no_numbers_stop_the_run_and_what_was_saved_stays(every, tmp_path):
    state, model = tmp_path / "resume.pt", Poisoned()
    run = fit(model, batches(), steps=5, lr=0.5, ema=0.9, every=every, resume=state, save_seconds=-1.0)
    with pytest.raises(Diverged, match=r"stopped at step 3: critic became no number.*than 0\.5"):
        list(run)
    assert float(torch.load(state, weights_only=True)["model"]["weight"]) == 3.0


def test_progress_shows_the_average():
    model = start("judge")
    seen = [p.average for p in fit(model, batches(), steps=3, lr=1e-2, ema=0.5)]
    assert equal(bits(seen[0]), bits(model))
    model = start("judge")
    assert all(p.average is model for p in fit(model, batches(), steps=2, lr=1e-2, ema=0.0))

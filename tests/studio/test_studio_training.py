"""Live training: what may be asked, two at work and a queue, pausing and stepping, and runs that survive anything."""

import io
import os
import signal
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

from audits.provenance import read_claim
from genlab.studio import training, training_data, training_floor, training_lane, training_pictures
from genlab.studio.shelf import StudioError
from genlab.studio.training_curves import MOST, Curves, kept
from genlab.studio.training_floor import Floor
from genlab.studio.training_presets import PRESETS
from genlab.studio.training_settings import LIMITS, LOSSES, Wanted, arguments, check

PATIENCE = 120  # seconds: other programs run beside a test


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("training")


@pytest.fixture(scope="module")
def processes(root):
    """One floor for all tests: to start its processes takes seconds each."""
    made = Floor(root)
    yield made
    made.close()


@pytest.fixture
def floor(processes, monkeypatch):
    """The floor, without runs."""
    monkeypatch.setattr(training, "floor", lambda: processes)
    yield processes
    for run in list(processes.runs.values()):
        processes.drop(run)


def until(key: str, reached) -> training.State:
    """Look, as a page does, until it is so."""
    began = time.monotonic()
    while not reached(state := training.state(key)):
        assert time.monotonic() - began < PATIENCE, state.words
        time.sleep(0.05)
    return state


def step_of(state: training.State) -> int:
    return state.lanes[0].step if state.lanes else 0


QUICK = {"data": "ring", "steps": 60, "batch": 16}


# ---- what may be asked


@pytest.mark.parametrize(("given", "sentence"), [
    ({"lr": 0}, r"The learning rate is a number from 1e-06 to 1; '0' was given: nothing would be learnt\."),
    ({"lr": 1e9}, r"learning rate is .*; '1000000000\.0' was given: the weights would run away"),
    ({"lr": float("nan")}, r"learning rate is a number from 1e-06 to 1; 'nan' was given\."),
    ({"lr": "fast"}, "learning rate is a number"),
    ({"lr": True}, "learning rate is a number"),
    ({"batch": 1}, r"The batch is a whole number from 4 to 512; '1' was given: losses of fewer items are noise"),
    ({"batch": 8.5}, "batch must be a whole number"),
    ({"steps": 1e9}, "number of steps is a whole number from 10 to 20,000.*python -m genlab train"),
    ({"seed": -1}, "seed is a whole number"),
    ({"heat": 1}, "Settings of a run are data, family"),
    ({"data": "faces"}, "The data is one of ring"),
    ({"data": ["ring"]}, "The data is one of ring"),
    ({"loss": "best"}, "The loss is one of minimax"),
    ({"loss": "hinge", "against": "hinge"}, "two losses"),
    ([], "Settings are names with values"),
])  # fmt: skip
def test_bad_settings_are_one_sentence(given, sentence):
    with pytest.raises(StudioError, match=sentence) as told:
        check(given)
    assert "\n" not in str(told.value)


def test_every_preset_and_every_loss_builds_a_model_that_takes_a_step(tmp_path):
    import torch

    from genlab.fit import Batches, fit
    from genlab.models import build

    points = np.random.default_rng(0).random((64, 2)).astype(np.float32)
    shapes = {True: points, False: np.zeros((64, 1, 28, 28), np.uint8)}
    asked = [preset.settings for preset in PRESETS] + [{"loss": loss, "data": "moons"} for loss in LOSSES]
    for settings in asked:
        wanted = check(settings)
        for lane in wanted.lanes:
            items = shapes[wanted.plane]
            with torch.random.fork_rng():
                model = build(wanted.family, arguments(wanted, lane, items.shape[1:]))
            batches = Batches(items, np.zeros(64, np.int64), batch=8)
            progress = next(fit(model, batches, steps=10, lr=wanted.lr))
            assert all(np.isfinite(value) for value in progress.losses.values())
    assert len({preset.seen for preset in PRESETS}) == len(PRESETS)


def test_the_gradient_penalty_is_there_where_its_loss_is_asked_for():
    assert arguments(check({"loss": "wasserstein-gp"}), "wasserstein-gp", (2,))["gradient_penalty"] == 1.0
    beside = check({"loss": "minimax", "against": "wasserstein-gp"})
    assert "r1" not in arguments(beside, "minimax", (2,)), "the other one stays as it is"
    assert "gradient_penalty" not in arguments(check({"penalty": 2}), "non-saturating", (2,))
    assert arguments(check({"penalty": 2}), "non-saturating", (2,))["r1"] == 2


def zipped(count: int, *, junk: int = 0) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for i in range(count):
            png = io.BytesIO()
            Image.new("RGB", (40, 30), (9 * i % 256, 40, 90)).save(png, "PNG")
            archive.writestr(f"{i}.png", png.getvalue())
        for i in range(junk):
            archive.writestr(f"{i}.txt", b"no picture")
    return file.getvalue()


def test_zips_are_read_or_refused_in_one_sentence(tmp_path):
    wanted = check({"data": "own"})
    path = tmp_path / "pictures.zip"
    path.write_bytes(zipped(3))
    with pytest.raises(StudioError, match=r"at least 16 pictures and pictures\.zip holds 3"):
        training_data.given(wanted, None, str(path))
    path.write_bytes(zipped(20, junk=2))
    items, notes = training_data.given(wanted, None, str(path))
    assert items.shape == (20, 3, 28, 28)
    assert notes == ("2 files of pictures.zip are no picture that can be read.",)
    path.write_bytes(b"PK\3\4 nonsense")
    with pytest.raises(ValueError, match=r"not a zip that can be read"):
        training_data.given(wanted, None, str(path))
    for archive in (None, str(tmp_path / "pictures.tar")):
        with pytest.raises(StudioError, match="zip"):
            training_data.given(wanted, None, archive)


@pytest.mark.parametrize(("points", "sentence"), [
    (None, "0 were drawn"), ([[0.5, 0.5]] * 3, "3 were drawn"), ([[0.5, 2.0]] * 9, "unit square"),
    ([[0.5, float("nan")]] * 9, "unit square"), ("abc", "0 were drawn"), ([[1, 2, 3]] * 9, "9 were drawn"),
    ([[0.1, 0.2]] * 5000, "Up to 4,000"),
])  # fmt: skip
def test_drawn_points_are_checked(points, sentence):
    with pytest.raises(StudioError, match=sentence):
        training_data.given(check({"data": "points"}), points, None)


def test_keys_are_no_paths():
    for key in (None, "", "short", 7, "x" * 200, ["a"] * 9):
        with pytest.raises(StudioError, match="key"):
            training.checked(key)
    assert "/" not in training.checked("../../../etc/passwd")
    assert len({training.new_key() for _ in range(50)}) == 50


# ---- curves


def test_curves_are_means_of_equal_stretches_and_never_too_many():
    curves, n = Curves(), 5 * MOST
    for step in range(1, n + 1):
        curves.add(step, {"a": step, "b": float("nan")})
    steps, _ = curves.as_dict()["a"]
    assert len(steps) <= MOST
    assert steps[-1] == n
    assert "b" not in curves.as_dict()
    counts = [p[2] for p in curves.points["a"]]
    assert sum(counts) == n
    total = sum(p[1] * p[2] for p in curves.points["a"])
    assert total == pytest.approx(n * (n + 1) / 2)
    again = Curves.restored(curves.state())
    assert again.as_dict() == curves.as_dict()
    again.cut(steps[3])
    assert again.as_dict()["a"][0] == steps[:4]


def test_kept_frames_hold_the_ends():
    for n in (1, 5, 60, 61, 500):
        chosen = kept(range(10, 10 + n), 60)
        assert len(chosen) <= 60
        assert chosen[0] == 10
        assert chosen[-1] == 9 + n


def test_a_lane_that_was_left_goes_on_to_the_same_bits(tmp_path):
    wanted = check(QUICK | {"steps": 12, "loss": "non-saturating"})
    items, labels = training_data.items_of(wanted, tmp_path)

    def lane(name):
        return training_lane.Lane(tmp_path / name, wanted, wanted.loss, items, labels, "cpu")

    whole = lane("whole")
    while not whole.over:
        whole.advance()
    first = lane("parts")
    for _ in range(5):
        first.advance()
    first.park()
    second = lane("parts")
    assert second.step == 5
    while not second.over:
        second.advance()
    assert second.frame["weights"] == whole.frame["weights"]
    assert second.curves.as_dict()["critic"] == whole.curves.as_dict()["critic"]
    assert [p.name for p in second.frames()] == [p.name for p in whole.frames()]
    assert not (tmp_path / "parts" / "resume.pt").exists()


def test_a_lane_whose_losses_run_away_says_when_and_keeps_what_it_had(tmp_path):
    wanted = check(QUICK | {"steps": 30})
    items, labels = training_data.items_of(wanted, tmp_path)
    lane = training_lane.Lane(tmp_path / "lane", wanted, wanted.loss, items, labels, "cpu")
    for _ in range(3):
        lane.advance()
    lane.model.generator.layers[0].weight.data.fill_(float("nan"))
    while not lane.over:
        lane.advance()
    assert "stopped at step 4" in lane.trouble
    assert lane.step == 3
    assert lane.frames()
    with np.load(lane.frames()[-1]) as frame:
        assert np.isfinite(frame["points"]).all()


# ---- the floor


def test_a_run_starts_pauses_steps_continues_and_ends(floor):
    key = training.new_key()
    assert training.state(key) is None
    training.start(key, QUICK | {"steps": 2000, "loss": "minimax", "against": "wasserstein-gp"})
    state = until(key, lambda s: step_of(s) > 3)
    assert [lane.title for lane in state.lanes] == ["Minimax (saturating)", "Wasserstein, gradient penalty"]
    training.control(key, "pause")
    paused = until(key, lambda s: s.standing == "paused")
    time.sleep(0.5)
    at = step_of(training.state(key))
    time.sleep(0.5)
    assert step_of(training.state(key)) == at >= step_of(paused)
    training.control(key, "step")
    state = until(key, lambda s: step_of(s) == at + 1)
    assert state.standing == "paused"
    assert state.lanes[0].at == at + 1, "a single step shows at once"
    training.control(key, "continue")
    state = until(key, lambda s: step_of(s) > at + 3)
    assert state.standing == "working"
    assert {"critic", "generator", "accuracy", "critic_gradient", "generator_gradient", "modes"} <= set(
        state.lanes[0].curves
    )
    assert state.lanes[0].frame["points"].shape == (training_lane.POINTS, 2)
    assert state.lanes[0].frame["surface"].shape == (training_lane.GRID, training_lane.GRID)
    training.control(key, "stop")
    until(key, lambda s: s.standing == "stopped")
    with pytest.raises(StudioError, match="over"):
        training.control(key, "continue")
    with pytest.raises(StudioError, match="Actions are"):
        training.control(key, "fly")
    _, then = training.frame(key, 0.0)
    assert then[0].at == 1
    assert len(then) == 2
    with pytest.raises(StudioError, match="share"):
        training.frame(key, 2)


def test_twenty_visitors_get_a_place_each(floor, monkeypatch):
    monkeypatch.setattr(training_floor, "TURN", 1e9)
    monkeypatch.setattr(training_floor, "PARK", 1e9)
    keys = [training.new_key() for _ in range(20)]
    for key in keys:
        training.start(key, QUICK | {"steps": 20_000})
    states = [training.state(key) for key in keys]
    assert [state.place for state in states] == [0, 0, *range(1, 19)]
    assert "yours is number 3 in the queue" in states[4].words
    assert len(floor.workers) == 2
    training.control(keys[0], "stop")
    until(keys[2], lambda s: s.place == 0)
    assert training.state(keys[3]).place == 1
    assert len(floor.workers) == 2


def test_when_all_places_are_taken_the_longest_unseen_run_goes(floor, monkeypatch):
    monkeypatch.setattr(training_floor, "MOST", 2)
    keys = [training.new_key() for _ in range(3)]
    for key in keys[:2]:
        training.start(key, QUICK)
    with pytest.raises(StudioError, match="train here at the moment"):
        training.start(keys[2], QUICK)
    monkeypatch.setattr(training_floor, "PARK", 0.0)
    training.state(keys[0])
    training.start(keys[2], QUICK)
    assert training.state(keys[1]) is None
    assert training.state(keys[0]) is not None


def test_who_has_had_a_turn_lets_others_on(floor, monkeypatch):
    monkeypatch.setattr(training_floor, "TURN", 0.5)
    keys = [training.new_key() for _ in range(3)]
    for key in keys:
        training.start(key, QUICK | {"steps": 20_000})
    began, steps = time.monotonic(), [0, 0, 0]
    while min(steps) < 5:
        steps = [step_of(training.state(key)) for key in keys]
        assert time.monotonic() - began < PATIENCE, steps
        time.sleep(0.05)


def test_nobody_looking_parks_a_run_and_looking_brings_it_back(floor, monkeypatch):
    monkeypatch.setattr(training_floor, "PARK", 1.0)
    key = training.new_key()
    training.start(key, QUICK | {"steps": 20_000})
    until(key, lambda s: step_of(s) > 3)
    run = floor.find(training.checked(key))
    began = time.monotonic()
    while run.worker is not None:
        assert time.monotonic() - began < PATIENCE
        time.sleep(0.05)
    at = run.report["lanes"][0]["step"]
    assert (run.folder / "lane-0" / "resume.pt").exists()
    time.sleep(0.5)
    assert run.report["lanes"][0]["step"] == at
    state = until(key, lambda s: step_of(s) > at)
    assert state.standing == "working"


def test_a_process_that_is_killed_is_replaced_and_the_run_goes_on(floor, monkeypatch):
    key = training.new_key()
    training.start(key, QUICK | {"steps": 20_000})
    until(key, lambda s: step_of(s) > 3)
    (victim,) = [worker for worker in floor.workers if worker.run is not None]
    os.kill(victim.process.pid, signal.SIGKILL)
    victim.process.wait(20)
    until(key, lambda s: floor.find(training.checked(key)).worker not in (None, victim) and step_of(s) > 3)


def test_a_new_program_finds_the_run_under_the_same_key(tmp_path, monkeypatch):
    floor, key = Floor(tmp_path), training.new_key()
    monkeypatch.setattr(training, "floor", lambda: floor)
    training.start(key, QUICK | {"steps": 20_000})
    until(key, lambda s: step_of(s) > 3)
    floor.close()
    again = Floor(floor.root)
    monkeypatch.setattr(training, "floor", lambda: again)
    try:
        state = training.state(key)
        at = step_of(state)
        assert at > 3
        assert state.lanes[0].frame
        until(key, lambda s: step_of(s) > at)
    finally:
        again.close()


def test_a_new_run_takes_the_old_ones_place_and_old_ones_are_removed(floor, monkeypatch):
    key = training.new_key()
    training.start(key, {"data": "points"} | {"steps": 20_000}, points=[[0.1 * i, 0.5] for i in range(10)])
    folder = training.folder_of(key)
    assert (folder / training_data.NAME).exists()
    assert len(training.real_points(key)) == 10
    training.start(key, QUICK | {"steps": 10})
    assert not (folder / training_data.NAME).exists()
    until(key, lambda s: s.standing == "done")
    assert all(worker.run is None for worker in floor.workers)
    stray = floor.root / "stray"
    stray.mkdir()
    monkeypatch.setattr(training_floor, "EXPIRE", -1.0)
    floor.sweep()
    assert not folder.exists()
    assert not stray.exists()
    assert training.state(key) is None


# ---- what leaves


def test_sheets_and_animations_leave_sealed_with_the_weights_of_their_step(floor, tmp_path):
    path = tmp_path / "mine.zip"
    path.write_bytes(zipped(20))
    key = training.new_key()
    training.start(key, {"data": "own", "family": "vae", "steps": 10, "batch": 4, "latent": 4}, archive=str(path))
    state = until(key, lambda s: s.standing == "done")
    lane = state.lanes[0]
    assert lane.frame["pictures"].shape == (16, 3, 28, 28)
    assert lane.frame["rates"].shape == (4,)
    sealed = training_pictures.sheet(state.wanted, lane)
    claim = read_claim(sealed.media)
    assert (claim.model, claim.action, claim.weights) == ("vae-own-live", "train", lane.weights)
    assert claim.inputs["step"] == "10"
    made = training_pictures.animation(key)
    assert made.gif.media.startswith(b"GIF8")
    assert read_claim(made.mp4.media).inputs["frames"] == str(len(training.frames(key)))
    with pytest.raises(StudioError, match="nothing to replay"):
        training_pictures.animation(training.new_key())


def test_every_limit_is_a_setting():
    assert set(LIMITS) <= set(Wanted().as_dict())

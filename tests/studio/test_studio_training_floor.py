"""Where live runs are worked on: two at work and a queue, pausing, stepping, runs that survive anything, and seals."""

import os
import signal
import time

import pytest
from test_studio_training import QUICK, zipped

from audits.provenance import read_claim
from genlab.studio import training, training_data, training_floor, training_lane, training_pictures
from genlab.studio.shelf import StudioError
from genlab.studio.training_floor import Floor

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

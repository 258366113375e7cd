"""Live training: what may be asked, what becomes of it, curves, and one model that goes on where it was left."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from genlab.studio import training, training_data, training_lane
from genlab.studio.shelf import StudioError
from genlab.studio.training_curves import MOST, Curves, kept
from genlab.studio.training_presets import PRESETS
from genlab.studio.training_settings import LIMITS, LOSSES, Wanted, arguments, check

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


def test_every_limit_is_a_setting():
    assert set(LIMITS) <= set(Wanted().as_dict())

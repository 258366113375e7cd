"""Learning what is normal and judging others: every kind, kept detectors, and one sentence for each bad input."""

import io
import json
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from genlab.studio import detect, detect_examples, detect_files, detect_inputs, detect_session
from genlab.studio.detect_inputs import Items
from genlab.studio.detect_session import Wanted

RNG = np.random.default_rng(0)


def finished(work):
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value


def stripes(count: int, across: bool, seed: int = 0) -> np.ndarray:
    """Pictures of upright or lying stripes of random phase and contrast."""
    rng = np.random.default_rng(seed)
    waves = np.sin(np.arange(28)[None, :] * 0.9 + rng.uniform(0, 6, (count, 1))) * rng.uniform(40, 100, (count, 1))
    made = np.repeat((128 + waves)[:, None, :], 28, axis=1) + rng.normal(0, 6, (count, 28, 28))
    made = made if across else made.transpose(0, 2, 1)
    return made.clip(0, 255).astype(np.uint8)[:, None]


def pictures(values: np.ndarray, labels: tuple[str, ...] | None = None) -> Items:
    return Items("images", values, tuple(f"{i}.png" for i in range(len(values))), labels, size=(28, 28))


def table(values: np.ndarray, labels: tuple[str, ...] | None = None, kind: str = "table") -> Items:
    columns = tuple("abcdefgh"[: values.shape[1]])
    return Items(kind, values, tuple(map(str, range(len(values)))), labels, columns)


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("method", detect.METHODS)
def test_lying_stripes_are_strange_among_upright_ones(method):
    learnt = finished(detect.learn(pictures(stripes(200, True)), method=method))
    assert len(learnt.calibration) == 80
    values = np.concatenate([stripes(40, True, seed=1), stripes(40, False, seed=2)])
    judged = detect.judge(learnt, pictures(values, ("normal",) * 40 + ("lying",) * 40))
    assert judged.truth.tolist() == [False] * 40 + [True] * 40
    assert detect.drawn(judged, 0.05).area[0] > 0.95
    assert judged.alarms(0.05)[40:].mean() > 0.8
    assert judged.alarms(0.05)[:40].mean() < 0.3


def test_a_small_network_learns_live_and_is_kept(monkeypatch):
    monkeypatch.setattr(detect, "STEPS", 30)
    learnt = finished(detect.learn(pictures(stripes(80, True)), method="reconstruction"))
    again = detect_files.unpack(detect_files.pack(learnt))
    values = stripes(10, False)
    assert np.array_equal(detect.judge(again, pictures(values)).scores, detect.judge(learnt, pictures(values)).scores)
    heat, rebuilt, what = detect.compared(learnt, values)
    assert heat.shape == (10, 28, 28)
    assert rebuilt.shape == values.shape
    assert "network" in what


def test_items_of_a_table_and_columns_by_name():
    values = np.random.default_rng(0).normal(size=(300, 3)) @ np.array([[1, 2, 0], [0, 1, 0], [0, 0, 1.0]])
    learnt = finished(detect.learn(table(values)))
    strange = np.array([[0.0, 0.0, 0.0], [3.0, -6.0, 0.0]])  # against the correlation of a and b
    judged = detect.judge(learnt, table(strange))
    assert judged.scores[1] > judged.scores[0] + 2
    swapped = Items("table", strange[:, ::-1], judged.items.names, None, ("c", "b", "a"))
    assert np.allclose(detect.judge(learnt, swapped).scores, judged.scores)


def test_large_numbers_that_differ_by_little_and_far_outliers():
    rng = np.random.default_rng(0)
    values = 1.7e9 + rng.normal(size=(300, 2))
    learnt = finished(detect.learn(table(values)))
    judged = detect.judge(learnt, table(np.array([[1.7e9, 1.7e9], [1.7e9 + 8, 1.7e9], [1e15, -1e15]])))
    assert judged.scores[0] + 3 < judged.scores[1] < judged.scores[2] < np.inf


def test_every_step_of_a_series_is_judged_and_faults_stand_out():
    normal, test, _ = detect_examples.machine()
    learnt = finished(detect.learn(normal))
    judged = detect.judge(learnt, test)
    assert len(judged.scores) == len(test.values)
    assert detect.drawn(judged, 0.01).area[0] > 0.95
    spans = np.flatnonzero(np.diff(judged.truth.astype(int)) == 1)
    assert all(judged.alarms(0.01)[at + 5 : at + 35].any() for at in spans)  # every fault is found
    assert judged.alarms(0.01)[~judged.truth].mean() < 0.06
    assert any("series" in note for note in learnt.notes)


def test_a_window_lies_around_its_step_and_inside_the_series():
    values = torch.arange(100.0)[:, None]
    found = detect.windows(values)[:, 0]
    assert found.shape == (100, detect.WINDOW)
    assert [int(found[t, 0]) for t in (0, 16, 50, 84, 99)] == [0, 0, 34, 68, 68]
    with pytest.raises(ValueError, match="31 time steps"):
        detect.windows(values[:31])


def test_a_lasting_fault_keeps_its_length():
    scores = np.zeros(200)
    scores[100 - 16 : 140 + 16] = 5  # the windows that touch a fault of steps 100 to 139
    assert np.flatnonzero(detect.settled(scores)).tolist() == list(range(96, 144))


def test_false_alarms_on_fresh_items_are_as_stated():
    rng = np.random.default_rng(3)
    learnt = finished(detect.learn(table(rng.normal(size=(2_000, 4)))))
    fresh = detect.judge(learnt, table(rng.normal(size=(3_000, 4))))
    for rate in (0.01, 0.05):
        low, high = detect.expected(learnt, 3_000, rate)
        assert low <= int(fresh.alarms(rate).sum()) <= high


def test_a_kept_detector_judges_alike_and_holds_no_code():
    learnt = finished(detect.learn(pictures(stripes(60, True))))
    raw = detect_files.pack(learnt)
    about = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    assert set(json.loads(about["__metadata__"]["genlab"])) == {"format", "detector", "columns", "count", "notes"}
    again, values = detect_files.unpack(raw), pictures(stripes(9, False))
    assert np.array_equal(detect.judge(again, values).scores, detect.judge(learnt, values).scores)
    assert np.array_equal(again.calibration, learnt.calibration)


@pytest.mark.parametrize("cut", [0, 7, 8, 100, -500, -1])
def test_a_damaged_detector_is_one_sentence(cut):
    raw = detect_files.pack(finished(detect.learn(table(np.random.default_rng(0).normal(size=(60, 3))))))
    with pytest.raises(ValueError, match="no detector"):
        detect_files.unpack(raw[:cut])


def test_a_detector_of_another_format_or_a_pickle_is_refused():
    raw = detect_files.pack(finished(detect.learn(table(np.random.default_rng(0).normal(size=(60, 3))))))
    for other in (raw.replace(b"genlab-detector-1", b"genlab-detector-9"), b"\x80\x04K\x01.", b"\xff" * 64):
        with pytest.raises(ValueError, match="no detector"):
            detect_files.unpack(other)


def test_a_detector_whose_parts_do_not_fit_is_refused():
    from safetensors.torch import load, save

    raw = detect_files.pack(finished(detect.learn(pictures(stripes(60, True)))))
    about = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])["__metadata__"]
    for name, change in (
        ("contours-4/neighbours.rows", lambda t: t[:, :-1]),
        ("contours-4/neighbours.spread", lambda t: t[:-1]),
        ("undirected-7/neighbours.places", lambda t: t + 10**6),
        ("calibration", lambda t: t * torch.nan),
    ):
        tensors = load(raw)
        with pytest.raises(ValueError, match="no detector"):
            detect_files.unpack(save({**tensors, name: change(tensors[name]).contiguous()}, metadata=about))
    huge = json.loads(about["genlab"])
    huge["detector"]["shape"] = [1, 10**6, 10**6]
    with pytest.raises(ValueError, match="no detector"):
        detect_files.unpack(save(load(raw), metadata={"genlab": json.dumps(huge)}))


def test_more_items_than_are_learnt_are_drawn_at_random_and_said(monkeypatch):
    monkeypatch.setattr(detect, "MOST_LEARNT", 50)
    learnt = finished(detect.learn(pictures(stripes(200, True))))
    assert any(note.startswith("50 of 120 normal items were learnt") for note in learnt.notes)
    assert len(learnt.normal) == 50


def test_the_table_of_results_is_safe_in_a_spreadsheet_and_numbers_stay_numbers():
    learnt = finished(detect.learn(table(np.random.default_rng(0).normal(size=(120, 3)))))
    named = Items("table", np.zeros((2, 3)), ("=1+1", "b"), None, ("a", "b", "c"))
    rows = detect.judge(learnt, named).table(0.05).splitlines()
    assert rows[0] == "item,score,p_value,anomaly"
    assert rows[1].startswith("'=1+1,")
    assert all(np.isfinite([float(cell) for cell in row.split(",")[1:]]).all() for row in rows[1:])


# ---- bad input


def refused(items: Items, words: str, method: str = "combined") -> None:
    with pytest.raises(ValueError, match=words):
        finished(detect.learn(items, method=method))


def test_too_few_or_identical_items():
    refused(pictures(stripes(1, True)), "has 1 item: at least 10")
    refused(pictures(np.repeat(stripes(1, True), 40, axis=0)), "alike")
    refused(table(np.ones((50, 3))), "No column of the normal set ever changes")
    refused(table(np.random.default_rng(0).normal(size=(60, 2)), kind="series"), "at least 128 time steps")
    refused(table(np.random.default_rng(0).normal(size=(60, 2))), "is for pictures", "evidence")
    labelled = table(np.random.default_rng(0).normal(size=(20, 2)), ("normal",) * 18 + ("broken",) * 2)
    refused(labelled, "2 rows of the normal set are labelled as anomalies")


def test_a_constant_column_is_left_out_and_said():
    values = np.random.default_rng(0).normal(size=(100, 3))
    values[:, 1] = 7
    learnt = finished(detect.learn(table(values)))
    assert learnt.columns == ("a", "c")
    assert any("'b' is constant" in note for note in learnt.notes)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n3,\n", "column 'b' has no value in row 1"),
        ("a,b\n1,2\nnan,4\n", "column 'a' has no value in row 1"),
        ("a,b\n1,2\n3,blue\n", "holds 'blue' in row 1"),
        ("a,b\n1,inf\n3,4\n", "no number up to"),
        ("a,b\n1,1e300\n3,4\n", "no number up to"),
        ("a,a\n1,2\n", "names every column once"),
        ("item,label\nx,y\n", "no column of numbers"),
        ("a,b\n", "no rows"),
        ("", "is empty"),
        ("a,b\n1,2,3\n", "3 cells in line 2"),
    ],
)
def test_csv_faults_name_the_cell(tmp_path, text, words):
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(ValueError, match=words):
        detect_inputs.read(tmp_path / "x.csv", "table")


def test_a_table_may_not_be_too_large(tmp_path, monkeypatch):
    (tmp_path / "x.csv").write_text("a\n" + "1\n" * 50)
    monkeypatch.setattr(detect_inputs, "LARGEST_TABLE", 40)
    with pytest.raises(ValueError, match="MiB"):
        detect_inputs.read(tmp_path / "x.csv", "table")
    monkeypatch.undo()
    monkeypatch.setattr(detect_inputs, "MOST_ROWS", 40)
    with pytest.raises(ValueError, match="50 rows"):
        detect_inputs.read(tmp_path / "x.csv", "table")


def test_colour_among_grey_and_other_sizes_are_converted_and_said(tmp_path):
    folder = tmp_path / "normal"
    folder.mkdir()
    for i, pixels in enumerate(stripes(30, True)[:, 0]):
        (folder / f"{i}.png").write_bytes(png(pixels))
    normal = detect_inputs.read(folder, "images")
    assert normal.values.shape == (30, 1, 28, 28)
    test = tmp_path / "test"
    (test / "good").mkdir(parents=True)
    (test / "bad").mkdir()
    (test / "good" / "a.png").write_bytes(
        png(np.stack([stripes(1, True)[0, 0]] * 2 + [255 - stripes(1, True)[0, 0]], -1))
    )
    (test / "bad" / "b.png").write_bytes(png(np.zeros((90, 60, 3), np.uint8)))
    (test / "bad" / "c.txt").write_text("no picture")
    judged = detect.judge(finished(detect.learn(normal)), detect_inputs.read(test, "images"))
    said = " ".join(judged.notes)
    assert "converted to grey" in said
    assert "resized" in said
    assert "1 files of test are no picture" in said
    assert judged.truth.tolist() == [name.startswith("bad") for name in judged.items.names]


def test_labels_without_a_normal_one_bring_no_curves_and_say_so():
    learnt = finished(detect.learn(pictures(stripes(30, True))))
    judged = detect.judge(learnt, pictures(stripes(2, True), ("cats", "dogs")))
    assert judged.truth is None
    assert "No curves" in judged.notes[-1]


def test_uploads_of_every_kind(tmp_path):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        for i, pixels in enumerate(stripes(24, True)[:, 0]):
            packed.writestr(f"{i}.png", png(pixels))
    (tmp_path / "n.zip").write_bytes(archive.getvalue())
    (tmp_path / "t.png").write_bytes(png(stripes(1, False)[0, 0]))
    wanted = Wanted(normal=(("n.zip", tmp_path / "n.zip"),))
    key, learnt = finished(detect_session.learn(wanted))
    assert detect_session.kept(key) is learnt
    judged = detect_session.judge(learnt, test=[("t.png", tmp_path / "t.png")])
    assert judged.items.names == ("t.png",)
    with pytest.raises(ValueError, match="Nothing to test"):
        detect_session.judge(learnt)
    with pytest.raises(ValueError, match="Examples are"):
        finished(detect_session.learn(Wanted("<b>")))
    with pytest.raises(ValueError, match="cannot be read as table"):
        finished(detect_session.learn(Wanted(kind="table", normal=(("t.png", tmp_path / "t.png"),))))


@pytest.mark.parametrize("rate", [0, -1, 0.9, float("nan"), None, "x", True])
def test_false_alarm_rates_are_checked(rate):
    with pytest.raises(ValueError, match="false-alarm rate is a number"):
        detect.check_rate(rate)

"""`python -m genlab detect`: the CSV it writes, what it prints, kept detectors; all else is one sentence."""

import csv

import numpy as np
import pytest
from PIL import Image
from test_cli import refused

from genlab.__main__ import main

HEAD = ["item", "score", "p_value", "anomaly"]


def write(path, values, columns=("a", "b"), **more) -> str:
    names = [*columns, *more]
    rows = [",".join([*(f"{v:.4f}" for v in row), *(str(more[n][i]) for n in more)]) for i, row in enumerate(values)]
    path.write_text("\n".join([",".join(names), *rows, ""]))
    return str(path)


def rows_of(path) -> list[dict]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def tables(tmp_path):
    rng = np.random.default_rng(0)
    test = np.concatenate([rng.normal(size=(50, 2)), rng.normal(size=(5, 2)) + 7])
    label = ["normal"] * 50 + ["broken"] * 5
    item = [f"part {i}" for i in range(55)]
    return (
        write(tmp_path / "n.csv", rng.normal(size=(400, 2))),
        write(tmp_path / "t.csv", test, item=item, label=label),
        tmp_path,
    )


def test_a_table_is_judged_and_its_curves_are_printed(tables, capsys):
    normal, test, folder = tables
    assert (
        main(["detect", "--normal", normal, "--test", test, "--out", str(folder / "o.csv"), "--false-alarm", "0.02"])
        == 0
    )
    rows = rows_of(folder / "o.csv")
    assert list(rows[0]) == HEAD
    assert [r["item"] for r in rows] == [f"part {i}" for i in range(55)]
    assert [r["anomaly"] for r in rows[50:]] == ["1"] * 5
    assert all((float(r["p_value"]) <= 0.02) == (r["anomaly"] == "1") for r in rows)
    assert min(float(r["score"]) for r in rows[50:]) > max(float(r["score"]) for r in rows[:50])
    said = capsys.readouterr().out
    assert "area under the ROC curve" in said
    assert "anomalies found" in said


def test_a_kept_detector_gives_the_same_file(tables):
    normal, test, folder = tables
    kept = str(folder / "d.safetensors")
    assert main(["detect", "--normal", normal, "--test", test, "--out", str(folder / "1.csv"), "--save", kept,
                 "--false-alarm", "0.05"]) == 0  # fmt: skip
    assert (
        main(["detect", "--detector", kept, "--test", test, "--out", str(folder / "2.csv"), "--false-alarm", "0.05"])
        == 0
    )
    assert (folder / "1.csv").read_bytes() == (folder / "2.csv").read_bytes()


def test_a_series_has_a_row_a_step_and_items_are_counted_from_0(tmp_path):
    t = np.arange(900)
    wave = np.stack([np.sin(t / 5), np.cos(t / 5)], 1) + np.random.default_rng(0).normal(0, 0.05, (900, 2))
    test = wave[:300].copy()
    test[150:190] = 0
    normal = write(tmp_path / "n.csv", wave, time=t)
    out = tmp_path / "o.csv"
    arguments = ["--kind", "series", "--false-alarm", "0.02"]
    assert (
        main(["detect", "--normal", normal, "--test", write(tmp_path / "t.csv", test), "--out", str(out), *arguments])
        == 0
    )
    rows = rows_of(out)
    assert [r["item"] for r in rows] == [str(i) for i in range(300)]
    assert "1" in {r["anomaly"] for r in rows[155:185]}


def test_folders_of_pictures(tmp_path, capsys):
    rng = np.random.default_rng(0)

    def picture(path, across: bool):
        wave = np.sin(np.arange(28) * 0.8 + rng.uniform(0, 6)) * 90 + 128
        pixels = np.broadcast_to(wave[None, :] if across else wave[:, None], (28, 28)) + rng.normal(0, 5, (28, 28))
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)

    for i in range(60):
        picture(tmp_path / "normal" / f"{i}.png", True)
    for i in range(8):
        picture(tmp_path / "test" / "good" / f"{i}.png", True)
        picture(tmp_path / "test" / "lying" / f"{i}.png", False)
    out = tmp_path / "o.csv"
    assert main(["detect", "--normal", str(tmp_path / "normal"), "--test", str(tmp_path / "test"), "--out", str(out),
                 "--false-alarm", "0.1"]) == 0  # fmt: skip
    rows = rows_of(out)
    assert {r["item"] for r in rows} == {f"{d}/{i}.png" for d in ("good", "lying") for i in range(8)}
    assert sum(r["anomaly"] == "1" for r in rows if r["item"].startswith("lying")) >= 7
    assert "area under the ROC curve" in capsys.readouterr().out


def test_wrong_arguments_are_one_sentence(tables, capsys):
    normal, test, folder = tables
    out = str(folder / "o.csv")
    for arguments, words in (
        (("--test", test, "--out", out), "one of --normal"),
        (("--normal", normal, "--detector", normal, "--test", test, "--out", out), "one of --normal"),
        (("--normal", normal, "--test", test, "--out", str(folder)), "cannot be written"),
        (("--normal", normal, "--test", test, "--out", out, "--false-alarm", "0"), "false-alarm rate is a number"),
        (
            ("--normal", normal, "--test", test, "--out", out, "--false-alarm", "0.001"),
            "needs 999 held-out normal items",
        ),
        (("--normal", str(folder / "none"), "--test", test, "--out", out), "does not exist"),
        (("--normal", normal, "--test", test, "--out", out, "--kind", "images"), "give a folder"),
        (("--detector", normal, "--test", test, "--out", out), "no detector"),
        (("--normal", normal, "--test", test, "--out", out, "--score", "evidence"), "is for pictures"),
        (("--normal", normal, "--test", write(folder / "x.csv", [[1.0]], columns=("a",)), "--out", out), "'b'"),
    ):
        assert words in refused(capsys, "detect", *arguments)
        assert not (folder / "o.csv").exists()

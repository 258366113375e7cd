"""`python -m genlab`: what it prints, what it writes, and one sentence for everything else."""

import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from audits.provenance import read_claim
from genlab.__main__ import knobs_from, main
from genlab.evaluate_command import departures

REPOSITORY = Path(__file__).resolve().parent.parent
COMMANDS = ("list", "train", "sample", "encode", "evaluate", "detect", "compress", "decompress", "verify", "card")


def refused(capsys, *arguments: str, status: int = 2) -> str:
    """The one line that a wrong command prints."""
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    assert code == status, err
    assert out == ""
    assert "Traceback" not in err
    assert err.endswith((".\n", "?\n"))
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nonsense",),
        ("list", "extra"),
        ("train",),
        ("train", "vae-fashion", "--steps", "0"),
        ("train", "vae-fashion", "--steps", "many"),
        ("sample", "gan-tiny"),
        ("sample", "gan-tiny", "--count", "0", "--out", "x"),
        ("sample", "gan-tiny", "--count", "-5", "--out", "x"),
        ("sample", "gan-tiny", "--count", "4.7", "--out", "x"),
        ("sample", "gan-tiny", "--count", "100001", "--out", "x"),
        ("sample", "gan-tiny", "--seed", "-1", "--out", "x"),
        ("sample", "gan-tiny", "--seed", "abc", "--out", "x"),
        ("sample", "gan-tiny", "--seed", "nan", "--out", "x"),
        ("sample", "gan-tiny", "--seed", "9223372036854775808", "--out", "x"),
        ("sample", "gan-tiny", "--seed", "9" * 5000, "--out", "x"),
        ("sample", "gan-tiny", "--seed", "9223372036854775807", "--count", "2", "--out", "x"),
        ("sample", "gan-tiny", "--label", "hat", "--out", "x"),
        ("sample", "gan-tiny", "--label", "10", "--out", "x"),
        ("sample", "gan-tiny", "--knob", "truncation", "--out", "x"),
        ("sample", "gan-tiny", "--knob", "truncation=99", "--out", "x"),
        ("sample", "gan-tiny", "--knob", "truncation=nan", "--out", "x"),
        ("sample", "gan-tiny", "--knob", "colour=red", "--out", "x"),
        ("sample", "gan-tiny", "--knob", "truncation=1", "--knob", "truncation=2", "--out", "x"),
        ("sample", "judge-tiny", "--out", "x"),
        ("sample", "nope", "--out", "x"),
        ("sample", "../gan-tiny", "--out", "x"),
        ("encode", "ae-tiny"),
        ("encode", "ae-tiny", "examples"),
        ("encode", "ae-tiny", "examples", "--out", "x.xlsx"),
        ("encode", "ae-tiny", "no-such-place", "--out", "x.csv"),
        ("encode", "gan-tiny", "examples", "--out", "x.csv"),
        ("encode", "nope", "examples", "--out", "x.csv"),
        ("train", "nope"),
        ("train", "vae-fashion", "--device", "toaster"),
        ("evaluate", "nope"),
        ("evaluate", "gan-tiny", "--quick", "--publish"),
        ("card", "nope"),
        ("compress",),
        ("compress", "a.png"),
        ("compress", "a.png", "--out", "x", "--quality", "0"),
        ("compress", "a.png", "--out", "x", "--quality", "101"),
        ("compress", "a.png", "--out", "x", "--quality", "nan"),
        ("compress", "a.png", "--out", "x", "--quality", "good"),
        ("compress", ".", "--out", "x"),
        ("compress", "a.png", "--out", "nowhere/x"),
        ("decompress", "a.glz"),
        ("card", "nope", "--check"),
    ],
)
def test_bad_arguments_get_one_sentence_and_status_two(tiny_shelf, tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    status = 1 if arguments == ("card", "nope", "--check") else 2
    refused(capsys, *arguments, status=status)
    assert not (tmp_path / "x").exists()


def test_damaged_weights_get_one_sentence(tiny_shelf, tmp_path, capsys):
    weights = tiny_shelf / "gan-tiny" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    with weights.open("ab") as file:
        file.write(b"!")
    assert "sha256" in refused(capsys, "sample", "gan-tiny", "--out", str(tmp_path / "x"), status=1)


def test_a_used_folder_is_left_alone(tiny_shelf, tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("keep me")
    assert "not empty" in refused(capsys, "sample", "gan-tiny", "--out", str(tmp_path))
    assert "not empty" in refused(capsys, "sample", "gan-tiny", "--out", str(tmp_path / "mine.txt"))
    assert (tmp_path / "mine.txt").read_text() == "keep me"


def test_samples_are_sealed_files_and_a_manifest(tiny_shelf, tmp_path, capsys):
    out = tmp_path / "new" / "samples"
    assert (
        main(["sample", "gan-tiny", "--count", "72", "--seed", "5", "--knob", "truncation=2", "--out", str(out)]) == 0
    )
    manifest = json.loads((out / "manifest.json").read_text())
    assert len(manifest) == 72
    assert {p.name for p in out.iterdir()} == {row["file"] for row in manifest} | {"manifest.json"}
    classes = []
    for i, row in enumerate(manifest):
        media = (out / row["file"]).read_bytes()
        assert hashlib.sha256(media).hexdigest() == row["sha256"]
        assert read_claim(media).as_dict() == row["claim"]
        assert row["claim"]["seed"] == 5 + i
        assert row["claim"]["knobs"] == {"truncation": 2.0}
        classes.append(row["claim"]["inputs"]["label"])
    assert classes[:10] == classes[10:20] == classes[60:70]  # i mod classes, across chunks too
    assert len(set(classes[:10])) == 10
    # one item alone is the same file
    alone = tmp_path / "alone"
    assert main(["sample", "gan-tiny", "--count", "1", "--seed", "70", "--label", classes[65], "--knob", "truncation=2",
                 "--out", str(alone)]) == 0  # fmt: skip
    assert (alone / manifest[65]["file"]).read_bytes() == (out / manifest[65]["file"]).read_bytes()


def test_verify_says_what_the_tab_says(tiny_shelf, tmp_path, capsys):
    from genlab.studio.verify import verify

    main(["sample", "gan-tiny", "--count", "1", "--out", str(tmp_path / "new")])
    (path,) = (tmp_path / "new").glob("*.png")
    capsys.readouterr()
    assert main(["verify", str(path)]) == 0
    told = capsys.readouterr().out
    assert told.startswith("Made here by gan-tiny, seed 0")
    assert "\n  manifest: valid" in told
    assert main(["verify", str(path), "--json"]) == 0
    assert capsys.readouterr().out == verify(path.read_bytes()).json
    stranger = tmp_path / "stranger.txt"
    stranger.write_text("Nobody here wrote this.")
    assert main(["verify", str(stranger)]) == 1
    assert capsys.readouterr().out.startswith("No mark of this lab found")
    (tmp_path / "empty.png").write_bytes(b"")
    assert "empty.png: The file is empty." in refused(capsys, "verify", str(tmp_path / "empty.png"), status=3)
    assert "No such file" in refused(capsys, "verify", str(tmp_path / "gone.png"), status=3)


def test_codes_of_an_array_and_of_the_examples_are_written(tiny_shelf, tmp_path, capsys):
    import numpy as np

    from genlab.data import examples

    np.save(tmp_path / "items.npy", examples.load("fashion").items[:3])
    for given, rows in ((str(tmp_path / "items.npy"), 3), ("examples", 500)):
        out = tmp_path / "new" / f"{rows}.csv"
        assert main(("encode", "ae-tiny", given, "--out", str(out))) == 0
        assert len(out.read_text().splitlines()) == rows + 1
        assert f"{rows} codes of 2 numbers by ae-tiny." in capsys.readouterr().out
    whole, part = ((tmp_path / "new" / f"{n}.csv").read_text().splitlines() for n in (500, 3))
    assert [line.rpartition(",example")[2].split(",")[-2:] for line in whole[1:4]] == [
        x.split(",")[-2:] for x in part[1:]
    ]


def test_list_names_shipped_and_untrained_models(tiny_shelf, capsys):
    assert main(["list"]) == 0
    text = capsys.readouterr().out
    for word in (
        "gan-tiny",
        "vae-tiny",
        "judge-tiny",
        "gan-fashion",
        "not trained yet",
        "classify",
        "fashion_fid 1.25",
    ):
        assert word in text
    assert main(["list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["gan-tiny"]["can"] == ["generate"]
    assert rows["gan-tiny"]["shipped"]
    assert not rows["gan-fashion"]["shipped"]


def test_pictures_go_to_a_file_and_come_back(tiny_shelf, tmp_path, capsys):
    import numpy as np
    from PIL import Image

    folder, file, out = tmp_path / "in", tmp_path / "x.glz", tmp_path / "out"
    folder.mkdir()
    rng, given = np.random.default_rng(0), {}
    for name, shape in (("a.png", (28, 28)), ("b.bmp", (9, 5, 3)), ("c.webp", (6, 6, 4))):
        pixels = rng.integers(1, 256, shape, dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name, **({"lossless": True, "exact": True} if "webp" in name else {}))
        given[name[0]] = pixels
    (folder / "notes.txt").write_text("not a picture")
    assert main(["compress", str(folder), str(folder / "a.png"), "--out", str(file)]) == 0
    said = capsys.readouterr().out
    assert f"4 picture(s), {file.stat().st_size:,} bytes" in said
    assert main(["decompress", str(file), "--out", str(out)]) == 0
    assert sorted(p.name for p in out.iterdir()) == ["a-2.png", "a.png", "b.png", "c.png"]
    assert f"{out}: 4 PNG file(s)." in capsys.readouterr().out
    for name, pixels in (given | {"a-2": given["a"]}).items():
        assert np.array_equal(np.asarray(Image.open(out / f"{name}.png")), pixels)

    assert "there already" in refused(capsys, "compress", str(folder), "--out", str(file))
    assert "not empty" in refused(capsys, "decompress", str(file), "--out", str(out))
    assert "with a loss yet" in refused(capsys, "compress", str(folder), "--out", "y", "--quality", "50")
    assert "No such file" in refused(capsys, "compress", str(tmp_path / "no.png"), "--out", "y", status=1)
    assert "notes.txt" in refused(capsys, "compress", str(folder / "notes.txt"), str(folder / "a.png"), "--out", "y")
    whole = file.read_bytes()
    for damaged, sentence in (
        (whole[:-3], "cut short"),
        (whole[:-1] + b"!", "damaged"),
        (b"GIF89a", "not a .glz file"),
    ):
        file.write_bytes(damaged)
        assert sentence in refused(capsys, "decompress", str(file), "--out", str(tmp_path / "new"))
        assert not (tmp_path / "new").exists()


@pytest.fixture
def measured(tiny_shelf, monkeypatch):
    """What `evaluate` will say was measured; change it to make a figure leave its interval."""
    from genlab.studio import evaluate

    figures = json.loads((tiny_shelf / "gan-tiny" / "config.json").read_text())["metrics"]

    def measure(name, *, quick=False, only=None, progress=None):
        progress("fashion_fid")
        return figures

    monkeypatch.setattr(evaluate, "evaluate", measure)
    return figures


def test_evaluate_prints_writes_and_checks(tiny_shelf, tmp_path, capsys, measured):
    config = tiny_shelf / "gan-tiny" / "config.json"
    before = config.read_bytes()
    out = tmp_path / "figures.json"
    assert main(["evaluate", "gan-tiny", "--check", "--json", str(out)]) == 0
    text = capsys.readouterr().out
    assert "1 to 1.5" in text
    assert "0.01" in text
    assert json.loads(out.read_text()) == {"name": "gan-tiny", "metrics": measured}
    assert config.read_bytes() == before

    measured["fashion_fid"]["value"] = 1.6
    assert main(["evaluate", "gan-tiny", "--check"]) == 1
    assert "fashion_fid is 1.6, stated 1 to 1.5" in capsys.readouterr().err
    assert config.read_bytes() == before

    assert main(["evaluate", "gan-tiny", "--publish"]) == 0
    assert json.loads(config.read_text())["metrics"]["fashion_fid"]["value"] == 1.6


def test_a_departure_is_a_value_outside_the_stated_interval():
    stated = {"a": {"low": 1.0, "high": 2.0}, "b": {"low": 0.0, "high": 1.0}}
    inside = {"a": {"value": 1.0, "low": 0.5, "high": 1.5}, "b": {"value": 1.0, "low": 1.0, "high": 1.0}}
    assert departures(stated, inside) == []
    assert departures(stated, {"a": inside["a"]}) == ["b was not measured again."]
    assert departures(stated, {"a": inside["a"]}, quick=True) == []
    near = {"a": {"value": 2.5, "low": 1.9, "high": 3.1}, "b": inside["b"]}
    assert departures(stated, near) == ["a is 2.5, stated 1 to 2."]
    assert departures(stated, near, quick=True) == []
    assert len(departures(stated, {"a": {"value": float("nan"), "low": 1, "high": 2}}, quick=True)) == 1
    assert departures({}, inside) == ["config.json states no figure yet."]


def test_train_can_be_stopped_continued_and_published(tiny_shelf, tmp_path, monkeypatch, capsys):
    import numpy as np

    from genlab import recipes
    from genlab.data import Data

    stream = np.random.default_rng(0)
    data = Data("fashion", "train", stream.integers(0, 256, (32, 1, 28, 28), dtype=np.uint8),
                np.arange(32) % 10, ("x",) * 10, "MIT", "Somebody")  # fmt: skip
    recipe = recipes.Recipe("judge", "fashion", {"width": 4, "feature": 8}, steps=6, batch=8, lr=1e-3)
    monkeypatch.setattr(recipes, "load", lambda name: data)
    monkeypatch.setitem(recipes.RECIPES, "judge-trial", recipe)
    work = tmp_path / "work"
    run = ["train", "judge-trial", "--work", str(work), "--steps", "4"]
    assert main(run) == 0
    assert (work / "judge-trial" / "config.json").is_file()
    first = (work / "judge-trial" / "model.safetensors").read_bytes()
    capsys.readouterr()
    assert main(run) == 0  # nothing is trained twice
    assert "already" in capsys.readouterr().out
    assert main([*run, "--publish"]) == 0
    assert (tiny_shelf / "judge-trial" / "model.safetensors").read_bytes() == first
    assert not (work / "judge-trial" / "model.safetensors").exists()
    from genlab import checkpoint

    assert checkpoint.load(tiny_shelf / "judge-trial").logits is not None


def test_a_stopped_run_of_other_settings_is_left_alone(tiny_shelf, tmp_path, capsys):
    folder = tmp_path / "judge-fashion"
    folder.mkdir()
    (folder / "resume.pt").write_bytes(b"half a run")
    run = ["train", "judge-fashion", "--work", str(tmp_path)]
    assert "stopped run" in refused(capsys, *run)
    (folder / "recipe.json").write_text("{}")
    assert "stopped run" in refused(capsys, *run, "--steps", "3")
    assert (folder / "resume.pt").read_bytes() == b"half a run"


def test_an_interrupt_is_no_traceback(tiny_shelf, monkeypatch, capsys):
    from genlab.studio import shelf

    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(shelf, "names", interrupted)
    assert "stopped" in refused(capsys, "list", status=130)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert "usage: python -m genlab" in capsys.readouterr().out


def test_help_comes_at_once():
    script = "import sys; from genlab.__main__ import parser; parser(); assert 'torch' not in sys.modules, 'torch'"
    subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, check=True)
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-m", "genlab", "--help"], cwd=REPOSITORY, capture_output=True, check=True)
    assert b"evaluate" in done.stdout
    assert time.monotonic() - started < 5


def test_knobs_are_names_with_values():
    assert knobs_from(["a=1", "b=flow", "c=1e-2"]) == {"a": 1.0, "b": "flow", "c": 0.01}
    assert knobs_from([]) == {}
    with pytest.raises(ValueError, match="--knob name=value"):
        knobs_from(["=3"])

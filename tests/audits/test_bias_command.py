"""`python -m audits bias` on tables, folders and zips: its files, its words, and what it refuses."""

import io
import json
import stat
import struct
import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from audits.__main__ import main
from audits.bias.inputs import read_items
from audits.report import Report


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"item": [f"i{k}" for k in range(300)], "tone": rng.choice(["dark", "light"], 300, p=[0.3, 0.7])}
    )
    table["hat"], table["score"] = rng.choice(["no", "None"], 300), rng.random(300).round(3)
    table.loc[:4, "tone"] = None
    table.to_csv("set.csv", index=False)
    table.to_parquet("set.parquet")
    pd.DataFrame({"true": ["dark", "light"] * 50, "predicted": ["dark", "light"] * 45 + ["light", "dark"] * 5}).to_csv(
        "validation.csv", index=False
    )
    labels = table.loc[5:, ["item", "tone"]].rename(columns={"tone": "label"})[::3]
    labels.to_csv("labels.csv", index=False)
    pd.DataFrame({"group": ["dark", "light"], "share": [0.5, 0.5]}).to_csv("reference.csv", index=False)
    return tmp_path


def picture(size=(8, 8), kind="PNG") -> bytes:
    out = io.BytesIO()
    Image.effect_noise(size, 90).save(out, kind)
    return out.getvalue()


def zipped(path, files) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)


def report_of(out) -> Report:
    return Report.from_json((out / "report.json").read_text())


def test_a_table_is_audited_and_the_bytes_repeat(folder, capsys):
    arguments = ["bias", "set.csv", "--groups", "tone", "--validation", "validation.csv", "--labels", "labels.csv"]
    arguments += ["--reference", "reference.csv", "--expect", "dark,light", "--outcome", "score"]
    assert main([*arguments, "--out", "a"]) == 0
    assert main([*arguments, "--out", "b"]) == 0
    names = ["report.csv", "report.html", "report.json", "report.pdf"]
    assert sorted(p.name for p in (folder / "a").iterdir()) == names
    assert all((folder / "a" / n).read_bytes() == (folder / "b" / n).read_bytes() for n in names)
    report = report_of(folder / "a")
    assert report["share.dark"].verdict == "worse"
    assert report["shift"].n == 99
    assert report["score.gap"].n == 295
    assert any("5 items have no tone" in caveat for caveat in report.caveats)
    assert "share.dark" in capsys.readouterr().out
    assert main([*arguments, "--out", "c", "--seed", "1"]) == 0
    assert (folder / "c" / "report.json").read_bytes() != (folder / "a" / "report.json").read_bytes()


def test_parquet_and_csv_agree_and_columns_are_told_apart(folder):
    for source in ("set.csv", "set.parquet"):
        arguments = [
            "bias",
            source,
            "--groups",
            "tone,hat",
            "--validation",
            "tone=validation.csv",
            "--reference",
            "uniform",
        ]
        assert main([*arguments, "--expect", "hat=no,None,cap", "--out", source.split(".")[1]]) == 0
    first, second = report_of(folder / "csv"), report_of(folder / "parquet")
    assert first.findings == second.findings
    assert first["hat.share.cap"].n == 0
    assert first["hat.share.None"].n > 100  # a group may be called None
    assert first["intersection.share.dark x cap"].n == 0
    assert first["tone.accuracy.dark"].n == 50


def test_subfolders_are_groups(folder, capsys):
    for name in ("set/a/1.png", "set/a/2.png", "set/b/deep/3.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(picture())
    (folder / "set/empty").mkdir()
    (folder / "set/a/broken.png").write_bytes(picture()[:60])
    (folder / "set/loose.png").write_bytes(picture())
    (folder / "set/b/link.png").symlink_to(folder / "set/a/1.png")
    assert main(["bias", "set", "--groups", "folder", "--out", "out"]) == 0
    report = report_of(folder / "out")
    assert (report["share.a"].n, report["share.b"].n, report["share.empty"].n) == (2, 1, 0)
    assert report["share.empty"].high < 1
    note = next(c for c in report.caveats if "skipped" in c)
    assert note.startswith("3 files")
    assert all(name in note for name in ("a/broken.png", "b/link.png", "loose.png"))
    assert main(["bias", "set", "--groups", "tone", "--out", "out"]) == 2
    assert "--groups folder" in capsys.readouterr().err


def test_a_zip_is_read_like_its_folder(folder):
    files = [(f"outer/{g}/{i}.jpg", picture(kind="JPEG")) for g in "ab" for i in range(3)]
    zipped("set.zip", [*files, ("outer/c/", ""), ("outer/a/bad.png", b"no"), ("outer/notes.txt", b"x")])
    items = read_items(folder / "set.zip", ["folder"])
    assert items.table["folder"].value_counts().to_dict() == {"a": 3, "b": 3}
    assert items.empty == ("c",)
    assert "2 files" in items.notes[0]


def hostile() -> dict:
    link = zipfile.ZipInfo("a/link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    good = ("a/1.png", picture())
    return {
        "traversal": [good, ("../b/2.png", b"x")],
        "absolute": [good, ("/b/2.png", b"x")],
        "drive": [good, ("C:\\b\\2.png", b"x")],
        "backslash": [good, ("a\\..\\..\\b.png", b"x")],
        "link": [good, (link, "/etc/passwd")],
        "nested": [good, ("a/more.zip", b"x")],
        "bomb": [good, ("a/2.png", b"\0" * 5_000_000)],
        "many": [(f"a/{i}.png", b"") for i in range(5001)],
        "nothing": [("a/notes.txt", b"hello")],
    }


@pytest.mark.parametrize("kind", hostile())
def test_hostile_zips_are_refused_in_one_sentence(folder, capsys, kind):
    zipped("bad.zip", hostile()[kind])
    assert main(["bias", "bad.zip", "--groups", "folder", "--out", "out"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (folder / "out").exists()


def test_zips_that_lie_are_refused(folder, capsys):
    zipped("set.zip", [("a/1.png", picture()), ("a/2.png", picture())])
    content = (folder / "set.zip").read_bytes()
    (folder / "cut.zip").write_bytes(content[:-30])
    start = content.find(b"PK\x01\x02")
    (folder / "secret.zip").write_bytes(content[: start + 8] + struct.pack("<H", 1) + content[start + 10 :])
    (folder / "text.zip").write_text("not a zip")
    for name in ("cut.zip", "secret.zip", "text.zip"):
        assert main(["bias", name, "--groups", "folder", "--out", "out"]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_an_enormous_picture_is_skipped_before_it_is_decoded(folder):
    (folder / "set/a").mkdir(parents=True)
    (folder / "set/a/good.png").write_bytes(picture())
    Image.new("1", (8000, 8000)).save(folder / "set/a/huge.png")
    items = read_items(folder / "set", ["folder"])
    assert len(items.table) == 1
    assert "huge.png" in items.notes[0]


@pytest.mark.parametrize(
    "arguments",
    [
        ["absent.csv", "--groups", "tone"],
        ["set.csv", "--groups", "age"],
        ["set.csv", "--groups", "folder"],
        ["set.csv", "--groups", ""],
        ["set.csv", "--groups", "score"],
        ["labels.csv", "--groups", "label", "--validation", "set.csv"],
        ["set.csv", "--groups", "tone", "--reference", "labels.csv"],
        ["set.csv", "--groups", "tone", "--reference", "absent.csv"],
        ["set.csv", "--groups", "tone,hat", "--validation", "validation.csv"],
        ["set.csv", "--groups", "tone", "--labels", "strange.csv"],
        ["set.csv", "--groups", "tone", "--outcome", "hat"],
        ["set.csv", "--groups", "tone", "--seed", "-1"],
        ["set.csv", "--groups", "tone", "--level", "2"],
        ["broken.csv", "--groups", "tone"],
        ["broken.parquet", "--groups", "tone"],
        ["empty.csv", "--groups", "tone"],
        ["picture.png", "--groups", "tone"],
    ],
)
def test_errors_are_one_sentence(folder, capsys, arguments):
    (folder / "broken.csv").write_bytes(b"tone\n\xff\xfe\n")
    (folder / "broken.parquet").write_bytes(b"PAR1nothing")
    (folder / "empty.csv").write_text("tone\n")
    (folder / "strange.csv").write_text("item,label\nx9,dark\n")
    (folder / "picture.png").write_bytes(picture())
    assert main(["bias", *arguments, "--out", "out"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert not (folder / "out").exists()


def test_what_a_table_says_cannot_run_anywhere(folder):
    nasty = ["=cmd()", "<script>alert(1)</script>", "a\u202eb"]
    pd.DataFrame({"g": nasty * 5}).to_csv("nasty.csv", index=False)
    assert main(["bias", "nasty.csv", "--groups", "g", "--out", "out"]) == 0
    assert "<script>" not in (folder / "out" / "report.html").read_text()
    assert "\u202e" not in (folder / "out" / "report.html").read_text()
    assert len(json.loads((folder / "out" / "report.json").read_text())["findings"]) == 3


def test_amplification_against_a_training_set(folder, capsys):
    rng = np.random.default_rng(1)
    for name, tie in (("train", 0.6), ("made", 0.9)):
        who = rng.choice(["w", "m"], 2000)
        same = rng.random(2000) < tie
        job = np.where((who == "w") == same, "nurse", "smith")
        pd.DataFrame({"who": who, "job": job}).to_csv(f"{name}.csv", index=False)
    arguments = ["bias", "made.csv", "--groups", "who,job", "--training", "train.csv", "--out", "out"]
    assert main(arguments) == 0
    found = report_of(folder / "out")["who -> job.amplification"]
    assert found.low < 0.3 < found.high  # .9 - .6
    assert found.verdict == "worse"
    arguments[3] = "who"
    assert main(arguments) == 2
    assert "name two columns" in capsys.readouterr().err


def test_a_damaged_entry_is_skipped_and_the_rest_kept(folder):
    zipped("set.zip", [("a/1.png", picture()), ("a/2.png", picture()), ("b/3.png", picture())])
    content = bytearray((folder / "set.zip").read_bytes())
    with zipfile.ZipFile(folder / "set.zip") as archive:
        at = archive.getinfo("a/2.png").header_offset + 60
    content[at] ^= 0xFF
    (folder / "set.zip").write_bytes(content)
    items = read_items(folder / "set.zip", ["folder"])
    assert list(items.table.index) == ["a/1.png", "b/3.png"]
    assert "a/2.png" in items.notes[0]


def test_tables_survive_a_spreadsheet_and_come_back(folder):
    from audits.bias.cells import table_csv

    table = pd.DataFrame({"item": ["=1+1", "plain", "'quoted"], "g": ["-5", None, "a,b"]})
    (folder / "cells.csv").write_text(table_csv(table))
    assert "'=1+1" in (folder / "cells.csv").read_text()
    back = read_items(folder / "cells.csv", ["g"]).table
    assert list(back.index) == list(table["item"])
    assert list(back["g"].fillna("")) == ["-5", "", "a,b"]


def test_items_to_label_are_drawn_evenly_and_shuffled():
    from audits.bias.labelled import to_label

    predicted = pd.Series(["a"] * 900 + ["b"] * 90 + ["c"] * 10, index=[f"i{k}" for k in range(1000)])
    drawn = to_label(predicted, 100, seed=3)
    assert predicted[drawn].value_counts().to_dict() == {"a": 45, "b": 45, "c": 10}
    assert len(set(drawn)) == 100
    assert drawn == to_label(predicted, 100, seed=3) != to_label(predicted, 100, seed=4)
    assert sum(x == y for x, y in zip(predicted[drawn], predicted[drawn][1:], strict=False)) > 20  # no taking turns
    assert sorted(to_label(predicted, 5000)) == sorted(predicted.index)

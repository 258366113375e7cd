"""What `python -m audits bias` refuses in one sentence, and what it leaves out, names and counts."""

import json
import os
import stat
import struct
import zipfile

import pandas as pd
import pytest
from bias_files import picture, report_of, zipped
from PIL import Image

from audits.__main__ import main
from audits.bias.inputs import read_items


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
        "empty": [],
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


def test_what_is_no_picture_is_named_and_never_opened(folder):
    (folder / "set/a").mkdir(parents=True)
    (folder / "set/a/1.png").write_bytes(picture())
    (folder / "set/a/.DS_Store").write_bytes(b"x")
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere/2.png").write_bytes(picture())
    (folder / "set/linked").symlink_to(folder / "elsewhere")
    os.mkfifo(folder / "set/a/pipe.png")  # opening it would wait for ever
    items = read_items(folder / "set", ["folder"])
    assert list(items.table.index) == ["a/1.png"]
    assert items.empty == ()
    assert items.notes[0].startswith("2 files")
    assert all(name in items.notes[0] for name in ("'linked'", "'a/pipe.png'"))


def test_bad_files_among_good_ones_are_all_named(folder):
    zipped("set.zip", [("a/good.png", picture()), *((f"a/bad{i:02}.png", b"x") for i in range(15))])
    note = read_items(folder / "set.zip", ["folder"]).notes[0]
    assert note.startswith("15 files")
    assert all(f"bad{i:02}.png" in note for i in range(15))


def test_missing_groups_and_outcomes_are_counted_and_the_rest_kept(folder):
    table = pd.read_csv("set.csv", keep_default_na=False)
    table["tone"] = table["tone"].replace("", "nan")
    table.loc[10:15, "score"] = None
    table.to_csv("gaps.csv", index=False)
    assert main(["bias", "gaps.csv", "--groups", "tone", "--outcome", "score", "--out", "out"]) == 0
    report = report_of(folder / "out")
    assert [f.name for f in report.findings if f.name.startswith("share")] == ["share.dark", "share.light"]
    assert report["score.gap"].n == 289
    assert any("5 items have no tone" in caveat for caveat in report.caveats)
    assert any("6 items have no score" in caveat for caveat in report.caveats)
    table.to_parquet("gaps.parquet")
    assert read_items(folder / "gaps.parquet", ["tone"]).table["tone"].isna().sum() == 5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tone,hat\na,b,c,d\ne,f\n", "4 cells in line 2 but 2 columns"),  # pandas would read c as the tone
        ("tone,tone\na,b\n", "two columns named 'tone'"),
        ("", "no columns"),
        ('tone\n"a\nb\n', "cannot be read as a CSV"),
        ("tone,score\na,inf\nb,1\n", "not a number in 1 rows"),
        ("tone,score\na,\nb,\n", "missing in every row"),
    ],
)
def test_tables_that_would_be_misread_are_refused(folder, capsys, text, words):
    (folder / "odd.csv").write_text(text)
    outcome = ["--outcome", "score"] if "score" in text else []
    assert main(["bias", "odd.csv", "--groups", "tone", *outcome, "--out", "out"]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("dark", 0.5), ("light", 0.6)], "sum to 1.1; they must sum to 1"),
        ([("dark", 0.5), ("pale", 0.5)], "no share for 'light', only for 'dark', 'pale'"),
        ([("dark", 0.5), ("dark", 0.5)], "names a group twice"),
        ([("dark", 0.5), ("light", "half")], "not a number"),
        ([("dark", 1.5), ("light", -0.5)], "numbers from 0 to 1"),
        ([("dark", 0.5), ("light", None)], "numbers from 0 to 1"),
    ],
)
def test_references_that_are_none_are_refused(folder, capsys, rows, words):
    pd.DataFrame(rows, columns=["group", "share"]).to_csv("odd.csv", index=False)
    assert main(["bias", "set.csv", "--groups", "tone", "--reference", "odd.csv", "--out", "out"]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_names_that_differ_between_tables_are_refused(folder, capsys):
    pd.DataFrame({"true": ["dark", "pale"], "predicted": ["dark", "pale"]}).to_csv("other.csv", index=False)
    assert main(["bias", "set.csv", "--groups", "tone", "--validation", "other.csv", "--out", "out"]) == 2
    assert "no item whose true group is 'light'" in capsys.readouterr().err
    for training, words in (
        ({"tone": ["pale"] * 5, "hat": ["no"] * 5}, "the names must be the same"),
        ({"tone": ["dark"] * 5, "hat": ["yes"] * 5}, "the names must be the same"),
        ({"tone": [None] * 5, "hat": ["no"] * 5}, "No row of the training set has both a tone and a hat"),
    ):
        pd.DataFrame(training).to_csv("train.csv", index=False)
        assert main(["bias", "set.csv", "--groups", "tone,hat", "--training", "train.csv", "--out", "out"]) == 2
        assert words in capsys.readouterr().err

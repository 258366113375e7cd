"""`python -m audits bias` on tables, folders and zips: its files and its words."""

import numpy as np
import pandas as pd
from bias_files import picture, report_of, zipped

from audits.__main__ import main
from audits.bias.inputs import read_items


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


def test_a_mac_s_zip_is_read_like_any_other(folder):
    files = [(f"set/{g}/{i}.png", picture()) for g in "ab" for i in range(2)]
    junk = [("__MACOSX/set/a/._1.png", b"x"), ("set/.DS_Store", b"x"), ("set/a/Thumbs.db", b"x")]
    zipped("set.zip", [*files, *junk])
    items = read_items(folder / "set.zip", ["folder"])
    assert items.table["folder"].value_counts().to_dict() == {"a": 2, "b": 2}
    assert (items.empty, items.notes) == ((), ())


def test_a_zip_is_read_like_its_folder(folder):
    files = [(f"outer/{g}/{i}.jpg", picture(kind="JPEG")) for g in "ab" for i in range(3)]
    zipped("set.zip", [*files, ("outer/c/", ""), ("outer/a/bad.png", b"no"), ("outer/notes.txt", b"x")])
    items = read_items(folder / "set.zip", ["folder"])
    assert items.table["folder"].value_counts().to_dict() == {"a": 3, "b": 3}
    assert items.empty == ("c",)
    assert "2 files" in items.notes[0]


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

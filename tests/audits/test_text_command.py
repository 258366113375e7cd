"""`python -m audits text`: its reports, and one sentence where it cannot work."""

import json

import pandas as pd
import pytest

from audits.__main__ import main
from audits.report import Report


@pytest.fixture
def texts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trained.txt").write_text("".join(f"Name{i}\n" for i in range(90)))
    (tmp_path / "held.txt").write_text("".join(f"Other{i}\n" for i in range(10)))
    (tmp_path / "made.txt").write_text("name1\nname2\nother3\nnew\n")
    (tmp_path / "corpus.txt").write_text("It was the best of times, it was the worst of times, it was the age.\n")
    (tmp_path / "book.txt").write_text(
        "Call me Ishmael. Some years ago, never mind how long precisely, I went to sea.\n"
    )
    (tmp_path / "long").mkdir()
    (tmp_path / "long" / "1.txt").write_text("And it was the worst\nof times, it was the age of wisdom.")
    (tmp_path / "long" / "2.txt").write_text("it was the worst of times, I think")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    (tmp_path / "empty.txt").write_text("\n \n")
    return tmp_path


def run(texts, *arguments) -> Report:
    assert main(["text", *arguments, "--out", "report"]) == 0
    assert {p.suffix for p in (texts / "report").iterdir()} == {".json", ".csv", ".html", ".pdf"}
    return Report.from_json((texts / "report" / "report.json").read_text())


def test_memorisation(texts, capsys):
    report = run(texts, "memorisation", "made.txt", "--trained", "trained.txt", "--held-out", "held.txt")
    assert [report[f"share.{name}"].value for name in ("trained", "held_out")] == [0.5, 0.25]
    assert "ratio.items" in capsys.readouterr().out


def test_copies(texts):
    report = run(texts, "copies", "long", "--training", "corpus.txt", "--held-out", "book.txt", "--length", "20")
    assert (report["share.copied"].value, report["longest"].value) == (1, len("it was the worst of times, "))
    report = run(texts, "copies", "long", "--training", "corpus.txt", "--unit", "words", "--length", "9")
    assert (report["share.copied"].value, report["longest"].value) == (0.5, 10)


def test_distinctness(texts):
    report = run(texts, "distinctness", "made.txt", "--reference", "held.txt", "--unit", "characters")
    assert report["repeated"].value == 0
    assert report["distinct.1"].floor is not None
    assert run(texts, "distinctness", "made.txt")["distinct.1"].floor is None


def test_our_sentences_are_scored_and_judged(texts, capsys):
    assert main(["text", "sentences", "--out", "pairs.csv"]) == 0
    table = pd.read_csv("pairs.csv")
    for name in ("first", "second"):  # a model that prefers men with men's trades, and nothing else
        told = table[name].str.contains(r"\b(?:he|man)\b") == (table["side"] == "man")
        table[f"score_{name}"] = -20.0 + (told & (table["set"] == "gender-occupation"))
    table.to_csv("pairs.csv", index=False)
    report = run(texts, "pairs", "pairs.csv")
    assert report["share.gender-occupation"].value == 1
    assert report["tie.gender-occupation"].value == 2
    assert report["tie.gender-occupation"].verdict == "worse"
    assert report["test.control"].value == 1
    assert "trades" in report["share.gender-occupation"].reading
    assert "nothing about people" in capsys.readouterr().out
    table.assign(tokens_first=5, tokens_second=6).to_parquet("pairs.parquet")
    assert any("200 of 200" in caveat for caveat in run(texts, "pairs", "pairs.parquet").caveats)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["memorisation", "absent.txt", "--trained", "trained.txt", "--held-out", "held.txt"], "absent.txt is not a"),
        (["memorisation", "made.txt", "--trained", "held.txt", "--held-out", "held.txt"], "must be disjoint"),
        (["memorisation", "empty.txt", "--trained", "trained.txt", "--held-out", "held.txt"], "has no item"),
        (["distinctness", "latin.txt"], "not UTF-8"),
        (["distinctness", "made.txt", "--level", "95"], "level is 95"),
        (["copies", "long", "--training", "long"], "long is not a file"),
        (["copies", "long", "--training", "corpus.txt", "--length", "-1"], "length is -1"),
        (["pairs", "made.txt"], "no column 'set'"),
        (["pairs", "absent.csv"], "absent.csv"),
    ],
)
def test_errors_are_one_sentence(texts, capsys, arguments, says):
    assert main(["text", *arguments, "--out", "report"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert says in printed.err
    assert printed.err.count("\n") == 1
    assert not (texts / "report").exists()


def test_a_command_without_its_audit_or_lists_is_refused(capsys):
    for arguments in (["text"], ["text", "memorisation", "x"], ["text", "distinctness", "x", "--unit", "lines"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2


def test_the_json_has_no_infinite_figure(texts):
    (texts / "made.txt").write_text("name1\nname2\n")
    assert main(["text", "memorisation", "made.txt", "--trained", "trained.txt", "--held-out", "held.txt",
                 "--out", "report"]) == 0  # fmt: skip
    body = json.loads((texts / "report" / "report.json").read_text())
    ratio = next(f for f in body["findings"] if f["name"] == "ratio.items")
    assert (ratio["value"], ratio["high"]) == (None, None)

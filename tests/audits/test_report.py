"""Reports: the same bytes for the same report, safe in a browser and in a spreadsheet."""

import csv
import io
import json
import math
from html.parser import HTMLParser

import pytest

from audits.report import Finding, Report, against_floor

EVIL = '=HYPERLINK("http://x","y")<script>alert(1)</script>\u202e\x00"\'&\ud800'
REPORT = Report(
    "Quality <of> a set",
    (
        Finding("Fréchet distance", 1.5, 1.0, 2.0, 10_000, "squared distance", 0.4, "worse", "Far."),
        Finding("no figure", math.nan, -math.inf, math.inf, 0, "share", math.nan),
        Finding(EVIL, -0.25, -0.5, 0.0, 3, "share", None, "", "+1 中文"),
    ),
    ("-2+3 is a caveat", EVIL),
)


def test_json_survives_nan_and_a_round_trip():
    body = json.loads(REPORT.to_json(), parse_constant=pytest.fail)
    assert [body["findings"][1][k] for k in ("value", "low", "high", "floor")] == [None] * 4
    back = Report.from_json(REPORT.to_json())
    assert back.to_json() == REPORT.to_json()
    assert back.findings[0] == REPORT.findings[0]
    assert math.isnan(back["no figure"].value)


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", "null", "{" * 5000, '{"title":1,"findings":[],"caveats":[]}',
        '{"title":"t","findings":[{}],"caveats":[]}', '{"title":"t","findings":{},"caveats":[]}',
        REPORT.to_json().replace("1.5", '"1.5"'), REPORT.to_json().replace("10000", "1e4"),
        REPORT.to_json().replace("1.5", "9" * 400), "[" * 200_000,
    ],
)  # fmt: skip
def test_what_is_not_a_report_is_refused(text):
    with pytest.raises(ValueError, match="not a report"):
        Report.from_json(text)


def test_no_csv_cell_is_a_formula_and_numbers_stay_numbers():
    rows = list(csv.DictReader(io.StringIO(REPORT.to_csv())))
    assert rows[2]["name"].startswith("'=HYPERLINK")
    assert rows[2]["reading"] == "'+1 中文"
    assert float(rows[2]["value"]) == -0.25
    assert rows[1]["value"] == rows[1]["floor"] == ""
    assert float(rows[0]["value"]) == 1.5


def test_the_page_runs_and_fetches_nothing():
    page = REPORT.to_html()

    class Tags(HTMLParser):
        seen, urls, inline = set(), [], []

        def handle_starttag(self, tag, attrs):
            self.seen.add(tag)
            self.urls += [v for k, v in attrs if k in ("src", "href", "action", "xlink:href")]
            self.inline += [k for k, _ in attrs if k == "style" or k.startswith("on")]

    tags = Tags()
    tags.feed(page)
    assert "script" not in tags.seen
    assert tags.urls == tags.inline == []
    assert {"svg", "title", "desc", "caption", "main"} <= tags.seen
    assert "default-src 'none'" in page
    assert "prefers-color-scheme: dark" in page
    assert "\u202e" not in page
    assert "\x00" not in page
    page.encode()  # no lone surrogate is left
    assert "&lt;of&gt;" in page
    assert "nan" not in page.split("<main>")[1].lower()


def test_the_policy_allows_exactly_the_style_of_the_page():
    import base64
    import hashlib
    import re

    page = REPORT.to_html()
    style = re.search("<style>(.*?)</style>", page, re.S).group(1)
    assert base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() in page


def test_four_files_with_the_same_bytes_each_time(tmp_path):
    first = REPORT.write(tmp_path / "a" / "b")
    second = REPORT.write(tmp_path / "c")
    assert [p.name for p in first] == ["report.json", "report.csv", "report.html", "report.pdf"]
    assert sorted(p.name for p in (tmp_path / "c").iterdir()) == sorted(p.name for p in second)
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes()
    assert first[3].read_bytes().startswith(b"%PDF-")


def test_a_long_report_still_fits_its_pages():
    findings = tuple(Finding(f"f{i}", i, 0, i, 1, reading="word " * 300) for i in range(40))
    assert Report("long", findings).to_pdf().startswith(b"%PDF-")
    assert Report("empty", ()).to_pdf().startswith(b"%PDF-")
    assert "no findings" in Report("empty", ()).to_html()


def test_verdicts():
    assert against_floor(1, 2, 0.5, lower_is_better=True) == "worse"
    assert against_floor(1, 2, 0.5, lower_is_better=False) == "better"
    assert against_floor(1, 2, 2, lower_is_better=True) == "cannot tell"
    assert against_floor(math.nan, 2, 0.5, lower_is_better=True) == "cannot tell"
    assert against_floor(1, 2, None, lower_is_better=True) == ""
    with pytest.raises(ValueError, match="upside down"):
        Finding("f", 1, 2, 0, 1)

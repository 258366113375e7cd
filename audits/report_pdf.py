"""A report as a PDF, with the same bytes for the same report."""

from __future__ import annotations

import html
import io

from audits.report import Report, figure, printable


def document(report: Report) -> bytes:
    """Lay the report out on landscape A4.

    The built-in Helvetica is used, so that nothing depends on the fonts of a machine: a character outside
    Western European text is printed as its code (`\\u4e2d`); the JSON, CSV and HTML keep it as it is.
    """
    from reportlab.lib import colors
    from reportlab.lib.pagesizes import A4, landscape
    from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
    from reportlab.lib.units import mm
    from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

    styles = getSampleStyleSheet()
    cell = ParagraphStyle("cell", parent=styles["BodyText"], fontSize=8, leading=10, splitLongWords=1)
    head = ParagraphStyle("head", parent=cell, fontName="Helvetica-Bold")

    columns = ("figure", "value", "low", "high", "floor", "items", "unit", "verdict", "reading")
    rows = [[Paragraph(name, head) for name in columns]]
    for f in report.findings:
        numbers = [figure(x) for x in (f.value, f.low, f.high, f.floor)]
        texts = [f.name, *numbers, f"{f.n:,}", f.unit, f.verdict, f.reading]
        rows.append([Paragraph(_markup(text[:2000]), cell) for text in texts])
    widths = [46 * mm, 17 * mm, 17 * mm, 17 * mm, 17 * mm, 17 * mm, 26 * mm, 20 * mm, 90 * mm]
    grid = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, colors.HexColor("#d0d7de")),
        ("BACKGROUND", (0, 0), (-1, 0), colors.HexColor("#f2f4f7")),
    ]
    story = [Paragraph(_markup(report.title), styles["Title"]), Spacer(1, 4 * mm)]
    story.append(Table(rows, colWidths=widths, repeatRows=1, style=TableStyle(grid), splitInRow=1))
    if report.caveats:
        story.append(Paragraph("Caveats", styles["Heading2"]))
        story += [Paragraph("- " + _markup(caveat), styles["BodyText"]) for caveat in report.caveats]

    out = io.BytesIO()
    template = SimpleDocTemplate(
        out, pagesize=landscape(A4), leftMargin=14 * mm, rightMargin=14 * mm, topMargin=14 * mm,
        bottomMargin=14 * mm, title=_latin(report.title), author="GenLab", invariant=1,
    )  # fmt: skip
    template.build(story)
    return out.getvalue()


def _latin(text: str) -> str:
    return printable(text).encode("cp1252", "backslashreplace").decode("cp1252")


def _markup(text: str) -> str:
    return html.escape(_latin(text), quote=False)

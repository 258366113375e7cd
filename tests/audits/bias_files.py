"""What the tests of the bias command bring along: pictures, zips, and the report that was written."""

import io
import zipfile

from PIL import Image

from audits.report import Report


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

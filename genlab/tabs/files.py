"""Sealed media to files that the page can show, byte for byte, and uploads to paths."""

import os
from pathlib import Path
from typing import Any

from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from audits.provenance import Sealed

SUFFIXES = {"image/png": ".png", "image/gif": ".gif", "video/mp4": ".mp4", "text/plain": ".txt"}


def stored(sealed: Sealed, name: str) -> str:
    """The path of a file with exactly the sealed bytes, in the folder that the page may read."""
    suffix = SUFFIXES[sealed.media_type]
    return stored_bytes(sealed.media, name if name.endswith(suffix) else name + suffix)


def stored_bytes(content: bytes, name: str) -> str:
    """The path of a file with these bytes; the folder is named by their hash, the file as given."""
    folder = get_upload_folder()
    os.makedirs(folder, exist_ok=True)
    return save_bytes_to_cache(content, name.replace("/", "-").replace(":", "-"), folder)


def uploaded_paths(payload: Any) -> list[tuple[str, Path]]:
    """Names and paths of all files in an upload as the page sends it."""
    rows = payload if isinstance(payload, list) else [payload]
    found = [(row.get("orig_name") or "", uploaded_path(row)) if isinstance(row, dict) else ("", row) for row in rows]
    return [(Path(name or path).name, Path(path)) for name, path in found if isinstance(path, str) and path]


def uploaded_path(payload: Any) -> str | None:
    """The path inside an upload as the page sends it; the server has checked that it lies among the uploads."""
    if isinstance(payload, list):
        payload = payload[0] if payload else None
    path = payload.get("path") if isinstance(payload, dict) else payload
    return path if isinstance(path, str) else None

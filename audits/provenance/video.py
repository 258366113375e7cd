"""The first frame of a video, decoded by ffmpeg in a process of its own that may read this one file alone."""

from __future__ import annotations

import io
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from audits.provenance.containers import MediaError
from audits.provenance.content import MAX_PIXELS

PATIENCE = 20  # seconds
LARGEST = 1920  # pixels of the longer side: a larger frame is reduced to it


def first_frame(media: bytes) -> np.ndarray:
    """RGB (h, w, 3) uint8 of an MP4's first frame.

    Raises:
        MediaError: it holds no frame that can be decoded, or takes too long.
    """
    import imageio_ffmpeg
    from PIL import Image

    with tempfile.TemporaryDirectory() as work:
        path = Path(work) / "video.mp4"
        path.write_bytes(media)
        shrunk = f"scale='min({LARGEST},iw)':'min({LARGEST},ih)':force_original_aspect_ratio=decrease"
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-protocol_whitelist", "file,pipe"]
        command += ["-threads", "1", "-max_pixels", str(MAX_PIXELS), "-f", "mov", "-i", str(path), "-frames:v", "1"]
        command += ["-an", "-sn", "-vf", shrunk, "-f", "image2pipe", "-c:v", "ppm", "pipe:1"]
        try:
            done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=True)
            with Image.open(io.BytesIO(done.stdout), formats=["PPM"]) as frame:
                return np.asarray(frame.convert("RGB"))
        except (subprocess.SubprocessError, OSError, ValueError) as error:
            raise MediaError("The video holds no picture that can be decoded.") from error

"""Pixels to files: enlarged PNGs, sheets, strips, GIF and MP4. uint8 arrays in, bytes out; nothing is sealed here."""

import io
import math
import subprocess

import numpy as np

TARGET = 224  # pixels that a delivered picture's shorter side has at least


def enlargement(height: int, width: int) -> int:
    """By how much items of that size are enlarged for delivery: 8 up to a side of 32, else to 224 pixels or more."""
    side = min(height, width)
    return 8 if side <= 32 else max(1, math.ceil(TARGET / side))


def enlarge(items: np.ndarray, factor: int | None = None) -> np.ndarray:
    """Items (..., c, h, w) with every pixel repeated `factor` times each way (nearest neighbour)."""
    factor = factor or enlargement(*items.shape[-2:])
    return items.repeat(factor, axis=-2).repeat(factor, axis=-1)


def png(item: np.ndarray) -> bytes:
    """One item (c, h, w), grey or RGB, uint8, as a PNG file."""
    from PIL import Image

    pixels = item[0] if item.shape[0] == 1 else item.transpose(1, 2, 0)
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "PNG", compress_level=1)
    return file.getvalue()


def grid(items: np.ndarray, columns: int, gap: int = 0) -> np.ndarray:
    """Items (n, c, h, w) side by side in rows of `columns`, `gap` black pixels between them: (c, height, width)."""
    n, c, h, w = items.shape
    rows = math.ceil(n / columns)
    sheet = np.zeros((c, rows * (h + gap) - gap, columns * (w + gap) - gap), np.uint8)
    for i, item in enumerate(items):
        top, left = (i // columns) * (h + gap), (i % columns) * (w + gap)
        sheet[:, top : top + h, left : left + w] = item
    return sheet


def gif(frames: np.ndarray, per_second: int) -> bytes:
    """Frames (n, c, h, w) as an endless GIF."""
    from PIL import Image

    shown = [Image.fromarray(f[0] if f.shape[0] == 1 else f.transpose(1, 2, 0)) for f in frames]
    file = io.BytesIO()
    shown[0].save(
        file, "GIF", save_all=True, append_images=shown[1:], duration=round(1000 / per_second), loop=0, optimize=False
    )
    return file.getvalue()


def mp4(frames: np.ndarray, per_second: int) -> bytes:
    """Frames (n, c, h, w) as an H.264 video that browsers play.

    Raises:
        RuntimeError: ffmpeg is missing or failed.
    """
    import tempfile
    from pathlib import Path

    import imageio_ffmpeg

    c, h, w = frames.shape[1:]
    with tempfile.TemporaryDirectory() as work:
        out = Path(work) / "walk.mp4"
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-f", "rawvideo"]
        command += ["-pix_fmt", "gray" if c == 1 else "rgb24", "-s", f"{w}x{h}", "-r", str(per_second), "-i", "pipe:0"]
        command += ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-c:v", "libx264", "-preset", "veryfast", "-crf", "18"]
        command += ["-pix_fmt", "yuv420p", "-threads", "1", "-fflags", "+bitexact", "-flags:v", "+bitexact"]
        command += ["-map_metadata", "-1", "-movflags", "+faststart", "-y", str(out)]
        raw = np.ascontiguousarray(frames.transpose(0, 2, 3, 1)).tobytes()
        done = subprocess.run(command, input=raw, capture_output=True, timeout=60)
        if done.returncode:
            raise RuntimeError(f"ffmpeg failed: {done.stderr.decode(errors='replace')[-400:]}")
        return out.read_bytes()


def to_bytes(images) -> np.ndarray:
    """Float images in [0, 1], a tensor (n, c, h, w), as uint8 on the CPU: the one rounding on the way out."""
    import torch

    return images.mul(255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()

"""Where and how networks run: the only file that knows CUDA, bf16 and ZeroGPU."""

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

ZERO_GPU = bool(os.environ.get("SPACES_ZERO_GPU"))
_alone = threading.Lock()


def gpu(seconds: int) -> Callable:
    """A decorator that borrows a ZeroGPU device for at most `seconds`; elsewhere it does nothing.

    On ZeroGPU the call runs in a forked process: arguments and results must be picklable and hold
    no CUDA tensor.
    """

    def keep(function):
        return function

    if not ZERO_GPU:
        return keep
    import spaces

    return functools.partial(spaces.GPU, duration=seconds)


def serving_device() -> str:
    """The device that the app computes on: "cuda" where there is one, else "cpu"."""
    import torch

    return "cuda" if ZERO_GPU or torch.cuda.is_available() else "cpu"


def lasting_device() -> str:
    """As `serving_device`, but the CPU where a device is only lent for a call: for what answers a little at a time."""
    return "cpu" if ZERO_GPU else serving_device()


def check_device(name: str):
    """`name` as a torch.device that exists here.

    Raises:
        ValueError: the name is unknown or the device is missing.
    """
    import torch

    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise ValueError(f"Devices are cpu and cuda (or cuda:N); {name!r} was given.")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"{name!r} was asked for, but this machine has no CUDA device: use --device cpu.")
    return device


def describe(device: Any) -> str:
    """The device in words, for records of measurements."""
    import platform

    import torch

    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    model = ""
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as lines:
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    return f"CPU, {torch.get_num_threads()} thread(s), {model or platform.machine()}"


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """torch on one thread, one caller at a time: for many small operations, where threads wait for each other."""
    import torch

    with _alone:
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def autocast(device: Any):
    """bf16 autocast, for training: on the CPU and on CUDA alike."""
    import torch

    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16)


def deterministic(device: Any) -> None:
    """Choose the kernels that give the same bits every time (a no-op on the CPU)."""
    import torch

    if torch.device(device).type == "cuda":
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False


class Recorded:
    """A function of a few tensors, recorded as a CUDA graph at its fourth call and played from then on.

    What it is given must keep its shapes, and it must ask the device nothing. Random numbers follow the seed that is
    set before each call, as without recording.

    Args:
        function: takes a tuple of tensors, and further arguments that the recording keeps as they are then.
        copied: whether results are copied out; else they stand until the next call. Several threads may call it then.
    """

    EAGER = 3  # calls before: libraries choose their kernels, optimisers make their state

    def __init__(self, function: Callable, *, copied: bool = False):
        self.function, self.copied, self.calls, self.graph = function, copied, 0, None
        self.lock = threading.Lock()

    def __call__(self, given: tuple, *rest):
        import torch

        with self.lock:
            self.calls += 1
            if self.calls <= self.EAGER:  # on a stream of its own, as the recording will be
                beside, main = torch.cuda.Stream(), torch.cuda.current_stream()
                beside.wait_stream(main)
                with torch.cuda.stream(beside):
                    result = self.function(given, *rest)
                main.wait_stream(beside)
                return result
            if self.graph is None:
                self.given = type(given)._make(x.clone() for x in given) if hasattr(given, "_make") else tuple(
                    x.clone() for x in given)  # fmt: skip
                self.graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(self.graph, capture_error_mode="thread_local"):
                    self.result = self.function(self.given, *rest)
            for kept, new in zip(self.given, given, strict=True):
                kept.copy_(new)
            self.graph.replay()
            return self.result.clone() if self.copied else self.result

"""Limits that hold before any handler runs: size of a request, requests per visitor, and headers that browsers obey."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

KILOBYTE = 1024
BODY = 256 * KILOBYTE
UPLOAD = 64 * KILOBYTE**2 + 64 * KILOBYTE  # the file and its envelope
VISITORS = 4096  # remembered at a time

HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
    b"permissions-policy": b"camera=(), microphone=(), geolocation=()",
    # Everything comes from this server; the page may stand inside a Space's frame.
    b"content-security-policy": b"; ".join(
        [
            b"default-src 'self'",
            b"script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
            b"style-src 'self' 'unsafe-inline'",
            b"img-src 'self' data: blob:",
            b"media-src 'self' data: blob:",
            b"font-src 'self' data:",
            b"connect-src 'self' data: blob:",
            b"worker-src 'self' blob:",
            b"object-src 'none'",
            b"base-uri 'self'",
            b"frame-ancestors 'self' https://huggingface.co https://*.hf.space",
        ]
    ),
}


class Limits:
    """ASGI middleware: bodies up to 256 kB (uploads 64 MB), and a token bucket of requests for every visitor.

    Args:
        rate: requests a second that change or compute something (POST), in the long run.
        burst: how many at once.
        behind_proxy: whether X-Forwarded-For was written by a proxy of ours; anyone else may put anything there.
        clock: seconds, rising.
    """

    def __init__(
        self,
        app: Callable,
        *,
        rate: float = 20.0,
        burst: int = 80,
        behind_proxy: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.app, self.rate, self.burst = app, rate, burst
        self.behind_proxy, self.clock = behind_proxy, clock
        self.buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # visitor -> (tokens, when)

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        send = with_headers(send)
        wait = self.wait(scope) if scope["method"] not in ("GET", "HEAD", "OPTIONS") else 0.0
        if wait:
            await refuse(send, 429, f"Too many requests: wait {wait} s.", {b"retry-after": str(wait).encode()})
            return
        uploaded = scope["path"].rstrip("/").endswith("/upload")
        limit = UPLOAD if uploaded else BODY
        sentence = f"The request is larger than {limit // KILOBYTE:,} kB: send " + (
            "a file of up to 64 MB." if uploaded else "less at once, and files through /upload."
        )
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > limit:
            await refuse(send, 413, sentence)
            return
        await self.counted(scope, receive, send, limit, sentence)

    async def counted(self, scope: dict, receive: Callable, send: Callable, limit: int, sentence: str) -> None:
        """Run the app, counting the bytes that really come; past the limit the request is over."""
        seen, started = 0, False

        async def receive_counted() -> dict:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise TooLarge
            return message

        async def send_noted(message: dict) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive_counted, send_noted)
        except TooLarge:
            if not started:
                await refuse(send, 413, sentence)

    def wait(self, scope: dict) -> int:
        """Whole seconds until this visitor may ask again; 0 means now, and one request is counted."""
        visitor, now = self.visitor(scope), self.clock()
        tokens, then = self.buckets.pop(visitor, (float(self.burst), now))
        tokens = min(self.burst, tokens + (now - then) * self.rate)
        allowed = tokens >= 1
        self.buckets[visitor] = (tokens - allowed, now)
        if len(self.buckets) > VISITORS:
            self.buckets.popitem(last=False)
        return 0 if allowed else max(1, math.ceil((1 - tokens) / self.rate))

    def visitor(self, scope: dict) -> str:
        """The visitor's address: the connection's, or what our own proxy appended last."""
        if self.behind_proxy:
            forwarded = dict(scope["headers"]).get(b"x-forwarded-for", b"").decode("latin-1")
            last = forwarded.rpartition(",")[2].strip()
            if last:
                return last[:64]
        return (scope.get("client") or ("unknown", 0))[0]


class TooLarge(Exception):
    """More bytes came than the request may have."""


def with_headers(send: Callable) -> Callable:
    """`send`, with our headers on every response that does not set them itself."""

    async def sending(message: dict) -> None:
        if message["type"] == "http.response.start":
            given = {name.lower() for name, _ in message.get("headers", [])}
            extra = [(name, value) for name, value in HEADERS.items() if name not in given]
            message = {**message, "headers": [*message.get("headers", []), *extra]}
        await send(message)

    return sending


async def refuse(send: Callable, status: int, sentence: str, headers: dict[bytes, bytes] | None = None) -> None:
    """Answer with one sentence in JSON."""
    import json

    body = json.dumps({"detail": sentence}).encode()
    start = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    start += list((headers or {}).items())
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})

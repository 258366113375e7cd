"""Limits that hold before any handler runs."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from genlab.tabs.middleware import BODY, HEADERS, UPLOAD, VISITORS, Limits


async def echo(scope, receive, send):
    """An app that reads the whole body and answers with its length."""
    length, more = 0, True
    while more:
        message = await receive()
        length, more = length + len(message.get("body", b"")), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-content-type-options", b"own")]})
    await send({"type": "http.response.body", "body": str(length).encode()})


def finish(work):
    """Run a coroutine in a thread of its own: the browser tests leave this thread a running event loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def ask(
    app, *, path="/gradio_api/queue/join", method="POST", parts=(b"x",), client="1.2.3.4", headers=(), declare=True
):
    """One request; returns (status, headers, body)."""
    waiting, answered = list(parts), []
    given = list(headers)
    if declare:
        given.append((b"content-length", str(sum(map(len, parts))).encode()))
    scope = {"type": "http", "method": method, "path": path, "headers": given, "client": (client, 5)}

    async def receive():
        body = waiting.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(waiting)}

    async def send(message):
        answered.append(message)

    finish(app(scope, receive, send))
    start, body = answered[0], b"".join(m.get("body", b"") for m in answered[1:])
    return start["status"], dict(start["headers"]), body


@pytest.mark.parametrize(("path", "limit"), [("/gradio_api/queue/join", BODY), ("/gradio_api/upload", UPLOAD)])
@pytest.mark.parametrize("declare", [True, False])
def test_bodies_have_a_limit_declared_or_not(path, limit, declare):
    app = Limits(echo)
    assert ask(app, path=path, parts=(b"x" * limit,), declare=declare)[0] == 200
    half = b"x" * (limit // 2)
    status, _, body = ask(app, path=path, parts=(half, half, b"xx"), declare=declare)
    assert status == 413
    assert "larger than" in json.loads(body)["detail"]


def test_a_length_that_is_no_number_is_refused():
    assert ask(Limits(echo), headers=[(b"content-length", b"-5")], declare=False)[0] == 413


def test_a_visitor_who_asks_too_often_waits_and_others_do_not():
    now = [0.0]
    app = Limits(echo, rate=2, burst=5, clock=lambda: now[0])
    assert [ask(app)[0] for _ in range(7)] == [200] * 5 + [429] * 2
    status, headers, body = ask(app)
    assert (status, headers[b"retry-after"]) == (429, b"1")
    assert "wait 1 s" in json.loads(body)["detail"]
    assert ask(app, client="5.6.7.8")[0] == 200
    assert ask(app, method="GET")[0] == 200
    now[0] = 1.0
    assert [ask(app)[0] for _ in range(3)] == [200, 200, 429]


def test_forwarded_addresses_count_only_behind_our_own_proxy():
    now = [0.0]
    for trusted, expected in ((False, 429), (True, 200)):
        app = Limits(echo, rate=1, burst=1, behind_proxy=trusted, clock=lambda: now[0])
        first, second = (ask(app, headers=[(b"x-forwarded-for", f"9.9.9.9, 7.7.7.{i}".encode())])[0] for i in range(2))
        assert (first, second) == (200, expected)
    made_up = [ask(app, headers=[(b"x-forwarded-for", f"{i}.1.1.1, 7.7.7.9".encode())])[0] for i in range(2)]
    assert made_up == [200, 429]  # what a visitor puts before our proxy's entry changes nothing


def test_the_memory_of_visitors_is_bounded():
    app = Limits(echo)
    for i in range(VISITORS + 50):
        app.wait({"headers": [], "client": (f"visitor {i}", 1)})
    assert len(app.buckets) == VISITORS


def test_every_answer_carries_the_headers_and_keeps_its_own():
    _, headers, _ = ask(Limits(echo))
    assert headers[b"x-content-type-options"] == b"own"
    for name in HEADERS:
        assert name in headers
    refused = ask(Limits(echo), parts=(b"x" * (BODY + 1),))[1]
    assert refused[b"x-content-type-options"] == b"nosniff"


def test_other_protocols_pass():
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["type"])

    finish(Limits(app)({"type": "lifespan"}, None, None))
    assert seen == ["lifespan"]

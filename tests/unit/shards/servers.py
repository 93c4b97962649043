"""HTTP servers on this machine: honest ones, and ones that misbehave as told."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Answer = Callable[[BaseHTTPRequestHandler], bool]
"""Answers a request in its own way and returns True, or returns False to leave it alone."""


@contextmanager
def serving(
    folder: Path, answer: Answer | None = None, *, ranges: bool = True
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The address of a server of a folder's files, and the requests that it gets: path, range."""
    requests: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            requests.append((self.path, self.headers.get("Range", "")))
            try:
                if answer is None or not answer(self):
                    send(self, folder, ranges=ranges)
            except OSError:  # the reader went away
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", requests
    finally:
        server.shutdown()
        server.server_close()


def begin_of(request: BaseHTTPRequestHandler) -> int:
    """The first byte that a request asks for."""
    asked = request.headers.get("Range", "bytes=0-")
    return int(asked.removeprefix("bytes=").partition("-")[0])


def send(
    request: BaseHTTPRequestHandler,
    folder: Path,
    *,
    ranges: bool = True,
    at_most: int | None = None,
    arrived: Callable[[], bool] = lambda: True,
) -> None:
    """A file as asked for; with ``at_most`` the connection is cut after so many bytes.

    It is cut when they have ``arrived``: a reader may drop what comes together with the end.
    """
    path = folder / request.path.lstrip("/")
    if not path.is_file():
        request.send_error(404)
        return
    data = path.read_bytes()
    begin = begin_of(request) if ranges else 0
    partial = ranges and "Range" in request.headers
    if partial and begin >= len(data):
        request.send_response(416)
        request.send_header("Content-Length", "0")
        request.end_headers()
        return
    request.send_response(206 if partial else 200)
    if partial:
        request.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
    request.send_header("Content-Length", str(len(data) - begin))
    request.end_headers()
    request.wfile.write(data[begin:][:at_most])
    if at_most is not None:
        request.wfile.flush()
        deadline = time.monotonic() + 10
        while not arrived() and time.monotonic() < deadline:
            time.sleep(0.001)
        request.connection.shutdown(socket.SHUT_WR)  # behind all that was sent
        request.close_connection = True

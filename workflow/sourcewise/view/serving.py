"""The trace browser's server: on loopback, for reading only.

Does not protect against other users of the same machine: whoever can open a connection to its loopback can
read the copy's traces.
"""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from sourcewise.view.pages import POLICY
from sourcewise.view.site import Answer, Site

ADDRESS = "127.0.0.1"
# Names that a browser on this machine, or at the other end of a tunnel, has for us. Any other is a page of
# somebody else's that lets its own name point here (DNS rebinding).
HOSTS = ("127.0.0.1", "localhost")
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}


class Server(ThreadingHTTPServer):
    """Answers browsers with the pages of a site; `port` 0 takes a free one."""

    daemon_threads = True

    def __init__(self, site: Site, port: int) -> None:
        self.site = site
        super().__init__((ADDRESS, port), _Handler)

    @property
    def url(self) -> str:
        """Where the first page is."""
        return f"http://{ADDRESS}:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    server: Server
    server_version = "sourcewise"
    sys_version = ""
    # Seconds that a connection may say nothing.
    timeout = 30

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        if not self._is_ours():
            self.send_error(421, "This server answers for localhost only")
            return
        answer = self.server.site.answer(self.path)
        content = answer.page.encode()
        self.send_response(answer.status)
        for name, value in _headers(answer).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def _is_ours(self) -> bool:
        given = self.headers.get_all("Host") or []
        return len(given) == 1 and given[0].partition(":")[0].lower() in HOSTS

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing: what a reader looks at is no news."""


def _headers(answer: Answer) -> dict[str, str]:
    return {**HEADERS, "Location": answer.location} if answer.location else HEADERS

"""The trace browser's server: on loopback, for reading only.

Does not protect against other users of the same machine: whoever can open a connection to its loopback can
read the copy's traces.
"""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from sourcewise.view.pages import POLICY
from sourcewise.view.site import Site

ADDRESS = "127.0.0.1"
# Names that a browser on this machine, or at the other end of a tunnel, has for us. Any other is a page of
# somebody else's that lets its own name point here (DNS rebinding).
HOSTS = ("127.0.0.1", "localhost")
HEADERS = {
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
        if answer.location:
            self.send_header("Location", answer.location)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def _is_ours(self) -> bool:
        hosts = self.headers.get_all("Host") or []
        # Another site may link here, but must not make us search by an image of its own.
        foreign = self.headers.get("Sec-Fetch-Site") == "cross-site"
        if foreign and self.headers.get("Sec-Fetch-Mode") != "navigate":
            return False
        return len(hosts) == 1 and hosts[0].partition(":")[0].lower() in HOSTS

    def end_headers(self) -> None:
        """Ends the head of every answer, those of errors included."""
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing: what a reader looks at is no news."""

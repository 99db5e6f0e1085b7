"""A replica's server for tests of services on Slurm: the teacher of the tests, which answers when it may.

`python replica_server.py HOST PORT FOLDER`: each request is a line of FOLDER/PORT, and FOLDER/allowed holds how
many of them are answered; the others wait. The token is $VLLM_API_KEY.
"""

import os
import sys
import threading
import time
from pathlib import Path

from teacher_server import Handler, Request, TeacherServer


class ReplicaHandler(Handler):
    """Asks for the token, and tells its health."""

    def do_GET(self) -> None:  # noqa: N802
        self.send_response(200 if self.path == "/health" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:  # noqa: N802
        assert self.headers["Authorization"] == f"Bearer {os.environ['VLLM_API_KEY']}"
        super().do_POST()


class ReplicaServer(TeacherServer):
    """Keeps its record in a folder, and waits for the word to answer that a test writes there."""

    def __init__(self, host: str, port: int, folder: Path) -> None:
        super().__init__(0.0, (host, port), ReplicaHandler)
        self._allowed, self._record = folder / "allowed", folder / str(port)
        self._answered, self._turn = 0, threading.Lock()

    def take(self, request: Request) -> None:
        super().take(request)
        with self._record.open("a") as record:
            record.write(f"{request.query_id} {request.seed}\n")
        while not self._may_answer():
            time.sleep(0.05)

    def _may_answer(self) -> bool:
        with self._turn:
            if self._answered >= int(self._allowed.read_text()):
                return False
            self._answered += 1
            return True


if __name__ == "__main__":
    host, port, folder = sys.argv[1:]
    ReplicaServer(host, int(port), Path(folder)).serve_forever()

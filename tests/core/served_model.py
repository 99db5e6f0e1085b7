"""A model's server for the tests of services: answers in capitals, tells its health and what it runs.

`python served_model.py HOST PORT MODEL SECONDS`: each answer takes SECONDS. The token is $VLLM_API_KEY.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOST, PORT, MODEL, SECONDS = sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    running = 0
    guard = threading.Lock()

    def do_GET(self) -> None:
        if self.path == "/health":
            self.reply(b"")
        elif self.path == "/metrics":
            self.reply(f'vllm:num_requests_running{{model="m"}} {Handler.running}.0\n'.encode())
        elif self.path == "/v1/models":
            self.reply(json.dumps({"data": [{"id": MODEL}]}).encode())
        else:
            self.reply(b"", 404)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers.get("Authorization") != f"Bearer {os.environ['VLLM_API_KEY']}":
            return self.reply(b"", 401)
        with self.guard:
            Handler.running += 1
        time.sleep(SECONDS)
        with self.guard:
            Handler.running -= 1
        message = {"role": "assistant", "content": body["messages"][-1]["content"].upper()}
        content: dict[str, Any] = {
            "choices": [{"message": message, "finish_reason": "stop"}],
            "usage": {"completion_tokens": PORT, "prompt_tokens": 2},
        }
        return self.reply(json.dumps(content).encode())

    def reply(self, content: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Quiet."""


if __name__ == "__main__":
    server = ThreadingHTTPServer((HOST, PORT), Handler)
    server.daemon_threads = True
    server.serve_forever()

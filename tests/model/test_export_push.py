"""export --push: what the hub's client sends, and what is left where the hub refuses."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from test_export import made


class Hub(BaseHTTPRequestHandler):
    """Takes what is uploaded to a data set, where the token is the right one."""

    created: dict[str, Any]
    files: dict[str, bytes]
    refuses_commits = False

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Authorization") != "Bearer right":
            return self._answer(401, {"error": "Invalid username or password."})
        if self.path == "/api/repos/create":
            self.created.update(json.loads(body))
            return self._answer(200, {"url": f"{self._base()}/datasets/me/mix", "id": "me/mix"})
        if self.path == "/api/validate-yaml":
            return self._answer(200, {"errors": [], "warnings": []})
        if self.path == "/api/datasets/me/mix/preupload/main":
            asked = json.loads(body)["files"]
            modes = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in asked
            ]
            return self._answer(200, {"files": modes})
        if self.path == "/api/datasets/me/mix/commit/main":
            if self.refuses_commits:
                return self._answer(403, {"error": "The quota is used up."})
            for line in body.splitlines():
                part = json.loads(line)
                if part["key"] == "file":
                    value = part["value"]
                    self.files[value["path"]] = base64.b64decode(value["content"])
            url = f"{self._base()}/datasets/me/mix/commit/{'0' * 40}"
            answer = {"commitUrl": url, "commitOid": "0" * 40, "success": True}
            return self._answer(200, answer)
        return self._answer(404, {"error": self.path})

    def do_GET(self) -> None:
        self._answer(404, {"error": self.path})

    def _base(self) -> str:
        return f"http://{self.headers['Host']}"

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        if "error" in content:
            self.send_header("X-Error-Message", content["error"])
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[tuple[str, type[Hub]]]:
    handler = type("Own", (Hub,), {"created": {}, "files": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    thread.join()
    server.server_close()


def push(
    folder: Path, endpoint: str, token: str, repo: str = "me/mix"
) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own: the client reads the address when it is loaded."""
    env = {**os.environ, "HF_ENDPOINT": endpoint, "HF_TOKEN": token, "HF_HOME": str(folder / "hf")}
    env.pop("HF_HUB_OFFLINE", None)
    command = [sys.executable, "-m", "sourcewise", "export", "mix", "out", "--push", repo]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_the_folder_arrives_in_a_private_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub: tuple[str, type[Hub]]
) -> None:
    endpoint, handler = hub
    made(tmp_path, monkeypatch)
    ended = push(tmp_path, endpoint, "right")
    assert ended.returncode == 0, ended.stderr
    assert "out: pushed to http://127.0.0.1" in ended.stdout
    assert (handler.created["type"], handler.created["visibility"]) == ("dataset", "private")
    out = tmp_path / "out"
    local = {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    assert handler.files == local
    assert sorted(local) == ["README.md", "data/train-00000-of-00001.parquet"]


def test_a_hub_that_refuses_is_known_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub: tuple[str, type[Hub]]
) -> None:
    endpoint, handler = hub
    made(tmp_path, monkeypatch)
    for ended in (
        push(tmp_path, endpoint, "wrong"),
        push(tmp_path, "http://127.0.0.1:9", "right"),
        push(tmp_path, endpoint, "right", "not a name"),
    ):
        assert ended.returncode == 2
        [line] = ended.stderr.splitlines()
        assert line.startswith("sourcewise export: --push ")
        assert "HF_TOKEN" in line
    assert not (tmp_path / "out").exists()
    assert not handler.files


def test_a_refused_upload_leaves_the_folder_and_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub: tuple[str, type[Hub]]
) -> None:
    endpoint, handler = hub
    handler.refuses_commits = True
    made(tmp_path, monkeypatch)
    ended = push(tmp_path, endpoint, "right")
    assert ended.returncode == 2
    assert "`hf upload me/mix out --repo-type dataset`" in ended.stderr
    assert (tmp_path / "out/README.md").is_file()

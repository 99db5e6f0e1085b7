"""What is asked over the network: the hub, servers of teachers, the judge; by what params.yaml needs."""

from __future__ import annotations

import email.utils
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from sourcewise.doctor.findings import Finding, count, listed
from sourcewise.doctor.needs import Needs

SECONDS = 4.0
DRIFT = 30.0


class Reply(NamedTuple):
    """What an address answered: the status, the text and the server's time where it said it."""

    status: int
    text: str
    time: float | None


def hub(needs: Needs) -> list[Finding]:
    """Whether data sets and models can be fetched, or are kept here."""
    if not needs.hub:
        return [Finding("hub", "ok", "params.yaml fetches nothing from it")]
    wanted = f"params.yaml fetches {listed(needs.hub)}"
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache/huggingface")
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        kept = [folder.name for folder in (home / "hub").glob("*--*--*")]
        if not kept:
            seen = f"HF_HUB_OFFLINE is set and {home} is empty, but {wanted}"
            fix = "copy a filled HF_HOME from a machine with network, or unset HF_HUB_OFFLINE"
            return [Finding("hub", "problem", seen, fix)]
        seen = f"offline, {count(len(kept), 'repository').replace('ys', 'ies')} in {home}; {wanted}"
        fix = "fetch what is missing where there is network: hf download REPOSITORY"
        return [Finding("hub", "warning", seen, fix)]
    address = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    token = os.environ.get("HF_TOKEN") or _kept(home / "token")
    try:
        path = "/api/whoami-v2" if token else "/api/models?limit=1"
        reply = ask(address + path, key=token)
    except OSError as error:
        seen = f"{address}: {_reason(error)}, but {wanted}"
        fix = "on a machine without network: HF_HOME=/shared/hf HF_HUB_OFFLINE=1, filled by `hf download`"
        return [Finding("hub", "problem", seen, fix)]
    if reply.status == 401:
        return [Finding("hub", "problem", f"{address} refuses the token", "hf auth login")]
    who = "" if token else ", without a token: gated repositories are closed"
    found = [Finding("hub", "ok", f"{address} answers{who}; {wanted}")]
    drift = abs(reply.time - time.time()) if reply.time else 0.0
    if drift > DRIFT:
        seen = f"this machine's clock is {drift:.0f} s off that of {address}"
        found.append(Finding("clock", "warning", seen, "timedatectl set-ntp true"))
    return found


def _kept(file: Path) -> str | None:
    try:
        return file.read_text().strip() or None
    except OSError:
        return None


def servers(needs: Needs) -> list[Finding]:
    """Whether the servers answer that teachers of the engine `server` are asked at, and the judge's."""
    found = []
    urls = [url.strip() for url in os.environ.get("SOURCEWISE_SERVER_URLS", "").split(",")]
    urls = [url.rstrip("/") for url in urls if url]
    if needs.served and not urls:
        seen = f"{listed(needs.served)} need one"
        fix = "export SOURCEWISE_SERVER_URLS=http://host:8000/v1 (docs/teachers.md)"
        found.append(Finding("servers", "problem", seen, fix))
    key = os.environ.get("SOURCEWISE_SERVER_KEY")
    found += [_server("servers", url, key, needs.served_models) for url in urls]
    judge = os.environ.get("SOURCEWISE_JUDGE_URL")
    if judge:
        key = os.environ.get("SOURCEWISE_JUDGE_KEY")
        found.append(_server("judge", judge.rstrip("/"), key, ()))
    elif needs.judged:
        seen = f"none: verdicts on {listed(needs.judged)} will be `unavailable`"
        fix = "export SOURCEWISE_JUDGE_URL=http://host:8001/v1 (docs/operating.md)"
        found.append(Finding("judge", "warning", seen, fix))
    return found or [Finding("servers", "ok", "params.yaml asks none")]


def _server(check: str, url: str, key: str | None, models: tuple[str, ...]) -> Finding:
    try:
        reply = ask(f"{url}/models", key=key)
    except (OSError, ValueError) as error:
        return Finding(check, "problem", f"{url}: {_reason(error)}", f"curl {url}/models")
    if reply.status in (401, 403):
        fix = f"export SOURCEWISE_{'JUDGE' if check == 'judge' else 'SERVER'}_KEY=…"
        return Finding(check, "problem", f"{url} refuses the key", fix)
    try:
        served = [one["id"] for one in json.loads(reply.text)["data"]]
    except (ValueError, KeyError, TypeError):
        # Some hosts do not list what they serve.
        return Finding(check, "ok", f"{url} answers")
    if models and not set(models) & set(served):
        fix = "correct the teacher's model or SOURCEWISE_SERVER_URLS"
        return Finding(check, "problem", f"{url} serves {listed(served)} only", fix)
    return Finding(check, "ok", f"{url} serves {listed(served)}")


def ask(url: str, *, key: str | None = None) -> Reply:
    """One request within SECONDS; a refusal is a reply, too; raises OSError where there is none."""
    headers: Mapping[str, str] = {"Authorization": f"Bearer {key}"} if key else {}
    request = urllib.request.Request(url, headers=dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as reply:
            text = reply.read(1 << 20).decode(errors="replace")
            return Reply(reply.status, text, _time(reply.headers.get("Date")))
    except urllib.error.HTTPError as refusal:
        return Reply(refusal.code, "", _time(refusal.headers.get("Date")))


def _time(date: str | None) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(date).timestamp() if date else None
    except ValueError:
        return None


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error) or type(error).__name__

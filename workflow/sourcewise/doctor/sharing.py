"""Git and DVC: is this a working copy, and can its results be pushed."""

from __future__ import annotations

import json
import sys

from sourcewise.doctor.findings import LATE, CommandError, Finding, SilentError, say

# In a process of its own, which can be ended when a server is silent. What DVC itself asks is asked:
# address, keys and credentials as they are configured.
REMOTE = """
import json
from dvc.repo import Repo
repo = Repo()
names = list(repo.config["remote"])
default = repo.config["core"].get("remote")
if not default:
    print(json.dumps({"names": names}))
    raise SystemExit
remote = repo.cloud.get_remote(default)
place = remote.fs.unstrip_protocol(remote.path)
verify = bool(repo.config["remote"].get(default, {}).get("verify"))
local = remote.fs.protocol == "local"
print(json.dumps({"name": default, "place": place, "verify": verify, "local": local}), flush=True)
print(json.dumps({"exists": bool(remote.fs.exists(remote.path))}))
"""
ADD = "dvc remote add --local -d store /mnt/team/sourcewise"


def git() -> list[Finding]:
    """Whether git knows this folder, and who commits here."""
    try:
        top = say("git", "rev-parse", "--show-toplevel").strip()
    except CommandError as error:
        return [
            Finding("git", "problem", f"no working copy: {error}", "git clone it, or `git init`")
        ]
    try:
        say("git", "var", "GIT_COMMITTER_IDENT")
    except CommandError:
        fix = "git config --global user.name NAME && git config --global user.email ADDRESS"
        return [Finding("git", "warning", f"{top}, without a name for commits", fix)]
    return [Finding("git", "ok", top)]


def dvc_remote(seconds: float) -> list[Finding]:
    """Whether `dvc push` has somewhere to go and gets there within so many seconds."""
    check = "DVC remote"
    try:
        said = say(sys.executable, "-c", REMOTE, seconds=seconds)
    except SilentError:
        fix = f"{LATE}; dvc status --cloud"
        return [Finding(check, "warning", f"no answer within {seconds:g} s", fix)]
    except CommandError as error:
        fix = "dvc remote list; dvc status --cloud (docs/sharing.md)"
        return [Finding(check, "problem", str(error), fix)]
    known = {key: value for line in said.splitlines() for key, value in json.loads(line).items()}
    if "name" not in known:
        if known["names"]:
            fix = f"dvc remote default --local {known['names'][0]}"
            return [Finding(check, "warning", "no remote is the default", fix)]
        seen = "none: results stay on this machine"
        return [Finding(check, "warning", seen, ADD)]
    seen = f"{known['name']}: {known['place']}"
    if not known["exists"]:
        # Where there is a folder above it, the first push makes it; a mount that is not there looks the same.
        fix = "dvc push makes it; if it should be there, is its file system mounted?"
        return [Finding(check, "warning", f"{seen} is reached, but does not exist", fix)]
    if not known["verify"]:
        fix = f"dvc remote modify --local {known['name']} verify true"
        return [Finding(check, "warning", f"{seen}; damaged files would pass unseen", fix)]
    return [Finding(check, "ok", seen)]

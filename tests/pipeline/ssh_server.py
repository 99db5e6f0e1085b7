"""An OpenSSH server of this test alone: own configuration, keys and port, on loopback, stopped by its pid."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
INSTALL = "apt-get install --no-install-recommends openssh-server"
# What sshd needs to know to accept this user by this key, and nothing but file transfer.
CONFIG = """\
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
# The folder of a test lies below /tmp, which everybody may write to.
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
AllowUsers {user}
Subsystem sftp internal-sftp
ForceCommand internal-sftp
"""


@dataclass(frozen=True)
class Server:
    """A running server, and where it keeps keys and log."""

    folder: Path
    port: int

    @property
    def keyfile(self) -> Path:
        """The private key that the server accepts."""
        return self.folder / "user_key"

    @property
    def user(self) -> str:
        """The only account that may log in: the one that runs the tests."""
        return getpass.getuser()

    def logins(self) -> int:
        """How often somebody was let in by key."""
        return (self.folder / "log").read_text().count("Accepted publickey for")


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    """Starts a server whose files lie in a new folder; skips the test where OpenSSH is missing.

    In CI (SOURCEWISE_CI is set) a missing server is a failure.
    """
    if SSHD is None:
        missing = f"there is no sshd: {INSTALL}"
        if os.environ.get("SOURCEWISE_CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    folder.mkdir()
    for name in ("host_key", "user_key"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True)
    shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
    if os.geteuid() == 0:
        # Debian's service makes it when it starts; as root sshd does not start without.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    server = Server(folder, _free_port())
    config = folder / "sshd_config"
    config.write_text(CONFIG.format(port=server.port, folder=folder, user=server.user))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(config)], stderr=log)
    try:
        _wait(process, folder / "log")
        yield server
    finally:
        process.terminate()
        process.wait(10)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def _wait(process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 20
    while "Server listening on" not in log.read_text():
        assert process.poll() is None, f"sshd does not start: {log.read_text()}"
        assert time.monotonic() < deadline, f"sshd does not listen: {log.read_text()}"
        time.sleep(0.05)

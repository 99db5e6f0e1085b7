"""A Slurm of two virtual nodes with fake GPUs on this machine, for tests.

    python tests/slurm/cluster.py start [--accounting]     seconds later `sinfo` shows two idle nodes
    python tests/slurm/cluster.py stop
    python tests/slurm/cluster.py hold                     one in turn with tests, until its standard input ends

Debian's daemons without systemd, on loopback, with a state directory and a munge socket of their own. Job steps
find their configuration in /etc/slurm only (the plugin of Snakemake takes SLURM_CONF away from them), so links
to it are put there; a machine whose /etc/slurm holds anybody else's is refused. Standard library only.
"""

import argparse
import contextlib
import fcntl
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import daemons
from daemons import STATE
from settings import GPUS, NODES, gres_conf, slurm_conf, slurmdbd_conf

SITE = Path("/etc/slurm")
LINKED = ("slurm.conf", "gres.conf")
# What Debian's packages put into /etc/slurm.
PACKAGED = ("plugstack.conf", "plugstack.conf.d")
PROGRAMS = {
    "slurmctld": "slurmctld",
    "slurmd": "slurmd",
    "sbatch": "slurm-client",
    "munged": "munge",
}
ACCOUNTING = {"slurmdbd": "slurmdbd", "mariadbd": "mariadb-server"}


def missing(*, accounting: bool) -> str | None:
    """The command that installs what is missing; None where nothing is."""
    wanted = PROGRAMS | (ACCOUNTING if accounting else {})
    packages = sorted(package for program, package in wanted.items() if not shutil.which(program))
    command = f"apt-get install --yes --no-install-recommends {' '.join(packages)}"
    return f"Slurm is not installed: {command}" if packages else None


def obstacle() -> str | None:
    """Why the test Slurm must not or cannot run on this machine; None where it may."""
    if os.geteuid() != 0:
        return "the test Slurm needs root: Debian's slurmd runs as nobody else"
    if foreign := _foreign():
        return f"{foreign} is not ours: a machine of a real cluster is left alone"
    return None


def _foreign() -> Path | None:
    """A file of somebody else's Slurm in /etc/slurm."""
    for file in SITE.iterdir() if SITE.is_dir() else ():
        ours = file.is_symlink() and file.readlink() == STATE / "etc" / file.name
        if not ours and file.name not in PACKAGED:
            return file
    return None


class Cluster:
    """The daemons of one state directory."""

    def __init__(self, *, accounting: bool = False) -> None:
        self.accounting = accounting

    def start(self) -> None:
        """Starts what does not run yet; raises RuntimeError with what to do where it cannot."""
        if said := missing(accounting=self.accounting) or obstacle():
            raise RuntimeError(said)
        for folder in ("etc", "log", "run", "state", "spool", "munge", "database", "dev"):
            (STATE / folder).mkdir(parents=True, exist_ok=True)
        # Its root has no password.
        (STATE / "database").chmod(0o700)
        for number in range(GPUS):
            _link(STATE / f"dev/gpu{number}", Path("/dev/null"))
        self._configure()
        self._start_munged()
        if self.accounting:
            self._start_database()
        self.start_controller()
        for node in NODES:
            self.start_node(node)
        daemons.wait_for(self._idle, 60, "idle nodes")

    def _configure(self) -> None:
        texts = {"slurm.conf": slurm_conf(STATE, accounting=self.accounting)}
        texts["gres.conf"] = gres_conf(STATE)
        config = STATE / "etc/slurm.conf"
        if daemons.running("slurmctld") and config.read_text() != texts["slurm.conf"]:
            raise RuntimeError("the test Slurm runs with other settings: stop it first")
        for name, text in texts.items():
            (STATE / "etc" / name).write_text(text)
        SITE.mkdir(exist_ok=True)
        for name in LINKED:
            _link(SITE / name, STATE / "etc" / name)

    def _start_munged(self) -> None:
        if daemons.running("munged"):
            return
        key, socket = STATE / "etc/munge.key", STATE / "munge/socket"
        key.touch(0o600)
        key.write_bytes(os.urandom(128))
        socket.unlink(missing_ok=True)
        daemons.start(
            *("munged", f"--socket={socket}", f"--key-file={key}", "--num-threads=2"),
            *(f"--pid-file={STATE / 'run/munged.pid'}", f"--log-file={STATE / 'log/munged.log'}"),
            f"--seed-file={STATE / 'run/munged.seed'}",
        )
        daemons.wait_for(socket.exists, 10, "munge's socket")

    def _start_database(self) -> None:
        base = STATE / "database"
        socket, files = base / "socket", base / "files"
        if not (files / "mysql").is_dir():
            options = "--no-defaults --user=root --auth-root-authentication-method=normal"
            daemons.call(
                "mariadb-install-db", *options.split(), "--skip-test-db", f"--datadir={files}"
            )
        if not daemons.running("mariadbd"):
            daemons.start(
                *("mariadbd", "--no-defaults", "--user=root", f"--datadir={files}"),
                *(f"--socket={socket}", "--skip-networking", "--innodb-buffer-pool-size=128M"),
                *(f"--pid-file={STATE / 'run/mariadbd.pid'}", "--innodb-lock-wait-timeout=900"),
                forks=False,
            )
        client = ("mariadb", "--no-defaults", f"--socket={socket}")
        made = (*client, "-e", "CREATE DATABASE IF NOT EXISTS slurm_acct_db")
        daemons.wait_for(lambda: daemons.succeeds(*made), 60, "MariaDB")
        config = STATE / "etc/slurmdbd.conf"
        config.touch(0o600)
        config.write_text(slurmdbd_conf(STATE))
        if not daemons.running("slurmdbd"):
            # Where MariaDB's client library looks for its socket.
            daemons.start("slurmdbd", MYSQL_UNIX_PORT=str(socket))
        known = ("sacctmgr", "--immediate", "add", "cluster", "sourcewise")
        show = ("sacctmgr", "--noheader", "show", "cluster", "sourcewise")
        daemons.wait_for(lambda: daemons.succeeds(*show), 60, "slurmdbd")
        if "sourcewise" not in daemons.call(*show):
            daemons.call(*known)

    def start_controller(self) -> None:
        """Starts the controller, with the jobs that it had when it was stopped."""
        if not daemons.running("slurmctld"):
            daemons.start("slurmctld")
        daemons.wait_for(lambda: daemons.succeeds("scontrol", "ping"), 30, "slurmctld")

    def stop_controller(self) -> None:
        """Stops the controller in the ordinary way; a killed one loses the jobs of its last seconds."""
        daemons.stop("slurmctld")

    def start_node(self, node: str) -> None:
        """Starts the daemon of a node."""
        (STATE / "spool" / node).mkdir(exist_ok=True)
        if not daemons.running(f"slurmd.{node}"):
            daemons.start("slurmd", "-N", node)

    def kill_node(self, node: str) -> None:
        """What a power cut does: the daemon of a node and all that runs there are gone at once."""
        spool = str(STATE / "spool" / node)
        doomed = [p for p in daemons.ours("slurmstepd") if spool in daemons.open_files(p)]
        doomed += [pid for pid in [daemons.running(f"slurmd.{node}")] if pid]
        for pid in [*doomed, *daemons.told(f"SLURMD_NODENAME={node}")]:
            daemons.kill(pid)

    def stop(self) -> None:
        """Ends all jobs and daemons and removes the state; does nothing where nothing runs."""
        if daemons.running("slurmctld") and daemons.succeeds("scontrol", "ping"):
            daemons.succeeds("scancel", "--quiet", "--user=root")
            with contextlib.suppress(TimeoutError):
                daemons.wait_for(
                    lambda: not daemons.call("squeue", "--noheader"), 15, "the end of all jobs"
                )
        for name in (*(f"slurmd.{node}" for node in NODES), "slurmctld", "slurmdbd", "mariadbd"):
            daemons.stop(name)
        daemons.stop("munged")
        for pid in daemons.ours():
            daemons.kill(pid)
        for name in LINKED:
            link = SITE / name
            if link.is_symlink() and link.readlink() == STATE / "etc" / name:
                link.unlink()
        shutil.rmtree(STATE, ignore_errors=True)

    def _idle(self) -> bool:
        states = daemons.call(
            "sinfo", "--noheader", "--Node", "--partition=cpu", "--format=%t"
        ).split()
        if any(state.startswith(("down", "unk")) for state in states):
            for node in NODES:
                daemons.succeeds("scontrol", "update", f"nodename={node}", "state=resume")
        return states.count("idle") == len(NODES)


@contextlib.contextmanager
def running(*, accounting: bool = False) -> Iterator[Cluster]:
    """The test Slurm for as long as the context lasts; whoever comes second waits for the first."""
    cluster = Cluster(accounting=accounting)
    with STATE.with_suffix(".lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        cluster.stop()
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


def _link(link: Path, target: Path) -> None:
    if not link.is_symlink():
        link.symlink_to(target)


def main() -> None:
    """Starts or stops the test Slurm from the command line."""
    command = argparse.ArgumentParser(description="A Slurm of two virtual nodes, for tests.")
    command.add_argument("action", choices=("start", "stop", "hold"))
    command.add_argument("--accounting", action="store_true", help="with slurmdbd and MariaDB")
    given = command.parse_args()
    cluster = Cluster(accounting=given.accounting)
    if given.action == "stop":
        cluster.stop()
        return
    try:
        if given.action == "start":
            cluster.start()
            print(daemons.call("sinfo"), end="")
            return
        with running(accounting=given.accounting):
            print(daemons.call("sinfo"), end="", flush=True)
            sys.stdin.read()
    except RuntimeError as error:
        raise SystemExit(f"slurm: {error}") from None


if __name__ == "__main__":
    main()

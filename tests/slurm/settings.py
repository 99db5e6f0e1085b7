"""The configuration of the test Slurm: what its daemons are told, as text."""

from pathlib import Path

NODES = ("n0", "n1")
# More than a small machine has: what is tested is scheduling, not speed.
CPUS, MEMORY_MB, GPUS = 4, 6000, 2
CREDENTIAL_SECONDS = 30
PORT = 26817
CONTROLLER, DATABASE, FIRST_NODE = PORT, PORT + 2, PORT + 10


def slurm_conf(state: Path, *, accounting: bool) -> str:
    """slurm.conf: two nodes on this machine, everything on loopback, no cgroups, no systemd."""
    stored = "accounting_storage/slurmdbd" if accounting else "accounting_storage/none"
    lines = [
        "ClusterName=sourcewise",
        "SlurmctldHost=localhost(127.0.0.1)",
        f"SlurmctldPort={CONTROLLER}",
        # Without these every daemon listens on all addresses.
        "CommunicationParameters=NoCtldInAddrAny,NoInAddrAny",
        "SlurmUser=root",
        "SlurmdUser=root",
        "AuthType=auth/munge",
        # A job that is queued again waits for as long as its credential lives: two minutes by default.
        f"AuthInfo=socket={state / 'munge/socket'},cred_expire={CREDENTIAL_SECONDS}",
        "CredType=cred/munge",
        "MpiDefault=none",
        f"SlurmctldPidFile={state / 'run/slurmctld.pid'}",
        f"SlurmdPidFile={state / 'run/slurmd.%n.pid'}",
        f"StateSaveLocation={state / 'state'}",
        f"SlurmdSpoolDir={state / 'spool/%n'}",
        f"SlurmctldLogFile={state / 'log/slurmctld.log'}",
        f"SlurmdLogFile={state / 'log/slurmd.%n.log'}",
        "ProctrackType=proctrack/linuxproc",
        "TaskPlugin=task/none",
        "SwitchType=switch/none",
        # Kills a job that holds more memory than it asked for; cgroups do that on a real cluster.
        "JobAcctGatherType=jobacct_gather/linux",
        "JobAcctGatherFrequency=1",
        "JobAcctGatherParams=OverMemoryKill",
        "SelectType=select/cons_tres",
        "SelectTypeParameters=CR_CPU_Memory",
        "SlurmdParameters=config_overrides",
        "SchedulerParameters=batch_sched_delay=0,sched_interval=2,sched_min_interval=100000,bf_interval=5",
        # squeue has to know finished jobs, or their ends are never noticed.
        "MinJobAge=3600",
        "KillWait=5",
        "SlurmdTimeout=15",
        "SlurmctldTimeout=60",
        "MessageTimeout=20",
        "ReturnToService=2",
        "JobRequeue=1",
        f"AccountingStorageType={stored}",
        "GresTypes=gpu",
        f"NodeName=n[0-{len(NODES) - 1}] NodeHostname=localhost NodeAddr=127.0.0.1 "
        f"Port=[{FIRST_NODE}-{FIRST_NODE + len(NODES) - 1}] "
        f"CPUs={CPUS} RealMemory={MEMORY_MB} Gres=gpu:{GPUS} State=UNKNOWN",
        "PartitionName=cpu Nodes=ALL Default=YES MaxTime=INFINITE DefaultTime=10 State=UP",
        "PartitionName=gpu Nodes=ALL MaxTime=INFINITE DefaultTime=10 State=UP",
    ]
    if accounting:
        lines += [
            "AccountingStorageHost=127.0.0.1",
            f"AccountingStoragePort={DATABASE}",
            # The link to slurmdbd takes its socket from here, not from AuthInfo.
            f"AccountingStoragePass={state / 'munge/socket'}",
            "AccountingStorageTRES=gres/gpu",
        ]
    return "\n".join(lines) + "\n"


def gres_conf(state: Path) -> str:
    """gres.conf: GPUs that are links to /dev/null, since Slurm wants a device for each."""
    device = state / f"dev/gpu[0-{GPUS - 1}]"
    return f"AutoDetect=off\nNodeName=n[0-{len(NODES) - 1}] Name=gpu File={device}\n"


def slurmdbd_conf(state: Path) -> str:
    """slurmdbd.conf: accounting in a MariaDB of our own, reached by a socket that the environment names."""
    return "\n".join(
        [
            "AuthType=auth/munge",
            f"AuthInfo=socket={state / 'munge/socket'}",
            "DbdHost=localhost",
            "DbdAddr=127.0.0.1",
            f"DbdPort={DATABASE}",
            "CommunicationParameters=NoInAddrAny",
            "SlurmUser=root",
            f"LogFile={state / 'log/slurmdbd.log'}",
            f"PidFile={state / 'run/slurmdbd.pid'}",
            "StorageType=accounting_storage/mysql",
            "StorageHost=localhost",
            "StorageUser=root",
            "StorageLoc=slurm_acct_db",
            "",
        ]
    )

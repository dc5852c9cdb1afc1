"""A real Slurm on this machine: munged, slurmctld and several slurmd, all of them ours and ended with us."""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from waiting import LONG, inspections, wait_until

PROGRAMS = ("munged", "slurmctld", "slurmd", "srun", "scontrol")
SBIN = "/usr/sbin:/sbin"
CONF = """
ClusterName=test
SlurmctldHost={host}
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
MessageTimeout=60
TCPTimeout=60
KillWait=1
PartitionName=gpu Nodes=ALL Default=YES State=UP
"""


def missing() -> list[str]:
    """Of Slurm's programs: Debian's slurm-wlm and munge bring them."""
    path = f"{os.environ.get('PATH', '')}:{SBIN}"
    return [name for name in PROGRAMS if shutil.which(name, path=path) is None]


class Slurm:
    """`with Slurm(3, HealthCheckInterval="1") as slurm: slurm.run("srun", …)`"""

    def __init__(self, nodes: int, gpus: int = 0, **settings: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))  # a socket's path is 107 letters at most
        self.names = [f"n{number}" for number in range(1, nodes + 1)]
        self.conf = self.folder / "slurm.conf"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SLURM")},
            "SLURM_CONF": str(self.conf),
            "PATH": f"{os.environ['PATH']}:{SBIN}",
        }
        host, ports = socket.gethostname().partition(".")[0], _free_ports(nodes + 1)
        lines = [CONF.format(host=host, user=getpass.getuser(), port=ports[0], folder=self.folder).strip()]
        for name, port in zip(self.names, ports[1:], strict=True):
            counted = f" Gres=gpu:{gpus}" if gpus and name != "n1" else ""  # the first counts as one without GPUs
            lines.append(f"NodeName={name} NodeHostname={host} Port={port} CPUs=2{counted}")
            (self.folder / f"spool-{name}").mkdir()
        lines += [f"{name}={value}" for name, value in settings.items()]
        if gpus:
            lines.append("GresTypes=gpu")
            for number in range(gpus):  # Slurm wants a file for each, and does not look into it
                (self.folder / f"gpu{number}").touch()
            files = f"{self.folder}/gpu[0-{gpus - 1}]"
            having = (f"NodeName={name} Name=gpu File={files}\n" for name in self.names[1:])
            (self.folder / "gres.conf").write_text("".join(having))
        self.conf.write_text("\n".join(lines) + "\n")
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Slurm:
        key, state = self.folder / "munge.key", self.folder / "state"
        key.write_bytes(secrets.token_bytes(256))
        key.chmod(0o400)
        state.mkdir()
        files = {"key": "key-file", "sock": "socket", "pid": "pid-file", "log": "log-file", "seed": "seed-file"}
        places = [f"--{option}={self.folder}/munge.{ending}" for ending, option in files.items()]
        try:
            self._start("munged", "--foreground", "--force", *places)
            self._until((self.folder / "munge.sock").exists)
            self._start("slurmctld", "-D", "-f", str(self.conf))
            for name in self.names:
                self.start_node(name)
            self._until(lambda: {self.state(name) for name in self.names} <= {"idle", "drain"})
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for daemon in reversed([*self.daemons.values()]):  # no manners: slurmctld would take its time
            daemon.kill()
            daemon.wait()
        for process in self.inspections().values():
            os.kill(process, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start_node(self, name: str) -> None:
        self._start("slurmd", "-D", "-N", name, "-f", str(self.conf), key=name)

    def kill_node(self, name: str) -> None:
        """The daemon alone, as when a machine stops: its tasks' steps notice nothing."""
        self.daemons[name].kill()
        self.daemons[name].wait()

    def run(self, *command: str, timeout_s: float = LONG, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )

    def state(self, name: str) -> str:
        return self.run("sinfo", "-h", "-n", name, "-o", "%t").stdout.strip()

    def reason(self, name: str) -> str:
        return self.run("sinfo", "-h", "-n", name, "-o", "%E").stdout.strip()

    def inspections(self) -> dict[str, int]:
        """The processes that inspect, by node."""
        return inspections(SLURM_CONF=str(self.conf))

    def log(self) -> str:
        """What the daemons said, for a test that fails."""
        return "\n".join(path.read_text(errors="replace")[-1000:] for path in sorted(self.folder.glob("*.log")))

    def _start(self, program: str, *arguments: str, key: str = "") -> None:
        with (self.folder / f"{key or program}.out.log").open("ab") as said:
            self.daemons[key or program] = subprocess.Popen(
                [program, *arguments],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                cwd=self.folder,
            )

    def _until(self, true: Callable[[], object]) -> None:
        wait_until(true, log=self.log)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports

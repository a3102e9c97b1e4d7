"""A real nats-server for tests: every write fsynced, loopback, a free port, a folder of its own."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

READY_WITHIN_S = 10.0


def binary() -> str:
    """Path of nats-server: the one beside the interpreter, else the one on PATH."""
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise RuntimeError(f"no nats-server beside {sys.executable} or on PATH: run bin/test, which installs it")
    return found


# Below the ports the system gives to whoever connects (32,768 and up), or a connection takes the port of a server that
# is about to start; each process of a parallel run begins elsewhere, or two of them take the same one.
_PORTS = itertools.cycle(range(10_240, 32_000))
_NEXT = itertools.islice(_PORTS, os.getpid() * 97 % (32_000 - 10_240), None)


def free_port() -> int:
    """A TCP port nobody listens on, and that this process has not given out before."""
    for port in _NEXT:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("a cycle has no end")


class NatsServer:
    """One server that can be killed and started again on the same port and the same data."""

    def __init__(self, home: Path, *, sync_interval: str = "always", store: Path | None = None) -> None:
        self.home = home
        self.port = free_port()
        self.monitor_port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self.monitor_url = f"http://127.0.0.1:{self.monitor_port}"
        self.log = home / "nats.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._config = home / "nats.conf"
        home.mkdir(parents=True, exist_ok=True)
        self._config.write_text(
            f'listen: "127.0.0.1:{self.port}"\n'
            f'http: "127.0.0.1:{self.monitor_port}"\n'
            # Without a limit of its own the server takes one from the disk's free space, too small for our streams on
            # a small machine; streams only count against it, nothing is set aside.
            f'jetstream {{ store_dir: "{store or home / "store"}", sync_interval: {sync_interval}, '
            "max_file_store: 64GB }\n"
            # The suite is on the server's heels: do not make a killed server's clients wait.
            'ping_interval: "2s"\n'
        )

    def start(self) -> NatsServer:
        """Start and wait until it accepts connections; ``RuntimeError`` with its log when it does not."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [binary(), "-c", str(self._config)], stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + READY_WITHIN_S
        while not self._accepts():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"nats-server did not come up:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.005)
        return self

    def stop(self) -> None:
        """End it in good order; killed when that takes more than five seconds."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze it, and return when it is: connections stay open and nothing answers."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        # A signal is sent at once but taken when each of its threads gets to it: a busy one answers a message or two.
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Thaw it again."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def _accepts(self) -> bool:
        """Whether it answers: it, by the id in its log, and not somebody else's server on the same port."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=0.2) as link:
                greeting = link.makefile("rb").readline()
        except OSError:
            return False
        return bool(greeting) and json.loads(greeting.removeprefix(b"INFO "))["server_id"] in self.log.read_text()

    def _end(self, how: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(how)
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=5)

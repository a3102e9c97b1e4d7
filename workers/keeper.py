"""Keeps one agent's process tree, and sees to it that nothing of it is left. Runs as a script of its own, one a run.

    python -I -S keeper.py          standard library only, so that it starts in 8 ms

Descriptor 0 is a socket to the worker; 1 and 2 are the agent's terminal. The worker sends

    <length>\\n<worker's pid>\\0<time limit s>\\0<lease s>\\0<limits>\\0<folder>\\0<argv 0>\\0…     once: start it
    lease <seconds>\\n    term <seconds>\\n    kill\\n                                    later: go on; end; end now
    hold\\n    go\\n                                                                  freeze all of it; let it go on

and reads ``started <pid> <start time>`` or ``unable <reason>``, from time to time ``used <private bytes> <processor ms>
<processes>``, then ``over <code> <signal> <why> <strays> <figure>`` when the tree is gone. ``why``: ended, told,
orphaned (the worker is gone), lease (it said nothing for too long), limit (its time), memory, processes (``figure``:
how much it had). ``limits``: ``memory bytes,processes,cpus,nice``, 0: none. A held tree's time limit stands still; its
lease does not, and it dies by it, and with its worker, as any other.

The keeper is a subreaper: whatever the agent starts stays below it in the tree, double-forked and in sessions of its
own or not, and is killed when the agent ends, on order, on the time limit, when the lease ends, when the worker dies.
"""

from __future__ import annotations

# The plain C modules: their public faces, signal and ctypes, take 6 of the 13 ms in which a keeper would start.
import _ctypes
import _signal as signal  # type: ignore[import-not-found]
import os
import select
import sys
import time

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
WORKER = 0  # the socket's descriptor
TERM_S = 1.0  # from SIGTERM to SIGKILL where the worker did not say
GIVE_UP_S = 10.0  # processes that survive SIGKILL so long hang in the kernel; the worker is told and we go
FREEZE_S = 1.0  # a process that hangs in the kernel cannot be stopped; it is not waited for longer
STOPPED = ("T", "t")
FOREVER = float("inf")
PAGE = os.sysconf("SC_PAGE_SIZE")
WEIGH_EVERY_S = 0.2  # how often a tree with limits is looked at
TELL_AFTER_S, TELL_EVERY_S = 1.0, 5.0  # what it uses
TICK_MS = 1_000 // os.sysconf("SC_CLK_TCK")
WALL = 4  # times its memory limit: more than that no process gets from the kernel, however fast it asks


class Tree:
    """The agent and all it started."""

    def __init__(self) -> None:
        self.pid = 0
        self.status: int | None = None  # of the agent itself, once it has ended

    def start(self, argv: list[str], folder: str, limits: tuple[int, int, int, int]) -> None:
        """Fork and exec; ``OSError`` when the folder or the program cannot be used."""
        told, tell = os.pipe()  # closes by exec; anything that comes through it is an errno
        keeper = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.setsid()
                prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() != keeper:
                    os._exit(127)
                for number in (signal.SIGPIPE, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
                    signal.signal(number, signal.SIG_DFL)
                nothing = os.open(os.devnull, os.O_RDONLY)
                os.dup2(nothing, WORKER)
                confine(limits)
                os.chdir(folder)
                os.execvp(argv[0], argv)  # noqa: S606 - no shell is the point
            except OSError as error:
                os.write(tell, str(error.errno or 1).encode())
            finally:
                os._exit(127)
        os.close(tell)
        problem = os.read(told, 16)
        os.close(told)
        if problem:
            os.waitpid(self.pid, 0)
            raise OSError(int(problem), os.strerror(int(problem)))

    def reap(self) -> bool:
        """Collect who has ended; False when nobody is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self.pid:
                self.status = status

    def tell(self, number: int) -> None:
        """Signal the agent's own group."""
        try:  # noqa: SIM105 - contextlib costs 1 ms at the start
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            pass

    def freeze(self) -> None:
        """Stop all of it. Done when two looks in a row find all of it stopped: by then what was being forked shows."""
        until = time.monotonic() + FREEZE_S
        still = 0
        while still < 2 and time.monotonic() < until:
            seen = {pid: state_of(pid) for pid in descendants(os.getpid())}
            moving = [pid for pid, (state, _) in seen.items() if state not in STOPPED]
            for pid in moving:
                send(pid, signal.SIGSTOP)
            for pid, (state, parent) in seen.items():
                if state in STOPPED and seen.get(parent, ("",))[0] == "D":
                    send(pid, signal.SIGCONT)  # its parent waits, deaf, until it has begun its program (vfork)
            still = 0 if moving else still + 1
            if moving:
                time.sleep(0.001)
        for pid in () if still else descendants(os.getpid()):
            send(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let all of it go on."""
        for pid in descendants(os.getpid()):
            send(pid, signal.SIGCONT)

    def kill(self) -> int:
        """Kill all of it, wherever it hid; how many there were beside the agent. Returns when all are gone."""
        strays: set[int] = set()
        before: set[int] = set()
        until = time.monotonic() + GIVE_UP_S
        pause_s = 0.0
        while self.reap() and time.monotonic() < until:
            # Stop them before killing them: a fork bomb that is only killed goes on faster than we can look.
            found = descendants(os.getpid())
            if found != before:  # on a busy machine a large tree takes its time; only standing still is hanging
                before, until = found, time.monotonic() + GIVE_UP_S
            for pid in found - strays:
                send(pid, signal.SIGSTOP)
            if found - strays:
                strays |= found
                continue
            for pid in found:
                send(pid, signal.SIGKILL)
            time.sleep(pause_s)
            pause_s = min(pause_s + 0.001, 0.02)
        return len(strays - {self.pid})


def main() -> int:
    limit_s, lease_s, limits, argv, folder = prepare()
    tree = Tree()
    bell = alarm()
    try:
        tree.start(argv, folder, limits)
    except OSError as error:
        say(f"unable {error.strerror}: {argv[0] if os.path.isdir(folder) else folder}")  # noqa: PTH112 - pathlib costs 5 ms
        return 1
    say(f"started {tree.pid} {start_time(tree.pid)}")
    watch = Watch(tree, bell, limit_s, lease_s, limits)
    why = watch.until_over()
    strays = tree.kill()
    status = tree.status if tree.status is not None else signal.SIGKILL
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    say(f"over {code} {number} {why} {strays} {watch.figure}")
    return 0


def prepare() -> tuple[float, float, tuple[int, int, int, int], list[str], str]:
    """Become what a keeper is, and read what is to be kept: time limit, lease, limits, argv, folder."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    length = b""
    while not length.endswith(b"\n"):
        length += os.read(WORKER, 1) or gone()
    body = b""
    while len(body) < int(length):
        body += os.read(WORKER, int(length) - len(body)) or gone()
    worker, limit_s, lease_s, limits, folder, *argv = os.fsdecode(body).split("\0")
    if os.getppid() != int(worker):
        gone()  # it died before we asked to be told
    memory, processes, cpus, nice = map(int, limits.split(","))
    return float(limit_s), float(lease_s), (memory, processes, cpus, nice), argv, folder


def confine(limits: tuple[int, int, int, int]) -> None:
    """What the kernel holds a process, and all it starts, to without anybody looking: processors, nice, a last wall."""
    memory, _, cpus, nice = limits
    if cpus:
        ours = sorted(os.sched_getaffinity(0))
        first = os.getpid() % len(ours)  # not all of them on the same processor
        os.sched_setaffinity(0, {ours[(first + n) % len(ours)] for n in range(min(cpus, len(ours)))})
    if nice:
        os.nice(nice)
    if memory:
        import resource

        wall = memory * WALL
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (wall if hard < 0 else min(wall, hard), hard))


class Watch:
    """Waits for whatever ends the run."""

    def __init__(
        self, tree: Tree, bell: int, limit_s: float, lease_s: float, limits: tuple[int, int, int, int]
    ) -> None:
        now = time.monotonic()
        self.figure = 0  # how much it had of what it had too much of
        self._memory, self._processes = limits[0], limits[1]
        self._weigh_at = now if self._memory or self._processes else FOREVER
        self._tell_at = now + TELL_AFTER_S
        self._held_at = 0.0  # 0: it is not held
        self._tree = tree
        self._bell = bell
        self._limit = now + limit_s
        self._lease = now + lease_s
        self._kill_at = FOREVER
        self._why = "ended"
        self._unread = b""

    def until_over(self) -> str:
        """Why it is over. The agent has ended then, or must not live on."""
        poll = select.poll()
        poll.register(WORKER, select.POLLIN)
        poll.register(self._bell, select.POLLIN)
        while True:
            limit = FOREVER if self._held_at else self._limit
            due = min(limit, self._lease, self._kill_at, self._weigh_at, self._tell_at)
            wait_ms = None if due == FOREVER else max(0, round((due - time.monotonic()) * 1000) + 1)
            ready = dict(poll.poll(wait_ms))
            if self._bell in ready:
                if any(number != signal.SIGCHLD for number in os.read(self._bell, 512)):
                    return "orphaned"
                self._tree.reap()
            if self._tree.status is not None:
                return self._why
            if WORKER in ready and self._obey() == "now":
                return self._why
            now = time.monotonic()
            if now >= self._lease:
                return "lease"
            if now >= self._limit and not self._held_at:
                return "limit"
            if now >= self._weigh_at and (over := self._weigh(now)):
                return over
            if now >= self._tell_at:
                self._tell_at = now + TELL_EVERY_S
                tell_used()
            if now >= self._kill_at:
                return self._why

    def _weigh(self, now: float) -> str:
        """What the tree has too much of: memory (private, all its processes together) or processes; or nothing."""
        self._weigh_at = now + WEIGH_EVERY_S
        pids = below(os.getpid())
        if self._processes and len(pids) > self._processes:
            self.figure = len(pids)
            return "processes"
        used = sum(map(private_bytes, pids)) if self._memory else 0
        if used > self._memory:
            self.figure = used
            return "memory"
        return ""

    def _hold(self) -> None:
        if not self._held_at:
            self._held_at = time.monotonic()
            self._tree.freeze()

    def _go(self) -> None:
        if self._held_at:
            self._limit += time.monotonic() - self._held_at
            self._held_at = 0.0
            self._tree.thaw()

    def _obey(self) -> str:
        """Take in the worker's orders; "now" when the tree has to go at once."""
        try:
            read = os.read(WORKER, 4096)
        except ConnectionError:
            read = b""
        if not read:
            self._why = "orphaned"
            return "now"
        *orders, self._unread = (self._unread + read).split(b"\n")
        for order in orders:
            word, _, seconds = order.decode().partition(" ")
            if word == "lease":
                self._lease = time.monotonic() + float(seconds)
            elif word == "term":
                self._why = "told"
                self._kill_at = min(self._kill_at, time.monotonic() + float(seconds or TERM_S))
                self._tree.tell(signal.SIGTERM)
                self._go()  # a frozen process hears nothing
            elif word == "hold":
                self._hold()
            elif word == "go":
                self._go()
            elif word == "kill":
                self._why = "told"
                return "now"
        return "later"


def descendants(root: int) -> set[int]:
    """Every process below ``root``, zombies left out, by walking /proc."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib costs 5 ms at the start
        if name.isdecimal():
            state, parent = state_of(int(name))
            if state not in ("Z", "X", ""):
                children.setdefault(parent, []).append(int(name))
            elif state == "Z":
                children.setdefault(parent, [])
    found: set[int] = set()
    row = [root]
    while row:
        row = [pid for parent in row for pid in children.get(parent, ()) if pid not in found]
        found.update(row)
    return found


def below(root: int) -> set[int]:
    """As ``descendants``, where the kernel tells a process's children: that costs by the tree, not by the machine."""
    found: set[int] = set()
    row = [root]
    while row:
        pid = row.pop()
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - as above
                with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:  # noqa: PTH123 - as above
                    children = [int(each) for each in file.read().split()]
                row += [child for child in children if child not in found]
                found.update(children)
        except OSError:
            if pid == root:
                return descendants(root)
    return found


def tell_used() -> None:
    """How much the tree has and has used. Processor time of orphans that ended is ours: we reaped them."""
    pids = below(os.getpid())
    found = [fields for fields in map(stat, pids) if fields]
    ticks = sum(int(each) for fields in found for each in fields[11:15])  # its own and its ended children's
    ours = os.times()
    ms = ticks * TICK_MS + round((ours.children_user + ours.children_system) * 1_000)
    say(f"used {sum(map(private_bytes, pids))} {ms} {len(found)}")


def private_bytes(pid: int) -> int:
    """Memory of a process that is its own, not a file's; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:  # noqa: PTH123 - as above
            fields = file.read().split()
        return (int(fields[1]) - int(fields[2])) * PAGE
    except (OSError, ValueError, IndexError):
        return 0


def state_of(pid: int) -> tuple[str, int]:
    """State letter and parent of a process; empty when it is gone."""
    fields = stat(pid)
    return (fields[0], int(fields[1])) if fields else ("", 0)


def start_time(pid: int) -> int:
    """When it started, in ticks since the machine did: with the pid it names a process for good. 0: it is gone."""
    fields = stat(pid)
    return int(fields[19]) if fields else 0


def stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat after the name, which may hold anything."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - pathlib costs 5 ms at the start
            return file.read().rpartition(b") ")[2].decode().split()
    except (OSError, ValueError):
        return []


def send(pid: int, number: int) -> None:
    try:  # noqa: SIM105 - contextlib costs 1 ms at the start
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def say(line: str) -> None:
    try:  # noqa: SIM105 - contextlib costs 1 ms at the start
        os.write(WORKER, line.encode(errors="replace") + b"\n")
    except (BrokenPipeError, ConnectionError):
        pass  # the worker is gone; the tree goes all the same


def alarm() -> int:
    """A descriptor on which the number of every signal we get can be read."""
    hear, ring = os.pipe()
    os.set_blocking(ring, False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(ring, warn_on_full_buffer=False)
    return hear


class _Int(_ctypes._SimpleCData):  # type: ignore[type-arg]
    _type_ = "i"


class _Function(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL
    _restype_ = _Int


def prctl(option: int, argument: int) -> None:
    """The system call of that name; what it refuses (it does not) the worker's own sweep makes up for."""
    ourselves = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]
    _Function(_ctypes.dlsym(ourselves, "prctl"))(option, argument, 0, 0, 0)


def gone() -> bytes:
    """The worker died before it said what to start."""
    sys.exit(0)


if __name__ == "__main__":
    sys.exit(main())

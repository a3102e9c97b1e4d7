"""A wicked agent: it double-forks into sessions of its own and deafens itself, writes down who there is and waits.

With ``--leave`` it ends as soon as all are there, and leaves them behind.
"""

import os
import signal
import sys
import time
from pathlib import Path

out = Path(sys.argv[1])


def note() -> None:
    with out.open("a") as file:
        file.write(f"{os.getpid()}\n")


for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
note()
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() != 0:
            os._exit(0)
        note()
        time.sleep(600)
        os._exit(0)
while "--leave" not in sys.argv or out.read_text().count("\n") < 4:
    time.sleep(0.005)

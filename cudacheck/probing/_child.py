"""What runs inside a child process: the probes named on its command line, one after another.

Run by path, by our own interpreter (host probes) or by the inspected one (patient probes), so: stdlib only,
Python 3.8 syntax, and nothing of ours on `sys.path`. Every event is one JSON line appended to a file: stdout
belongs to whatever the probes import, and a library that prints, closes every descriptor, or takes the file's folder
away, cannot spoil it.

    _child.py EVENTS host|patient EXTRA_SYS_PATH PROBE...
"""

from __future__ import annotations

import faulthandler
import os
import sys
import types

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = os.path.dirname(HERE)

# Python put our own folder first: out with it, or our `report.py` would shadow the patient's.
if sys.path and os.path.abspath(sys.path[0]) == HERE:
    del sys.path[0]
# Probes import `cudacheck.bench.timing` by its one name without our site-packages entering the patient.
# At module top, because a `spawn` pool inside a probe runs this file again.
_package = types.ModuleType("cudacheck")
_package.__path__ = [PACKAGE]
sys.modules.setdefault("cudacheck", _package)


def end_with_parent() -> None:
    """Whoever inspects may be killed, and cannot end us then: a probe that hangs would hang for ever."""
    import signal
    import threading
    import time

    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)  # and what the probes have started
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class Events:
    """The file that events go to: opened at once, and again where what is inspected has closed it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.descriptor = self._open()
        self.identity = self._identity()

    def _open(self) -> int:
        # It never waits (for a FIFO's reader), nor leads elsewhere.
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_NONBLOCK", 0))

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = os.fstat(self.descriptor)
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def append(self, line: bytes) -> None:
        if self._identity() != self.identity:  # by now the number may be another file's, which is not ours to write
            self.descriptor = self._open()
            if self._identity() != self.identity:
                raise OSError("the file of events is another one")
        while line:
            line = line[os.write(self.descriptor, line) :]


def main(events_path: str, kind: str, extra_sys_path: str, probes: list[str]) -> None:
    import importlib
    import json
    import time
    import traceback

    from cudacheck.probes import Skipped

    sys.path.extend(p for p in extra_sys_path.split(os.pathsep) if p and p not in sys.path)

    events = Events(events_path)

    def tell(**event: object) -> None:
        events.append((json.dumps(event) + "\n").encode("ascii"))

    ended: dict[str, tuple[str, str, str]] = {}  # probe → outcome, detail, for which one it waited
    for name in probes:
        tell(event="start", probe=name)
        started = time.perf_counter()
        outcome, detail, waited_for = "ok", "", ""
        try:
            module = importlib.import_module("cudacheck.probes.%s.%s" % (kind, name))
            for before in module.PROBE.after:
                outcome_before, detail_before, waited_before = ended.get(before, ("ok", "", ""))
                if outcome_before == "skipped":
                    waited_for = waited_before
                    raise Skipped(detail_before)
                if outcome_before != "ok":
                    waited_for = before
                    raise Skipped("%s %s" % (before, outcome_before))
            for fact in module.PROBE.collect():
                if type(fact) not in (*module.PROBE.facts, *module.PROBE.also):
                    raise TypeError("it told a %s, which it does not declare" % type(fact).__name__)
                tell(event="fact", probe=name, type=type(fact).__name__, fields=vars(fact))
        except Skipped as reason:
            outcome, detail = "skipped", str(reason)
        except BaseException as error:
            outcome = "failed"
            detail = "%s: %s" % (type(error).__name__, error)
            tell(event="traceback", probe=name, text=traceback.format_exc()[-4000:])
        ended[name] = outcome, detail, waited_for
        seconds = round(time.perf_counter() - started, 4)
        tell(event="end", probe=name, outcome=outcome, detail=detail[:2000], seconds=seconds, waited_for=waited_for)
    tell(event="bye")


if __name__ == "__main__":
    faulthandler.enable()
    end_with_parent()
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
    # A library's exit handlers may hang or crash (CUDA ones do); everything is told, so leave without them.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)

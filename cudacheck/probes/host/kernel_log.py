"""What the NVIDIA driver said in the kernel log (NVRM and Xid lines), where it may be read."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator

from cudacheck.probes import Probe, Skipped, _roots
from cudacheck.probes.messages import ErrorMessage

RING_BUFFER = "/dev/kmsg"
FILES = ("/var/log/kern.log", "/var/log/dmesg")
ROUTINE = re.compile("NVRM: (loading NVIDIA|Persistence mode is deprecated|gpuClearFbhubPoisonIntr)")
"""What the driver says on healthy machines too (seen on an H200 with 580.159)."""

MOST_MESSAGES = 50
MOST_BYTES = 8 << 20
MOST_RECORDS = 100_000
LONGEST_RECORD = 8192
"""/dev/kmsg gives one record a read, and refuses a buffer that is too small for it."""


def collect() -> Iterator[object]:
    if not sys.platform.startswith("linux"):
        raise Skipped("only Linux keeps a kernel log that is read here")
    path, records = _records()
    # a dict keeps the last place of a message that comes again and again
    said: dict[str, None] = {}
    for record in records:
        text = _nvidia_message(record)
        if text:
            said.pop(text, None)
            said[text] = None
    for text in list(said)[-MOST_MESSAGES:]:
        yield ErrorMessage(text, f"kernel log ({path})")


def _records() -> tuple[str, list[str]]:
    refusals = []
    for path in (RING_BUFFER, *FILES):
        try:
            return path, (_ring_buffer if path == RING_BUFFER else _since_boot)(_roots.path(path))
        except OSError as error:  # noqa: PERF203 - there are three
            refusals.append(f"{path}: {error.strerror}")
    raise Skipped("the kernel log may not be read here (" + ", ".join(refusals) + ")")


def _ring_buffer(path: str) -> list[str]:
    """The records of /dev/kmsg: `6,1234,5678,-;text`, then lines that start with a blank (its dictionary)."""
    lines = _read_to_end(path).decode("utf-8", "replace").splitlines()
    # one record may hold several lines of text: the kernel writes a line feed as \x0a
    return [line.partition(";")[2].replace("\\x0a", "\n") for line in lines if not line.startswith(" ")]


def _read_to_end(path: str) -> bytes:
    log = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    chunks = []
    try:
        for _ in range(MOST_RECORDS):
            try:
                chunk = os.read(log, LONGEST_RECORD)
            except BrokenPipeError:  # the record was overwritten meanwhile: the next read goes on after it
                continue
            except BlockingIOError:  # all is read
                break
            if not chunk:  # the end of a regular file
                break
            chunks.append(chunk)
    finally:
        os.close(log)
    return b"".join(chunks)


def _since_boot(path: str) -> list[str]:
    """The lines of a log file since the kernel last introduced itself: older ones are of an older boot."""
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - MOST_BYTES))
        text = file.read().decode("utf-8", "replace")
    return text[max(0, text.rfind("Linux version ")) :].splitlines()


def _nvidia_message(record: str) -> str | None:
    match = re.search(r"NVRM: .*|\bXid\b.*", record, re.DOTALL)
    return match.group().strip() if match and not ROUTINE.match(match.group()) else None


PROBE = Probe(
    collect,
    timeout_s=3.0,
    facts=(),
    also=(ErrorMessage,),
)

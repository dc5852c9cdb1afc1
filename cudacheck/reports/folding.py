"""A report folded into a ticket, and found again in what is left of it: marks around it, packed where it is long.

`H4sI` is what any gzip file begins with as base64: what somebody packed by hand is read as well.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import io
import re
import zlib

BEGIN, END = "<!-- cudacheck ticket -->", "<!-- /cudacheck ticket -->"
"""Between these nothing was written by hand: what stands there says no more than the report in it."""
REPORT = "<!-- the report -->"
"""After the last of these it follows: a log that is quoted before it may hold JSON, too."""
PACKED = "cudacheck report, gzip, base64:"
MAX_BYTES = 16 * 1024 * 1024
"""Unpacked; a report larger than this is not one of ours."""
COLUMNS = 76
LEVEL = 6
"""Of gzip: the highest takes three times as long for a twentieth."""

_BASE64 = re.compile(r"^[^\S\n]*H4sI[A-Za-z0-9+/=]+[^\S\n]*$(?:\n[^\S\n]*[A-Za-z0-9+/=]+[^\S\n]*$)*", re.MULTILINE)
_LESS = {one: f"\\u{ord(one):04x}" for one in "<>&`"}


class DamagedError(ValueError):
    """A packed report that is not whole; the words say so, in one line."""


def inert(json: str) -> str:
    r"""The same JSON without a letter that means something to HTML or Markdown; they occur in its texts alone.

    >>> inert('{"a": "</script> & `b`"}')
    '{"a": "\\u003c/script\\u003e \\u0026 \\u0060b\\u0060"}'
    """
    for letter, escape in _LESS.items():  # `translate` takes ten times as long for 16 MiB
        json = json.replace(letter, escape)
    return json


def packed(text: str) -> str:
    """Lines of base64 below one that says what they are: a tenth of a report's length."""
    data = base64.b64encode(gzip.compress(text.encode("utf-8", "backslashreplace"), LEVEL, mtime=0)).decode()
    return "\n".join([PACKED, *(data[at : at + COLUMNS] for at in range(0, len(data), COLUMNS))])


def unpacked(text: str) -> tuple[str, str] | None:
    """What is packed in this text, and what stands around it; None where nothing is.

    Raises DamagedError where a report of ours is not whole, or longer than any.
    """
    ours = PACKED in text
    found = _BASE64.search(text, text.find(PACKED) if ours else 0)
    inner = _decoded(found[0]) if found else None
    if found is None or inner is None:
        if ours:
            raise DamagedError("the packed report is not whole: copy all of its lines, or attach the file itself")
        return None
    return inner, f"{text[: found.start()]}\n{text[found.end() :]}".replace(PACKED, "")


def _decoded(lines: str) -> str | None:
    try:
        data = base64.b64decode("".join(lines.split()), validate=True)
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            whole = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error, binascii.Error):
        return None
    if len(whole) > MAX_BYTES:
        raise DamagedError(f"what is packed is larger than {MAX_BYTES // 1024 // 1024} MiB: not a cudacheck report")
    return whole.decode("utf-8", "replace")


def apart(text: str) -> tuple[str, str]:
    """The report of a ticket, and what somebody wrote around that; a text without marks may be a report as a whole."""
    before, mark, rest = text.partition(BEGIN)
    if not mark:
        return text, ""
    ticket, end, after = rest.rpartition(END)
    return (ticket if end else after).rpartition(REPORT)[2], f"{before}\n{after if end else ''}"

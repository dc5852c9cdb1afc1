"""The corpus: recipes with a faulty line each, and healthy ones; many to a file, so that they can be read in a row.

`%%%% FILE | RULE | LINE` begins a faulty recipe, `%%%% FILE` a healthy one, `%%%+ FILE` a file that lies beside it.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

FOLDER = Path(__file__).parent / "lint" / "corpus"


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    files: tuple[tuple[str, str], ...]
    rule: str = ""
    line: int = 0


def cases(name: str) -> list[Case]:
    text = (FOLDER / name).read_text(encoding="utf-8")
    found = []
    for number, part in enumerate(re.split(r"^%%%% ", text, flags=re.MULTILINE)[1:]):
        head, *beside = re.split(r"^%%%\+ ", part, flags=re.MULTILINE)
        title, _, body = head.partition("\n")
        file, *fault = (word.strip() for word in title.split("|"))
        others = tuple((one.partition("\n")[0].strip(), one.partition("\n")[2]) for one in beside)
        rule, line = (fault[0], int(fault[1])) if fault else ("", 0)
        found.append(Case(f"{number} {file} {rule}".strip(), ((file, body), *others), rule, line))
    return found

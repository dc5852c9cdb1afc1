"""Shell: commands with their words as a program gets them, by tree-sitter's bash grammar."""

from __future__ import annotations

import bisect
import collections
import dataclasses
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cudacheck.lint.facts import Command, Place, Redirection, Setter, Variable
from cudacheck.lint.readers._base import Context

if TYPE_CHECKING:
    from tree_sitter import Node

# What notebooks and documents put before a command. Blanks take its place, so that columns stay right.
_PROMPT = re.compile(r"^([ \t]*)(\([\w.\- ]+\)[ \t]*)?(\$[ \t]+(?=\w)|[!%](?=\w)|(?<=\))[ \t]*\$[ \t]+)", re.MULTILINE)
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_SUBSTITUTED = re.compile(r"\$\{\{.*?\}\}")
_CONDITIONAL = {"if_statement", "elif_clause", "else_clause", "case_item", "while_statement", "ternary_expression"}


@dataclasses.dataclass(frozen=True)
class Word:
    """One word of a command, quotes taken away."""

    text: str
    place: Place
    dynamic: bool = False
    """It holds a variable or a command's output."""
    quoted: bool = False


@dataclasses.dataclass(frozen=True)
class ShellCommand:
    """One command as it is written."""

    words: tuple[Word, ...]
    place: Place
    assignments: tuple[tuple[str, Word], ...] = ()
    redirections: tuple[Redirection, ...] = ()
    heredoc: tuple[str, Place] | None = None
    tolerated: bool = False
    branched: bool = False


@lru_cache
def _parser() -> Any:
    import tree_sitter
    import tree_sitter_bash

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))


class _Lines:
    """Byte offsets as lines and columns of characters."""

    def __init__(self, text: str, context: Context) -> None:
        self.lines = text.split("\n")
        self.bytes = text.encode("utf-8", "replace")
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line.encode("utf-8", "replace")) + 1)
        self.context = context
        self.values = dict(context.values)

    def point(self, offset: int) -> tuple[int, int]:
        row = bisect.bisect_right(self.starts, offset) - 1
        return row + 1, len(self.bytes[self.starts[row] : offset].decode("utf-8", "replace")) + 1

    def place(self, node: Node, until: Node | None = None) -> Place:
        return self.span(node.start_byte, (until or node).end_byte)

    def span(self, start: int, end: int) -> Place:
        return self.context.place(*self.point(start), *self.point(end))


def parse(text: str, context: Context) -> tuple[list[ShellCommand], Place | None]:
    """All commands in their order, and where the text stops being shell."""
    text = _PROMPT.sub(lambda match: " " * len(match[0]), text.replace("\r", " "))
    # A workflow's ${{ expression }} is filled in before the shell sees it.
    text = _SUBSTITUTED.sub(lambda match: "$" + "X" * (len(match[0]) - 1), text)
    lines = _Lines(text, context)
    root = _parser().parse(lines.bytes).root_node
    lines.values |= _assigned_once(root, lines)
    found = [_command(node, lines, **around) for node, around in _walk(root)]
    return [command for command in found if command], _first_error(root, lines) if root.has_error else None


def _assigned_once(root: Node, lines: _Lines) -> dict[str, str]:
    """The variables of a script whose value is certain: a plain text, given on the top level, nowhere else."""
    top: dict[str, str] = {}
    times: collections.Counter[str] = collections.Counter()
    stack = [root]
    while stack:
        node = stack.pop()
        stack.extend(reversed(node.named_children))
        if node.type != "variable_assignment":
            continue
        name, value = _pair(node, lines)
        times[name] += 1
        if node.parent == root and not value.dynamic and value.text:
            top[name] = value.text
    return {name: value for name, value in top.items() if times[name] == 1}


def _first_error(root: Node, lines: _Lines) -> Place | None:
    stack = [root]
    while stack:
        node = stack.pop()
        if node.is_error or node.is_missing:
            return lines.place(node)
        stack.extend(reversed([child for child in node.children if child.has_error]))
    return None


def _walk(root: Node) -> Iterator[tuple[Node, dict[str, bool]]]:
    """Every command with what stands around it; no recursion, whatever the depth."""
    stack: list[tuple[Node, bool, bool]] = [(root, False, False)]
    while stack:
        node, tolerated, branched = stack.pop()
        if node.type in {"command", "declaration_command", "redirected_statement"} or (
            node.type == "variable_assignment" and node.parent is not None and node.parent.type != "command"
        ):
            yield node, {"tolerated": tolerated, "branched": branched}
            if node.type == "declaration_command":
                continue
        if node.type == "heredoc_body":
            continue
        inside = branched or node.type in _CONDITIONAL
        named = node.named_children
        for index, child in reversed([*enumerate(named)]):
            either_way = tolerated or _tolerates(node, child, index, named)
            stack.append((child, either_way, inside))


def _tolerates(node: Node, child: Node, index: int, named: list[Node]) -> bool:
    """Whether a failure of this child does not stop the whole."""
    if node.type in {"negated_command", "command_substitution", "process_substitution"}:
        return True
    if node.type in {"if_statement", "elif_clause", "while_statement"}:
        return node.child_by_field_name("condition") == child
    if node.type == "list":
        operators = [part.type for part in node.children if part.type in {"||", "&&"}]
        return "||" in operators and index < len(named) - 1
    return node.type == "pipeline" and index < len(named) - 1


def _command(node: Node, lines: _Lines, *, tolerated: bool, branched: bool) -> ShellCommand | None:
    place = lines.place(node)
    if node.type in {"declaration_command", "variable_assignment"}:
        return _assigned(node, lines, place, branched=branched)
    if node.type == "redirected_statement":
        return None  # told with its command
    body, redirects = node, _redirects_of(node)
    if redirects:
        place = lines.span(node.start_byte, max(node.end_byte, redirects[-1].end_byte))
    words, assignments = _words(body, lines)
    further, redirections, heredoc = _redirected(redirects, words, lines)
    words = sorted([*words, *further], key=lambda word: (word.place.line, word.place.column))
    return ShellCommand(tuple(words), place, assignments, redirections, heredoc, tolerated, branched)


def _redirects_of(node: Node) -> list[Node]:
    """The redirections of a command: its statement's, and those behind a list that it ends."""
    found: list[Node] = []
    while node.parent is not None and node.parent.type in {"redirected_statement", "list", "pipeline"}:
        parent = node.parent
        if parent.type == "redirected_statement":
            found += parent.children_by_field_name("redirect")
        elif parent.named_children[-1] != node:
            break
        node = parent
    return found


def _assigned(node: Node, lines: _Lines, place: Place, *, branched: bool) -> ShellCommand:
    """`export A=1 B=2`, and `A=1` on its own."""
    parts = node.named_children if node.type == "declaration_command" else [node]
    pairs = [_pair(part, lines) for part in parts if part.type == "variable_assignment"]
    keyword = node.children[0].type if node.type == "declaration_command" else "set"
    return ShellCommand((Word(keyword, place),), place, tuple(pairs), branched=branched)


def _pair(node: Node, lines: _Lines) -> tuple[str, Word]:
    name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
    label = name.text.decode("utf-8", "replace") if name is not None and name.text else ""
    return label, _word(value, lines) if value is not None else Word("", lines.place(node))


def _words(body: Node, lines: _Lines) -> tuple[list[Word], tuple[tuple[str, Word], ...]]:
    words, assignments = [], []
    for child in body.children:
        if child.type == "variable_assignment":
            assignments.append(_pair(child, lines))
        elif child.type == "command_name":
            words.append(_word(child.children[0] if child.children else child, lines))
        elif child.is_named and child.type not in {"file_redirect", "herestring_redirect", "comment"}:
            words.append(_word(child, lines))
    return words, tuple(assignments)


def _redirected(
    redirects: list[Node], words: list[Word], lines: _Lines
) -> tuple[list[Word], tuple[Redirection, ...], tuple[str, Place] | None]:
    """What the redirections hold: words that belong to the command, comparisons taken for files, a heredoc."""
    further: list[Word] = []
    found: list[Redirection] = []
    heredoc = None
    for node in redirects:
        if node.type == "heredoc_redirect":
            body = next((child for child in node.children if child.type == "heredoc_body"), None)
            if body is not None and body.text is not None:
                heredoc = (body.text.decode("utf-8", "replace"), lines.place(body))
            continue
        targets = [_word(target, lines) for target in node.children_by_field_name("destination")]
        operator = next((child.type for child in node.children if child.type in {">", "<", ">>", "&>", ">="}), "")
        if not targets:
            continue
        further += targets[1:]
        before = next((word for word in [*words, *further] if _touches(word, lines.place(node))), None)
        if before is not None and operator in {">", "<"} and before.text[-1:].isalnum():
            end = targets[0].place
            place = dataclasses.replace(before.place, end_line=end.end_line, end_column=end.end_column)
            found.append(Redirection(before.text, operator, targets[0].text, place))
    return further, tuple(found), heredoc


def _touches(word: Word, place: Place) -> bool:
    return (word.place.end_line, word.place.end_column) == (place.line, place.column)


def _word(node: Node, lines: _Lines) -> Word:
    raw = (node.text or b"").decode("utf-8", "replace")
    text, dynamic = _unquoted(node), _is_dynamic(node)
    if dynamic:
        filled = _VARIABLE.sub(lambda match: lines.values.get(match[1] or match[2], match[0]), text)
        if "$" not in filled and "`" not in filled:
            text, dynamic = filled, False
    return Word(text, lines.place(node), dynamic, raw[:1] in "'\"")


def _is_dynamic(node: Node) -> bool:
    stack = [node]
    while stack:
        part = stack.pop()
        if part.type in {"simple_expansion", "expansion", "command_substitution", "arithmetic_expansion"}:
            return True
        stack.extend(part.children)
    return False


def _unquoted(node: Node) -> str:
    """The text that a program gets; expansions stay as they are written."""
    raw = (node.text or b"").decode("utf-8", "replace")
    if node.type == "raw_string":
        return raw[1:-1]
    if node.type == "string":
        return re.sub(r'\\(["\\$`])', r"\1", raw[1:-1]).replace("\\\n", "")
    if node.type == "concatenation":
        return "".join(_unquoted(child) for child in node.children)
    return re.sub(r"\\\n", "", raw) if node.type != "word" else re.sub(r"\\(.)", r"\1", raw.replace("\\\n", ""))


def variables(command: ShellCommand, context: Context) -> list[Variable]:
    """The variables that a command sets, and for how long."""
    keyword = command.words[0].text if command.words else ""
    if keyword in {"set", "local", "readonly", "typeset"}:
        return []
    exported = keyword in {"export", "declare"}
    setter = Setter.EXPORT if exported else Setter.COMMAND
    return [
        Variable(
            name,
            None if word.dynamic else word.text,
            word.place,
            setter,
            context.scope,
            branched=command.branched,
        )
        for name, word in command.assignments
    ]


def as_command(command: ShellCommand, context: Context) -> Command:
    return Command(
        tuple(word.text for word in command.words),
        command.place,
        context.scope,
        tolerated=command.tolerated or command.branched,
        building=context.building,
        hosted_runner=context.hosted_runner,
    )

"""A fleet as JUnit's XML: a case a node, so that a pipeline's own page shows who fails."""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree import ElementTree

from cudacheck.comparing.fleet.document import Told
from cudacheck.comparing.fleet.judge import Fleet
from cudacheck.model.findings import Severity
from cudacheck.render import Format, Shown
from cudacheck.render._clean import clean
from cudacheck.render.fleet._outline import typical
from cudacheck.render.formats import junit


def render(told: Told, shown: Shown) -> str:
    fleet = told.fleet
    failures, remarks = _failures(fleet), _remarks(fleet)
    aged = {stale.node: f"{stale.hours:,.0f} h too old" for stale in fleet.stale}
    names = [*(node.node for node in fleet.nodes), *aged, *fleet.missing, *(one.source for one in fleet.broken)]
    cases = [junit.case_of("cudacheck.fleet", clean(name)) for name in names]
    for name, case in zip(names, cases, strict=True):
        if lines := [clean(line) for line in failures.get(name, ())]:
            junit.failed(case, Severity.ERROR, lines[0], "\n".join(lines))
        elif name in aged:
            junit.skipped(case, aged[name])
        if name in remarks:
            ElementTree.SubElement(case, "system-out").text = "\n".join(map(clean, remarks[name]))
    return junit.document(junit.suite_of("cudacheck fleet", cases), shown.encoding)


def _failures(fleet: Fleet) -> Mapping[str, list[str]]:
    """By node, why nothing should run there: it fails, is slow, is missing or could not be read."""
    found: dict[str, list[str]] = {}
    for finding in fleet.findings:
        if finding.severity is Severity.ERROR:
            for node in finding.nodes:
                found.setdefault(node, []).append(f"{finding.rule}: {finding.message}")
    for gpu in fleet.slow:
        words = f"GPU {gpu.gpu} slow: {gpu.case} {gpu.found}, {gpu.below:.0%} below {gpu.expected}"
        found.setdefault(gpu.node, []).append(words)
    for node in fleet.missing:
        found.setdefault(node, []).append(fleet.why_missing.get(node, "missing: it has not reported"))
    for broken in fleet.broken:
        found.setdefault(broken.source, []).append(f"unreadable: {broken.why}")
    return found


def _remarks(fleet: Fleet) -> Mapping[str, list[str]]:
    """By node, in what it is other than its kind."""
    found: dict[str, list[str]] = {}
    for outlier in fleet.outliers:
        found.setdefault(outlier.node, []).append(f"{outlier.what} {outlier.found}, {typical(outlier)}")
    return found


FORMAT = Format(render=render, endings=(".xml",), media_type="application/xml")

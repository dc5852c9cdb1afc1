"""The report as JUnit XML: one case for each rule and each requirement, as test reports are shown everywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree import ElementTree as ET

from cudacheck.judging.gate import FAILING, REQUIREMENT
from cudacheck.model.findings import Finding, Severity
from cudacheck.model.report import Fulfilment, Report, RequirementResult, State
from cudacheck.registry import rules
from cudacheck.render import Format, Shown
from cudacheck.render._clean import clean, passing, typed
from cudacheck.render.outline import titled, to_type


def render(report: Report, shown: Shown) -> str:
    """What fails is what makes the exit code 1; what nobody could tell is skipped, with the reason."""
    cases = [*_of_rules(report, shown), *(_of_requirement(one) for one in report.requirements), _verdict(report, shown)]
    suite = suite_of("cudacheck", cases)
    suite.set("time", f"{report.seconds or 0:.3f}")
    suite.set("timestamp", report.created.partition("+")[0])
    if report.subject.node:
        suite.set("hostname", clean(report.subject.node, 200))
    return document(suites_of(suite), shown.encoding)


def suite_of(name: str, cases: Sequence[ET.Element]) -> ET.Element:
    """These cases, counted."""
    suite = ET.Element("testsuite", {"name": name, "tests": str(len(cases))})
    for kind, counted in (("failure", "failures"), ("skipped", "skipped")):
        suite.set(counted, str(sum(case.find(kind) is not None for case in cases)))
    suite.set("errors", "0")
    suite.extend(cases)
    return suite


def suites_of(suite: ET.Element) -> ET.Element:
    root = ET.Element("testsuites")
    root.append(suite)
    return root


def document(root: ET.Element, encoding: str) -> str:
    """A file of it, in letters that the encoding has."""
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    return passing(f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n', encoding)


def _of_rules(report: Report, shown: Shown) -> Iterator[ET.Element]:
    found = {finding.rule: finding for finding in report.findings}
    unchecked = {one.rule: one.reason for one in report.unchecked}
    for rule in rules():
        if rule.id == REQUIREMENT:  # its findings have cases of their own
            continue
        case = case_of("cudacheck.rules", rule.id)
        finding = found.get(rule.id)
        if finding and finding.severity in FAILING[shown.fail_on]:
            failed(case, finding.severity or Severity.ERROR, clean(finding.message), _told(finding))
        elif rule.id in unchecked:
            skipped(case, unchecked[rule.id])
        elif finding:
            ET.SubElement(case, "system-out").text = f"{finding.severity}: {clean(finding.message)}"
        yield case


def _of_requirement(result: RequirementResult) -> ET.Element:
    case = case_of("cudacheck.requirements", clean(result.spec, 200))
    if result.state is not Fulfilment.FULFILLED:
        failed(case, result.state, clean(result.said), clean(result.found_in))
    return case


def _verdict(report: Report, shown: Shown) -> ET.Element:
    """Whether anything proves the machine ready."""
    case = case_of("cudacheck", "ready")
    if report.verdict.state in {State.READY, State.READY_BUT}:
        return case
    if shown.not_proven == "pass" or report.verdict.state is State.BROKEN:
        skipped(case, report.verdict.headline)
    else:
        failed(case, report.verdict.state, clean(report.verdict.headline), "")
    return case


def case_of(of: str, name: str) -> ET.Element:
    return ET.Element("testcase", {"classname": of, "name": name, "time": "0"})


def failed(case: ET.Element, kind: str, message: str, text: str) -> None:
    ET.SubElement(case, "failure", {"type": str(kind), "message": message}).text = text


def skipped(case: ET.Element, reason: str) -> None:
    ET.SubElement(case, "skipped", {"message": clean(reason)})


def _told(finding: Finding) -> str:
    lines = [clean(evidence.fact) for evidence in finding.evidence[:20]]
    for remedy in finding.remedies:
        lines += [f"do: {clean(titled(remedy))}", *(f"    {typed(line)}" for line in to_type(remedy))]
    if finding.caused_by:
        lines.append(f"because of {finding.caused_by}")
    return "\n".join(lines)


FORMAT = Format(render=render, endings=(".xml",), media_type="application/xml")

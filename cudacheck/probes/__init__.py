"""Probes ask the machine one question each and yield facts; a probe holds no threshold and no opinion."""


class Skipped(Exception):  # noqa: N818 - an outcome, not an error
    """Raised by a probe that cannot ask its question here; the words say why."""

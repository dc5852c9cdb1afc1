"""`cudacheck config`."""

from __future__ import annotations

from cudacheck.cli import settings
from cudacheck.cli.options import PageFormat, PageFormatOption
from cudacheck.cli.output import show


def config(
    config: settings.Config = None,
    no_config: settings.NoConfig = False,
    output_format: PageFormatOption = PageFormat.TEXT,
) -> None:
    """Print what is in force for the doctor and for lint here, and where each value came from."""
    from cudacheck.commands import config as printing

    doctors, lints = (settings.in_force({}, config=config, no_config=no_config, lint=lint) for lint in (False, True))
    show(printing.page(doctors, lints, output_format))

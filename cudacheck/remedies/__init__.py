"""Builds remedies: what to type, in the words of the installer that the inspected environment really uses."""

from cudacheck.remedies.builders import (
    cpu_build,
    flash_attn,
    install,
    reboot,
    reinstall_torch,
    reinstall_wheels,
    set_variable,
    torch_build,
    uninstall,
    unset_variable,
    upgrade_driver,
    verify,
)

__all__ = [
    "cpu_build",
    "flash_attn",
    "install",
    "reboot",
    "reinstall_torch",
    "reinstall_wheels",
    "set_variable",
    "torch_build",
    "uninstall",
    "unset_variable",
    "upgrade_driver",
    "verify",
]

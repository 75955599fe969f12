"""What the plugin adds to the tools of optreg."""

import optreg


def frozen_finding():
    """Return one finding."""
    return [("the water is frozen", "wait for the spring")]


def thaw(degrees: int = 1):
    """Say how warm it is."""
    print(f"{degrees} degrees")


@optreg.hookimpl
def doctor_checks():
    return [frozen_finding]


@optreg.hookimpl
def cli_commands():
    return {"thaw": thaw}

"""`hyperbridge doctor`: what is installed here, what is wrong, and the command that mends it."""

from __future__ import annotations

import typer

MARKS = {"ok": ("✓", "green"), "note": ("!", "yellow"), "wrong": ("✗", "red")}


def doctor() -> None:
    """Examine this machine: versions, devices, 4 bits, disks, the Hub; exit code 1 where something is wrong."""
    from rich.console import Console
    from rich.text import Text

    from hyperbridge.environment import examine

    console = Console()
    wrong = 0
    for finding in examine():
        mark, colour = MARKS[finding.state]
        wrong += finding.state == "wrong"
        line = Text.assemble((f"{mark} ", colour), (f"{finding.what}: ", "bold"), finding.found)
        console.print(line, soft_wrap=True)
        if finding.mend:
            console.print(Text(f"    {finding.mend}", "cyan"), soft_wrap=True)
    if wrong:
        console.print(Text(f"{wrong} to be mended", "red"))
        raise typer.Exit(1)

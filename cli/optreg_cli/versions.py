"""``optreg --version``: what is installed, for bug reports."""

from __future__ import annotations

from dataclasses import asdict

import typer

from optreg_cli import rendering


def show_versions(*, as_json: bool) -> None:
    """Write the versions of optreg, the libraries around it and the plugin distributions."""
    from optreg.discovery.installation import plugins, versions

    if as_json:
        content = {"versions": {name: version or None for name, version in versions().items()}}
        rendering.write_json("optreg.version/1", {**content, "plugins": [asdict(plugin) for plugin in plugins()]})
        return
    for name, version in versions().items():
        typer.echo(rendering.one_line(f"{name} {version or 'not installed'}"))
    for plugin in plugins():
        offers = ", ".join((*plugin.names, *(f"hooks {hook}" for hook in plugin.hooks)))
        disabled = " (disabled)" if plugin.disabled else ""
        typer.echo(rendering.one_line(f"plugin {plugin.distribution} {plugin.version}{disabled}: {offers}"))

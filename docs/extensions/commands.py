"""The directive ``commands``: what the ``--help`` of a click group and of each of its commands says, word for word."""

from __future__ import annotations

import importlib
from typing import Any

import click
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

WIDTH = 96


class Commands(SphinxDirective):
    """``.. commands:: module:group program-name``; one section a command."""

    required_arguments = 2

    def run(self) -> list[nodes.Node]:
        module, _, name = self.arguments[0].partition(":")
        group = getattr(importlib.import_module(module), name)
        program = self.arguments[1]
        with click.Context(group, info_name=program, terminal_width=WIDTH, max_content_width=WIDTH) as above:
            out: list[nodes.Node] = [self.screen(group, above)]
            for each in group.list_commands(above):
                command = group.get_command(above, each)
                title = f"{program} {each}"
                section = nodes.section(ids=[nodes.make_id(title)], names=[title])
                section += nodes.title("", title)
                with click.Context(command, info_name=each, parent=above, max_content_width=WIDTH) as here:
                    section += self.screen(command, here)
                out.append(section)
        return out

    def screen(self, command: click.Command, context: click.Context) -> nodes.Node:
        text = command.get_help(context)
        return nodes.literal_block(text, text, language="text")


def setup(app: Any) -> dict[str, bool]:
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True}

"""The command reference as Markdown, made from the commands themselves."""

from __future__ import annotations

from inspect import cleandoc

import click


def reference() -> str:
    """What `docs/commands.md` holds."""
    from nas.cli.group import group

    parts = [
        "# Commands",
        "Made from `nas --help` by `python -m nas.cli.reference > docs/commands.md`; a test holds the two equal.",
        "Exit status: 0 done, 1 no result, 2 bad input, 3 something of the environment is missing.",
    ]
    with click.Context(group, info_name="nas") as parent:
        for name in group.list_commands(parent):
            command = group.commands[name]
            with click.Context(command, info_name=name, parent=parent) as context:
                usage = " ".join(command.collect_usage_pieces(context))
                parts += [f"## nas {name}", f"    nas {name} {usage}", cleandoc(command.help or "")]
                rows = [row for parameter in command.params if (row := parameter.get_help_record(context)) is not None]
                parts.append("\n".join(f"- `{option}` {text}".rstrip() for option, text in rows))
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    click.echo(reference(), nl=False)

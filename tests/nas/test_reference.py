"""The command reference says what the commands say."""

from __future__ import annotations

from pathlib import Path

import click

from nas.cli.group import group
from nas.cli.reference import reference

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_the_commands_say() -> None:
    assert (ROOT / "docs" / "commands.md").read_text(encoding="utf-8") == reference()


def test_every_command_has_help_for_every_option() -> None:
    for name, command in group.commands.items():
        assert command.help, name
        silent = [option.name for option in command.params if isinstance(option, click.Option) and not option.help]
        assert not silent, f"nas {name}"


def test_the_readme_names_commands_that_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    used = {line.split()[1] for line in text.splitlines() if line.startswith("    nas ")}
    assert used <= set(group.commands)
    assert len(used) >= 8

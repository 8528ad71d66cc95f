"""The command line: the front door, which alone knows every room and opens each one late."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Sequence

import click

from searchspaces.errors import InputError, MissingError, NoResultError

_EXIT_CODES = {NoResultError: 1, InputError: 2, MissingError: 3}


def main() -> None:
    """Entry point of the `nas` command."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns its exit status and writes errors as one paragraph on stderr."""
    # Set before anything loads TensorFlow, whose start-up notices would drown the answer.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from nas.cli.group import group

    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        group.main(args=arguments, prog_name="nas", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return int(stop.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("error: interrupted; the same command goes on where it stopped.", err=True)
        return 130
    except click.ClickException as error:
        return _fail(error.format_message(), 2)
    except tuple(_EXIT_CODES) as error:
        if debug:
            raise
        return _fail(str(error), next(code for kind, code in _EXIT_CODES.items() if isinstance(error, kind)))
    except BrokenPipeError:
        # The reader of our output, such as `head`, has had enough.
        sys.stderr.close()
        return 0
    return 0


def _fail(message: str, code: int) -> int:
    text = " ".join(message.split())
    click.echo(textwrap.fill(f"error: {text}", width=100, break_long_words=False, break_on_hyphens=False), err=True)
    return code

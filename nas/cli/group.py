"""The commands, in the order of a project: look, measure, plan, search, report, ship."""

from __future__ import annotations

import click

from nas import __version__
from nas.cli.compare import compare
from nas.cli.networks import describe, sample, spaces
from nas.cli.plan import plan
from nas.cli.profile import profile, targets
from nas.cli.report import report
from nas.cli.reproduce import reproduce
from nas.cli.search import resume, search, status
from nas.cli.stream import stream
from nas.cli.train import export, train


class _InOrder(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=_InOrder, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="nas")
def group() -> None:
    """Find neural networks that are accurate and fast on a named device, and ship them as TFLite.

    Errors are one paragraph on stderr; --debug, anywhere on the line, shows the traceback. Exit status: 0 done,
    1 no result, 2 bad input, 3 something of the environment is missing.
    """


for _command in (
    *(spaces, sample, describe, targets, profile, plan, search, resume, status, report, compare, train, export),
    *(stream, reproduce),
):
    group.add_command(_command)

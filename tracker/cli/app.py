"""The Typer application: the layout of help, and the answers to mistyped words.

Help is plain text rather than Rich's panels: it reads the same in a terminal, a pipe and a file, and importing Rich
would take longer than everything else.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from itertools import takewhile
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup

from tracker import __version__
from tracker.cli.console import print_document, print_result
from tracker.wording import NEAR_WORD

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from typer._click import Context, HelpFormatter

CommandFunction = TypeVar("CommandFunction", bound="Callable[..., Any]")

_PARENTHESES = re.compile(r"(?<=default: )\((.*?)\)(?=[];])")  # which Typer puts around a default given in words

GROUPS = {  # the commands, in the order of the help
    "Train": ("run", "sweep", "resume", "close", "data"),
    "Look at the results": ("report", "next", "compare", "gate", "runs", "ui"),
    "Use the models": ("predict", "evaluate", "export", "promote"),
    "Change runs": ("rename", "tag", "delete"),
    "Maintain the store and the cache": ("sync", "repair", "cache"),
    "Help programs": ("skill",),
}
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


class _Answering(typer._click.core.Command):  # noqa: SLF001  (what both kinds of command are made of)
    """Refuses an unknown, repeated or empty option by its name, and guesses what a mistyped one means."""

    def aliases(self, context: Context) -> dict[str, list[str]]:
        """Return every name that a person may know an option by, each with the flags that it stands for."""
        options = [param for param in self.get_params(context) if param.param_type_name == "option"]
        return {flag: [flag] for param in options for flag in (*param.opts, *param.secondary_opts)}

    def hint(self, context: Context, flag: str) -> str:
        """Return a guess at an unknown option, to be added to the error; empty if nothing is near."""
        return did_you_mean(flag, self.aliases(context))

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Parse a command line; errors name the option."""
        if not ctx.resilient_parsing:  # as it is while a line is completed
            self._check(ctx, args)
        return super().parse_args(ctx, args)

    def _check(self, context: Context, args: Sequence[str]) -> None:
        try:
            values, _, given = self.make_parser(context).parse_args(list(args))
        except typer.TyperException as error:
            flag = getattr(error, "option_name", None)
            if flag is None or not hasattr(error, "possibilities"):
                context.fail(error.format_message())
            context.fail(f"there is no option {flag}{self.hint(context, flag)}")
        for param, times in Counter(given).items():
            name = param.display_name_raw if isinstance(param, TyperArgument) else param.opts[0]
            value = values.get(param.name)
            if value == "" or (isinstance(value, list) and "" in value):
                context.fail(f"{name} is empty")
            if times > 1 and param.param_type_name == "option" and not param.multiple:
                if {*param.opts} & {*args} and {*param.secondary_opts} & {*args}:
                    context.fail(f"give {name} or {param.secondary_opts[0]}, not both")
                context.fail(f"{name} was given {'twice' if times == 2 else f'{times} times'}")

    def collect_usage_pieces(self, ctx: Context) -> list[str]:
        """Return the parts of the usage line, with ``RUN`` for Typer's ``{RUN}``, ``RUN...`` for ``{RUN...}...``."""
        pieces = super().collect_usage_pieces(ctx)
        return [piece.replace("...}...", "...").strip("{}") for piece in pieces]

    def panels(self, ctx: Context) -> dict[str, dict[str, str]]:
        """Return the sections of the help about parameters in their order, each with its entries."""
        panels: dict[str, dict[str, str]] = {}
        for param in self.get_params(ctx):
            if isinstance(param, TyperArgument):
                panels.setdefault("Arguments", {})[param.display_name_raw] = param.help or ""
            elif record := param.get_help_record(ctx):
                title: str = getattr(param, "rich_help_panel", None) or "Options"
                panels.setdefault(title, {})[record[0]] = _PARENTHESES.sub(r"\1", record[1])
        return panels

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the sections about parameters, in the order of their first ones; "Options" is last."""
        panels = self.panels(ctx)
        for title in sorted(panels, key=lambda title: title == "Options"):
            with formatter.section(title):
                formatter.write_dl([*panels[title].items()])


class Command(_Answering, TyperCommand):
    """A command of tracker."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Parse a command line; an option whose metavar has several words may be given as so many."""
        for param in self.get_params(ctx):
            size = len((getattr(param, "metavar", None) or "").split())
            for flag in set(param.opts) & set(args) if size > 1 and param.param_type_name == "option" else ():
                start = args.index(flag) + 1
                words = [*takewhile(lambda word: not word.startswith("-"), args[start : start + size])]
                if words and not any("," in word for word in words):
                    args = [*args[:start], ",".join(words), *args[start + len(words) :]]
        return super().parse_args(ctx, args)


class Group(_Answering, TyperGroup):
    """Groups commands in its help, and guesses what a mistyped one means."""

    def resolve_command(self, ctx: Context, args: list[str]) -> Any:
        """Return the command that a name calls."""
        name = args[0]
        if name not in self.commands and not name.startswith("-") and not ctx.resilient_parsing:
            known = {command: [command] for command in self.commands} | self.aliases(ctx)
            ctx.fail(f"there is no command {name!r}{did_you_mean(name, known)}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Context) -> Any:
        """Run the command that is called; Typer would turn Ctrl-C into an exit status like any other."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise typer.Abort from error

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write a section for each panel of commands, then for each panel of options."""
        grouped = {title: [name for name in names if name in self.commands] for title, names in GROUPS.items()}
        rest = self.commands.keys() - {name for names in grouped.values() for name in names}
        for title, names in (grouped | {"Commands": sorted(rest)}).items():
            if names:
                with formatter.section(title):
                    formatter.write_dl([(name, self.commands[name].get_short_help_str(limit=80)) for name in names])
        super().format_options(ctx, formatter)


def did_you_mean(word: str, known: Mapping[str, Sequence[str]]) -> str:
    """Return ``; did you mean --kernel?`` for a mistyped word, given what each known name stands for."""
    plain, names = _plain(word), {_plain(name): meant for name, meant in known.items()}
    within = [name for name in names if set(plain.split("-")) <= set(name.split("-"))]
    begun = [name for name in names if len(plain) > 2 and name.startswith(plain)]
    swapped = [name for name in names if sorted(name) == sorted(plain)]
    close = difflib.get_close_matches(plain, names, n=1, cutoff=NEAR_WORD)
    like = [plain] if plain in names else within or begun or swapped or close
    near = dict.fromkeys(meant for name in like for meant in names[name])
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _plain(name: str) -> str:
    return name.strip("-").lower().replace("_", "-")


def examples(*lines: str) -> str:
    """Return what help ends with: command lines to copy."""
    return "\n".join(["\b", "Examples:" if len(lines) > 1 else "Example:", *(f"  {line}" for line in lines)])


app = typer.Typer(cls=Group, context_settings=SETTINGS, rich_markup_mode=None, pretty_exceptions_enable=False)


def command(name: str, short_help: str, *lines: str) -> Callable[[CommandFunction], CommandFunction]:
    """Return a decorator that makes a function a command, whose help ends with examples."""
    return app.command(name, cls=Command, epilog=examples(*lines), short_help=short_help)


def _show_version(asked: bool) -> None:  # noqa: FBT001  (Typer passes it by position)
    if asked:
        print_result(f"tracker {__version__}")
        raise typer.Exit


@app.callback(
    invoke_without_command=True,
    epilog=examples("tracker run --kernel 7 --plateau 0.3,10", "tracker report > REPORT.md"),
)
def tracker(
    context: typer.Context,
    *,
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Train audio classifiers, log every run to MLflow, and write the comparison."""
    if context.invoked_subcommand is None:
        print_document(f"{context.get_help()}\n")

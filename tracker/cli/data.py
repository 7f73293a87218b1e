"""``tracker data``: check a data set before anything is trained on it, and write the demo set; ``tracker cache``."""

from __future__ import annotations

import inspect
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer._click.core import ParameterSource

from tracker.cli.app import SETTINGS, Command, Group, app, command, examples
from tracker.cli.console import ConsoleReporter, fitting_table, log, print_document, print_result, print_tables, table
from tracker.cli.options import from_table, number, parsed_by, whole_number
from tracker.printable import printable
from tracker.runs import LOGGED_OPTIONS, SEEDS, Panel, Range, option_named, plan_with

if TYPE_CHECKING:
    from tracker.audit.findings import DataCheck

_DEMO_EXAMPLES = examples("tracker data demo genres", "tracker run --data genres/manifest.csv")
_CHECK_EXAMPLES = examples(
    "tracker data check genres/manifest.csv",
    "tracker data check genres/ --format html > data.html",
    "tracker data check genres/ --strict --fold 1/5",
    "tracker data check genres/manifest.csv --ladder",
)

data_app = typer.Typer(cls=Group, context_settings=SETTINGS, rich_markup_mode=None)
app.add_typer(data_app, name="data")


@data_app.callback(invoke_without_command=True, epilog=examples("tracker data check genres/manifest.csv"))
def data(context: typer.Context) -> None:
    """Check a data set, or write the demo set."""
    if context.invoked_subcommand is None:
        print_document(f"{context.get_help()}\n")


def _check(context: typer.Context, **values: Any) -> int:
    """Check a data set: copies, wrong labels, groups that the split cuts, clips that can't be used.

    Prints each class, then what was found. With --strict the exit status is 1 if anything would bias a result.
    """
    from tracker.recording.data_check import check

    given, form, is_strict, ladder = (values.pop(name) for name in ("place", "form", "strict", "ladder"))
    if given is not None:
        if context.get_parameter_source("data") is ParameterSource.COMMANDLINE:
            context.fail(f"the data is given twice, as {printable(str(given))} and by --data: leave one out")
        values["data"] = str(given)
    try:
        plan = plan_with(values)
    except ValueError as error:
        context.fail(str(error))
    place = None if values["data"] is None else Path(values["data"])
    found = check(place, plan, ConsoleReporter(), ladder=ladder)
    if form == "table":
        _print(found)
    else:
        from tracker.render import render_data_check_html, render_data_check_json

        print_document({"html": render_data_check_html, "json": render_data_check_json}[form](found))
    return 1 if is_strict and not found.is_clean else 0


def _print(found: DataCheck) -> None:
    from tracker.audit.findings import CLASS_COLUMNS, FINDING_COLUMNS, class_rows, finding_rows
    from tracker.audit.ladder import COLUMNS

    columns = [*zip(CLASS_COLUMNS, zip(*class_rows(found), strict=True), strict=False)]
    classes, left_out = fitting_table(columns, {CLASS_COLUMNS[0], *CLASS_COLUMNS[4:]}, CLASS_COLUMNS[:3:-1])
    parts: list[Any] = [found.summary, "", classes]
    if left_out:
        parts += [f"left out for lack of width: {', '.join(left_out)}"]
    if found.findings:
        parts += ["", table(FINDING_COLUMNS, finding_rows(found), flush_right=(1,))]
    if found.ladder:
        parts += ["", table(COLUMNS, found.ladder.rows, flush_right=(1, 2, 3)), "", found.ladder.sentence]
    print_tables(*parts, "", found.verdict)


def _signature() -> inspect.Signature:
    """Return what `check` takes: the data, what says how it is read and divided, and its own options."""
    entries = [option_named("data"), *(entry for entry in LOGGED_OPTIONS.values() if entry.panel is Panel.DATA)]
    own = {
        "place": (
            Path | None, None, typer.Argument(
                metavar="PATH", show_default=False, help="The data, if not by --data: a folder or a CSV manifest."
            ),
        ),
        "strict": (bool, False, typer.Option("--strict", help="Exit with 1 if anything would bias a result.")),
        "ladder": (
            bool, False, typer.Option(
                "--ladder",
                help="Train the default network under three splits (segments at random, by clip, by group), and say "
                "what leakage is worth on this data.",
            ),
        ),
        "form": (
            Literal["table", "json", "html"], "table", typer.Option("--format", help="What is printed."),
        ),
    }  # fmt: skip
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Signature(
        [
            inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context),
            *(
                inspect.Parameter(
                    entry.name, keyword, default=entry.default, annotation=Annotated[Any, from_table(entry)]
                )
                for entry in entries
            ),
            *(
                inspect.Parameter(name, keyword, default=default, annotation=Annotated[kind, option])
                for name, (kind, default, option) in own.items()
            ),
        ]
    )


_check.__signature__ = _signature()  # type: ignore[attr-defined]
_check.__annotations__ = {}
data_app.command("check", cls=Command, epilog=_CHECK_EXAMPLES, short_help="Check a data set before training on it.")(
    _check
)


@data_app.command(cls=Command, epilog=_DEMO_EXAMPLES, short_help="Write the built-in demo set as audio files.")
def demo(
    *,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to write to.")],
    artists: Annotated[int, whole_number("Artists per genre", Range(least=2, most=1_000))] = 10,
    clips: Annotated[int, whole_number("Clips per artist", Range(least=1, most=1_000))] = 3,
    seconds: Annotated[float, number("Length of a clip", Range(least=1, most=600), "SECONDS")] = 30.0,
    seed: Annotated[int, whole_number("Seed of the whole set", SEEDS)] = 0,
) -> None:
    """Write the built-in, synthetic demo set to a folder as audio files; prints the path of its manifest."""
    from tracker.data.demo import DemoSettings, write_demo

    with ConsoleReporter().progress("making the demo set", None) as progress:
        manifest = write_demo(folder, DemoSettings(artists, clips, seconds, seed), progress)
    print_result(str(manifest))


def _bytes_of(text: str) -> int:
    from tracker.recording.caching import bytes_of

    return bytes_of(text)


@command("cache", "Show what the cache takes, and make it smaller.", "tracker cache", "tracker cache --limit 2GB")
def cache(
    *,
    limit: Annotated[
        Any,
        typer.Option(
            metavar="SIZE",
            parser=parsed_by(_bytes_of),
            show_default="nothing is removed",
            help="Remove what was used longest ago until the cache takes at most so much: 2GB, 500MB, 0 for all.",
        ),
    ] = None,
    form: Annotated[Literal["table", "json"], typer.Option("--format", help="What is printed.")] = "table",
) -> None:
    """Show what the cache of features and of the demo set takes, and make it smaller.

    It lies in TRACKER_CACHE or the system's own place. Whatever is removed is made again when it is needed.
    """
    from tracker.recording.caching import look_at_cache
    from tracker.store import now_ms
    from tracker.wording import age, size_text

    found = look_at_cache(limit)
    if limit is not None:
        log(f"removed {found.removed:,} files, {size_text(found.freed)}" if found.removed else "nothing to remove")
    if form == "json":
        print_document(f"{json.dumps(asdict(found) | {'size': found.size}, default=str, indent=2)}\n")
        return
    now = now_ms()
    rows = [
        (part.name, f"{part.files:,}", size_text(part.size), f"{age(now - part.used_ms)} ago") for part in found.parts
    ]
    print_tables(f"{found.folder}: {size_text(found.size) if rows else 'empty'}")
    if rows:
        print_tables("", table(("what", "files", "size", "last used"), rows, flush_right=(1, 2, 3)))

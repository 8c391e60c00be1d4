"""The file of a picture: its options, what its name asks for, and the sentences that say what was written."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import click

from pathbook.cli import printing
from pathbook.cli.settings import Output, Settings

if TYPE_CHECKING:
    from pathbook.charting.drawing import Chart, Scheme

Answer = TypeVar("Answer")

SVG: Final = ".svg"
PNG: Final = ".png"


class Target(NamedTuple):
    """The file of a picture, whose name ends in SVG or PNG, and the scheme of its colors."""

    path: Path
    scheme: "Scheme"


def takes_file(command: Callable[..., Answer]) -> Callable[..., Answer]:
    """Add --out and --scheme to a command. It gets both as ``target``."""

    @functools.wraps(command)
    def with_target(*args: object, out: Path, scheme: str, **rest: object) -> Answer:
        return command(*args, target=_target(out, scheme), **rest)

    schemes = click.Choice(["auto", "light", "dark"])
    sentence = "The colors. Default: what the reader's screen prefers; light in a PNG, which cannot know."
    option = click.option("--scheme", type=schemes, default="auto", help=sentence)
    with_scheme = option(with_target)
    return click.option(
        "--out",
        type=click.Path(dir_okay=False, writable=True, path_type=Path),
        required=True,
        metavar="FILE",
        help=f"The picture, which is replaced if it is there: a name that ends in {SVG} or {PNG}.",
    )(with_scheme)


def write(settings: Settings, target: Target, chart: "Chart") -> None:
    """Write the picture to its file, and print what it leaves out."""
    lacking = ""
    if target.path.suffix.lower() == PNG:
        from pathbook.cli import chart_png

        data, lacking = chart_png.render(chart.svg)
    else:
        data = chart.svg.encode()
    target.path.write_bytes(data)
    if settings.output is not Output.TABLE:
        about = {
            "file": str(target.path),
            "bytes": len(data),
            "left_out": list(chart.left_out),
            "lacking": lacking,
        }
        printing.echo(printing.as_json(about, settings.output))
        return
    told = [f"Wrote {target.path}, {len(data):,} bytes.", *chart.left_out]
    if lacking:
        told.append(f"No font here has these characters, which are boxes in the picture: {lacking}")
    printing.echo("\n".join(map(printing.printable, told)))


def _target(path: Path, scheme: str) -> Target:
    """Return the target. Raises click.UsageError for a name of another kind, and for a PNG without its extra."""
    from pathbook.charting.drawing import Scheme

    match path.suffix.lower():
        case ".svg":
            return Target(path, Scheme(scheme))
        case ".png":
            try:
                from pathbook.cli import chart_png  # noqa: F401 - it is tried before the book is asked
            except ImportError as error:
                raise click.UsageError(
                    "A PNG needs resvg, which is not installed. Run: pip install 'pathbook[png]'."
                    f" Or name a file that ends in {SVG}."
                ) from error
            return Target(path, Scheme.LIGHT if scheme == "auto" else Scheme(scheme))
        case _:
            raise click.UsageError(f"{path} is no name of a picture. It must end in {SVG} or {PNG}.")

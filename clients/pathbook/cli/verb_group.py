"""Groups of verbs: a word that names no verb is answered with the verbs that it resembles."""

from collections.abc import Iterator, Sequence
from typing import Final

import click

EXAMPLE_WIDTH: Final = 74
"""The most columns of a line of an example, before the backslash that continues it."""


class Verb(click.Command):
    """A verb. Its help ends with an example."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the example, and below it what the verb itself adds."""
        from pathbook.cli.examples import EXAMPLES

        _, _, verb = ctx.command_path.partition(" ")
        if (example := EXAMPLES.get(verb)) is not None:
            with formatter.section("Example"):
                for line in broken(example):
                    formatter.write(f"{' ' * formatter.current_indent}{line}\n")
        super().format_epilog(ctx, formatter)


class VerbGroup(click.Group):
    """A noun with its verbs, or the whole command line."""

    command_class = Verb

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb that is named first.

        Click resolves it, and suggests options. It compares a word with the loaded verbs of one group only, so
        verbs are suggested here.

        Raises:
            click.UsageError: there is no such verb.
        """
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:
            word = error.command_name
            hint = did_you_mean(self._resembling(ctx, word))
            raise click.UsageError(f"No such command '{word}'.{hint}", ctx) from error

    def _resembling(self, ctx: click.Context, word: str) -> list[str]:
        """Return the verbs that a word may have meant, each as it is typed behind this group."""
        from difflib import get_close_matches

        verbs = list(self._verbs(ctx))
        if word.isdigit() and "show" in verbs:
            return [f"show {word}"]  # a number is what `show` takes
        by_name: dict[str, list[str]] = {}
        for verb in verbs:
            for name in dict.fromkeys([verb, verb.split()[-1]]):
                by_name.setdefault(name, []).append(verb)
        names = [word] if word in by_name else get_close_matches(word, by_name)
        return list(dict.fromkeys(verb for name in names for verb in by_name[name]))

    def _verbs(self, ctx: click.Context) -> Iterator[str]:
        """Yield all verbs of this group and of the groups in it."""
        for name in self.list_commands(ctx):
            yield name
            command = self.get_command(ctx, name)
            if isinstance(command, click.Group):
                yield from (f"{name} {verb}" for verb in command.list_commands(ctx))


def broken(example: str) -> list[str]:
    """Return a command line in lines of 76 columns at most, as a shell reads them, broken before options."""
    import re

    lines = [""]
    for part in re.split(r" (?=--)", example):
        if lines[-1] and len(lines[-1]) + len(part) > EXAMPLE_WIDTH:
            lines[-1] += " \\"
            lines.append(f"  {part}")
        else:
            lines[-1] = f"{lines[-1]} {part}" if lines[-1] else part
    return lines


def did_you_mean(possibilities: Sequence[str]) -> str:
    """Return the sentence that suggests what was meant, with a blank before it; an empty text for nothing."""
    if not possibilities:
        return ""
    *others, last = (f"'{possibility}'" for possibility in possibilities)
    return f" Did you mean {' or '.join([', '.join(others), last] if others else [last])}?"

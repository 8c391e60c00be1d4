"""All verbs of the command line, and for each a command line that its parser accepts."""

from collections.abc import Iterator
from typing import Final

import click

from pathbook.cli.main import pathbook as root

VALUES: Final = {
    "batch": "1",
    "brand": "mask-brand",
    "code": "000020000021N0TH6Y7Y",
    "consumer": "c-7",
    "custodian": "mask-brand",
    "finding": "above-suggested.v1.1.19-20.agent-1.agent-2",
    "giver": "agent-1",
    "gtin": "06901234500011",
    "handle": "wechat ann-masks",
    "kind": "agent",
    "lot": "L1",
    "made_on": "2026-01-01",
    "name": "masks",
    "out": "picture.svg",
    "organizer": "mask-brand",
    "owner": "agent-5",
    "paid": "1 CNY",
    "party": "agent-1",
    "position": "16",
    "price": "1 CNY",
    "recall": "16",
    "receiver": "agent-2",
    "recipe_name": "iowa",
    "seller": "agent-5",
    "shell": "bash",
    "size": "5",
    "sscc": "106141411234567897",
    "state": "lost",
    "path": "export",
    "query": "SELECT 1",
    "state_path": "state",
    "tables": __file__,
    "tier": "2",
    "transfer": "16",
    "key": "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    "file": "nowhere/agent-1.key",
    "sign_with": "mask-brand.key",
    "key_path": "witness.key",
    "logs": "logs.policy",
    "unit": "1:0",
    "units": "1:0",
    "upline": "mask-brand",
    "authorization": "5",
    "to": "backup",
    "backup": "backup",
    "origin": "backup",
    "request_id": "order-4711",
    "role": "auditor",
    "token": "pb-0123456789abcdef",
}
"""A value for each required option and argument."""

ALSO: Final = {
    ("batch", "show"): ["1"],
    ("correction", "list"): ["--party", "agent-1"],
    ("ladder",): ["1"],
    ("chart", "ladder"): ["1"],
    ("correct", "product"): ["--name", "mask"],
    ("holders",): ["1"],
    ("transfer", "list"): ["agent-1"],
    ("keys", "new"): ["--origin", "pathbook/book", "--passphrase-file", __file__],
    ("keys", "list"): ["agent-1"],
    ("keys", "register"): ["--sign-with", "mask-brand.key"],
    ("backup",): ["--without-keys"],
    ("restore",): ["--without-keys"],
    ("key", "drill"): ["--passphrase-file", __file__],
    ("insight", "explain"): ["--text", "clearance sale"],
    ("insight", "explanations"): ["above-suggested.v1.1.19-20.agent-1.agent-2"],
}
"""What some verbs need beside it."""


def verbs(
    command: click.Command = root, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield each verb as it is typed, with its command."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from verbs(found, (*path, name))


def uses(command: click.Command) -> set[str]:
    """Return the options of every verb that this one declares to use."""
    return set(getattr(command.callback, "uses_options", ()))


def line_of(path: tuple[str, ...], command: click.Command) -> list[str]:
    """Return a command line with all that a verb requires: `verify` a code if it has no proof, and `sql` a query."""
    line = [*path]
    for option in command.params:
        if option.required or (path, option.name) in ((("verify",), "code"), (("sql",), "query")):
            value = VALUES[option.name or ""]
            line += [value] if isinstance(option, click.Argument) else [option.opts[0], value]
    if any(option.name == "counts" for option in command.params):
        line += ["--units", "1:0"]
    return [*line, *ALSO.get(path, [])]

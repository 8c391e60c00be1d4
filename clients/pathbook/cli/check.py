"""The verb that checks."""

import click

command = click.Command("check")

"""Where a server is, which zone days have, and the domain of printed links: options that name a place."""

import ipaddress
import re
from typing import Final, NoReturn

import click
from click.shell_completion import CompletionItem

from pathbook.cli import zones

MAX_PORT: Final = 2**16 - 1
"""The last port of TCP."""

MAX_HOST: Final = 253
"""The most characters of the name of a host (RFC 1035, section 2.3.4, as text)."""

MAX_STEM: Final = 100
"""The most characters of the path behind a domain. A longer link makes a symbol that small labels cannot hold."""

_HOST: Final = re.compile(
    r"\[[0-9A-Fa-f:.]+(?:%[0-9A-Za-z]+)?\]|[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
)
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SEGMENT: Final = re.compile(r"[A-Za-z0-9._~-]+")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def parse_address(
    text: str,
    context: click.Context | None = None,
    option: click.Parameter | None = None,
    *,
    lowest: int = 1,
    name: str | None = None,
) -> str:
    """Return HOST:PORT, checked. An IPv6 address is written in brackets. ``lowest`` is the lowest port allowed.

    Raises:
        click.UsageError: the text is no such address. The message says what is wrong.
    """
    problem = _problem_of_address(text, lowest)
    if not problem:
        return text
    sentence = f"'{text}' is not HOST:PORT: {problem}. Write it as localhost:50551 or [::1]:50551."
    if name is not None:
        raise click.UsageError(f"{name}: {sentence}")
    raise click.BadParameter(sentence, context, option)


def _problem_of_address(text: str, lowest: int) -> str:
    if scheme := _SCHEME.match(text):
        return f"leave out '{scheme[0]}'"
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        return "the port is missing"
    if not (
        port.isascii()
        and port.isdigit()
        and lowest <= int(port[:6]) <= MAX_PORT
        and len(port) <= len("65535")
    ):
        return f"'{port}' is not a port from {lowest} to {MAX_PORT}"
    if not host:
        return "the host is missing"
    if ":" in host and not host.startswith("["):
        return "an IPv6 address is written in brackets"
    if (
        len(host) > MAX_HOST
        or _HOST.fullmatch(host) is None
        or not (host.startswith("[") or _has_labels(host))
    ):
        return f"'{host}' is neither the name of a host nor an address"
    return ""


def _has_labels(host: str) -> bool:
    return all(0 < len(label) <= 63 for label in host.split("."))  # noqa: PLR2004 - as _LABEL says


class ZoneType(click.ParamType[zones.Zone]):
    """A zone: a name of the IANA database, or an offset."""

    name = "zone"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> zones.Zone:
        """Find the zone."""
        try:
            return zones.named(value)
        except zones.UnknownZoneError as error:
            self.fail(str(error), param, ctx)

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - as click calls it
        param: click.Parameter,  # noqa: ARG002 - as click calls it
        incomplete: str,
    ) -> list[CompletionItem]:
        """Offer the zones that begin as typed."""
        return [CompletionItem(name) for name in zones.names() if name.startswith(incomplete)]


class AddressType(click.ParamType[str]):
    """HOST:PORT of a server that listens. Port 0 takes a free one."""

    name = "address"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the address."""
        return parse_address(value, ctx, param, lowest=0)


class NetworkType(click.ParamType[str]):
    """An IP address, or a network such as 10.0.0.0/8."""

    name = "network"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the address."""
        try:
            return str(ipaddress.ip_network(value))
        except ValueError:
            self.fail(f"'{value}' is no IP address and no network such as 10.0.0.0/8.", param, ctx)


class DomainType(click.ParamType[str]):
    """The domain of a GS1 Digital Link, and perhaps a path behind it, as `id.example.com` or `example.com/id`.

    The standard allows a path before the identifiers (GS1 Digital Link Standard: URI Syntax). A code is printed once
    and scanned for years, so a port or a user is refused.
    """

    name = "domain"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the domain and the path. The result has no scheme and no slash at its end, and a lowercase domain."""
        scheme = _SCHEME.match(value)
        if scheme is not None and scheme[1].lower() != "https":
            self._refuse(value, f"links are printed with https, not {scheme[1]}", param, ctx)
        host, _, path = value[scheme.end() if scheme else 0 :].partition("/")
        host, path = host.lower(), path.removesuffix("/")
        if problem := _problem_of_domain(host) or _problem_of_path(path):
            self._refuse(value, problem, param, ctx)
        return f"{host}/{path}" if path else host

    def _refuse(
        self, value: str, problem: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> NoReturn:
        shown = re.sub(r"[^/]*@", "***@", value)  # a user may have a password
        shown = shown if len(shown) <= MAX_STEM else f"{shown[:MAX_STEM]}..."
        self.fail(
            f"'{shown}' is not a domain for links: {problem}. Write it as id.example.com, or with a path as"
            " example.com/id.",
            param,
            ctx,
        )


def _problem_of_domain(host: str) -> str:
    """Return what is wrong with a domain in lowercase, an empty text if it can stand in a link."""
    labels = host.split(".")
    if not host:
        return "the domain is missing"
    if "@" in host:
        return "it names a user"
    if ":" in host:
        return "it names a port or an address, and a link that is printed should name neither"
    if not host.isascii() and host.isprintable() and (ascii_form := _ascii_form(host)):
        return f"a link has the ASCII form of a domain, which is {ascii_form}"
    if host.endswith("."):
        return "it ends with a dot"
    if len(host) > MAX_HOST:
        return f"it has {len(host)} characters, and a domain has at most {MAX_HOST}"
    for label in labels:
        if _LABEL.fullmatch(label) is None:
            return f"'{label}' is not 1 to 63 letters, digits and inner hyphens"
    if len(labels) == 1 or labels[-1].isdigit():
        return "it has no top-level domain such as .com"
    return ""


def _problem_of_path(path: str) -> str:
    """Return what is wrong with a path without slashes at its ends, an empty text if it can stand in a link."""
    if not path:
        return ""
    if len(path) > MAX_STEM:
        return f"its path has {len(path)} characters, and at most {MAX_STEM} are allowed"
    for segment in path.split("/"):
        if segment in ("", ".", "..") or _SEGMENT.fullmatch(segment) is None:
            return f"'{segment}' in its path is not letters, digits, '.', '_', '~' and '-'"
        if segment.isdigit() and 2 <= len(segment) <= 4:  # noqa: PLR2004 - the digits of an application identifier
            return f"'{segment}' in its path would be read as an application identifier"
    return ""


def _ascii_form(host: str) -> str:
    """Return the form of an international domain that links have, an empty text if it has none."""
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return ""


ZONE: Final = ZoneType()
ADDRESS: Final = AddressType()
NETWORK: Final = NetworkType()
DOMAIN: Final = DomainType()

takes_operations: Final = click.option(
    "--operations-listen",
    type=ADDRESS,
    metavar="HOST:PORT",
    envvar="PATHBOOK_OPERATIONS_LISTEN",
    show_envvar=True,
    help="Answer operators there, such as 127.0.0.1:50552. Not unless it is given.",
)
"""Gives a verb that runs until it is stopped a port for operators."""

"""Addresses of servers and domains of links are checked before they are used or printed."""

from pathlib import Path

import pytest

from pathbook.cli.places import MAX_HOST, MAX_STEM
from pathbook.ledger.codes import PrintedCode, parse_code
from tests.cli.conftest import pathbook, signing


@pytest.mark.parametrize(
    ("typed", "used"),
    [
        ("id.example.com", "id.example.com"),
        ("https://b.example/x", "b.example/x"),
        ("HTTPS://Id.Example.COM/Shop/", "id.example.com/Shop"),
        ("id.example.com/", "id.example.com"),
        ("example.com/some/path_1~2", "example.com/some/path_1~2"),
        ("xn--m80aw95b.example", "xn--m80aw95b.example"),
        ("example.com/12345", "example.com/12345"),
        (f"{'a' * 63}.example", f"{'a' * 63}.example"),
        (f"{'a.' * ((MAX_HOST - 3) // 2)}comm"[-MAX_HOST:].lstrip("."), None),
        (f"example.com/{'x' * MAX_STEM}", f"example.com/{'x' * MAX_STEM}"),
    ],
)
def test_a_link_has_the_domain_and_the_path_that_were_given(
    server: str, typed: str, used: str | None
) -> None:
    """A link begins with https and the domain, then the path if there is one, and is read as a code of the unit."""
    ran = pathbook("--server", server, "codes", "1:0", "--form", "link", "--domain", typed)
    assert (ran.code, ran.err) == (0, "")
    link = ran.out.strip()
    assert link.startswith(f"https://{used or typed}/01/06901234500011/10/M26-A/21/")
    assert isinstance(parse_code(link), PrintedCode)


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("", "the domain is missing"),
        ("https://", "the domain is missing"),
        ("/x", "the domain is missing"),
        ("http://b.example", "links are printed with https, not http"),
        ("ftp://b.example", "not ftp"),
        ("https://https://b.example", "names a port"),
        ("b.example:443", "it names a port"),
        ("[::1]", "it names a port or an address"),
        ("user@b.example", "it names a user"),
        ("user:secret@b.example", "it names a user"),
        ("b.example.", "it ends with a dot"),
        ("b..example", "'' is not 1 to 63 letters"),
        (" b.example", "' b' is not 1 to 63 letters"),
        ("b.example ", "'example ' is not"),
        ("b_c.example", "'b_c' is not"),
        ("-b.example", "'-b' is not"),
        ("b-.example", "'b-' is not"),
        (f"{'a' * 64}.example", "is not 1 to 63 letters"),
        ("面膜.example", "ASCII form of a domain, which is xn--m80aw95b.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("example", "it has no top-level domain"),
        ("127.0.0.1", "it has no top-level domain"),
        ("b.example/x y", "'x y' in its path"),
        ("b.example//x", "'' in its path"),
        ("b.example/../x", "'..' in its path"),
        ("b.example/x?y", "'x?y' in its path"),
        ("b.example/x#y", "'x#y' in its path"),
        ("b.example/%41", "'%41' in its path"),
        ("b.example/01/x", "'01' in its path would be read as an application identifier"),
        ("b.example/x/8200", "'8200' in its path"),
        ("b.example\x1b[31m", "\\x1b[31m"),
        ("b.\u202eexample", "\\u202eexample"),
        ("a." * 150, "it ends with a dot"),
        ("a" + ".a" * 127, f"it has 255 characters, and a domain has at most {MAX_HOST}"),
        (
            f"b.example/{'x' * (MAX_STEM + 1)}",
            f"its path has {MAX_STEM + 1} characters, and at most {MAX_STEM}",
        ),
    ],
)
def test_what_is_no_domain_is_a_usage_error(typed: str, problem: str) -> None:
    """A domain that a link cannot have is refused with what is wrong and how to write one. Nothing is asked."""
    ran = pathbook("--server", "127.0.0.1:1", "codes", "1:0", "--form", "link", f"--domain={typed}")
    assert (ran.code, ran.out) == (2, "")
    assert problem in ran.err
    assert "is not a domain for links" in ran.err
    assert "Write it as id.example.com" in ran.err
    assert "secret" not in ran.err


def test_a_domain_without_a_link_is_a_usage_error() -> None:
    """--domain would have no effect on other forms, so it is refused there."""
    for form in ([], ["--form", "serial"], ["--form", "element"]):
        ran = pathbook("--server", "127.0.0.1:1", "codes", "1:0", "--domain", "b.example", *form)
        assert (ran.code, "Add --form link" in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("here", "the port is missing"),
        ("[::1]", "the port is missing"),
        (":50551", "the host is missing"),
        ("localhost:", "'' is not a port"),
        ("localhost:x", "'x' is not a port"),
        ("localhost:５０", "'５０' is not a port"),
        ("localhost:65536", "'65536' is not a port"),
        ("localhost:-1", "'-1' is not a port"),
        ("localhost:000080", "'000080' is not a port"),
        ("::1:80", "an IPv6 address is written in brackets"),
        ("http://localhost:80", "leave out 'http://'"),
        ("dns:///localhost:80", "leave out 'dns://'"),
        ("a b:80", "'a b' is neither the name of a host nor an address"),
        ("u@h:80", "'u@h' is neither"),
        ("h..x:80", "'h..x' is neither"),
        ("h\x1b:80", "'h\\x1b' is neither"),
        ("h" * 254 + ":80", "is neither"),
    ],
)
def test_what_is_no_address_is_a_usage_error(
    typed: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--server, PATHBOOK_SERVER and --listen take HOST:PORT, and say what is wrong with anything else."""
    ran = pathbook("stock", "a", f"--server={typed}")
    assert (ran.code, ran.out, problem in ran.err) == (2, "", True), ran
    assert "Write it as localhost:50551 or [::1]:50551" in ran.err
    ran = pathbook("serve", "--data", ".", f"--listen={typed}")
    assert (ran.code, ran.out, problem in ran.err) == (2, "", True), ran
    if typed.isprintable():
        monkeypatch.setenv("PATHBOOK_SERVER", typed)
        ran = pathbook("stock", "a")
        assert (ran.code, ran.out, problem in ran.err, "PATHBOOK_SERVER" in ran.err) == (2, "", True, True), (
            ran
        )


def test_a_server_has_a_port_and_a_listener_may_take_any() -> None:
    """Port 0 is no place to call. The highest port is."""
    ran = pathbook("stock", "a", "--server", "localhost:0")
    assert (ran.code, "'0' is not a port from 1 to 65535" in ran.err) == (2, True)
    for address in ("127.0.0.1:65535", "[::1]:1", "localhost:1"):
        assert pathbook("--server", address, "stock").err.startswith(
            "pathbook: USAGE: Missing argument 'PARTY'"
        )


def test_an_empty_place_is_a_usage_error() -> None:
    """`--server "$HOST"` with an unset variable must not mean the server of the environment."""
    for option in ("--server", "--data", "--book"):
        ran = pathbook("stock", "a", option, "")
        assert (ran.code, "It is empty" in ran.err) == (2, True), ran


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (["stock", "a", "--today", "2026-02-30"], "'2026-02-30' is not a date. Write it as 2026-05-01."),
        (["stock", "a", "--today", "20260501"], "is not a date"),
        (["stock", "a", "--today", "2026-W18-5"], "is not a date"),
        (["stock", "a", "--today", "0000-01-01"], "is not a date"),
        (["stock", "a", "--today", "10000-01-01"], "is not a date"),
        (["stock", "a", "--today", "２０２６-05-01"], "is not a date"),
        (["withdraw", "1", "--giver", "a", "--occurred-at", "2026-05-01T24:00Z"], "is not a time"),
        (["withdraw", "1", "--giver", "a", "--occurred-at", "0001-01-01T00:00+14:00"], "is not a time"),
        (["withdraw", "1", "--giver", "a", "--occurred-at", "9999-12-31T23:59:59-14:00"], "is not a time"),
        (["withdraw", "1", "--giver", "a", "--occurred-at", "2026-05-01T09:30:00.1234567Z"], "is not a time"),
        (["withdraw", "1", "--giver", "a", "--occurred-at", "2026-05-01T09:30"], "has no time zone"),
        (["codes", "1:0-９９"], "does not name units"),
        (["codes", "1:-5"], "does not name units"),
        (["codes", "1:0-99999999999"], "does not name units"),
        (["codes", "9999999999:0"], "does not name units"),
        (["events", "read", "--limit", "-1"], "-1 is below 0. Give 0 or more."),
        (["events", "read", "--after", "-1"], "-1 is below 0"),
        (["path", "1:0", "--as-of", "-1"], "-1 is below 0"),
        (["verify", "X", "--max-age", "-1"], "-1 is below 0"),
        (["verify", "X", "--max-tiers", "-1"], "-1 is below 0"),
        (["verify", "X", "--max-price", "-1 CNY"], "never below zero"),
        (["verify", "X", "--max-price", "1 CNY/0"], "a price of no units"),
        (["verify", "X", "--max-price", "１ CNY"], "is not a price"),
        (["serve", "--data", ".", "--workers", "１"], "is not a whole number"),
        (["serve", "--data", ".", "--workers", "1_0"], "is not a whole number"),
        (["serve", "--data", ".", "--workers", "65"], "between 1 and 64"),
        (["book", "open", "b", "--max-tier", "1000000000"], "1000000000 is no tier"),
        (["party", "authorize", "a", "--upline", "b", "--tier", "1000000000"], "1000000000 is no tier"),
    ],
)
def test_a_value_with_a_grammar_is_checked(line: list[str], problem: str) -> None:
    """What is not written as an option asks is refused before anything is asked."""
    ran = pathbook(*line, *([] if "serve" in line else ["--server", "127.0.0.1:1"]))
    assert (ran.code, ran.out) == (2, "")
    assert problem in ran.err


def test_the_deepest_tier_that_is_read_is_refused_by_the_book(server: str, demo: Path) -> None:
    """A tier that the contract can say is decided by the book."""
    given = ["party", "authorize", "agent-1", "--upline", "mask-brand", "--tier", "999999999"]
    ran = pathbook("--server", server, *given, *signing(demo, "mask-brand"))
    assert (ran.code, "TIER_OUT_OF_BOUNDS: Tier 999999999" in ran.err) == (1, True)

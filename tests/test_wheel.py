"""The wheel as its users have it: what is in it, and that what it declares is all it needs.

It is built from the tree and installed by pip, alone and with the server, into fresh environments outside the clone.
What it requires is not fetched: its metadata is followed through what is installed for the tests, and only the files of
those distributions are linked into the environment. So no index is needed, it takes seconds, and what is not declared
is missing. It does not show that an index has all of it, nor how other versions get on.
"""

import json
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from pathbook.cli.main import VERBS
from pathbook.client import Client
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from tests.cli.conftest import TODAY
from tests.cli.test_demo import PRINTED
from tests.services.masks import begin
from tests.wheel.environments import ROOT, Environment, build

PROGRAMS: Final = ROOT / "tests" / "wheel"
SOURCE_ROOTS: Final = ("proto", "ledger", "services", "clients")

CLIENTS: Final = ("v1", "client", "verify", "importing", "cli", "bench")
"""The packages that need no extra ..."""

ROOMS: Final = (*CLIENTS, "ledger", "services")
"""... and all of them."""

SERVERS_OWN: Final = {
    "alembic", "eventsourcing", "grpc_health", "grpc_reflection", "psycopg", "psycopg_binary", "sqlalchemy",
    "structlog",
}  # fmt: skip
"""What only the server imports."""

VERSION: Final = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]

LINE: Final = {
    "date": "2026-01-31", "vendor_name": "Vendor", "store_number": "7", "item_number": "11",
    "item_description": "Rye", "state_bottle_cost": "10.00", "state_bottle_retail": "15.00", "bottles_sold": "6",
}  # fmt: skip
"""A row of a table that a recipe of the wheel is for."""

SALES: Final = "sales.csv"

ACME_TO_ANN: Final = "--giver acme --receiver ann --price 150CNY"
SESSION: Final = (
    "party register dan --kind agent", "product list", "batch show 1", "codes 1:0-4",
    f"offer {ACME_TO_ANN} --units 1:0-9", "accept 8 --receiver ann",
    f"offer {ACME_TO_ANN} --units 1:10", "decline 10 --receiver ann",
    f"offer {ACME_TO_ANN} --units 1:10", "withdraw 12 --giver acme",
    f"record {ACME_TO_ANN} --units 1:20", "reverse 14 --party ann",
    f"record {ACME_TO_ANN} --units 1:30 --later", "deliver --custodian acme --receiver ann --units 1:30",
    "sell --seller ann --consumer c-1 --units 1:0 --price 300CNY", "confirm --consumer c-1 --units 1:0 --paid 300CNY",
    "sell --seller ann --consumer c-1 --units 1:1 --price 300CNY", "return --owner consumer:c-1 --units 1:1",
    "write-off --party ann --units 1:2 --state damaged", "case pack 106141412345678908 --party acme --units 1:50-59",
    "verify CODE", "path 1:0", "ladder 1", "stock ann", "transfer show 8", "transfer list ann",
    "events read", f"import {SALES} --recipe iowa",
)  # fmt: skip
"""Every verb that asks a server, on a book that the tests have begun."""

OPENING: Final = (
    "serve", "serve --data books", "demo", "demo --data books", "bench --quick", "views follow --data books",
    "views rebuild", "stock ann --data books", "verify 000020000021N0TH6Y7Y --data books",
    "party register acme --kind brand --data books", f"import {SALES} --recipe iowa --data books",
)  # fmt: skip
"""What opens books in its own process."""

EXTRA_NAMED: Final = (
    r"pathbook: USAGE: This verb needs the server, and \w+ is not installed\."
    r" Run: pip install 'pathbook\[server\]'\."
)
"""What is said of those where the server is not installed."""

USER: Final = """\
import pathbook.client
from pathbook.client import Client, select
from pathbook.verify.checks import read_code

with Client("127.0.0.1:50551", book="book") as client:
    reveal_type(client.record_transfer(giver="a", receiver="b", units=select(), unit_price=(1, "CNY")))
    reveal_type(client.get_path((1, 0)))
    reveal_type(client.get_path((1, 0)).steps[0].terms.unit_price.amount_minor)
    reveal_type(read_code("code"))
    reveal_type(pathbook.client.__version__)
    client.get_path((1, 0)).step
    client.get_pth
    pathbook.client.Cleint
"""
"""A program of a user: what a type checker is to find in it, and three mistakes."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree."""
    return build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Environment:
    """An environment after `pip install pathbook`."""
    environment = Environment(tmp_path_factory.mktemp("alone"), wheel)
    sales = "\n".join([",".join(LINE), ",".join(LINE.values()), ""])
    (environment.user / SALES).write_text(sales, "utf-8")
    return environment


@pytest.fixture(scope="module")
def with_server(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Environment:
    """An environment after `pip install 'pathbook[server]'`."""
    return Environment(tmp_path_factory.mktemp("with_server"), wheel, "server")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """HOST:PORT of a server elsewhere."""
    with running(Settings(data=tmp_path_factory.mktemp("books"), listen="127.0.0.1:0")) as port:
        yield f"127.0.0.1:{port}"


def run(environment: Environment, *command_lines: str) -> list[tuple[int, str, str]]:
    """Run command lines, one after the other; return the exit code, stdout and stderr of each."""
    asked = json.dumps([line.split() for line in command_lines])
    done = environment.run("python", str(PROGRAMS / "run_commands.py"), said=asked)
    assert done.returncode == 0, done.stderr
    return [(code, out, err) for code, out, err in json.loads(done.stdout)]


def not_found(environment: Environment, rooms: tuple[str, ...], *left_out: str) -> list[str]:
    """Return what is imported somewhere in packages of Pathbook, and cannot be."""
    packages = [f"pathbook.{room}" for room in rooms]
    done = environment.run("python", str(PROGRAMS / "follow_imports.py"), *packages, "-", *left_out)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def found(environment: Environment, modules: set[str]) -> set[str]:
    """Return which modules an environment has."""
    program = "import sys, importlib.util as u; print(*(name for name in sys.argv[1:] if u.find_spec(name)))"
    return set(environment.run("python", "-c", program, *modules).stdout.split())


def test_the_wheel_holds_what_the_source_roots_hold(wheel: Path) -> None:
    """Code, types, contract and recipes are in it, with the license; tests, caches and all else are not."""
    names = zipfile.ZipFile(wheel).namelist()
    roots = [ROOT / root for root in SOURCE_ROOTS]
    files = [
        file.relative_to(root).as_posix()
        for root in roots
        for file in (root / "pathbook").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    ]
    about = f"pathbook-{VERSION}.dist-info"
    assert sorted(name for name in names if not name.startswith(f"{about}/")) == sorted(files)
    assert f"{about}/licenses/LICENSE" in names
    assert {f"pathbook/{room}/py.typed" for room in ROOMS} <= set(names)
    assert {"pathbook/v1/paths.proto", "pathbook/importing/recipes/iowa.toml"} <= set(names)
    generated = [name for name in names if name.endswith(("_pb2.py", "_pb2_grpc.py"))]
    assert {f"{name}i" for name in generated} <= set(names)


def test_every_package_says_that_it_is_typed() -> None:
    """No package lies below `pathbook` that this test does not know, for each needs a mark of its own."""
    packages = {
        path.name for root in SOURCE_ROOTS for path in (ROOT / root / "pathbook").iterdir() if path.is_dir()
    }
    assert packages - {"__pycache__"} == set(ROOMS)


def test_nothing_of_the_server_is_installed_without_it(alone: Environment, with_server: Environment) -> None:
    """What only the server imports is there with the extra, and not without."""
    assert found(alone, SERVERS_OWN) == set()
    assert found(with_server, SERVERS_OWN) == SERVERS_OWN


def test_clients_need_no_extra(alone: Environment) -> None:
    """All that client, verifier, importer and command line import is there, but for the server, and Parquet's."""
    assert not_found(alone, CLIENTS, "pathbook.cli.local", "pyarrow") == []


def test_the_server_needs_what_its_extra_says(with_server: Environment) -> None:
    """All that anything in the wheel imports is there with the extra, but for Parquet's."""
    alembics = "pathbook.ledger.store.views.migrations.env"  # alembic runs it; it cannot be imported
    assert not_found(with_server, ROOMS, "pyarrow", alembics) == []


def test_every_verb_that_asks_a_server_needs_no_extra(alone: Environment, server: str) -> None:
    """Each verb is done against a server elsewhere."""
    with Client(server, book="book") as client:
        begin(client)
        (code,) = next(client.list_codes(1, 0, 0)).serials
    lines = [f"--server {server} {line.replace('CODE', code)}" for line in SESSION]
    failed = [(line, *told) for line, told in zip(SESSION, run(alone, *lines), strict=True) if told[0] != 0]
    assert failed == []
    others = {"demo", "serve", "views", "bench", "completion"}
    assert {line.split()[0] for line in SESSION} == set(VERBS) - others


def test_what_opens_books_names_the_extra(alone: Environment) -> None:
    """Every verb that needs the server says which extra to install, exits 2, and leaves nothing behind."""
    before = sorted(alone.user.iterdir())
    for line, (code, out, err) in zip(OPENING, run(alone, *OPENING), strict=True):
        assert (code, out) == (2, ""), (line, err)
        assert re.match(EXTRA_NAMED, err), (line, err)
        assert err.count("\n") == 1, (line, err)
    assert sorted(alone.user.iterdir()) == before


def test_a_parquet_file_names_its_extra(alone: Environment, server: str) -> None:
    """Who imports a Parquet file without pyarrow reads which extra to install."""
    (alone.user / "sales.parquet").write_bytes(b"PAR1")
    ((code, out, err),) = run(alone, f"--server {server} import sales.parquet --recipe iowa")
    assert (code, out) == (2, "")
    assert "pip install 'pathbook[parquet]'" in err


def test_the_command_runs_by_its_name_and_as_a_module(alone: Environment) -> None:
    """`pathbook` and `python -m pathbook` are the same, and both tell the version, as the client does."""
    for command in (["pathbook"], ["python", "-m", "pathbook"]):
        done = alone.run(*command, "--version")
        assert (done.returncode, done.stdout, done.stderr) == (0, f"pathbook {VERSION}\n", "")
        done = alone.run(*command, "demo")
        assert (done.returncode, done.stdout) == (2, "")
        assert re.match(EXTRA_NAMED, done.stderr)
    done = alone.run(
        "python", "-c", "from pathbook import client; print(client.__version__, hasattr(client, 'x'))"
    )
    assert done.stdout == f"{VERSION} False\n", done.stderr


def test_folders_of_the_user_stand_in_nobodys_way(alone: Environment) -> None:
    """The programs of these tests run where packages named as our folders are found first, and cannot be imported."""
    for name in SOURCE_ROOTS:
        assert f"{name} is the user's own" in alone.run("python", "-c", f"import {name}").stderr


def test_a_type_checker_knows_what_the_client_answers(alone: Environment, tmp_path: Path) -> None:
    """A strict mypy finds what a user's program misspells and nothing else wrong, and no Any in what is right."""
    program = alone.user / "program.py"
    program.write_text(USER, "utf-8")
    mypy = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(alone.python)]
    options = ["--config-file=", f"--cache-dir={tmp_path}", program.name]
    done = subprocess.run(
        [*mypy, *options], cwd=alone.user, env={}, capture_output=True, text=True, check=False
    )
    said = re.sub(r'; maybe "\w+"\?', "", done.stdout)  # each version of mypy guesses differently
    assert said.splitlines()[:-1] == [
        'program.py:6: note: Revealed type is "pathbook.v1.transfers_pb2.RecordTransferResponse"',
        'program.py:7: note: Revealed type is "pathbook.v1.paths_pb2.GetPathResponse"',
        'program.py:8: note: Revealed type is "int"',
        'program.py:9: note: Revealed type is "pathbook.ledger.codes.PrintedCode | pathbook.verify.verdicts.Report"',
        'program.py:10: note: Revealed type is "str"',
        'program.py:11: error: "GetPathResponse" has no attribute "step"  [attr-defined]',
        'program.py:12: error: "Client" has no attribute "get_pth"  [attr-defined]',
        'program.py:13: error: Module has no attribute "Cleint"  [attr-defined]',
    ]


def test_the_demo_plays_with_the_server(with_server: Environment) -> None:
    """Installed with its extra, the server runs inside the demo, which prints what it prints in the clone."""
    done = with_server.run("pathbook", "demo", "--today", TODAY)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == PRINTED.read_text("utf-8")

"""The wheel as its users install it: its contents, and whether its declared requirements are complete.

The wheel is built from the tree. pip installs it into fresh environments outside the clone, alone and with the server.
No requirement is downloaded. The tests follow the metadata through the distributions that are installed for the tests,
and link only the files of these into the environment. So the tests need no index and take seconds, and an undeclared
requirement is missing. The tests do not show that an index has all requirements, or that other versions work.
"""

import json
import re
import shutil
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
from pathbook.exporting.statements import report
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from tests.cli.conftest import TODAY
from tests.cli.test_demo import as_printed, expected
from tests.services.masks import MASK, begin
from tests.wheel.environments import ROOT, Environment, build

PROGRAMS: Final = ROOT / "tests" / "wheel"
SOURCE_ROOTS: Final = ("proto", "ledger", "services", "clients")

CLIENTS: Final = (
    "v1",
    "keys",
    "client",
    "verify",
    "importing",
    "charting",
    "exporting",
    "publishing",
    "audit",
    "cluster",
    "witness",
    "cli",
    "bench",
)
"""The packages that work without an extra ..."""

ROOMS: Final = (*CLIENTS, "ledger", "services")
"""... and all packages."""

SERVERS_OWN: Final = {
    "cryptography", "eventsourcing", "grpc_health", "grpc_reflection", "limits", "psycopg",
    "psycopg_binary", "sqlalchemy", "structlog",
}  # fmt: skip
"""The modules that only the server imports."""

SERVING: Final = ("pathbook.cli.local", "pathbook.cli.local_care")
"""The modules of the command line that import the server."""

VERSION: Final = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]

COMPILED: Final = {".so", ".sha256"}
"""The suffixes of the files that `make compiled` puts beside the sources."""

LINE: Final = {
    "date": "2026-01-31", "vendor_name": "Vendor", "store_number": "7", "item_number": "11",
    "item_description": "Rye", "state_bottle_cost": "10.00", "state_bottle_retail": "15.00", "bottles_sold": "6",
}  # fmt: skip
"""A row of a table for a recipe in the wheel."""

SALES: Final = "sales.csv"

ACME_TO_ANN: Final = "--giver acme --receiver ann --price 150CNY"
SESSION: Final = (
    "book open other", "book show book",
    "party register dan --kind agent", "product list", "batch show 1", "codes 1:0-4",
    f"offer {ACME_TO_ANN} --units 1:0-9", "accept 9 --receiver ann",
    f"offer {ACME_TO_ANN} --units 1:10", "decline 11 --receiver ann",
    f"offer {ACME_TO_ANN} --units 1:10", "withdraw 13 --giver acme",
    f"record {ACME_TO_ANN} --units 1:20", "reverse 15 --party ann",
    f"record {ACME_TO_ANN} --units 1:30 --later", "deliver --custodian acme --receiver ann --units 1:30",
    "sell --seller ann --consumer c-1 --units 1:0 --price 300CNY", "confirm --consumer c-1 --units 1:0 --paid 300CNY",
    "sell --seller ann --consumer c-1 --units 1:1 --price 300CNY", "return --owner consumer:c-1 --units 1:1",
    "write-off --party ann --units 1:2 --state damaged", "case pack 106141412345678908 --party acme --units 1:50-59",
    "verify CODE", "path 1:0", "ladder 1", "stock ann", "insight ladder --batch 1", "insight stuck",
    "insight explanations", "insight findings --unexplained", "insight verifications --batch 1",
    "transfer show 9", "transfer list ann",
    "chart ladder 1 --out ladder.svg", "chart path 1:0 --out path.svg", "chart stock ann --out stock.svg",
    "chart flow 1 --out flow.svg", "chart chain --out chain.svg",
    "holders 1", "offers ann --all", "request show L1 --party acme", "server version",
    "events read", f"import {SALES} --recipe iowa", "correct party dan --kind shop",
    "correction list --party dan",
    "party describe dan --name Dan", "party description dan", "access-log list", "erase dan",
    "party describe acme --handle acme-shop", f"seller acme-shop --product {MASK}",
    "keys new operator.key --passphrase-file secret",
    "keys register operator.key --sign-with operator.key --passphrase-file secret",
    "tokens new --role auditor", "party register eve --kind shop --sign-with operator.key --passphrase-file secret",
)  # fmt: skip
"""Every verb that calls a server, for a book that the tests have begun."""

OPENING: Final = (
    "serve", "serve --data books", "demo", "demo --data books", "bench --quick", "views follow --data books",
    "views rebuild", "stock ann --data books", "verify 000020000021N0TH6Y7Y --data books",
    "book open acme --data books", "party register acme --kind brand --data books",
    f"import {SALES} --recipe iowa --data books", "key list --data books", "key rotate --data books",
    "key drill backup --data books --passphrase-file secret",
    "backup to --without-keys --data books", "restore to --without-keys --data books", "check --data books",
)  # fmt: skip
"""The verbs that open books in their own process."""

EXTRA_NAMED: Final = (
    r"pathbook: USAGE: This verb needs the server, and \w+ is not installed\."
    r" Run: pip install 'pathbook\[server\]'\."
)
"""The message of these verbs if the server is not installed."""

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
"""A program of a user, with types that a type checker reveals, and three mistakes."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree."""
    return build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def without_extra(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Environment:
    """An environment after `pip install pathbook`."""
    environment = Environment(tmp_path_factory.mktemp("without_extra"), wheel)
    sales = "\n".join([",".join(LINE), ",".join(LINE.values()), ""])
    (environment.user / SALES).write_text(sales, "utf-8")
    (environment.user / "secret").write_text("correct horse")
    return environment


@pytest.fixture(scope="module")
def with_server(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Environment:
    """An environment after `pip install 'pathbook[server]'`."""
    return Environment(tmp_path_factory.mktemp("with_server"), wheel, "server")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """HOST:PORT of a server in the process of the tests."""
    with running(Settings(data=tmp_path_factory.mktemp("books"), listen="127.0.0.1:0")) as port:
        yield f"127.0.0.1:{port}"


def run(environment: Environment, *command_lines: str) -> list[tuple[int, str, str]]:
    """Run command lines one after the other, and return the exit code, stdout and stderr of each."""
    command_list = json.dumps([line.split() for line in command_lines])
    done = environment.run("python", str(PROGRAMS / "run_commands.py"), stdin=command_list)
    assert done.returncode == 0, done.stderr
    return [(code, out, err) for code, out, err in json.loads(done.stdout)]


PARQUET: Final = (
    "pathbook.importing.parquet", "pathbook.exporting.parquet_files", "pathbook.exporting.exporter",
    "pathbook.exporting.querying", "pathbook.cluster.folding", "pathbook.cluster.registers",
    "pathbook.cluster.replaying",
)  # fmt: skip
"""The modules that need the extras for Parquet, DuckDB and Spark. They are imported when they are used."""


PNG: Final = "pathbook.cli.chart_png"
"""The module that needs the extra for PNG. It is imported when a picture is to be one."""


TRACING: Final = "pathbook.services.operations.tracing"
"""The module that needs the extra for OpenTelemetry. It is imported if an operator names a collector."""


ML_DSA: Final = "pathbook.ledger.proofs.ml_dsa"
"""The module that uses what is installed with the server, and does without where it is not."""


def missing_imports(environment: Environment, rooms: tuple[str, ...], *left_out: str) -> list[str]:
    """Return the modules that packages of Pathbook import and that are missing."""
    packages = [f"pathbook.{room}" for room in rooms]
    done = environment.run("python", str(PROGRAMS / "follow_imports.py"), *packages, "-", *left_out)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def installed(environment: Environment, modules: set[str]) -> set[str]:
    """Return those of the modules that an environment has."""
    program = "import sys, importlib.util as u; print(*(name for name in sys.argv[1:] if u.find_spec(name)))"
    return set(environment.run("python", "-c", program, *modules).stdout.split())


def test_the_wheel_has_the_files_of_the_source_roots(wheel: Path) -> None:
    """The wheel has code, types, contract, recipes and the license, but no tests, caches or other files."""
    names = zipfile.ZipFile(wheel).namelist()
    roots = [ROOT / root for root in SOURCE_ROOTS]
    files = [
        file.relative_to(root).as_posix()
        for root in roots
        for file in (root / "pathbook").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and file.suffix not in COMPILED
    ]
    about = f"pathbook-{VERSION}.dist-info"
    assert sorted(name for name in names if not name.startswith(f"{about}/")) == sorted(files)
    assert f"{about}/licenses/LICENSE" in names
    assert {f"pathbook/{room}/py.typed" for room in ROOMS} <= set(names)
    assert {"pathbook/v1/paths.proto", "pathbook/importing/recipes/iowa.toml"} <= set(names)
    generated = [name for name in names if name.endswith(("_pb2.py", "_pb2_grpc.py"))]
    assert {f"{name}i" for name in generated} <= set(names)


def test_every_package_is_marked_as_typed() -> None:
    """This test knows every package below `pathbook`, because each needs its own type marker."""
    packages = {
        path.name for root in SOURCE_ROOTS for path in (ROOT / root / "pathbook").iterdir() if path.is_dir()
    }
    assert packages - {"__pycache__"} == set(ROOMS)


def test_nothing_of_the_server_is_installed_without_it(
    without_extra: Environment, with_server: Environment
) -> None:
    """The modules that only the server imports are installed with the extra, and not without it."""
    assert installed(without_extra, SERVERS_OWN) == set()
    assert installed(with_server, SERVERS_OWN) == SERVERS_OWN


def test_clients_need_no_extra(without_extra: Environment) -> None:
    """All imports of the clients are installed, except those for the server, Parquet, PNG and ML-DSA."""
    assert missing_imports(without_extra, CLIENTS, *SERVING, *PARQUET, PNG, ML_DSA) == []


def test_the_extra_of_the_server_is_complete(with_server: Environment) -> None:
    """All imports of the wheel are installed with the extra, except those for Parquet, PNG and OpenTelemetry."""
    assert missing_imports(with_server, ROOMS, *PARQUET, PNG, TRACING) == []


def test_every_verb_that_calls_a_server_needs_no_extra(without_extra: Environment, server: str) -> None:
    """Each of these verbs succeeds with a server in another environment."""
    with Client(server, book="book") as client:
        begin(client)
        (code,) = next(client.list_codes(1, 0, 0)).serials
    lines = [f"--server {server} {line.replace('CODE', code)}" for line in SESSION]
    failed = [
        (line, *result)
        for line, result in zip(SESSION, run(without_extra, *lines), strict=True)
        if result[0] != 0
    ]
    assert failed == []
    others = {"demo", "serve", "key", "views", "bench", "completion", "clock", "backup", "restore", "check"}
    others |= {"publish", "export", "sql", "witness", "audit"}
    assert {line.split()[0] for line in SESSION} == set(VERBS) - others
    (published,) = run(without_extra, f"--server {server} publish --to public")
    assert published[0] == 1
    assert "CHECKPOINT_MISSING" in published[2], "no checkpoint of this book is signed"
    made, refused = run(
        without_extra,
        "witness key --to w.key --name w",
        "witness serve --key w.key --logs none --state state",
    )
    assert (made[0], made[1][:2]) == (0, "w+")
    assert (refused[0], "No such file" in refused[2]) == (4, True), "it needs no server"
    (audited,) = run(without_extra, f"--server {server} audit replay")
    assert (audited[0], audited[2]) == (0, "")


def test_a_verb_for_analysis_names_its_extra(without_extra: Environment) -> None:
    """Export, SQL and the fold on a cluster each name the extra to install. The texts of the reports are there."""
    lines = {
        "export --to x --server 127.0.0.1:1": "parquet",
        "sql --export x SELECT": "duckdb",
        "audit replay . --spark local[1]": "spark",
    }
    for extra, (code, out, err) in zip(lines.values(), run(without_extra, *lines), strict=True):
        assert (code, out) == (2, ""), err
        assert f"which is not installed. Run: pip install 'pathbook[{extra}]'." in err
    (shown,) = run(without_extra, "sql --export x --report price_ladder --print")
    assert shown == (0, report("price_ladder"), "")


def test_a_verb_that_opens_books_names_the_extra(without_extra: Environment) -> None:
    """Every verb that needs the server names the extra to install, exits with 2, and leaves no file."""
    before = sorted(without_extra.user.iterdir())
    for line, (code, out, err) in zip(OPENING, run(without_extra, *OPENING), strict=True):
        assert (code, out) == (2, ""), (line, err)
        assert re.match(EXTRA_NAMED, err), (line, err)
        assert err.count("\n") == 1, (line, err)
    assert sorted(without_extra.user.iterdir()) == before


def test_a_parquet_file_names_its_extra(without_extra: Environment, server: str) -> None:
    """The error for a Parquet file without pyarrow names the extra to install."""
    (without_extra.user / "sales.parquet").write_bytes(b"PAR1")
    ((code, out, err),) = run(without_extra, f"--server {server} import sales.parquet --recipe iowa")
    assert (code, out) == (2, "")
    assert "pip install 'pathbook[parquet]'" in err


def test_a_png_names_its_extra(without_extra: Environment, server: str) -> None:
    """The error for a PNG without resvg names the extra to install, and comes before the book is asked."""
    ((code, out, err),) = run(without_extra, f"--server {server} chart ladder 9 --out ladder.png")
    assert (code, out) == (2, "")
    assert "pip install 'pathbook[png]'" in err


def test_the_command_runs_by_its_name_and_as_a_module(without_extra: Environment) -> None:
    """`pathbook` and `python -m pathbook` are the same command, and print the version of the client."""
    for command in (["pathbook"], ["python", "-m", "pathbook"]):
        done = without_extra.run(*command, "--version")
        assert (done.returncode, done.stdout, done.stderr) == (0, f"pathbook {VERSION} (pure)\n", "")
        done = without_extra.run(*command, "demo")
        assert (done.returncode, done.stdout) == (2, "")
        assert re.match(EXTRA_NAMED, done.stderr)
    done = without_extra.run(
        "python", "-c", "from pathbook import client; print(client.__version__, hasattr(client, 'x'))"
    )
    assert done.stdout == f"{VERSION} False\n", done.stderr


def test_folders_of_the_user_do_not_interfere(without_extra: Environment) -> None:
    """The tests run where packages with the names of our folders come first and cannot be imported."""
    for name in SOURCE_ROOTS:
        assert f"{name} is the user's own" in without_extra.run("python", "-c", f"import {name}").stderr


def test_a_type_checker_knows_the_answers_of_the_client(without_extra: Environment, tmp_path: Path) -> None:
    """A strict mypy finds exactly the mistakes of a user's program, and no Any in the rest."""
    program = without_extra.user / "program.py"
    program.write_text(USER, "utf-8")
    mypy = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(without_extra.python)]
    options = ["--config-file=", f"--cache-dir={tmp_path}", program.name]
    done = subprocess.run(
        [*mypy, *options], cwd=without_extra.user, env={}, capture_output=True, text=True, check=False
    )
    # Each version of mypy guesses other corrections.
    printed = re.sub(r'; maybe "\w+"\?', "", done.stdout)
    assert printed.splitlines()[:-1] == [
        'program.py:6: note: Revealed type is "pathbook.v1.transfers_pb2.RecordTransferResponse"',
        'program.py:7: note: Revealed type is "pathbook.v1.paths_pb2.GetPathResponse"',
        'program.py:8: note: Revealed type is "int"',
        'program.py:9: note: Revealed type is "pathbook.ledger.codes.PrintedCode | pathbook.verify.verdicts.Report"',
        'program.py:10: note: Revealed type is "str"',
        'program.py:11: error: "GetPathResponse" has no attribute "step"  [attr-defined]',
        'program.py:12: error: "Client" has no attribute "get_pth"  [attr-defined]',
        'program.py:13: error: Module has no attribute "Cleint"  [attr-defined]',
    ]


def test_the_demo_runs_with_the_server(with_server: Environment) -> None:
    """With the extra, the demo runs a server inside its process, and prints the same text as in the clone."""
    done = with_server.run("pathbook", "demo", "--today", TODAY)
    assert (done.returncode, done.stderr) == (0, "")
    lacking = "clients/web/verify.mjs" if shutil.which("node") else "Node.js"
    assert as_printed(done.stdout) == expected(lacking=lacking)

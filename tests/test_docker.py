"""The image, the composition and what watches them: what can be told of them without an engine of containers."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import msgspec
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from pathbook.ledger.refusals import Reason
from pathbook.services.clock import now
from pathbook.services.operations.prometheus import PrometheusMetrics, page, page_of_processes
from pathbook.services.operations.readiness import watched
from pathbook.services.storage import Storage
from pathbook.services.translate.statuses import Failure
from tests.services.operators import wait_until

ROOT: Final = Path(__file__).resolve().parents[1]
DOCKER: Final = ROOT / "docker"
DOCKERFILE: Final = (DOCKER / "Dockerfile").read_text("utf-8").replace("\\\n", "")
METRIC: Final = re.compile(r"\bpathbook_\w+")
PIN: Final = re.compile(r"^([\w.-]+)==(\S+)((?: *--hash=sha256:[0-9a-f]{64})+)", re.MULTILINE)


def instruction(name: str) -> str:
    """Return what an instruction of the last stage of the Dockerfile says."""
    return str(re.findall(rf"^{name} (.*)$", DOCKERFILE, re.MULTILINE)[-1])


def test_the_image_runs_its_command_and_its_health_check(tmp_path: Path) -> None:
    """The command of the image serves, its check finds the port where the server is told to answer, and it stops."""
    environment = dict(re.findall(r"(\w+)=(\S+)", instruction("ENV")))
    check = json.loads(instruction("HEALTHCHECK").partition("CMD ")[2])
    command = json.loads(instruction("ENTRYPOINT")) + json.loads(instruction("CMD"))
    assert command[0] == "pathbook"
    (data,) = instruction("VOLUME").split()
    ports = instruction("EXPOSE").split()
    assert [environment[name].rpartition(":")[2] for name in LISTENS] == ports
    environment = {name: value.replace(data, str(tmp_path)) for name, value in environment.items()}
    environment |= dict(zip(LISTENS, free_addresses(2), strict=True))
    (apart,) = [Path(made) for made in re.findall(rf"(?<=\s){data}/\S+", instruction("RUN"))]
    assert f"--volume keys:{apart} " in DOCKERFILE
    (tmp_path / apart.name).mkdir(mode=0o700)
    main = "from pathbook.cli.main import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", main, *command[1:]],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            assert environment["PATHBOOK_LISTEN"] in server.stdout.readline()

            def is_healthy() -> bool:
                ran = [sys.executable, *check[1:]]
                return subprocess.run(ran, env={**os.environ, **environment}, check=False).returncode == 0

            wait_until(is_healthy)
        finally:
            server.terminate()
        assert server.wait(30) == 0
    assert not is_healthy()
    kept = {file.name for file in tmp_path.iterdir() if file.is_file()}
    assert {file.name for file in (tmp_path / apart.name).iterdir()} == SECRETS
    assert "events.sqlite" in kept
    assert not kept & SECRETS


SECRETS: Final = {"codes.key", "log.checkpoint", "log.key", "operator.token"}
"""What a copy of the books' volume must not have."""

LISTENS: Final = ("PATHBOOK_LISTEN", "PATHBOOK_OPERATIONS_LISTEN")


def free_addresses(count: int) -> list[str]:
    """Return addresses of this machine that were free a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    return found


def pins(name: str) -> dict[str, tuple[str, int]]:
    """Return the packages of a lock file, each with its version and how many hashes it has."""
    text = (DOCKER / name).read_text("utf-8").replace("\\\n", "")
    return {
        canonicalize_name(package): (version, hashes.count("--hash"))
        for package, version, hashes in PIN.findall(text)
    }


@pytest.mark.parametrize("name", ["server.lock", "build.lock"])
def test_a_lock_file_has_a_hash_for_each_package(name: str) -> None:
    """Each line that names a package pins it, with the hashes of its files, and nothing names a place to get it."""
    text = (DOCKER / name).read_text("utf-8")
    named = re.findall(r"^[A-Za-z].*", text, re.MULTILINE)
    assert len(pins(name)) == len(named) > 20
    assert not re.search(r"https?://|^-|index", text, re.MULTILINE)


def test_the_lock_has_what_the_image_needs() -> None:
    """What pyproject.toml requires of a server is pinned within its bounds: else run `make lock`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    locked = pins("server.lock")
    for line in [*project["dependencies"], *extras["server"], *extras["otel"]]:
        wanted = Requirement(line)
        version, hashes = locked[canonicalize_name(wanted.name)]
        assert wanted.specifier.contains(Version(version)), line
        assert hashes
    (compiler,) = [line for line in extras["dev"] if line.startswith("mypy[")]
    assert pins("build.lock")["mypy"][0] == str(Requirement(compiler).specifier).removeprefix("==")


class Service(msgspec.Struct, kw_only=True):
    """A container of the composition."""

    cap_drop: list[str]
    security_opt: list[str]
    read_only: bool
    tmpfs: list[str]
    volumes: list[str]
    command: list[str] = []
    entrypoint: list[str] = []
    ports: list[str] = []
    cap_add: list[str] = []
    privileged: bool = False


class Composition(msgspec.Struct):
    """Containers that run together."""

    services: dict[str, Service]
    volumes: dict[str, None]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("compose.yaml", ["books", "keys"]),
        ("ha/compose.yaml", ["books1", "books2", "books3", "etcd1", "etcd2", "etcd3", "keys"]),
    ],
)
def test_every_container_is_without_rights(name: str, wanted: list[str]) -> None:
    """No container has a capability, gains a right or writes outside of its volumes, and the keys lie apart."""
    composition = msgspec.convert(yaml.safe_load((DOCKER / name).read_text("utf-8")), Composition)
    services = composition.services
    for service in services.values():
        assert (service.cap_drop, service.cap_add) == (["ALL"], [])
        assert service.security_opt == ["no-new-privileges:true"]
        assert (service.read_only, service.privileged) == (True, False)
        assert "/tmp:mode=1777" in service.tmpfs
        shown = [*service.command, *service.entrypoint]
        assert "PASSWORD" not in " ".join(shown), "lists of processes show it"
    volumes = [volume.partition(":")[0] for service in services.values() for volume in service.volumes]
    assert sorted(volumes) == sorted(composition.volumes) == wanted
    assert services["pathbook"].ports == ["127.0.0.1:50551:50551"], "the port for operators is not published"


def test_an_acknowledged_event_is_on_two_disks() -> None:
    """Patroni is told to let every commit wait for a standby, and to let only such a standby lead."""
    found = yaml.safe_load((DOCKER / "ha/patroni.yaml").read_text("utf-8"))["bootstrap"]["dcs"]
    assert (found["synchronous_mode"], found["synchronous_mode_strict"]) == (True, True)
    assert found["postgresql"]["parameters"]["synchronous_commit"] == "on"
    assert found["loop_wait"] + 2 * found["retry_timeout"] <= found["ttl"]


def pages(directory: Path) -> str:
    """Return the pages of a server that is one process and of one that is several."""
    files = directory / "files"
    files.mkdir()
    Storage(directory, now, lapses=False).close()
    with watched(directory, "", signs=True) as readiness:
        alone = page(PrometheusMetrics(), readiness)().decode()
        return alone + page_of_processes(str(files), readiness, lambda: (1, 0))().decode()


def test_what_watches_a_server_asks_for_metrics_that_it_has(tmp_path: Path) -> None:
    """Each metric in the dashboard and the alerts is one that a server prints, and each one it prints is watched."""
    text = pages(tmp_path)
    printed = set(re.findall(r"^# TYPE (pathbook_\w+)", text, re.MULTILINE))
    histograms = set(re.findall(r"^# TYPE (pathbook_\w+) histogram", text, re.MULTILINE))
    families = {f"{name}{part}": name for name in histograms for part in ("_bucket", "_sum", "_count")}
    dashboard = (DOCKER / "grafana/pathbook.json").read_text("utf-8")
    alerts = (DOCKER / "prometheus/alerts.yaml").read_text("utf-8")
    asked = {families.get(name, name) for name in METRIC.findall(dashboard + alerts)}
    assert asked == printed


def test_alerts_are_rules_of_prometheus() -> None:
    """Each alert has an expression, says how urgent it is and what to do, and names reasons that there are."""
    (group,) = yaml.safe_load((DOCKER / "prometheus/alerts.yaml").read_text("utf-8"))["groups"]
    names = [rule["alert"] for rule in group["rules"]]
    assert len(set(names)) == len(names) > 10
    reasons = {reason.name for reason in (*Reason, *Failure)}
    for rule in group["rules"]:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert set(rule["annotations"]) == {"summary", "action"}
        for bracket in ("()", "[]", "{}"):
            assert rule["expr"].count(bracket[0]) == rule["expr"].count(bracket[1])
        for label in re.findall(r'(?:reason|verdict)=~?"([A-Z_|]+)"', rule["expr"]):
            assert set(label.split("|")) <= reasons, rule


def test_the_dashboard_is_one() -> None:
    """Each panel has a place of its own, a title and a question."""
    found = json.loads((DOCKER / "grafana/pathbook.json").read_text("utf-8"))
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in found["panels"]]
    assert len(set(places)) == len(places) > 10
    assert all(panel["title"] and panel["targets"] for panel in found["panels"])


@pytest.mark.skipif(shutil.which("docker") is None, reason="there is no engine of containers")
@pytest.mark.heavy
def test_the_image_is_built() -> None:
    """The engine builds the image."""
    subprocess.run(
        ["docker", "build", "--file", DOCKER / "Dockerfile", "--tag", "pathbook-test", ROOT], check=True
    )

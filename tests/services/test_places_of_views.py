"""Programs of two versions of the views: the new one builds its own beside the old one, which goes on writing."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from pathbook.ledger.store.database.engine import open_engine
from pathbook.ledger.store.database.places import UNVERSIONED, VIEWS_VERSION, views_file, views_schema
from pathbook.ledger.store.views.lost_events import LostEventsError
from pathbook.ledger.store.views.replacement import ViewsInUseError
from pathbook.ledger.store.views.tracking import TRACKING
from pathbook.services.run.server import SERVICES
from pathbook.services.storage import Storage
from tests.backup.places import Place
from tests.books import PATIENCE
from tests.postgres import drop_database, new_database
from tests.scenario import NOON
from tests.services.forking import PipedFork
from tests.services.old_program import PROGRAM, VERSION
from tests.services.process import followed, served
from tests.services.test_changed_files import health


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A place without books."""
    if request.param == "sqlite":
        yield Place(tmp_path, "")
        return
    url = new_database()
    yield Place(tmp_path, url)
    drop_database(url)


class OldProgram:
    """A process of an older version that writes."""

    def __init__(self, place: Place, version: str) -> None:
        self._process = PipedFork(str(place.data), place.database, version, program=PROGRAM)
        assert self._process.stdout.readline() == "ready\n"

    def stop(self) -> tuple[int, int]:
        """Return how many of its writes were accepted, and how many were refused."""
        out, _ = self._process.communicate(PATIENCE)
        accepted, refused = out.split()
        return int(accepted), int(refused)

    def kill(self) -> None:
        """End the process, if it has not ended."""
        with self._process:  # its pipes are closed
            self._process.kill()


@contextlib.contextmanager
def old_program(place: Place, version: str = VERSION) -> Iterator[OldProgram]:
    """Run a program of an older version, which a test may end earlier."""
    running = OldProgram(place, version)
    try:
        yield running
    finally:
        running.kill()


@contextlib.contextmanager
def opened(place: Place, *, version: str = VIEWS_VERSION, accept: bool = False) -> Iterator[Storage]:
    """Open the books as a program of a version does, with a follower."""
    storage = Storage(
        place.data,
        lambda: NOON,
        database=place.database,
        views_version=version,
        allow_event_loss=True,
        accept_lost_events=accept,
    )
    with contextlib.closing(storage):
        yield storage


def versions(place: Place) -> set[str]:
    """Return the versions of the views that are there."""
    known = (UNVERSIONED, VERSION, VIEWS_VERSION, "9998")
    if not place.database:
        return {version for version in known if (place.data / views_file(version)).exists()}
    engine = sa.create_engine(place.database)
    names = set(sa.inspect(engine).get_schema_names())
    engine.dispose()
    return {version for version in known if views_schema(version) in names}


def build(place: Place, version: str = VIEWS_VERSION) -> int:
    """Build the views of a version up to the head, and return it."""
    with opened(place, version=version) as storage:
        head = storage.stream.head("masks")
        assert storage.follower.reached("masks", head).result(PATIENCE) >= head
        assert storage.progress.read(signs=False).to_build == 0
    return head


@pytest.mark.parametrize("version", [VERSION, pytest.param(UNVERSIONED, marks=pytest.mark.heavy)])
def test_no_write_is_refused_while_a_new_version_is_built(place: Place, version: str) -> None:
    """The old views stay while their program uses them. A start with built views removes them once they are unused."""
    with old_program(place, version) as old:
        first = build(place)
        assert versions(place) == {version, VIEWS_VERSION}
        assert build(place) > first
        assert versions(place) == {version, VIEWS_VERSION}
        accepted, refused = old.stop()
    assert accepted
    assert not refused
    build(place)  # the older views may know events of the last moment
    build(place)
    assert versions(place) == {VIEWS_VERSION}


def test_views_that_are_not_built_remove_nothing(place: Place) -> None:
    """A program that just begins to build its views leaves the older ones: another may still go back to them."""
    with old_program(place) as old:
        old.stop()
    with opened(place):
        assert versions(place) == {VERSION, VIEWS_VERSION}


def test_a_program_that_goes_back_finds_its_views_or_builds_them(place: Place) -> None:
    """Views of a newer version stay, because their program goes on with them when it is started again."""
    with old_program(place) as old:
        old.stop()
    build(place, "9998")
    build(place)
    assert versions(place) == {VERSION, VIEWS_VERSION, "9998"}
    build(place)
    assert versions(place) == {VIEWS_VERSION, "9998"}
    build(place, VERSION)
    assert versions(place) == {VERSION, VIEWS_VERSION, "9998"}


def test_views_of_another_version_tell_that_the_log_lost_events(place: Place) -> None:
    """The views that know most are the last copy, whichever version they are of. To accept the loss removes them."""
    with old_program(place) as old:
        old.stop()
    head = build(place)
    build(place, "9998")
    where = place.database or place.data / views_file("9998")
    views = open_engine(where, purpose="views", version="9998")
    with views.begin() as connection:
        connection.execute(TRACKING.update().values(notification_id=head + 5))
    views.dispose()
    name = views_schema("9998") if place.database else views_file("9998")
    with (
        pytest.raises(LostEventsError, match=f"{name} knows {head + 5:,} events of book 'masks'"),
        opened(place),
    ):
        pass
    ran = place.pathbook("check")
    assert f"they have {head + 5} events of masks, and the log has {head}" in ran.out
    with opened(place, accept=True) as storage:
        assert storage.follower.reached("masks", head).result(PATIENCE) == head
    assert versions(place) == {VIEWS_VERSION}


def test_a_loss_is_not_accepted_while_another_program_has_its_views_open(place: Place) -> None:
    """Its views would still know what the log lost, so they are not taken from it."""
    with old_program(place), pytest.raises(ViewsInUseError), opened(place, accept=True):
        pass


def test_a_server_is_not_serving_until_its_views_are_built(tmp_path: Path) -> None:
    """Health checks say so, and a follower that builds the views beside it changes that."""
    place = Place(tmp_path, "")
    with old_program(place) as old:
        old.stop()
    with served(tmp_path, 0, "--no-follow") as server:
        assert [health(server.target, name) for name in ("", SERVICES[0])] == [2, 2]
        told = server.wait_for("health checks answer NOT_SERVING")
        assert "the views are being built" in str(told["problem"])
        with followed(tmp_path):
            server.wait_for("health checks answer SERVING")
        assert [health(server.target, name) for name in ("", SERVICES[0])] == [1, 1]

"""The server: our services, health and reflection on one port. It starts, and later drains and stops."""

import asyncio
from typing import Final

import grpc
import structlog
from grpc_health.v1 import health, health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_reflection.v1alpha import reflection

from pathbook.ledger.store.database.open_files import FileChangedError
from pathbook.services.batches import BatchService
from pathbook.services.books import BookService
from pathbook.services.bulk import Bulk
from pathbook.services.clock import MachineClock
from pathbook.services.corrections import CorrectionService
from pathbook.services.cosigning import CosignatureCollector
from pathbook.services.data_files import warn_of_readable_files
from pathbook.services.drain import Drain
from pathbook.services.event_batches import EventBatches
from pathbook.services.events import EventService
from pathbook.services.gateway import Gateway
from pathbook.services.interceptor import CallInterceptor
from pathbook.services.parties import PartyService
from pathbook.services.paths import PathService
from pathbook.services.proofs import ProofService
from pathbook.services.registrations import RegistrationService
from pathbook.services.run.building import when_built
from pathbook.services.run.limits import channel_options
from pathbook.services.run.settings import Settings
from pathbook.services.servers import ServerService
from pathbook.services.storage import Storage
from pathbook.services.transfers import TransferService
from pathbook.v1 import (
    batches_pb2,
    batches_pb2_grpc,
    books_pb2,
    books_pb2_grpc,
    corrections_pb2,
    corrections_pb2_grpc,
    events_pb2,
    parties_pb2,
    parties_pb2_grpc,
    paths_pb2,
    paths_pb2_grpc,
    proofs_pb2,
    proofs_pb2_grpc,
    registrations_pb2,
    registrations_pb2_grpc,
    servers_pb2,
    servers_pb2_grpc,
    transfers_pb2,
    transfers_pb2_grpc,
)

DECIDING_SHARE: Final = 0.8
"""The part of the time for open calls in which commands are decided. In the rest, those that were not are answered."""

ENDING_TIMEOUT_S: Final = 0.5
"""How long gRPC has to close connections, after the time for open calls."""

SERVICES: Final = tuple(
    file.DESCRIPTOR.services_by_name[name].full_name
    for file, name in (
        (books_pb2, "BookService"),
        (parties_pb2, "PartyService"),
        (batches_pb2, "BatchService"),
        (transfers_pb2, "TransferService"),
        (registrations_pb2, "RegistrationService"),
        (corrections_pb2, "CorrectionService"),
        (paths_pb2, "PathService"),
        (events_pb2, "EventService"),
        (proofs_pb2, "ProofService"),
        (servers_pb2, "ServerService"),
    )
)
"""The full names of our services, for health and reflection."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class Server:
    """One server over one directory of books, in the event loop that starts it.

    Several workers share a port. A server alone does not share its port, so a second server on the port is an error.
    """

    def __init__(self, settings: Settings, clock: MachineClock | None = None) -> None:
        self._settings = settings
        self._clock = clock or MachineClock()
        self._drain = Drain()
        self._health = health.aio.HealthServicer()
        self._building: asyncio.Task[None] | None = None
        self._collector: CosignatureCollector | None = None
        self._server = grpc.aio.server(
            interceptors=[CallInterceptor(self._lost)],
            options=channel_options(shares_port=settings.workers > 1),
        )

    async def start(self) -> int:
        """Open the books, listen, and return the port.

        Raises:
            OSError: the server cannot listen on the address.
            Exception: as pathbook.services.storage.Storage.
        """
        self._storage = await asyncio.to_thread(
            Storage,
            self._settings.data,
            self._clock,
            database=self._settings.database,
            projects=self._settings.follows,
            seals=self._settings.seals,
            allow_event_loss=self._settings.allow_event_loss,
        )
        if self._settings.workers == 1:  # of several, their parent warns
            await asyncio.to_thread(warn_of_readable_files, self._settings.data)
        await asyncio.to_thread(self._storage.deadlines.wait_for_first_look)
        self._gateway = Gateway(self._storage)
        self._add_services()
        try:
            port = self._server.add_insecure_port(self._settings.listen)
        except RuntimeError as error:
            await self._close()
            raise OSError(f"Cannot listen on {self._settings.listen}: {error}") from error
        await self._server.start()
        building = await asyncio.to_thread(self._storage.left_to_build)
        await self._set_health(HealthCheckResponse.NOT_SERVING if building else HealthCheckResponse.SERVING)
        if building:
            self._building = asyncio.create_task(when_built(self._storage, self._begin_serving))
        loop = asyncio.get_running_loop()

        def stop_serving() -> None:
            asyncio.run_coroutine_threadsafe(self._stop_serving(), loop)

        self._storage.on_change_of_files(stop_serving)
        if self._settings.witnesses:
            storage = self._storage
            self._collector = CosignatureCollector(
                storage.stream, storage.tree, storage.checkpoints, self._settings.witnesses
            )
            self._collector.start()
        host = self._settings.listen.rpartition(":")[0]
        _LOG.info("listening", address=f"{host}:{port}", place=self._settings.place)
        if not self._settings.is_loopback:
            _LOG.warning(
                "there is no access control yet: any caller that reaches this address can read and write every book",
                address=f"{host}:{port}",
            )
        return port

    async def stop(self) -> None:
        """Take no new calls, end subscriptions, finish open calls, and close the books, all in a bounded time.

        A command that is not decided in most of ``drain_seconds`` fails as SERVER_STOPPING, and is not recorded.
        """
        _LOG.info("stopping")
        if self._building is not None:
            self._building.cancel()
        await self._health.enter_graceful_shutdown()
        self._drain.begin()
        seconds = self._settings.drain_seconds
        stopping = asyncio.create_task(self._server.stop(seconds))
        await asyncio.wait([stopping], timeout=DECIDING_SHARE * seconds)
        if not stopping.done():
            _LOG.warning("commands that are not decided yet fail", after_seconds=DECIDING_SHARE * seconds)
            self._storage.books.give_up()
            await asyncio.wait([stopping], timeout=(1 - DECIDING_SHARE) * seconds + ENDING_TIMEOUT_S)
        await self._close()
        _LOG.info("stopped")

    def _lost(self) -> FileChangedError | None:
        return self._storage.look_at_files()

    async def _stop_serving(self) -> None:
        """Tell health checks that calls fail: a file was lost, and only an operator can bring it back."""
        await self._set_health(HealthCheckResponse.NOT_SERVING)

    async def _begin_serving(self) -> None:
        """Tell health checks that the views are built, unless a file was lost meanwhile."""
        if self._lost() is None:
            await self._set_health(HealthCheckResponse.SERVING)
            _LOG.info("the views are built, and health checks answer SERVING")

    async def _set_health(self, status: HealthCheckResponse.ServingStatus) -> None:
        for name in ("", *SERVICES):
            await self._health.set(name, status)

    async def _close(self) -> None:
        if self._collector is not None:
            await asyncio.to_thread(self._collector.close)
        await asyncio.to_thread(self._storage.close)
        self._gateway.close()

    def _add_services(self) -> None:
        gateway, drain, server = self._gateway, self._drain, self._server
        event_batches = EventBatches(gateway, self._storage.stream, self._storage.follower)
        books_pb2_grpc.add_BookServiceServicer_to_server(BookService(gateway), server)
        parties_pb2_grpc.add_PartyServiceServicer_to_server(PartyService(gateway), server)
        batches_pb2_grpc.add_BatchServiceServicer_to_server(BatchService(gateway, drain), server)
        bulk = Bulk(gateway, drain)
        transfers_pb2_grpc.add_TransferServiceServicer_to_server(TransferService(gateway, bulk), server)
        registrations_pb2_grpc.add_RegistrationServiceServicer_to_server(
            RegistrationService(gateway, bulk), server
        )
        corrections_pb2_grpc.add_CorrectionServiceServicer_to_server(CorrectionService(gateway), server)
        paths_pb2_grpc.add_PathServiceServicer_to_server(PathService(gateway), server)
        EventService(gateway, event_batches, drain).add_to(server)
        proofs_pb2_grpc.add_ProofServiceServicer_to_server(ProofService(gateway, self._storage), server)
        servers_pb2_grpc.add_ServerServiceServicer_to_server(ServerService(), server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection((*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME), server)

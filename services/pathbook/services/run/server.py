"""The server: our services, health and reflection on one port. It starts, and later drains and stops."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final, cast

import grpc
import structlog
from grpc_health.v1 import health, health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_reflection.v1alpha import reflection

from pathbook.ledger.store.database.open_files import FileChangedError
from pathbook.ledger.store.log.explanations import Explanations
from pathbook.ledger.store.log.verifications import Verifications
from pathbook.services.access.access_log import AccessLog
from pathbook.services.access.control import AccessControl
from pathbook.services.access.first_token import make_first_token
from pathbook.services.access.known_tokens import KnownTokens
from pathbook.services.access.seeing import Sight
from pathbook.services.access.table import require_rows
from pathbook.services.access_log import AccessLogService
from pathbook.services.admission import Admission
from pathbook.services.batches import BatchService
from pathbook.services.books import BookService
from pathbook.services.bulk import Bulk
from pathbook.services.callers import Origins
from pathbook.services.clock import MachineClock
from pathbook.services.corrections import CorrectionService
from pathbook.services.cosigning import CosignatureCollector
from pathbook.services.data_files import warn_of_readable_files
from pathbook.services.drain import Drain
from pathbook.services.event_batches import EventBatches
from pathbook.services.events import EventService
from pathbook.services.findings import FindingService
from pathbook.services.gateway import Gateway
from pathbook.services.insights import InsightService
from pathbook.services.interceptor import CallInterceptor
from pathbook.services.keys import KeyService
from pathbook.services.metrics import Metrics
from pathbook.services.operations import opening
from pathbook.services.operations.readiness import Readiness
from pathbook.services.parties import PartyService
from pathbook.services.paths import PathService
from pathbook.services.people import PeopleService
from pathbook.services.proofs import ProofService
from pathbook.services.registrations import RegistrationService
from pathbook.services.run.certificates import Certificates
from pathbook.services.run.health import follow_readiness
from pathbook.services.run.limits import channel_options, rates_of
from pathbook.services.run.settings import Settings
from pathbook.services.servers import ServerService
from pathbook.services.statements import StatementService
from pathbook.services.storage import Storage
from pathbook.services.tokens import TokenService
from pathbook.services.transfers import TransferService
from pathbook.services.verification_log import VerificationLog
from pathbook.v1 import (
    access_log_pb2,
    access_log_pb2_grpc,
    batches_pb2,
    batches_pb2_grpc,
    books_pb2,
    books_pb2_grpc,
    corrections_pb2,
    corrections_pb2_grpc,
    events_pb2,
    findings_pb2,
    findings_pb2_grpc,
    insights_pb2,
    insights_pb2_grpc,
    keys_pb2,
    keys_pb2_grpc,
    parties_pb2,
    parties_pb2_grpc,
    paths_pb2,
    paths_pb2_grpc,
    people_pb2,
    people_pb2_grpc,
    proofs_pb2,
    proofs_pb2_grpc,
    registrations_pb2,
    registrations_pb2_grpc,
    servers_pb2,
    servers_pb2_grpc,
    statements_pb2,
    statements_pb2_grpc,
    tokens_pb2,
    tokens_pb2_grpc,
    transfers_pb2,
    transfers_pb2_grpc,
)

DECIDING_SHARE: Final = 0.8
"""The part of the time for open calls in which commands are decided. In the rest, those that were not are answered."""

ENDING_TIMEOUT_S: Final = 0.5
"""How long gRPC has to close connections, after the time for open calls."""

CONTRACT: Final = tuple(
    file.DESCRIPTOR.services_by_name[name]
    for file, name in (
        (books_pb2, "BookService"),
        (parties_pb2, "PartyService"),
        (batches_pb2, "BatchService"),
        (transfers_pb2, "TransferService"),
        (registrations_pb2, "RegistrationService"),
        (keys_pb2, "KeyService"),
        (statements_pb2, "StatementService"),
        (corrections_pb2, "CorrectionService"),
        (paths_pb2, "PathService"),
        (insights_pb2, "InsightService"),
        (findings_pb2, "FindingService"),
        (events_pb2, "EventService"),
        (proofs_pb2, "ProofService"),
        (servers_pb2, "ServerService"),
        (tokens_pb2, "TokenService"),
        (people_pb2, "PeopleService"),
        (access_log_pb2, "AccessLogService"),
    )
)
"""Our services, as the contract describes them."""

SERVICES: Final = tuple(service.full_name for service in CONTRACT)
"""The full names of our services, for health and reflection."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class Unregistered:
    """Takes the methods of services for a server, which then finds a method by its name.

    gRPC for asyncio would register each method by itself, and at each call begin again to wait for calls of all.
    """

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Add methods that are found by name."""
        self._server.add_generic_rpc_handlers(handlers)

    def add_registered_method_handlers(self, name: str, handlers: object) -> None:
        """Register nothing."""


class Server:
    """One server over one directory of books, in the event loop that starts it.

    Several workers share a port. A server alone does not share its port, so a second server on the port is an error.
    """

    def __init__(self, settings: Settings, clock: MachineClock | None = None) -> None:
        self._settings = settings
        self._clock = clock or MachineClock()
        self._drain = Drain()
        self._health = health.aio.HealthServicer()
        self._collector: CosignatureCollector | None = None
        self._metrics = opening.counting(settings.metrics_directory) if settings.counts else Metrics()
        self._closing = contextlib.ExitStack()
        self._is_stopping = False
        self._rates = rates_of(settings)
        self._known_tokens: KnownTokens | None = None
        self._access_log: AccessLog | None = None
        self._certificates: Certificates | None = None
        surround = CallInterceptor(
            self._lost,
            lambda: self._access,
            self._metrics,
            opening.tracing(),
            self._rates,
            Origins(settings.trusted_proxies),
        )
        self._server = grpc.aio.server(
            interceptors=[surround],
            options=channel_options(shares_port=settings.are_several),
        )

    async def start(self) -> int:
        """Open the books, listen, and return the port.

        Raises:
            OSError: the server cannot listen on the address, or a file of its certificate cannot be read.
            ValueError: the certificate and its key do not fit.
            Exception: as pathbook.services.storage.Storage.
        """
        if self._settings.certificate is not None:
            self._certificates = Certificates(self._settings.certificate)
        self._storage = await asyncio.to_thread(
            Storage,
            self._settings.data,
            self._clock,
            database=self._settings.database,
            projects=self._settings.follows,
            seals=self._settings.seals,
            allow_event_loss=self._settings.allow_event_loss,
        )
        if not self._settings.are_several:  # their parent warns
            await asyncio.to_thread(warn_of_readable_files, self._settings.data)
        await asyncio.to_thread(self._storage.deadlines.wait_for_first_look)
        self._storage.stream.on_commit(self._metrics.committed)
        self._gateway = Gateway(self._storage, self._metrics, self._rates)
        self._sight = Sight(self._gateway)
        if self._settings.demands_tokens:
            if not self._settings.are_several:  # their parent made it
                await asyncio.to_thread(make_first_token, self._settings.data, self._storage.tokens)
            self._known_tokens = KnownTokens(self._storage.tokens, self._gateway)
            await self._known_tokens.start()
            self._access_log = AccessLog(self._storage.accesses, self._gateway)
            self._access_log.start()
        self._verifications = Verifications(self._storage.stream.engine)
        self._verification_log = VerificationLog(self._verifications, self._gateway)
        self._verification_log.start()
        web_tokens = None
        if self._settings.issuer is not None:
            from pathbook.services.access.web_tokens import WebTokens  # noqa: PLC0415 -- a seventh of a start

            web_tokens = WebTokens(self._settings.issuer)
        self._access = AccessControl(
            self._sight, self._known_tokens, web_tokens, self._settings.own_token, self._access_log
        )
        require_rows(f"{service.name}.{method.name}" for service in CONTRACT for method in service.methods)
        self._add_services()
        try:
            port = self._listen()
        except RuntimeError as error:
            await self._close()
            raise OSError(f"Cannot listen on {self._settings.listen}: {error}") from error
        try:
            await self._follow_readiness()
        except OSError:
            await self._close()
            raise
        await self._server.start()
        if self._settings.witnesses:
            storage = self._storage
            self._collector = CosignatureCollector(
                storage.stream, storage.tree, storage.checkpoints, self._settings.witnesses
            )
            self._collector.start()
        host = self._settings.listen.rpartition(":")[0]
        _LOG.info("listening", address=f"{host}:{port}", place=self._settings.place)
        if self._access.is_open and not self._settings.is_loopback:
            _LOG.warning(
                "this server is open: any caller that reaches this address can read and write every book",
                address=f"{host}:{port}",
            )
        return port

    def _listen(self) -> int:
        """Listen, with TLS if there is a certificate, and return the port."""
        listen = self._settings.listen
        if self._certificates is None:
            return self._server.add_insecure_port(listen)
        return self._server.add_secure_port(listen, self._certificates.credentials())

    async def stop(self) -> None:
        """Take no new calls, end subscriptions, finish open calls, and close the books, all in a bounded time.

        A command that is not decided in most of ``drain_seconds`` fails as SERVER_STOPPING, and is not recorded.
        """
        _LOG.info("stopping")
        self._is_stopping = True
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

    async def _follow_readiness(self) -> None:
        """Let health checks, and the port for operators, say whether the server is ready. Raises OSError."""
        readiness = Readiness(self._storage.progress, signs=self._settings.seals, lost=self._lost)
        loop = asyncio.get_running_loop()
        self._closing.callback(readiness.close)
        await asyncio.to_thread(readiness.start)
        await self._set_health(is_ready=not readiness.problem)
        following = asyncio.create_task(follow_readiness(readiness, self._set_health))
        self._closing.callback(lambda: loop.call_soon_threadsafe(following.cancel))

        def ready() -> str:
            return "the server is stopping" if self._is_stopping else readiness.problem

        def stop_serving() -> None:  # at once: a file was lost, and only an operator can bring it back
            asyncio.run_coroutine_threadsafe(self._set_health(is_ready=False), loop)

        self._storage.on_change_of_files(stop_serving)
        if listen := self._settings.operations_listen:
            alive = opening.sign_of_life(loop)
            port = opening.open_port(listen, self._metrics, readiness, alive, ready)
            self._closing.callback(port.close)

    async def _set_health(self, is_ready: bool) -> None:  # noqa: FBT001 - it is told whether
        status = HealthCheckResponse.SERVING if is_ready else HealthCheckResponse.NOT_SERVING
        for name in ("", *SERVICES):
            await self._health.set(name, status)

    async def _close(self) -> None:
        await asyncio.to_thread(self._closing.close)
        if self._known_tokens is not None:
            self._known_tokens.stop()
        if self._access_log is not None:
            await self._access_log.stop()
        await self._verification_log.stop()
        if self._collector is not None:
            await asyncio.to_thread(self._collector.close)
        await asyncio.to_thread(self._storage.close)
        self._gateway.close()

    def _add_services(self) -> None:
        gateway, drain, server = (
            self._gateway,
            self._drain,
            cast("grpc.aio.Server", Unregistered(self._server)),
        )
        event_batches = EventBatches(gateway, self._storage.stream, self._storage.follower)
        books_pb2_grpc.add_BookServiceServicer_to_server(BookService(gateway), server)
        parties_pb2_grpc.add_PartyServiceServicer_to_server(PartyService(gateway), server)
        batches_pb2_grpc.add_BatchServiceServicer_to_server(BatchService(gateway, drain), server)
        bulk = Bulk(gateway, drain)
        transfers_pb2_grpc.add_TransferServiceServicer_to_server(TransferService(gateway, bulk), server)
        registrations_pb2_grpc.add_RegistrationServiceServicer_to_server(
            RegistrationService(gateway, bulk), server
        )
        admission = Admission(gateway.origin, gateway.codes.key_for_new_batch)
        keys_pb2_grpc.add_KeyServiceServicer_to_server(KeyService(gateway, admission), server)
        statements_pb2_grpc.add_StatementServiceServicer_to_server(
            StatementService(gateway, bulk, admission), server
        )
        corrections_pb2_grpc.add_CorrectionServiceServicer_to_server(CorrectionService(gateway), server)
        paths_pb2_grpc.add_PathServiceServicer_to_server(
            PathService(gateway, self._sight, self._verification_log), server
        )
        explanations = Explanations(self._storage.stream, self._storage.people.cipher)
        insights_pb2_grpc.add_InsightServiceServicer_to_server(
            InsightService(gateway, explanations, self._verifications), server
        )
        findings_pb2_grpc.add_FindingServiceServicer_to_server(
            FindingService(gateway, drain, explanations, self._storage.follower.reports), server
        )
        EventService(gateway, event_batches, drain).add_to(server)
        proofs_pb2_grpc.add_ProofServiceServicer_to_server(
            ProofService(gateway, self._storage, self._verification_log, self._settings.cosigners), server
        )
        servers_pb2_grpc.add_ServerServiceServicer_to_server(ServerService(), server)
        tokens_pb2_grpc.add_TokenServiceServicer_to_server(
            TokenService(gateway, self._storage.tokens), server
        )
        people_pb2_grpc.add_PeopleServiceServicer_to_server(
            PeopleService(gateway, self._storage.people, self._storage.previews, self._rates), server
        )
        access_log_pb2_grpc.add_AccessLogServiceServicer_to_server(
            AccessLogService(gateway, self._storage.accesses), server
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = (*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)  # it asks of which kind the server is

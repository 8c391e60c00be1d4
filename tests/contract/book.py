"""What a replay knows of parties, products, batches and recalls."""

from collections import Counter, defaultdict
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from pathbook.v1 import batches_pb2, events_pb2, parties_pb2, paths_pb2, transfers_pb2
from tests.contract.parts import RECORDED, Case, Chain, Unit, stated


class Book:
    """The part of a replay that every event passes, and the events that change no unit but make some."""

    def __init__(self) -> None:
        self.position = self.covers = 0
        self.event, self.data = events_pb2.Event(), b""
        self.kinds: Counter[str] = Counter()
        self.events: dict[int, tuple[events_pb2.Event, bytes]] = {}
        self.units: dict[tuple[int, int], Unit] = {}
        self.parties: dict[str, parties_pb2.Party] = {}
        self.party_chains: defaultdict[str, Chain] = defaultdict(Chain)
        self.authorizations: dict[int, parties_pb2.Authorization] = {}
        self.products: dict[str, batches_pb2.Product] = {}
        self.batches: dict[int, batches_pb2.Batch] = {}
        self.batch_chains: defaultdict[int, Chain] = defaultdict(Chain)
        self.batch_corrections: dict[int, int] = {}
        self.recalls: dict[int, batches_pb2.Recall] = {}
        self.transfers: dict[int, list[transfers_pb2.Transfer]] = {}
        self.cases: dict[str, Case] = {}
        self.declared: set[int] = set()
        self.reversals_asked: dict[int, int] = {}

    # What happened.

    def apply(self, data: bytes) -> None:
        """Apply the next event."""
        event = events_pb2.Event.FromString(data)
        self.position += 1
        kind = event.WhichOneof("kind")
        assert kind is not None, self.position
        self.kinds[kind] += 1
        self.event, self.data = event, data
        self.events[self.position] = event, data
        getattr(self, f"_{kind}")(getattr(event, kind))

    def _occurred(self) -> Timestamp:
        return self.event.occurred_at if self.event.HasField("occurred_at") else self.event.recorded_at

    def _step(
        self,
        unit: Unit,
        kind: paths_pb2.PathStepKind.ValueType,
        giver: str = "",
        receiver: str = "",
        **more: Any,  # noqa: ANN401 - fields of the step
    ) -> paths_pb2.PathStep:
        assert unit.chain.position < self.position, "an event extends a head once"
        unit.chain.extend(self.position, self.data)
        step = paths_pb2.PathStep(
            position=self.position,
            kind=kind,
            giver=giver,
            receiver=receiver,
            occurred_at=self._occurred(),
            recorded_at=self.event.recorded_at,
            state=unit.state,
            owner=unit.owner,
            custodian=unit.custodian,
            event=self.data,
            head=unit.chain.head,
            attestation=RECORDED,
            **more,
        )
        unit.steps.append(step)
        return step

    def _book_opened(self, it: events_pb2.BookOpened) -> None:
        assert (self.position, it.name) == (1, "life")

    def _party_registered(self, it: events_pb2.PartyRegistered) -> None:
        self.parties[it.party] = parties_pb2.Party(party=it.party, kind=it.kind, position=self.position)
        self.party_chains[it.party].extend(self.position, self.data)

    def _party_corrected(self, it: events_pb2.PartyCorrected) -> None:
        self.parties[it.party].kind = it.kind
        self.parties[it.party].corrected_position = self.position
        self.party_chains[it.party].extend(self.position, self.data)

    def _sealed(self, it: events_pb2.Sealed) -> None:
        assert self.covers < it.covers < self.position
        assert it.covers_recorded_at == self.events[it.covers][0].recorded_at
        assert (it.batches, it.parties) <= (len(self.batches), len(self.parties))
        self.covers = it.covers

    def _party_authorized(self, it: events_pb2.PartyAuthorized) -> None:
        given = parties_pb2.Authorization(
            position=self.position,
            upline=it.upline,
            tier=it.tier,
            gtins=it.gtins,
            region=it.region,
            valid_from=it.valid_from,
            valid_until=it.valid_until if it.HasField("valid_until") else None,
        )
        self.authorizations[self.position] = given
        self.parties[it.party].authorizations.append(given)
        self.party_chains[it.party].extend(self.position, self.data)

    def _authorization_revoked(self, it: events_pb2.AuthorizationRevoked) -> None:
        for given in self.parties[it.party].authorizations:
            if given.position == it.authorization:
                given.revoked_from.CopyFrom(it.revoked_from)
        self.party_chains[it.party].extend(self.position, self.data)

    def _product_registered(self, it: events_pb2.ProductRegistered) -> None:
        self.products[it.gtin] = batches_pb2.Product(
            gtin=it.gtin,
            brand=it.brand,
            name=it.name,
            suggested_price=stated(it.suggested_price),
            position=self.position,
        )
        self.party_chains[it.brand].extend(self.position, self.data)

    def _product_corrected(self, it: events_pb2.ProductCorrected) -> None:
        product = self.products[it.gtin]
        product.name = it.name
        product.suggested_price.CopyFrom(stated(it.suggested_price))
        product.corrected_position = self.position
        self.party_chains[it.brand].extend(self.position, self.data)

    def _batch_commissioned(self, it: events_pb2.BatchCommissioned) -> None:
        self.batches[it.batch] = batches_pb2.Batch(
            batch=it.batch,
            gtin=it.gtin,
            brand=it.brand,
            lot=it.lot,
            size=it.size,
            made_on=it.made_on,
            expires_on=it.expires_on,
            suggested_price=stated(it.suggested_price),
            position=self.position,
            code_key=it.code_key.hex(),
        )
        self.batch_chains[it.batch].extend(self.position, self.data)
        for number in range(it.size):
            unit = self.units[it.batch, number] = Unit(it.batch, number, it.brand, it.brand)
            self._step(unit, paths_pb2.PATH_STEP_KIND_COMMISSIONED, receiver=it.brand)

    def _batch_corrected(self, it: events_pb2.BatchCorrected) -> None:
        batch = self.batches[it.batch]
        batch.made_on, batch.expires_on = it.made_on, it.expires_on
        batch.suggested_price.CopyFrom(stated(it.suggested_price))
        batch.corrected_position = self.position
        self.batch_chains[it.batch].extend(self.position, self.data)

    def _units_recalled(self, it: events_pb2.UnitsRecalled) -> None:
        self.recalls[self.position] = batches_pb2.Recall(
            position=self.position, ranges=it.ranges, occurred_at=self._occurred()
        )
        self.batch_chains[it.batch].extend(self.position, self.data)

    def _recall_lifted(self, it: events_pb2.RecallLifted) -> None:
        self.recalls[it.recall].lifted_position = self.position
        self.recalls[it.recall].lifted_at.CopyFrom(self._occurred())
        self.batch_chains[it.batch].extend(self.position, self.data)

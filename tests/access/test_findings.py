"""Findings as those see and explain them who have a token: a brand those of its own products, an auditor all."""

import contextlib
import itertools
from pathlib import Path

import grpc

from pathbook.client import Client, select
from pathbook.v1.findings_pb2 import FindingChange
from tests.access.story import told
from tests.services.masks import refused


def changes(client: Client, cursor: str, count: int) -> list[FindingChange]:
    """Return the next changes of findings after a cursor, and wait until there are so many."""
    stream = client.subscribe_findings(cursor, rule="above-suggested")
    with contextlib.closing(stream):  # type: ignore[type-var] # a generator, as each iterator of the client
        return list(itertools.islice((change for response in stream for change in response.changes), count))


def test_a_brand_explains_what_is_of_its_products(tmp_path: Path) -> None:
    """It is told of no other finding, takes back no word of an auditor, and an erased person leaves no text."""
    with told(tmp_path) as story, contextlib.ExitStack() as stack:
        operator, auditor, brand = (
            stack.enter_context(story.client(role)) for role in ("operator", "auditor", "brand")
        )
        before = str(operator.get_head().position)
        for things, giver, price in ((story.others, "zeta", 99_999), (story.own, "acme", 200)):
            operator.record_transfer(
                giver=giver,
                receiver=things.party,
                units=select(ranges=[(things.batch, 200, 204)]),
                unit_price=(price * 100, "CNY"),
            )
        theirs, own = (change.finding for change in changes(auditor, before, 2))
        brand.position = operator.position
        assert [change.finding.id for change in changes(brand, before, 1)] == [own.id]
        assert brand.explain_finding(own.id, "agreed").caller == ""
        kept = auditor.get_findings(rule="above-suggested").findings[0].explanation
        assert (kept.text, kept.role, kept.party) == ("agreed", "brand", "acme")
        assert kept.caller == story.tokens["brand"].partition(".")[0]
        for finding in (theirs.id, own.id.replace(".1.", ".999."), "nonsense"):
            with refused("FINDING_UNKNOWN", grpc.StatusCode.NOT_FOUND):
                brand.explain_finding(finding, "not mine")
            with refused("FINDING_UNKNOWN", grpc.StatusCode.NOT_FOUND):
                list(brand.list_explanations(finding))
        with refused("PARTY_UNKNOWN", grpc.StatusCode.NOT_FOUND):
            next(brand.subscribe_findings(brand="zeta"))
        auditor.explain_finding(own.id, "papers are missing")
        for withdraw in (False, True):
            with refused("EXPLAINED_BY_OTHER", grpc.StatusCode.PERMISSION_DENIED):
                brand.explain_finding(own.id, "all fine", withdraw=withdraw)
        operator.erase_person("acme")
        said = [(each.role, each.text, each.text_erased) for each in operator.list_explanations()]
        assert said == [("auditor", "papers are missing", False), ("brand", "", True)]
        assert [each.text for each in brand.list_explanations(own.id)] == ["papers are missing", ""]

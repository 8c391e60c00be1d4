"""Calls about single findings: what is said of them, and the stream of what events change in them."""

import functools
from collections.abc import Iterator

from pathbook.client.calls import Caller
from pathbook.v1 import findings_pb2, findings_pb2_grpc, insights_pb2


class Findings(Caller):
    """The FindingService of a book."""

    @functools.cached_property
    def _findings(self) -> findings_pb2_grpc.FindingServiceStub:
        return findings_pb2_grpc.FindingServiceStub(self._channel)

    def explain_finding(
        self, finding: str, text: str = "", *, withdraw: bool = False, at_least_position: int | None = None
    ) -> insights_pb2.Explanation:
        """Say what explains a finding, or take back what was said. A repeat changes nothing.

        It is kept beside the book with who said it and when, and nothing of it is ever changed. The finding stays, and
        shows its explanation.

        Args:
            finding: Id of the finding, as ``get_findings`` returns it.
            text: What explains it, in at most 200 characters. Name no person in it.
            withdraw: Whether the explanation is taken back. A text is then the reason.
            at_least_position: The answer includes all events up to this position; the server waits for them. None
                means this client's last write, 0 means no waiting.

        Returns:
            What is kept, with ``text``, ``withdrawn``, ``role``, ``party``, ``at``, ``units`` and ``number``.

        Raises:
            RefusedError: FINDING_UNKNOWN, VALUE_MISSING (no text), TEXT_TOO_LONG, TEXT_MALFORMED,
                FINDING_NOT_EXPLAINED, EXPLAINED_BY_OTHER (a brand would replace what an auditor or the operator said),
                TOO_MANY_EXPLANATIONS; REPORT_BUILDING, REPORT_BEHIND; or a reason of every read (see ``Client``).
            UnreachableError: No answer came in time.

        Example:
            >>> finding = client.get_findings().findings[0]
            >>> client.explain_finding(finding.id, "Clearance sale of 1 May, agreed with ann.").role
            'operator'
            >>> finding.id in [each.id for each in client.get_findings(unexplained=True).findings]
            False
        """
        request = findings_pb2.ExplainFindingRequest(
            book=self.book,
            finding=finding,
            text=text,
            withdraw=withdraw,
            at_least_position=self._at_least(at_least_position),
        )
        return self._call(self._findings.ExplainFinding, request).explanation

    def list_explanations(
        self, finding: str = "", *, page_size: int = 0
    ) -> Iterator[insights_pb2.Explanation]:
        """Yield what was said of findings and taken back, the newest first.

        Args:
            finding: Id of a finding. "" means all findings of the book. A brand has to name one.
            page_size: Entries fetched in one call, at most 1,000. 0 means the server's choice.

        Yields:
            An Explanation with ``finding``, ``text``, ``withdrawn``, ``text_erased``, ``role``, ``party``, ``caller``,
            ``at``, ``units`` and ``number``.

        Raises:
            RefusedError: FINDING_UNKNOWN (to a brand); or a reason of every list (see ``Client``).
            UnreachableError: No answer came in time.

        Example:
            >>> [each.text for each in client.list_explanations(finding.id)]
            ['Clearance sale of 1 May, agreed with ann.']
        """

        def page(token: str) -> findings_pb2.ListExplanationsResponse:
            request = findings_pb2.ListExplanationsRequest(
                book=self.book, finding=finding, page_size=page_size, page_token=token
            )
            return self._call(self._findings.ListExplanations, request)

        for response in self._pages(page):
            yield from response.explanations

    def subscribe_findings(
        self,
        cursor: str = "",
        *,
        batch: int = 0,
        gtin: str = "",
        brand: str = "",
        party: str = "",
        rule: str = "",
    ) -> Iterator[findings_pb2.SubscribeFindingsResponse]:
        """Yield what events change in findings after a place, then what new events change, without end.

        When the stream breaks, the client opens it again after the last response. So no change comes twice, and none is
        left out, also if the reports are rebuilt meanwhile. Leave the loop to end it.

        Args:
            cursor: The ``cursor`` of the last change, or the ``next_cursor`` of the last response that you know; or the
                position of an event, as digits. "" means from the first event on.
            batch: Number of a batch.
            gtin: GTIN of a product.
            brand: Id of the brand of the products.
            party: Id of a party that is a side.
            rule: The name of a rule, such as "bought-back". Empty means all rules but out-of-region.

        Returns:
            An iterator of responses. Each has ``changes``, ``next_cursor`` and ``position``. A change has a
            ``kind``, such as ``findings_pb2.FINDING_CHANGE_KIND_FOUND``; ``finding``, ``units_before`` and ``cursor``;
            and the ``position`` of the event and its ``recorded_at``. A response without changes says that there are
            none yet.

        Raises:
            RefusedError: FINDING_CURSOR_MALFORMED, POSITION_BEYOND_HEAD, ANOTHER_HISTORY as in ``read``;
                FINDING_RULE_UNKNOWN, FINDING_RULE_NOT_TOLD (out-of-region), BATCH_UNKNOWN, PRODUCT_UNKNOWN,
                PARTY_UNKNOWN, GTIN_CHECK_DIGIT, REPORT_TOO_LARGE; VIEWS_NOT_WHOLE; or a reason of every stream (see
                ``Client``).
            UnreachableError: The stream broke, and no server answered for ``retry_seconds``.

        Example:
            >>> for response in client.subscribe_findings(rule=finding.rule):
            ...     print(response.changes[0].kind == findings_pb2.FINDING_CHANGE_KIND_FOUND)
            ...     break
            True
        """

        def request(after: str) -> findings_pb2.SubscribeFindingsRequest:
            return findings_pb2.SubscribeFindingsRequest(
                book=self.book, cursor=after, batch=batch, gtin=gtin, brand=brand, party=party, rule=rule
            )

        return self._resume(
            self._findings.SubscribeFindings, request, cursor, lambda response: response.next_cursor
        )

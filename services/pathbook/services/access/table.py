"""The table of access: what each role may call. What no row grants is refused, and a server starts only if every
method has a row.
"""

import enum
from collections.abc import Iterable
from typing import Final

import msgspec

from pathbook.services.access.callers import Role


class Grant(enum.Enum):
    """How much of a method a role gets. The values are the words of the table in README.md."""

    NO = "no"
    ALL = "all"
    OWN = "own"
    PRODUCTS = "own, its products'"
    CODE = "by code"
    SIGNED = "signed"


class Row(msgspec.Struct, frozen=True):
    """Methods of which every role gets as much.

    Attributes:
        what: what a caller does with them.
        methods: their names, Service.Method.
        own: what "own" means here, "" if no role gets that.
        grants: for each role in the order of `Role`.
        acts: whether each request names the party that acts or asks, and "own" means that it is the caller's.
    """

    what: str
    methods: tuple[str, ...]
    own: str
    grants: tuple[Grant, Grant, Grant, Grant, Grant]
    acts: bool = False

    def grant(self, role: Role) -> Grant:
        """Return how much a role gets."""
        return self.grants[_ROLES.index(role)]


_ROLES: Final = tuple(Role)
NO, ALL, OWN, PRODUCTS, CODE, SIGNED = Grant

TABLE: Final = (
    Row(
        "find a server, a book and its checkpoints",
        (
            "ServerService.GetVersion",
            "BookService.GetBook",
            "EventService.GetHead",
            "ProofService.GetCheckpoint",
            "ProofService.GetConsistencyProof",
            "ProofService.GetLogKey",
        ),
        "",
        (ALL, ALL, ALL, ALL, ALL),
    ),
    Row(
        "see the path of a unit, and its proof",
        ("PathService.GetPath", "ProofService.GetUnitProof"),
        "a path of units that the party had, up to when it gave them away; a proof while it has them",
        (CODE, OWN, PRODUCTS, ALL, ALL),
    ),
    Row(
        "file what a key signed",
        (
            "StatementService.FileStatement",
            "StatementService.FileStatements",
            "KeyService.RevokeKey",
        ),
        "",
        (SIGNED, SIGNED, SIGNED, SIGNED, SIGNED),
    ),
    Row(
        "register a key: the party or the operator a first one, any caller one that an earlier key endorsed",
        ("KeyService.RegisterKey",),
        "",
        (SIGNED, SIGNED, SIGNED, SIGNED, SIGNED),
    ),
    Row(
        "bring a cosignature of a known witness",
        ("ProofService.AddCosignature",),
        "",
        (SIGNED, SIGNED, SIGNED, SIGNED, SIGNED),
    ),
    Row(
        "confirm a purchase",
        ("TransferService.ConfirmPurchase",),
        "",
        (CODE, CODE, CODE, CODE, ALL),
    ),
    Row(
        "move units",
        (
            "TransferService.OfferTransfer",
            "TransferService.AcceptTransfer",
            "TransferService.DeclineTransfer",
            "TransferService.WithdrawTransfer",
            "TransferService.RecordTransfer",
            "TransferService.RecordTransfers",
            "TransferService.ReverseTransfer",
            "TransferService.DeliverUnits",
            "TransferService.SellUnits",
            "TransferService.ReturnUnits",
            "TransferService.WriteOffUnits",
            "BatchService.PackCase",
            "BatchService.UnpackCase",
        ),
        "the party itself acts; for a consumer it takes back, by code, what it sold",
        (NO, OWN, OWN, NO, ALL),
        acts=True,
    ),
    Row(
        "authorize other parties, take back an error",
        (
            "PartyService.AuthorizeParty",
            "PartyService.RevokeAuthorization",
            "CorrectionService.DeclareError",
        ),
        "the party itself acts",
        (NO, OWN, OWN, NO, ALL),
        acts=True,
    ),
    Row(
        "run products: register, commission, recall, correct",
        (
            "BatchService.RegisterProduct",
            "BatchService.CommissionBatch",
            "BatchService.RecallUnits",
            "BatchService.LiftRecall",
            "CorrectionService.CorrectProduct",
            "CorrectionService.CorrectBatch",
        ),
        "the brand itself acts",
        (NO, NO, OWN, NO, ALL),
        acts=True,
    ),
    Row(
        "register parties",
        ("PartyService.RegisterParty",),
        "agents and shops",
        (NO, NO, OWN, NO, ALL),
        acts=True,
    ),
    Row(
        "register many things",
        ("RegistrationService.Register",),
        "as one by one",
        (NO, OWN, OWN, NO, ALL),
        acts=True,
    ),
    Row(
        "print codes",
        ("BatchService.ListCodes",),
        "",
        (NO, NO, PRODUCTS, NO, ALL),
    ),
    Row(
        "look up products",
        ("BatchService.GetProduct", "BatchService.ListProducts"),
        "",
        (NO, ALL, ALL, ALL, ALL),
    ),
    Row(
        "look up a batch or a case",
        ("BatchService.GetBatch", "BatchService.GetCase"),
        "of which the party has units",
        (NO, OWN, PRODUCTS, ALL, ALL),
    ),
    Row(
        "look up a party and its keys",
        ("PartyService.GetParty", "KeyService.ListKeys"),
        "the party, those above it, those below that accepted their line, and whom it authorized",
        (NO, OWN, OWN, ALL, ALL),
    ),
    Row(
        "list stock, transfers and offers",
        (
            "PathService.ListStock",
            "TransferService.GetTransfer",
            "TransferService.ListTransfers",
            "TransferService.ListTransfersByReference",
            "TransferService.ListOffers",
        ),
        "its stock, and transfers of which the party is a side",
        (NO, OWN, PRODUCTS, ALL, ALL),
    ),
    Row(
        "see what the party asked, and what it would move",
        ("EventService.GetEventByRequest", "TransferService.ResolveUnits"),
        "the party itself asks",
        (NO, OWN, OWN, ALL, ALL),
        acts=True,
    ),
    Row(
        "see batches, holders and corrections",
        (
            "BatchService.ListBatches",
            "PathService.ListHolders",
            "CorrectionService.ListCorrections",
        ),
        "",
        (NO, NO, PRODUCTS, ALL, ALL),
    ),
    Row(
        "see ladders",
        ("InsightService.GetLadder",),
        "what the party itself paid and was paid, and of a product means of what three others or more paid",
        (NO, OWN, PRODUCTS, ALL, ALL),
    ),
    Row(
        "see the shape of a chain, findings, and what hangs on a party",
        (
            "InsightService.GetShape",
            "InsightService.GetFindings",
            "InsightService.GetDomino",
        ),
        "",
        (NO, NO, PRODUCTS, ALL, ALL),
    ),
    Row(
        "subscribe to findings, explain them, and see what was explained",
        (
            "FindingService.SubscribeFindings",
            "FindingService.ExplainFinding",
            "FindingService.ListExplanations",
        ),
        "",
        (NO, NO, PRODUCTS, ALL, ALL),
    ),
    Row(
        "see how often codes were verified",
        ("InsightService.GetVerifications",),
        "",
        (NO, NO, PRODUCTS, ALL, ALL),
    ),
    Row(
        "see what a party holds, and what became of its line",
        ("InsightService.GetSellThrough", "InsightService.GetStuckStock"),
        "the party itself, without what consumers pay others",
        (NO, OWN, PRODUCTS, ALL, ALL),
    ),
    Row(
        "see the scorecard of a party",
        ("InsightService.GetScorecard",),
        "the party itself",
        (NO, OWN, OWN, ALL, ALL),
    ),
    Row(
        "read the events, and subscribe to them",
        ("EventService.Read", "EventService.Subscribe"),
        "of which the party is a side; of all others the leaf hash",
        (NO, OWN, PRODUCTS, ALL, ALL),
    ),
    Row(
        "list parties, compare fingerprints",
        (
            "PartyService.ListParties",
            "ProofService.GetFingerprint",
            "ProofService.ListFingerprints",
        ),
        "",
        (NO, NO, NO, ALL, ALL),
    ),
    Row(
        "ask whether a seller is authorized, by its public handle",
        ("PeopleService.CheckSeller",),
        "",
        (ALL, ALL, ALL, ALL, ALL),
    ),
    Row(
        "say and see what a party is called",
        ("PeopleService.DescribeParty", "PeopleService.GetDescription"),
        "the party itself",
        (NO, OWN, OWN, NO, ALL),
    ),
    Row("see who read prices", ("AccessLogService.ListAccesses",), "", (NO, NO, NO, ALL, ALL)),
    Row("erase a person", ("PeopleService.ErasePerson",), "", (NO, NO, NO, NO, ALL)),
    Row("list books, with a token for every book", ("BookService.ListBooks",), "", (NO, NO, NO, ALL, ALL)),
    Row("open books, with a token for every book", ("BookService.OpenBook",), "", (NO, NO, NO, NO, ALL)),
    Row(
        "correct parties, make and revoke tokens",
        (
            "CorrectionService.CorrectParty",
            "TokenService.CreateToken",
            "TokenService.ListTokens",
            "TokenService.RevokeToken",
        ),
        "",
        (NO, NO, NO, NO, ALL),
    ),
)  # fmt: skip
"""What each role may call, as rows of methods."""

ROWS: Final = {method: row for row in TABLE for method in row.methods}
"""The row of each method."""

MOVING: Final = ROWS["TransferService.OfferTransfer"].methods
"""The methods whose requests name units to move."""

EVERY_BOOK: Final = ("BookService.ListBooks", "BookService.OpenBook")
"""The methods about all books: a caller with one book of its own may not call them."""


def require_rows(methods: Iterable[str]) -> None:
    """Raise AssertionError, naming them, if methods (Service.Method) have no row, or rows no such method."""
    served = set(methods)
    missing = sorted(served - ROWS.keys())
    assert not missing, f"no row of the table of access has {', '.join(missing)}"
    unknown = sorted(ROWS.keys() - served)
    assert not unknown, f"the table of access has methods that are not served: {', '.join(unknown)}"
    assert len(ROWS) == sum(len(row.methods) for row in TABLE), "a method has two rows"


def printed() -> str:
    """Return the table as README.md shows it, in Markdown."""
    head = ["", *(role.value for role in Role), "own means", "methods"]
    lines = [head, ["---"] * len(head)]
    for row in TABLE:
        names = ", ".join(method.partition(".")[2] for method in row.methods)
        lines.append([row.what, *(grant.value for grant in row.grants), row.own, names])
    return "".join(f"| {' | '.join(line)} |\n".replace("|  |", "| |") for line in lines)

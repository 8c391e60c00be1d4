"""Refusals: every named, numbered reason for no, in the order of the checks. A number is never used twice."""

import enum
from base64 import standard_b64encode
from typing import Final, final

import msgspec

from pathbook.ledger.refusal_kinds import Kind as Kind  # noqa: PLC0414 -- others import it from here

MAX_FACT = 100
"""The most characters of a fact that a sentence repeats. A caller that sends 5,000 need not get them back."""


class Reason(enum.IntEnum):
    """Why a request was refused. Refusals are not recorded."""

    # the shape of a request
    REQUEST_ID_MALFORMED = 1
    REQUEST_ID_REUSED = 2
    BOOK_MALFORMED = 3
    BOOK_UNKNOWN = 4
    TEXT_TOO_LONG = 5
    VALUE_MISSING = 6
    DATE_MALFORMED = 7
    TIME_MALFORMED = 8
    OCCURRED_IN_FUTURE = 9
    # parties and authorizations
    PARTY_MALFORMED = 10
    PARTY_KIND_MISSING = 11
    PARTY_EXISTS = 12
    PARTY_UNKNOWN = 13
    NOT_A_BRAND = 14
    SELF_AUTHORIZATION = 15
    BRAND_NEEDS_NO_AUTHORIZATION = 16
    UPLINE_NOT_AUTHORIZED = 17
    TIER_OUT_OF_BOUNDS = 18
    TIER_NOT_BELOW_UPLINE = 19
    VALIDITY_REVERSED = 20
    TOO_MANY_PRODUCTS = 21
    AUTHORIZATION_UNKNOWN = 22
    NOT_THE_UPLINE = 23
    AUTHORIZATION_ALREADY_REVOKED = 24
    VALIDITY_BEYOND_UPLINE = 25
    # products, batches and codes
    GTIN_CHECK_DIGIT = 30
    PRODUCT_EXISTS = 31
    PRODUCT_UNKNOWN = 32
    NOT_THE_BRAND = 33
    PRICE_NEGATIVE = 34
    PRICE_UNITS_OUT_OF_BOUNDS = 35
    CURRENCY_UNKNOWN = 36
    LOT_MALFORMED = 37
    BATCH_EXISTS = 38
    BATCH_SIZE_OUT_OF_BOUNDS = 39
    EXPIRES_BEFORE_MADE = 40
    BATCH_UNKNOWN = 41
    BOOK_FULL = 42
    CODE_MALFORMED = 43
    CODE_CHECK_CHARACTER = 44
    CODE_GTIN_CHECK_DIGIT = 45
    CODE_OTHER_BOOK = 46
    CODE_UNKNOWN = 47
    CODE_CONTRADICTS = 48
    # naming units
    NO_UNITS = 50
    TOO_MANY_RANGES = 51
    RANGE_REVERSED = 52
    RANGE_BEYOND_BATCH = 53
    RANGES_OVERLAP = 54
    QUANTITY_NOT_POSITIVE = 55
    STOCK_TOO_SMALL = 56
    OCCURRED_BEFORE_MADE = 57
    # moving units
    SELF_TRANSFER = 60
    UNITS_NOT_OWNED = 61
    UNITS_NOT_IN_CUSTODY = 62
    UNITS_RESERVED = 63
    UNITS_SOLD = 64
    UNITS_WRITTEN_OFF = 65
    UNITS_IN_CASE = 66
    UNITS_RECALLED = 67
    # offers, acceptances, reversals
    DEADLINE_PASSED = 70
    TRANSFER_UNKNOWN = 71
    TRANSFER_ANSWERED = 72
    NOT_THE_RECEIVER = 73
    NOT_THE_GIVER = 74
    TRANSFER_LAPSED = 75
    DEADLINE_NOT_REACHED = 76
    DISCREPANCY_NOT_OFFERED = 77
    NOTHING_ACCEPTED = 78
    TRANSFER_NOT_ACCEPTED = 79
    NOT_A_SIDE = 80
    REVERSAL_ALREADY_ASKED = 81
    TRANSFER_BUILT_UPON = 82
    SALE_IS_RETURNED = 83
    # sale, confirmation, return
    CONSUMER_MALFORMED = 85
    UNITS_NOT_SOLD = 86
    NOT_THE_BUYER = 87
    PURCHASE_ALREADY_CONFIRMED = 88
    NOTHING_TO_RETURN = 89
    # cases and recalls
    SSCC_CHECK_DIGIT = 90
    CASE_EXISTS = 91
    CASE_UNKNOWN = 92
    CASE_IN_CASE = 93
    CASE_EMPTY = 94
    RECALL_UNKNOWN = 95
    RECALL_ALREADY_LIFTED = 96
    CASE_OF_SEVERAL_OWNERS = 97
    CASE_TOO_DEEP = 98
    NOT_THE_PACKER = 99
    # batches of requests, texts
    OTHER_ENTRY_REFUSED = 100
    TEXT_MALFORMED = 101
    # opening a book
    BOOK_EXISTS = 102
    ORIGIN_MALFORMED = 103
    # keys of codes
    CODE_KEY_RETIRED = 104
    # people
    PARTY_LOOKS_PERSONAL = 105
    EVENT_TOO_LARGE = 106
    # references, and reports of both sides
    REFERENCE_MALFORMED = 107
    REFERENCE_USED = 108
    REFERENCE_CONTRADICTS = 109
    TRANSFER_NOT_REPORTED = 110
    TRANSFER_ALREADY_ATTESTED = 111
    REPORTER_NOT_A_SIDE = 112
    # times without effect
    LIFTED_BEFORE_RECALL = 113
    REVOKED_OUTSIDE_VALIDITY = 114
    # corrections
    EVENT_NOT_DECLARABLE = 115
    NOT_THE_ACTOR = 116
    ERROR_ALREADY_DECLARED = 117
    EVENT_BUILT_UPON = 118
    NOTHING_TO_CORRECT = 119
    BRAND_IS_FIXED = 120
    # questions
    REQUEST_UNKNOWN = 140
    INTERVAL_REVERSED = 141
    # work
    TOO_MUCH_WORK = 142
    # seals
    ALREADY_SEALED = 143
    SEALED_TOO_FAR = 144
    NOT_SEALED_YET = 145
    PROOF_TOO_LARGE = 146
    # keys and statements
    KEY_MALFORMED = 150
    KEY_TAKEN = 151
    KEY_UNKNOWN = 152
    KEY_REVOKED = 153
    TOO_MANY_KEYS = 154
    ENDORSER_NOT_ALLOWED = 155
    SIGNATURE_WRONG = 156
    RECOVERY_TOO_LATE = 157
    STATEMENT_MALFORMED = 158
    STATEMENT_OF_OTHER_BOOK = 159
    STATEMENT_OF_OTHER_PARTY = 160
    STATEMENT_EXPIRED = 161
    STATEMENT_REQUIRED = 162
    STATEMENT_HAS_CODES = 163
    CONSUMER_HAS_NO_KEY = 164
    KEY_REPLACES_OTHER = 165
    TOO_MANY_STATEMENTS = 166
    STATEMENTS_DIFFER = 167
    # cosignatures
    WITNESS_UNKNOWN = 170
    COSIGNATURE_MALFORMED = 171
    COSIGNATURE_FALSE = 172
    # what signatures bind
    ANSWERED_EVENT_DIFFERS = 180
    ANSWERED_LEAF_MISSING = 181
    PARTY_SIGNS = 182
    RECORDED_UNSIGNED = 183
    # extra units of a delivery
    EXTRA_NOT_ALLOWED = 190
    EXTRA_OUT_OF_BOUNDS = 191
    EXTRA_OTHER_PRODUCT = 193
    # the directory of people
    TOO_MANY_HANDLES = 192
    # reports
    REPORT_TOO_LARGE = 210
    FILTER_NOT_KEPT = 211
    AS_OF_TOO_FAR = 212
    FINDING_RULE_UNKNOWN = 213
    # findings
    FINDING_UNKNOWN = 214
    FINDING_NOT_EXPLAINED = 215
    EXPLAINED_BY_OTHER = 216
    TOO_MANY_EXPLANATIONS = 217
    FINDING_RULE_NOT_TOLD = 218
    FINDING_CURSOR_MALFORMED = 219


# A line for each reason, however long, keeps this readable as a table.
# fmt: off
SENTENCES: Final[dict[Reason, tuple[Kind, str]]] = {
    Reason.REQUEST_ID_MALFORMED: (Kind.INVALID, "A request id has 1 to 128 printable ASCII characters, with no blank at either end and no tilde at the beginning. Send one, and the same again on a retry."),
    Reason.REQUEST_ID_REUSED: (Kind.EXISTS, "Request {request_id} was already answered at position {position}, and its content was another. Use a new request id for a new request."),
    Reason.BOOK_MALFORMED: (Kind.INVALID, "'{book}' cannot name a book. Use 1 to 64 of A-Z, a-z, 0-9, '.', '-' and '_', and begin with a letter or digit."),
    Reason.BOOK_UNKNOWN: (Kind.MISSING, "There is no book '{book}' here. Check the name. The operator opens a new book with `pathbook book open {book}`."),
    Reason.TEXT_TOO_LONG: (Kind.INVALID, "{field} has {length} characters; at most {limit} are allowed. Shorten it."),
    Reason.VALUE_MISSING: (Kind.INVALID, "{field} is missing. Name it."),
    Reason.DATE_MALFORMED: (Kind.INVALID, "{field} '{text}' is not a date. Write it as YYYY-MM-DD."),
    Reason.TIME_MALFORMED: (Kind.INVALID, "{field} is not a time between the years 1970 and 9999. Send it as UTC."),
    Reason.OCCURRED_IN_FUTURE: (Kind.INVALID, "Occurred at {occurred_at}, but the book's clock says {now}. What has not happened yet cannot be recorded."),
    Reason.PARTY_MALFORMED: (Kind.INVALID, "'{party}' cannot name a party. Use 1 to 64 of A-Z, a-z, 0-9, '.', '-' and '_', and begin with a letter or digit."),
    Reason.PARTY_KIND_MISSING: (Kind.INVALID, "Party {party} needs a kind: brand, agent or shop."),
    Reason.PARTY_EXISTS: (Kind.EXISTS, "Party {party} is registered already, at position {position}. Choose another id."),
    Reason.PARTY_UNKNOWN: (Kind.MISSING, "There is no party {party} in this book. Register it first."),
    Reason.NOT_A_BRAND: (Kind.FORBIDDEN, "Only a brand may do this; {party} is not one."),
    Reason.SELF_AUTHORIZATION: (Kind.INVALID, "{party} cannot authorize itself. Its upline does."),
    Reason.BRAND_NEEDS_NO_AUTHORIZATION: (Kind.INVALID, "{party} is a brand, tier 0, and needs no authorization."),
    Reason.UPLINE_NOT_AUTHORIZED: (Kind.FORBIDDEN, "{upline} is not authorized itself at that time, so it cannot authorize {party}."),
    Reason.TIER_OUT_OF_BOUNDS: (Kind.INVALID, "Tier {tier} is not between 1 and {limit}."),
    Reason.TIER_NOT_BELOW_UPLINE: (Kind.INVALID, "Tier {tier} is not below {upline}, which is tier {upline_tier}. Use a higher number."),
    Reason.VALIDITY_REVERSED: (Kind.INVALID, "An authorization from {valid_from} cannot end at {valid_until}. Put the end after the beginning."),
    Reason.TOO_MANY_PRODUCTS: (Kind.INVALID, "{count} products are listed; at most {limit} are allowed. Leave the list empty to allow every product."),
    Reason.AUTHORIZATION_UNKNOWN: (Kind.MISSING, "There is no authorization at position {authorization}. List the party's authorizations."),
    Reason.NOT_THE_UPLINE: (Kind.FORBIDDEN, "The authorization at {authorization} was given by {upline}; {party} cannot revoke it."),
    Reason.AUTHORIZATION_ALREADY_REVOKED: (Kind.STATE, "The authorization at {authorization} was already revoked, as of {revoked_from}."),
    Reason.VALIDITY_BEYOND_UPLINE: (Kind.INVALID, "An authorization until {valid_until} would outlive that of {upline}, which ends at {upline_until}. End it then or before."),
    Reason.GTIN_CHECK_DIGIT: (Kind.INVALID, "'{gtin}' is not a GTIN of 8, 12, 13 or 14 digits with a right check digit. Check the number on the label."),
    Reason.PRODUCT_EXISTS: (Kind.EXISTS, "Product {product} is registered already, at position {position}."),
    Reason.PRODUCT_UNKNOWN: (Kind.MISSING, "There is no product {product} in this book. Register it first."),
    Reason.NOT_THE_BRAND: (Kind.FORBIDDEN, "Product {product} belongs to {brand}; {party} may not do this."),
    Reason.PRICE_NEGATIVE: (Kind.INVALID, "A price of {amount_minor} is below zero. Prices are minor units, zero or more."),
    Reason.PRICE_UNITS_OUT_OF_BOUNDS: (Kind.INVALID, "A price for {per_units} units cannot be kept. Give it for 1 to {limit} units."),
    Reason.CURRENCY_UNKNOWN: (Kind.INVALID, "'{currency_code}' is not an ISO 4217 currency code, such as CNY or USD."),
    Reason.LOT_MALFORMED: (Kind.INVALID, "'{lot}' cannot be a lot number: {problem}. Use 1 to 20 of A-Z, a-z, 0-9 and ! \" % & ' ( ) * + , - . / : ; < = > ? _ (GS1 General Specifications, AI 10)."),
    Reason.BATCH_EXISTS: (Kind.EXISTS, "Lot {lot} of product {product} was commissioned already, as batch {batch}."),
    Reason.BATCH_SIZE_OUT_OF_BOUNDS: (Kind.INVALID, "A batch of {size} units is not between 1 and {limit}."),
    Reason.EXPIRES_BEFORE_MADE: (Kind.INVALID, "A batch made on {made_on} cannot expire on {expires_on}."),
    Reason.BATCH_UNKNOWN: (Kind.MISSING, "There is no batch {batch} in this book. List the batches."),
    Reason.BOOK_FULL: (Kind.STATE, "This book has {limit} batches, the most a printed serial can tell apart. Begin another book."),
    Reason.CODE_MALFORMED: (Kind.INVALID, "'{code}' is not a product code: {problem}. Type the 20 characters under the symbol, or scan it."),
    Reason.CODE_CHECK_CHARACTER: (Kind.INVALID, "The check character of '{code}' is wrong: a typing mistake. Compare it with the label and type it again."),
    Reason.CODE_GTIN_CHECK_DIGIT: (Kind.INVALID, "The GTIN {gtin} in the code has a wrong check digit: a typing or reading mistake. Read the symbol again."),
    Reason.CODE_OTHER_BOOK: (Kind.MISSING, "Code {code} was not issued by book '{book}': it belongs to another book, or was made up."),
    Reason.CODE_UNKNOWN: (Kind.MISSING, "Code {code} was made with this book's key, but the book has no such unit. Ask who runs the book."),
    Reason.CODE_CONTRADICTS: (Kind.INVALID, "The code says {field} {said}, but its serial belongs to {field} {actual}. The label was put together from several."),
    Reason.NO_UNITS: (Kind.INVALID, "The request names no units. Name ranges, codes, cases or a quantity."),
    Reason.TOO_MANY_RANGES: (Kind.INVALID, "The request names {count} ranges, codes, cases or quantities; at most {limit} are allowed. Split it."),
    Reason.RANGE_REVERSED: (Kind.INVALID, "Range {range} ends before it begins, or begins below 0."),
    Reason.RANGE_BEYOND_BATCH: (Kind.INVALID, "Range {range} lies beyond the batch named, which has units 0 to {last}."),
    Reason.RANGES_OVERLAP: (Kind.INVALID, "The request names unit {number} of batch {batch} twice. Name each unit once."),
    Reason.QUANTITY_NOT_POSITIVE: (Kind.INVALID, "A quantity of {count} is not 1 or more."),
    Reason.STOCK_TOO_SMALL: (Kind.STATE, "{party} has {available} units of {what} that a quantity may take, not {count}. It takes none of {expired} expired, {recalled} recalled, {reserved} reserved units, nor {packed} in cases. Name fewer, or name ranges or cases."),
    Reason.OCCURRED_BEFORE_MADE: (Kind.INVALID, "Occurred at {occurred_at}, but batch {batch} was made on {made_on}."),
    Reason.SELF_TRANSFER: (Kind.INVALID, "{party} cannot transfer to itself."),
    Reason.UNITS_NOT_OWNED: (Kind.STATE, "Units {range} belong to {owner}, not to {party}. Only the owner transfers."),
    Reason.UNITS_NOT_IN_CUSTODY: (Kind.STATE, "Units {range} lie with {custodian}, not with {party}. Only who has the goods can do this."),
    Reason.UNITS_RESERVED: (Kind.STATE, "Units {range} are reserved by the offer at position {transfer}. Wait for its answer or withdraw it."),
    Reason.UNITS_SOLD: (Kind.STATE, "Units {range} were sold to a consumer. A return brings them back."),
    Reason.UNITS_WRITTEN_OFF: (Kind.STATE, "Units {range} were written off as {state}."),
    Reason.UNITS_IN_CASE: (Kind.STATE, "Units {range} are packed in case {sscc}. Move the whole case, or unpack it first."),
    Reason.UNITS_RECALLED: (Kind.STATE, "Units {range} are recalled (position {recall}). They may go back the way they came, not onward."),
    Reason.DEADLINE_PASSED: (Kind.INVALID, "The deadline {deadline} is not after the book's clock, {now}. Set a later one, or none."),
    Reason.TRANSFER_UNKNOWN: (Kind.MISSING, "Position {transfer} holds no offer or transfer that could be answered or reversed. List the party's transfers."),
    Reason.TRANSFER_ANSWERED: (Kind.STATE, "The offer at position {transfer} is no longer open: it was {status}."),
    Reason.NOT_THE_RECEIVER: (Kind.FORBIDDEN, "The offer at position {transfer} was made to {receiver}; {party} cannot answer it."),
    Reason.NOT_THE_GIVER: (Kind.FORBIDDEN, "The offer at position {transfer} was made by {giver}; {party} cannot withdraw it."),
    Reason.TRANSFER_LAPSED: (Kind.STATE, "The offer at position {transfer} lapsed at {deadline}. Ask for a new one."),
    Reason.DEADLINE_NOT_REACHED: (Kind.STATE, "The offer at position {transfer} does not lapse before {deadline}."),
    Reason.DISCREPANCY_NOT_OFFERED: (Kind.INVALID, "The discrepancy names {range}, which the offer at position {transfer} does not hold, or holds only once."),
    Reason.NOTHING_ACCEPTED: (Kind.INVALID, "Nothing of the offer at position {transfer} would be accepted. Decline it instead."),
    Reason.TRANSFER_NOT_ACCEPTED: (Kind.STATE, "The transfer at position {transfer} is {status}; only an accepted one can be reversed."),
    Reason.NOT_A_SIDE: (Kind.FORBIDDEN, "{party} is neither giver nor receiver of the transfer at position {transfer}."),
    Reason.REVERSAL_ALREADY_ASKED: (Kind.STATE, "{party} already asked to reverse the transfer at position {transfer}; the other side has to agree."),
    Reason.TRANSFER_BUILT_UPON: (Kind.STATE, "Units {range} of the transfer at position {transfer} have moved on since. Undo what came later first."),
    Reason.SALE_IS_RETURNED: (Kind.INVALID, "Position {transfer} is a sale to a consumer; it is not reversed, a return takes it back."),
    Reason.CONSUMER_MALFORMED: (Kind.INVALID, "'{consumer}' cannot be a consumer's pseudonym. Use 1 to 64 of A-Z, a-z, 0-9, '.', '-' and '_', and begin with a letter or digit."),
    Reason.UNITS_NOT_SOLD: (Kind.STATE, "Units {range} are not on record as sold to a consumer; they belong to {owner}."),
    Reason.NOT_THE_BUYER: (Kind.FORBIDDEN, "Units {range} were sold to another buyer than '{consumer}'."),
    Reason.PURCHASE_ALREADY_CONFIRMED: (Kind.STATE, "The purchase of units {range} was already confirmed."),
    Reason.NOTHING_TO_RETURN: (Kind.STATE, "Units {range} never left the brand, so there is nobody to return them to."),
    Reason.SSCC_CHECK_DIGIT: (Kind.INVALID, "'{sscc}' is not an SSCC of 18 digits with a right check digit. Check the number on the case."),
    Reason.CASE_EXISTS: (Kind.EXISTS, "Case {sscc} is packed already. Unpack it first, or use another SSCC."),
    Reason.CASE_UNKNOWN: (Kind.MISSING, "There is no packed case {sscc} in this book."),
    Reason.CASE_IN_CASE: (Kind.STATE, "Case {sscc} lies in case {outer}. Name the outer one, or unpack it first."),
    Reason.CASE_EMPTY: (Kind.STATE, "Case {sscc} has no units left. Unpack it."),
    Reason.RECALL_UNKNOWN: (Kind.MISSING, "There is no recall at position {recall}."),
    Reason.RECALL_ALREADY_LIFTED: (Kind.STATE, "The recall at position {recall} was already lifted."),
    Reason.CASE_OF_SEVERAL_OWNERS: (Kind.STATE, "Units {range} belong to {owner}, others of the case to {other}. A case holds units of one owner."),
    Reason.CASE_TOO_DEEP: (Kind.STATE, "Case {sscc} would hold cases in cases more than {limit} deep. Unpack some of them."),
    Reason.NOT_THE_PACKER: (Kind.FORBIDDEN, "Case {sscc} is empty and was packed by {packer}; {party} cannot unpack it."),
    Reason.OTHER_ENTRY_REFUSED: (Kind.STATE, "Not recorded, because entry {entry} of its batch was refused. Correct that one, and send the batch again."),
    Reason.EVENT_TOO_LARGE: (Kind.INVALID, "The request makes an event of {size} bytes; at most {limit} are allowed. Split it."),
    Reason.REFERENCE_MALFORMED: (Kind.INVALID, "The reference '{reference}' is malformed. Use 1 to {limit} printable characters, with no blanks but inner spaces."),
    Reason.REFERENCE_USED: (Kind.EXISTS, "Reference {reference} of {giver} and {receiver} already names the transfer at position {transfer}. Use another one for another transfer."),
    Reason.REFERENCE_CONTRADICTS: (Kind.STATE, "{party} reports another {difference} than the transfer at position {transfer} with reference {reference} has. Compare both documents."),
    Reason.TRANSFER_NOT_REPORTED: (Kind.STATE, "{giver} has reported no transfer to {receiver} with reference {reference}. Only the giver gives title away; ask it to report first."),
    Reason.TRANSFER_ALREADY_ATTESTED: (Kind.STATE, "{party} accepted or reported the transfer at position {transfer} already."),
    Reason.REPORTER_NOT_A_SIDE: (Kind.FORBIDDEN, "{party} is neither giver nor receiver of the transfer, and cannot report it."),
    Reason.LIFTED_BEFORE_RECALL: (Kind.INVALID, "The recall at position {recall} holds from {since}; it cannot end at {lifted_at}, before that."),
    Reason.REVOKED_OUTSIDE_VALIDITY: (Kind.INVALID, "The authorization at {authorization} holds from {valid_from} until {valid_until}; to revoke it from {revoked_from} has no effect. Name a time within."),
    Reason.EVENT_NOT_DECLARABLE: (Kind.MISSING, "Position {position} holds no write-off, confirmation, delivery or request of a reversal, which could be declared an error. Other events have other corrections."),
    Reason.NOT_THE_ACTOR: (Kind.FORBIDDEN, "{actor} acted at position {position}; {party} cannot declare that an error."),
    Reason.ERROR_ALREADY_DECLARED: (Kind.STATE, "The event at position {position} was declared an error already."),
    Reason.EVENT_BUILT_UPON: (Kind.STATE, "{what} of the event at position {position} changed since. Undo what came later first."),
    Reason.NOTHING_TO_CORRECT: (Kind.INVALID, "The correction of {what} changes nothing. Name what is right."),
    Reason.BRAND_IS_FIXED: (Kind.INVALID, "Whether {party} is a brand cannot be corrected. Register it under another id."),
    Reason.TEXT_MALFORMED: (Kind.INVALID, "{field} holds the character NUL, which is no text. Leave it out."),
    Reason.BOOK_EXISTS: (Kind.EXISTS, "Book '{book}' is open already, with origin {origin}. Choose another name."),
    Reason.ORIGIN_MALFORMED: (Kind.INVALID, "'{origin}' cannot be the origin of a book. Use a URL without its scheme: 1 to 200 printable ASCII characters, without blanks, '+' and '://'."),
    Reason.PARTY_LOOKS_PERSONAL: (Kind.INVALID, "'{party}' looks like a phone number or an address. Choose a pseudonym; names and contacts belong outside the book."),
    Reason.CODE_KEY_RETIRED: (Kind.MISSING, "Code {code} was made with key {key}, and the labels of batch {batch} were printed with {code_key}. It is a copy made with a leaked key: do not trust the label."),
    Reason.REQUEST_UNKNOWN: (Kind.MISSING, "{party} recorded nothing under request id {request_id}. Check both: request ids belong to the party that acts."),
    Reason.INTERVAL_REVERSED: (Kind.INVALID, "{field}_before {before} is earlier than {field}_from {since}. Exchange the two."),
    Reason.TOO_MUCH_WORK: (Kind.INVALID, "The request takes more than {limit} steps, too many of them for {part}. Split it into smaller requests, and name ranges instead of quantities."),
    Reason.ALREADY_SEALED: (Kind.STATE, "Position {covers} cannot be sealed, because a seal covers position {sealed} already. A seal is never replaced."),
    Reason.SEALED_TOO_FAR: (Kind.INVALID, "Position {covers} cannot be sealed yet: the book has reached position {position}."),
    Reason.NOT_SEALED_YET: (Kind.STATE, "Batch {batch} is not sealed yet: the book is sealed up to position {covers}. A server that seals does so within some seconds after a change."),
    Reason.PROOF_TOO_LARGE: (Kind.STATE, "The proof would have {size}, and a proof that a server gives has at most {limit}. Read the events of the book instead, and replay them."),
    Reason.KEY_MALFORMED: (Kind.INVALID, "{field} is not a public key that may be used: {problem}. Make another Ed25519 key pair."),
    Reason.KEY_TAKEN: (Kind.EXISTS, "Key {key} was registered already, at position {position}. A book takes each key once: make another one."),
    Reason.KEY_UNKNOWN: (Kind.MISSING, "Key {key} is not registered for {party}. Register it, or sign with a key that is."),
    Reason.KEY_REVOKED: (Kind.STATE, "Signatures of key {key} of {party} count no more from position {position} on. Sign with another key."),
    Reason.TOO_MANY_KEYS: (Kind.STATE, "{count} keys of {party} were ever registered; at most {limit} may. Rotate a key only when it must be, and begin another party."),
    Reason.ENDORSER_NOT_ALLOWED: (Kind.FORBIDDEN, "Key {endorser_key} of {endorser} may not decide on keys of {party}. A key of {party} that counts may. If it has none, a key of an upline in force may register one, and for a brand or a party without authorization a key of the operator. The endorser of a key and the operator may revoke it."),
    Reason.SIGNATURE_WRONG: (Kind.INVALID, "{field} is not what key {key} signs for this request. Sign the bytes or the text that the contract shows, for this book, with that key."),
    Reason.RECOVERY_TOO_LATE: (Kind.STATE, "Key {replaced_key} was registered at {registered_at}, and a recovery key could replace it until {until}. Revoke it, and have a new key endorsed."),
    Reason.STATEMENT_MALFORMED: (Kind.INVALID, "The statement is malformed: {problem}. Serialize it once as the contract says, and sign those bytes."),
    Reason.STATEMENT_OF_OTHER_BOOK: (Kind.INVALID, "The statement is for the book with origin '{said}', and this one has origin {origin}. Sign it for this book."),
    Reason.STATEMENT_OF_OTHER_PARTY: (Kind.INVALID, "{said} signed the statement, but {party} would act by its request. Only the one that acts signs."),
    Reason.STATEMENT_EXPIRED: (Kind.INVALID, "The statement was signed at {signed_at}, and the book's clock says {now}. It counts for {days} days, and not ahead of the clock. Sign it again."),
    Reason.STATEMENT_REQUIRED: (Kind.FORBIDDEN, "In this book parties sign what they ask, and {party} did not sign this. Register a key, and file a signed statement."),
    Reason.STATEMENT_HAS_CODES: (Kind.INVALID, "The statement names codes, which never stand in the log. Resolve them to ranges first, and sign those."),
    Reason.CONSUMER_HAS_NO_KEY: (Kind.INVALID, "{consumer} is a consumer. Consumers have no keys and sign nothing: send the request unsigned."),
    Reason.KEY_REPLACES_OTHER: (Kind.INVALID, "The new key cannot replace '{replaced_key}': {rule}. Sign it again with what it replaces."),
    Reason.TOO_MANY_STATEMENTS: (Kind.INVALID, "A batch of {count} statements is not between 1 and {limit}. Split it."),
    Reason.STATEMENTS_DIFFER: (Kind.INVALID, "Statement {number} of the batch is of another {field} than the first. One signature is of one key: sign a batch for each."),
    Reason.WITNESS_UNKNOWN: (Kind.FORBIDDEN, "This server does not know the key with which {witness} cosigned. Ask its operator to add a line 'witness NAME KEY' to the file of --witnesses."),
    Reason.COSIGNATURE_MALFORMED: (Kind.INVALID, "The cosignature is no signature line: {problem}. Send the line as `pathbook audit replay --cosign` or a witness writes it."),
    Reason.COSIGNATURE_FALSE: (Kind.INVALID, "The cosignature of {witness} is not valid for the checkpoint of {size} events that the log signed. Cosign that one: its text tells what is signed."),
    Reason.ANSWERED_EVENT_DIFFERS: (Kind.STATE, "The request answers an event with leaf hash {said}, and what stands at position {position} has {leaf}. Read the event again, and answer what it says."),
    Reason.ANSWERED_LEAF_MISSING: (Kind.INVALID, "The signature would be good for any event at position {position}. Read the event there, and put its leaf hash in answered_leaf."),
    Reason.PARTY_SIGNS: (Kind.FORBIDDEN, "{party} has a key that counts, so nothing is recorded in its name that it did not sign. Sign the request with a key of {party}, and file it as a statement."),
    Reason.RECORDED_UNSIGNED: (Kind.EXISTS, "{party} recorded request id {request_id} at position {position} without a signature, and an event is never signed later. Leave it so, or correct it and sign a request with another id."),
    Reason.EXTRA_NOT_ALLOWED: (Kind.FORBIDDEN, "The acceptance names {count} units beyond those of the offer at position {transfer}, and {giver} allows {allowed} there. Leave them out, and ask {giver} to offer them in a transfer of their own, or to make an offer that allows more."),
    Reason.EXTRA_OUT_OF_BOUNDS: (Kind.INVALID, "An offer cannot allow {count} extra units. Allow between 0 and {limit}."),
    Reason.EXTRA_OTHER_PRODUCT: (Kind.FORBIDDEN, "Units {range} are of another product than those offered at position {transfer}, so they are no extra units of it. Leave them out, and ask the giver to offer them in a transfer of their own."),
    Reason.TOO_MANY_HANDLES: (Kind.INVALID, "{count} handles are too many for one party; at most {limit} are kept. Leave out those that buyers do not see."),
    Reason.REPORT_TOO_LARGE: (Kind.INVALID, "The question takes more than {limit} {what}. Name a batch, a product, a party or a few days, or ask `pathbook sql` about an export (`pathbook export`)."),
    Reason.FILTER_NOT_KEPT: (Kind.INVALID, "The report {report} does not keep what {filter} filters. Leave this filter out."),
    Reason.AS_OF_TOO_FAR: (Kind.INVALID, "An answer as of position {position} folds at most {limit} events, and this one takes more. Name a batch or a product, or ask `pathbook sql` about an export (`pathbook export`)."),
    Reason.FINDING_RULE_UNKNOWN: (Kind.INVALID, "There is no rule '{rule}'. The rules are: {names}."),
    Reason.FINDING_UNKNOWN: (Kind.MISSING, "There is no finding {finding} in this book now. A correction may have taken it back. List the findings, and name one by its id."),
    Reason.FINDING_NOT_EXPLAINED: (Kind.STATE, "Finding {finding} was never explained, so there is nothing to take back. List its explanations."),
    Reason.EXPLAINED_BY_OTHER: (Kind.FORBIDDEN, "Finding {finding} was explained in the role of {role}. A brand takes back and replaces only what a brand explained. Ask an auditor or the operator to take it back."),
    Reason.TOO_MANY_EXPLANATIONS: (Kind.STATE, "Finding {finding} was explained or taken back {limit} times, the most that is kept. Say what is left to say elsewhere."),
    Reason.FINDING_RULE_NOT_TOLD: (Kind.INVALID, "Rule '{rule}' compares registers as they are now, so no event tells what it finds. Ask for its findings from time to time instead."),
    Reason.FINDING_CURSOR_MALFORMED: (Kind.INVALID, "'{cursor}' is no place among the changes of findings. Send a cursor as you got it, the position of an event, or nothing to begin before the first event."),
}
# fmt: on
"""For each reason its kind and its sentence. The sentence names the thing, the rule, and what to do."""


@final
class Refusal(msgspec.Struct, frozen=True):
    """A refusal: its reason, and the facts that its sentence names. It is a return value, not an exception."""

    reason: Reason
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def kind(self) -> Kind:
        """What a caller can do about the refusal."""
        return SENTENCES[self.reason][0]

    def __str__(self) -> str:
        """Return the sentence that a user reads."""
        return SENTENCES[self.reason][1].format_map(dict(self.facts))


class RefusedRequestError(Exception):
    """A request is refused before the rules decide, because a field of it cannot be read."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


def refuse(reason: Reason, **facts: object) -> Refusal:
    """Return the refusal for a reason, with the facts that its sentence names. Keys are printed in base64."""
    return Refusal(reason, tuple((name, _shortened(_printed(value))) for name, value in facts.items()))


def _printed(value: object) -> str:
    return standard_b64encode(value).decode() if isinstance(value, bytes) else str(value)


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_FACT else text[: MAX_FACT - 3] + "..."

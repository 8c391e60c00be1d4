"""Rules for goods: write-offs, cases and pallets."""

from itertools import pairwise

from stdnum import ean

from tests.scenario import Story

CASE = "106141412345678908"
PALLET = "106141412345678915"
OTHER = "106141412345678922"

WAREHOUSE = """
brand acme
agent ann
agent ben
product mask 30000 CNY of acme
batch L1 of mask size 100 made 2025-12-01 by acme
"""


def test_written_off_units_no_longer_move() -> None:
    """Their custodian writes units off as lost, damaged, destroyed or defaced, and then no command moves them."""
    Story(WAREHOUSE).tell("""
    write off 1:0 by ann as lost                -> UNITS_NOT_IN_CUSTODY
    write off 1:0 by acme as sold               -> VALUE_MISSING
    write off 1:0 by acme as defaced            -> ok
    write off 1:0 by acme as lost               -> UNITS_WRITTEN_OFF
    record 1:0 acme > ann at 1                  -> UNITS_WRITTEN_OFF
    record 99 of 1 acme > ann at 1              -> ok
    """)


def test_a_case_moves_whole() -> None:
    """A case is transferred with its contents, and a single unit of it only after the case is unpacked."""
    Story(WAREHOUSE).tell(f"""
    pack 106141412345678909 with 1:0-9 by acme     -> SSCC_CHECK_DIGIT
    pack {CASE} with 1:0-9 by ann                  -> UNITS_NOT_IN_CUSTODY
    pack {CASE} with 1:0-9 by acme                 -> ok
    pack {CASE} with 1:10 by acme                  -> CASE_EXISTS
    pack {OTHER} with 1:5-12 by acme               -> UNITS_IN_CASE
    record 1:3 acme > ann at 1                     -> UNITS_IN_CASE
    record 91 of 1 acme > ann at 1                 -> STOCK_TOO_SMALL
    record case {OTHER} acme > ann at 1            -> CASE_UNKNOWN
    record case {CASE} acme > ann at 1             -> ok
    who owns 1:9                                   -> ann
    unpack {CASE} by acme                          -> UNITS_NOT_IN_CUSTODY
    unpack {CASE} by ann                           -> ok
    unpack {CASE} by ann                           -> CASE_UNKNOWN
    record 1:3 ann > ben at 1                      -> ok
    """)


def test_a_pallet_moves_with_its_cases() -> None:
    """Cases on a pallet move with it, and never without it."""
    Story(WAREHOUSE).tell(f"""
    pack {CASE} with 1:0-9 by acme
    pack {PALLET} with case {CASE} and 1:20-29 by acme  -> ok
    record case {CASE} acme > ann at 1                  -> CASE_IN_CASE
    unpack {CASE} by acme                               -> CASE_IN_CASE
    record case {PALLET} acme > ann at 1                -> ok
    who owns 1:0                                        -> ann
    who owns 1:29                                       -> ann
    unpack {PALLET} by ann
    record case {CASE} ann > ben at 1                   -> ok
    who owns 1:5                                        -> ben
    """)


def test_a_written_off_unit_does_not_move_with_its_case() -> None:
    """A written-off unit in a case stays with its owner when the case moves."""
    Story(WAREHOUSE).tell(f"""
    pack {CASE} with 1:0-2 by acme
    write off 1:1 by acme as damaged               -> ok
    record case {CASE} acme > ann at 1             -> ok
    who owns 1:0                                   -> ann
    who owns 1:1                                   -> acme
    write off 1:0,1:2 by ann as lost               -> ok
    record case {CASE} ann > ben at 1              -> CASE_EMPTY
    """)


def test_a_partial_acceptance_unpacks_the_short_cases() -> None:
    """The acceptance unpacks the pallet and the case with missing units, and a complete case stays packed."""
    Story(WAREHOUSE).tell(f"""
    pack {CASE} with 1:0-9 by acme
    pack {OTHER} with 1:10-19 by acme
    pack {PALLET} with case {CASE} and case {OTHER} by acme
    offer case {PALLET} acme > ann at 1 as load
    unpack {PALLET} by acme                        -> UNITS_RESERVED
    accept load by ann but short 1:15-19           -> ok
    record 1:10 ann > ben at 1                     -> ok
    record 1:15 acme > ben at 1                    -> ok
    record 1:0 ann > ben at 1                      -> UNITS_IN_CASE
    record case {CASE} ann > ben at 1              -> ok
    """)


def test_a_case_holds_units_of_one_owner() -> None:
    """A custodian cannot pack the units of two owners together, because neither could move such a case."""
    Story(WAREHOUSE).tell(f"""
    record 1:0-4 acme > ann at 1 later
    pack {CASE} with 1:0-9 by acme                 -> CASE_OF_SEVERAL_OWNERS
    pack {CASE} with 1:0-4 by acme                 -> ok
    record case {CASE} ann > ben at 1              -> ok
    """)


def test_cases_are_nested_eight_deep_at_most() -> None:
    """A ninth case around eight nested cases is refused."""
    story = Story(WAREHOUSE)
    ssccs = [body + ean.calc_check_digit(body) for body in (f"1{number:016d}" for number in range(9))]
    story.tell(f"pack {ssccs[0]} with 1:0 by acme")
    for inner, outer in pairwise(ssccs[:8]):
        story.tell(f"pack {outer} with case {inner} by acme -> ok")
    story.tell(f"pack {ssccs[8]} with case {ssccs[7]} by acme -> CASE_TOO_DEEP")


def test_an_emptied_case_is_unpacked_by_its_packer() -> None:
    """Only its packer unpacks a case without remaining units."""
    Story(WAREHOUSE).tell(f"""
    pack {CASE} with 1:0 by acme
    write off 1:0 by acme as lost
    unpack {CASE} by ann                           -> NOT_THE_PACKER
    unpack {CASE} by acme                          -> ok
    """)


def test_quantities_are_taken_from_the_goods_of_a_party() -> None:
    """A delivery of a quantity takes units that its receiver owns, a write-off takes units that its party has."""
    Story(WAREHOUSE).tell("""
    record 1:50-59 acme > ann at 1 later
    deliver 11 of 1 acme > ann                     -> STOCK_TOO_SMALL
    write off 1 of 1 by ann as lost                -> STOCK_TOO_SMALL
    deliver 4 of 1 acme > ann                      -> ok
    who has 1:53                                   -> ann
    who has 1:54                                   -> acme
    who has 1:0                                    -> acme
    write off 4 of 1 by ann as lost                -> ok
    """)


def test_quantities_skip_recalled_units() -> None:
    """A quantity takes the oldest units that may move, and no recalled ones."""
    Story(WAREHOUSE).tell("""
    recall batch 1 units 1:0-9 by acme
    record 5 of mask acme > ann at 1               -> ok
    who owns 1:10                                  -> ann
    record 91 of 1 acme > ann at 1                 -> STOCK_TOO_SMALL
    """)


def test_what_goes_back_leaves_no_case_torn() -> None:
    """Units of a case go back together or not at all, because a case lies in one place and has one owner."""
    Story(WAREHOUSE).tell(f"""
    record 1:0-4 acme > ann at 1
    record 1:5-9 acme > ben at 1
    record 1:5-9 ben > ann at 1
    pack {CASE} with 1:0-9 by ann
    return case {CASE} by ann                           -> UNITS_IN_CASE
    unpack {CASE} by ann
    return 1:0-9 by ann                                 -> ok
    who owns 1:4                                        -> acme
    who owns 1:5                                        -> ben
    deliver 1:20-24 acme > ben
    record 1:20-29 acme > ann at 1 as first
    pack {CASE} with 1:20-29 by ann
    reverse first by acme                               -> UNITS_IN_CASE
    unpack {CASE} by ann
    reverse first by acme
    reverse first by ann                                -> ok
    who has 1:24                                        -> ben
    who has 1:25                                        -> acme
    """)


def test_a_written_off_unit_does_not_come_back_into_an_offered_case() -> None:
    """The offer moves the case without this unit, so the write-off is declared an error before it or not at all."""
    Story(WAREHOUSE).tell(f"""
    pack {CASE} with 1:0-9 by acme
    write off 1:9 by acme as lost as lost
    offer case {CASE} acme > ann at 1 as first
    declare lost an error by acme                       -> EVENT_BUILT_UPON
    withdraw first by acme
    declare lost an error by acme                       -> ok
    record case {CASE} acme > ann at 1
    who owns 1:9                                        -> ann
    """)

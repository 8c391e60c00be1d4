"""Ids that look like phones or addresses: which are refused, which stay legal, and where they are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import ean

from pathbook.ledger.values import is_gln, looks_personal
from tests.scenario import Story

CHAIN = """
brand acme
agent ann
authorize ann tier 1 by acme
product mask 30000 CNY of acme
batch L1 of mask size 100 made 2025-12-01 by acme
"""


@pytest.mark.parametrize(
    "personal",
    [
        "1234567",  # the shortest number of a phone
        "123456789012345",  # the longest
        "555-0199-1",
        "020.7946.0958",
        "4_9_3_0_1_2_3_4_5_6_7",
        "4006381333932",  # 13 digits, and no GLN
        "13800138000",
        "19912345678",
        "138-0013-8000",
        "8613800138000",
        "008613800138000",
        "agent-13800138000",
        "wang13800138000x",
        "wang-138-0013-8000",
        "wang.138.0013.8000.shop",
        "c_8613800138000",
        "zhang.at.gmail.com",
        "zhang_qq.com",
        "zhang-qq-com",
        "12345678_qq.com",
        "Li.163.COM",
        "li.sina.com.cn",
        "li.189.cn",
        "x_yahoo.co.uk",
        "x.hotmail.fr",
        "joe-at-example.org",
        "joe_at_shop.example.de",
        "name.at.mail.example.io",
        "joe.at.gmail.dot.com",
        "JOE-AT-EXAMPLE-COM",
        "wxid_1a2b3c",
        "WXID_1a2b3c",
    ],
)
def test_a_phone_or_an_address_is_told_from_a_pseudonym(personal: str) -> None:
    """A phone number, an e-mail address and a WeChat id look personal, however they are written."""
    assert looks_personal(personal)


@pytest.mark.parametrize(
    "pseudonym",
    [
        "store-2190",
        "c-1700000000",
        "c-1700000000000",  # milliseconds
        "consumer-000123",
        "123",
        "2190",
        "536365",
        "123456",  # one digit less than a phone number
        "1234567890123456",  # one more
        "12-34-56",
        "4006381333931",  # a GLN
        "400-6381-333931",
        "agent-1380013800",  # ten digits
        "agent-138001380001",  # twelve
        "agent-12800138000",  # no mobile number begins with 12
        "store-150-20240115",  # a number and a day
        "store-189-cn",
        "store-139-de",
        "store.163",
        "royal-mail-uk",
        "state-of-iowa",
        "shop-at-station",
        "cafe-at-no.12",
        "at.com",
        "qq.com",
        "gmail",
        "mail-brand",
        "alive.company",
        "best-olive.com",
        "example.com",
        "wx-1a2b3c",
        "mywxid_1",
        "acme",
        "k7",
        "0f8fad5b-d9cd-469f-a165-70867728950e",  # a UUID
    ],
)
def test_a_usual_id_is_no_phone_and_no_address(pseudonym: str) -> None:
    """Numbers of stores and vendors, GLNs, dates in ids and names of companies stay legal."""
    assert not looks_personal(pseudonym)


@given(st.text("0123456789", min_size=12, max_size=12))
def test_a_number_of_13_digits_is_legal_if_it_is_a_gln(body: str) -> None:
    """Of the ten numbers of 13 digits that begin alike, the one with the GS1 check digit is legal."""
    legal = [body + digit for digit in "0123456789" if not looks_personal(body + digit)]
    gln = body + ean.calc_check_digit(body)
    assert is_gln(gln)
    is_mobile = body.startswith("861") and body[3] in "3456789"
    assert legal == ([] if is_mobile else [gln])


@given(st.text("0123456789", min_size=1, max_size=20), st.data())
def test_separators_do_not_hide_a_number(digits: str, data: st.DataObject) -> None:
    """A number of 7 to 15 digits looks personal with and without separators, and a shorter one does not."""
    signs = data.draw(
        st.lists(st.sampled_from(["", "", ".", "-", "_"]), min_size=len(digits), max_size=len(digits))
    )
    written = "".join(digit + sign for digit, sign in zip(digits, signs, strict=True))
    if 7 <= len(digits) <= 15 and not is_gln(digits):
        assert looks_personal(written)
    if len(digits) < 7:
        assert not looks_personal(written)


def test_an_id_that_looks_personal_is_refused_where_it_enters_the_book() -> None:
    """A party is refused at its registration, and a consumer at its first sale. Nothing unsold is delivered to one."""
    Story(CHAIN).tell("""
        agent 13800138000                                  -> PARTY_LOOKS_PERSONAL
        agent ben.at.gmail.com                             -> PARTY_LOOKS_PERSONAL
        agent 4006381333931                                -> ok
        record 1:0-9 acme > ann at 15000                   -> ok
        sell 1:0 ann > wxid_7 at 30000                     -> PARTY_LOOKS_PERSONAL
        sell 1:0 ann > c-1700000000 at 30000               -> ok
        deliver 1:1 ann > consumer:138-0013-8000           -> UNITS_NOT_SOLD
    """)

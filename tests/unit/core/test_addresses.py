"""Which addresses the catalog may name, directly or by a name."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.addresses import refusal

V4 = st.ip_addresses(v=4)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("169.254.169.254", "a link-local address"),
        ("fe80::1", "a link-local address"),
        ("100.100.100.200", "a cloud's metadata service"),
        ("168.63.129.16", "a cloud's metadata service"),
        ("192.0.0.192", "a cloud's metadata service"),
        ("fd00:ec2::254", "a cloud's metadata service"),
        ("fd00:ec2::23", "a cloud's metadata service"),
        ("fd20:ce::254", "a cloud's metadata service"),
        ("224.0.0.1", "a multicast address"),
        ("ff02::1", "a multicast address"),
        ("0.0.0.0", "an unspecified address"),
        ("0.1.2.3", "an unspecified address"),
        ("::", "an unspecified address"),
        ("255.255.255.255", "a reserved address"),
        ("240.0.0.1", "a reserved address"),
        ("4000::1", "a reserved address"),
        ("64:ff9b:1::a00:1", "a reserved address"),
        ("::10.0.0.1", "a reserved address"),
        ("::ffff:0:169.254.169.254", "a reserved address"),
        ("::ffff:169.254.169.254", "a link-local address"),
        ("64:ff9b::169.254.169.254", "a link-local address"),
        ("2002:a9fe:a9fe::1", "a link-local address"),
        ("2001:0:0808:0808::5601:5601", "a link-local address"),  # Teredo: the client's address is inverted
        ("2001:0:a9fe:a9fe::f7f7:f7f7", "a link-local address"),  # Teredo: the server's address
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_no_single_host_of_the_network_is_refused_however_it_is_written(text: str, kind: str, named: bool) -> None:
    assert refusal(ip_address(text), named=named) == kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("127.0.0.1", "a loopback address"),
        ("::1", "a loopback address"),
        ("::ffff:127.0.0.1", "a loopback address"),
        ("10.0.0.1", "a private address"),
        ("172.16.0.1", "a private address"),
        ("192.168.1.1", "a private address"),
        ("100.64.0.1", "a private address"),
        ("fd00::1", "a private address"),
        ("64:ff9b::10.0.0.1", "a private address"),
        ("2002:a00:1::1", "a private address"),
    ],
)
def test_a_private_address_is_refused_only_behind_a_name(text: str, kind: str) -> None:
    assert refusal(ip_address(text), named=True) == kind
    assert refusal(ip_address(text), named=False) == ""


@pytest.mark.parametrize(
    "text", ["93.184.216.34", "2606:4700::1111", "::ffff:93.184.216.34", "64:ff9b::93.184.216.34", "2002:5db8:d822::1"]
)
def test_a_public_address_is_fine(text: str) -> None:
    assert refusal(ip_address(text), named=True) == ""


@given(V4, st.booleans())
def test_an_address_in_disguise_is_judged_like_the_address(address: object, named: bool) -> None:
    plain = ip_address(str(address))
    high, low = divmod(int(plain), 65536)
    disguises = (f"::ffff:{plain}", f"64:ff9b::{plain}", f"2002:{high:x}:{low:x}::1")
    assert {refusal(ip_address(each), named=named) for each in disguises} == {refusal(plain, named=named)}


@given(st.ip_addresses())
def test_what_a_name_may_lead_to_may_be_registered_too(address: object) -> None:
    found = ip_address(str(address))
    assert refusal(found, named=True) or not refusal(found, named=False)

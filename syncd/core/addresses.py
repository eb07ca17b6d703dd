"""Which addresses a webhook that the catalog names may reach.

Whoever may register a service chooses where syncd, from inside the network, sends a request. So:

* Never: link-local addresses and the other well-known places of a cloud's metadata service, which hands out
  credentials to whoever can reach it; multicast, unspecified and reserved addresses, which are no single host.
* Private and loopback addresses only where the service is registered by its address: this is how services on a
  private network register. A *name* that resolves to one is refused, because whoever owns a name can point it
  anywhere at any time.
* An IPv6 address that carries an IPv4 address (mapped, NAT64, 6to4, Teredo) is judged by what it carries.

A webhook that a person wrote into the settings is not asked about at all.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

Address = IPv4Address | IPv6Address

_NAT64: Final = IPv6Network("64:ff9b::/96")
_THIS_NETWORK: Final = IPv4Network("0.0.0.0/8")
_AMAZON: Final = IPv6Network(
    "fd00:ec2::/32"
)  # metadata at ::254, the credentials of pods at ::23, name and time servers
_METADATA: Final = frozenset[Address](
    (
        IPv4Address("100.100.100.200"),  # Alibaba
        IPv4Address("168.63.129.16"),  # Azure
        IPv4Address("192.0.0.192"),  # Oracle
        IPv6Address("fd20:ce::254"),  # Google
    )
)


def refusal(address: Address, *, named: bool) -> str:
    """Say what kind of refused address this is ("a link-local address"), "" if it may be reached.

    ``named``: it is what a name resolved to, not what was registered.
    """
    return next((kind for each in _carried(address) if (kind := _kind(each, named=named))), "")


def _carried(address: Address) -> tuple[Address, ...]:
    if isinstance(address, IPv4Address):
        return (address,)
    if address.ipv4_mapped:
        return (address.ipv4_mapped,)
    if address in _NAT64:
        return (IPv4Address(address.packed[-4:]),)
    if address.sixtofour:
        return (address.sixtofour,)
    return address.teredo or (address,)


def _kind(address: Address, *, named: bool) -> str:
    if address in _METADATA or address in _AMAZON:
        return "a cloud's metadata service"
    if address.is_link_local:
        return "a link-local address"
    if address.is_multicast:
        return "a multicast address"
    if address.is_unspecified or address in _THIS_NETWORK:
        return "an unspecified address"
    if address.is_loopback:  # before "reserved", which ::1 is too
        return "a loopback address" if named else ""
    if address.is_reserved:
        return "a reserved address"
    return "a private address" if named and not address.is_global else ""

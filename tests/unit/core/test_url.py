"""URLs of webhooks: what is read, and what is refused without being repeated."""

from ipaddress import ip_address

import pytest

from syncd.core.url import HttpUrl, parse_url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://a.example/x", HttpUrl("http", "a.example", 80, "/x")),
        ("https://a.example", HttpUrl("https", "a.example", 443, "/")),
        ("HTTP://A.Example:8080/X?q=1", HttpUrl("http", "a.example", 8080, "/X?q=1")),
        ("http://a.example?q", HttpUrl("http", "a.example", 80, "/?q")),
        ("http://a.example:/x", HttpUrl("http", "a.example", 80, "/x")),
        ("http://node_1.consul./x", HttpUrl("http", "node_1.consul.", 80, "/x")),
        ("http://localhost/%41/..//b;c", HttpUrl("http", "localhost", 80, "/%41/..//b;c")),
        ("http://127.0.0.1:1/", HttpUrl("http", "127.0.0.1", 1, "/")),
        ("http://[::1]:65535/", HttpUrl("http", "::1", 65535, "/")),
        ("http://münchen.example/", HttpUrl("http", "xn--mnchen-3ya.example", 80, "/")),
        ("http://straße.example/", HttpUrl("http", "xn--strae-oqa.example", 80, "/")),
        ("http://0x7f.1/", HttpUrl("http", "0x7f.1", 80, "/")),
        ("http://2130706433/", HttpUrl("http", "2130706433", 80, "/")),
    ],
)
def test_a_url_is_read(text: str, url: HttpUrl) -> None:
    assert parse_url(text) == url


@pytest.mark.parametrize(
    ("text", "authority"),
    [
        ("http://a.example/", "a.example"),
        ("http://a.example:443/", "a.example:443"),
        ("https://a.example:443/", "a.example"),
        ("http://[::1]/", "[::1]"),
        ("http://[::1]:81/", "[::1]:81"),
    ],
)
def test_the_host_header_names_the_port_unless_it_is_the_schemes_own(text: str, authority: str) -> None:
    assert parse_url(text).authority == authority


@pytest.mark.parametrize("text", ["http://127.0.0.1/", "http://[::1]/"])
def test_an_address_is_known_as_one(text: str) -> None:
    assert parse_url(text).address == ip_address(text[7:-1].strip("[]"))


@pytest.mark.parametrize("host", ["a.example", "127.1", "0x7f.0.0.1", "0177.0.0.1", "2130706433", "127.0.0.01"])
def test_every_other_spelling_is_left_to_the_resolver(host: str) -> None:
    assert parse_url(f"http://{host}/").address is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "must begin with http:// or https://"),
        ("a.example/hunter2", "must begin with http:// or https://"),
        ("ftp://a.example/hunter2", "must begin with http:// or https://"),
        ("http:///hunter2", "names no host"),
        ("http://:80/hunter2", "names no host"),
        ("http://bob:hunter2@a.example/", "user or password"),
        ("http://@a.example/hunter2", "user or password"),
        ("http://a.example/#hunter2", "fragment"),
        ("http://a.example/hunter2#", "fragment"),
        ("http://a.example:0/hunter2", "port 0"),
        ("http://a.example:65536/hunter2", "host or port that cannot be read"),
        ("http://a.example:x/hunter2", "host or port that cannot be read"),
        ("http://[::1/hunter2", "host or port that cannot be read"),
        ("http://[fe80::1%25eth0]/hunter2", "neither a host's name nor an address"),
        ("http://a%2eexample/hunter2", "neither a host's name nor an address"),
        ("http://a..example/hunter2", "neither a host's name nor an address"),
        ("http://-a.example/hunter2", "neither a host's name nor an address"),
        (f"http://{'a' * 64}.example/hunter2", "neither a host's name nor an address"),
        (f"http://{'a.' * 127}example/hunter2", "neither a host's name nor an address"),
        ("http://xn--é.example/hunter2", "IDNA 2008"),
        ("http://a\u2024\u2024b.example/hunter2", "IDNA 2008"),
        ("http://a.example/huntér2", "percent-encode"),
        ("http://a.example/?huntér2", "percent-encode"),
        ("http://a.example/hunter2 x", "a space, a control character"),
        ("http://a.example/\r\nHost: hunter2", "a space, a control character"),
        ("http://a.exa\tmple/hunter2", "a space, a control character"),
        ("http://a.example\\@b.example/hunter2", "a space, a control character"),
        (" http://a.example/hunter2", "a space, a control character"),
    ],
)
def test_what_is_wrong_is_said_without_the_rest(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        parse_url(text)
    assert "hunter2" not in str(refused.value)
    assert "huntér2" not in str(refused.value)
    assert refused.value.__cause__ is None

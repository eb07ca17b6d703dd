"""Where the store is, from the Consul CLI's variables."""

import base64
from pathlib import Path

import pytest

from syncd.core.errors import SettingsError
from syncd.store.endpoint import Address, parse_address, resolve_endpoint

SECRET = "3f2a8b1c-0d9e-4c6b-8a57-1e2f3d4c5b6a"


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("127.0.0.1:8500", "http://127.0.0.1:8500"),
        ("http://consul.example:8500", "http://consul.example:8500"),
        ("https://consul.example:8501", "https://consul.example:8501"),
        ("consul.example", "http://consul.example"),
        ("https://consul.example", "https://consul.example"),
        ("[::1]:8500", "http://[::1]:8500"),
        ("http://[::1]", "http://[::1]"),
        ("http://consul.example:8500/", "http://consul.example:8500"),
        ("consul_1:8500", "http://consul_1:8500"),
        ("bücher.example:8500", "http://bücher.example:8500"),
        (" 10.0.0.1:8500\n", "http://10.0.0.1:8500"),
    ],
)
def test_an_address_is_read_as_the_consul_cli_reads_it(text: str, base: str) -> None:
    assert parse_address(text).base == base
    assert str(parse_address(text)) == base


def test_a_unix_socket_is_an_address() -> None:
    found = parse_address("unix:///run/consul/http.sock")
    assert found.socket == "/run/consul/http.sock"
    assert str(found) == "unix:///run/consul/http.sock"
    assert found.base == "http://localhost"


def test_tls_that_was_asked_for_is_never_given_up_for_the_address() -> None:
    assert parse_address("http://a:1", use_tls=True).scheme == "https"
    assert parse_address("a:1", use_tls=True).scheme == "https"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("unix://", "path of a socket"),
        ("tcp://a:1", "'tcp' is not a scheme"),
        ("::1", "is not HOST"),
        ("a:b", "is not HOST"),
        ("a:99999", "is not HOST"),
        ("http://", "is not HOST"),
        (":8500", "is not HOST"),
        ("a b:1", "is not HOST"),
        ("a:1?x=y", "is not HOST"),
        ("[::1:8500", "is not HOST"),
        ("a:0", "is not HOST"),
        ("a..b:8500", "is not HOST"),
        ("http://127.0.0.1:8500/ui", "has a path; give HOST:PORT"),
        ("x" * 64 + ":8500", "is not HOST"),
        ("256.1.1.1:8500", "is not HOST"),
        ("127.1:8500", "is not HOST"),
    ],
)
def test_a_bad_address_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_address(text)


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(SettingsError, match="CONSUL_HTTP_AUTH") as caught:
        resolve_endpoint({"CONSUL_HTTP_ADDR": f"http://me:{SECRET}@consul:8500"})
    assert SECRET not in str(caught.value)


def test_without_variables_it_is_where_the_consul_cli_looks() -> None:
    endpoint = resolve_endpoint({})
    assert endpoint.address == Address("http", "127.0.0.1", 8500)
    assert endpoint.is_default
    assert endpoint.token.current() is None
    assert endpoint.tls is None
    assert endpoint.scope == ()
    assert not endpoint.token.refresh()


def test_empty_variables_are_as_if_they_were_not_set() -> None:
    names = ("ADDR", "TOKEN", "TOKEN_FILE", "AUTH", "SSL", "SSL_VERIFY")
    endpoint = resolve_endpoint({f"CONSUL_HTTP_{name}": "" for name in names} | {"CONSUL_NAMESPACE": ""})
    assert endpoint.is_default
    assert endpoint.token.current() is None


def test_a_setting_comes_before_the_variable(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-setting\n")
    endpoint = resolve_endpoint(
        {"CONSUL_HTTP_ADDR": "a:1", "CONSUL_HTTP_TOKEN_FILE": "/nowhere", "CONSUL_HTTP_TOKEN": "env"},
        address="b:2",
        token_file=str(tmp_path / "token"),
        datacenter="dc2",
    )
    assert str(endpoint) == "http://b:2"
    assert not endpoint.is_default
    assert endpoint.token.current() == "from-setting"
    assert endpoint.scope == (("dc", "dc2"),)


@pytest.mark.parametrize("variable", ["CONSUL_NAMESPACE", "CONSUL_PARTITION"])
def test_a_namespace_that_transactions_would_not_go_to_is_refused(variable: str) -> None:
    with pytest.raises(SettingsError, match=f"{variable}: syncd does not support Consul Enterprise"):
        resolve_endpoint({variable: "team"})
    assert resolve_endpoint({variable: "default"}).scope == ()


def test_a_token_file_wins_over_a_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file")
    named = {"CONSUL_HTTP_TOKEN": "env", "CONSUL_HTTP_TOKEN_FILE": str(tmp_path / "token")}
    assert resolve_endpoint(named).token.current() == "from-file"


def test_credentials_and_scope_are_read() -> None:
    endpoint = resolve_endpoint(
        {
            "CONSUL_HTTP_AUTH": "me:secret",
            "CONSUL_TLS_SERVER_NAME": "server.dc1.consul",
            "CONSUL_HTTP_TOKEN": SECRET,
        }
    )
    assert endpoint.authorization == "Basic " + base64.b64encode(b"me:secret").decode()
    assert endpoint.scope == ()
    assert endpoint.server_name == "server.dc1.consul"
    assert endpoint.token.current() == SECRET
    assert not endpoint.token.refresh()


def test_a_user_without_a_password_has_an_empty_one() -> None:
    endpoint = resolve_endpoint({"CONSUL_HTTP_AUTH": "me"})
    assert endpoint.authorization == "Basic " + base64.b64encode(b"me:").decode()


def test_the_text_of_an_endpoint_holds_no_secret() -> None:
    endpoint = resolve_endpoint({"CONSUL_HTTP_TOKEN": SECRET, "CONSUL_HTTP_AUTH": f"me:{SECRET}"})
    assert SECRET not in f"{endpoint} {endpoint!r} {endpoint.token!r} {endpoint.token}"


def test_every_bad_value_is_named_with_its_variable(tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("no certificate")
    with pytest.raises(SettingsError) as caught:
        resolve_endpoint(
            {
                "CONSUL_HTTP_ADDR": "tcp://a",
                "CONSUL_HTTP_SSL": "yes",
                "CONSUL_HTTP_TOKEN": f"{SECRET} with spaces",
            }
        )
    problems = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 3
    for said in ("CONSUL_HTTP_ADDR: 'tcp'", "CONSUL_HTTP_SSL: 'yes'", "CONSUL_HTTP_TOKEN: it holds characters"):
        assert said in problems
    assert SECRET not in problems


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"CONSUL_CACERT": "/nowhere.pem"}, "CONSUL_CACERT: /nowhere.pem cannot be used"),
        ({"CONSUL_CACERT": "BAD"}, "CONSUL_CACERT: .*bad.pem cannot be used"),
        ({"CONSUL_CAPATH": "/nowhere"}, "CONSUL_CAPATH: /nowhere cannot be read"),
        ({"CONSUL_CAPATH": "EMPTY"}, "CONSUL_CAPATH: .*empty holds no certificate"),
        ({"CONSUL_CLIENT_CERT": "BAD"}, "CONSUL_CLIENT_CERT and CONSUL_CLIENT_KEY belong together"),
        ({"CONSUL_CLIENT_CERT": "BAD", "CONSUL_CLIENT_KEY": "BAD"}, "CONSUL_CLIENT_KEY: .* cannot be used"),
        ({"CONSUL_HTTP_SSL_VERIFY": "maybe"}, "CONSUL_HTTP_SSL_VERIFY: 'maybe'"),
        ({"CONSUL_HTTP_TOKEN_FILE": "/nowhere"}, "CONSUL_HTTP_TOKEN_FILE: /nowhere: No such file"),
        ({"CONSUL_HTTP_TOKEN_FILE": "VOID"}, "CONSUL_HTTP_TOKEN_FILE: .*void: it is empty"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, variables: dict[str, str], said: str) -> None:
    (tmp_path / "bad.pem").write_text("no certificate")
    (tmp_path / "void").write_text("\n")
    (tmp_path / "empty").mkdir()
    places = {"BAD": "bad.pem", "EMPTY": "empty", "VOID": "void"}
    named = {name: str(tmp_path / places[text]) if text in places else text for name, text in variables.items()}
    with pytest.raises(SettingsError, match=said):
        resolve_endpoint({"CONSUL_HTTP_ADDR": "https://a:1", **named})


def test_a_bad_setting_is_called_by_its_own_name() -> None:
    with pytest.raises(SettingsError) as caught:
        resolve_endpoint({}, address="a:b", token_file="/nope")
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "store.address (--address)",
        "store.token_file (--token-file)",
    ]
    assert "Consul CLI" not in caught.value.hint

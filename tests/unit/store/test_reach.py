"""Ways to come in: TLS with certificates on both sides, unix sockets, basic credentials, scopes."""

import base64
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from syncd.core.errors import SettingsError, StoreError, Unreachable
from syncd.store.endpoint import resolve_endpoint
from syncd.store.store import Store
from tests.support.consul import ConsulAgent, Ports, start_agent
from tests.support.proxy import answer, anything, proxy_to

SERVER = "server.dc1.consul"


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def make_certificate(folder: Path, name: str, *, ca: str) -> None:
    """Make NAME.pem and NAME.key, signed by CA.pem, for the name server.dc1.consul and 127.0.0.1."""
    openssl(
        folder,
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        f"{name}.key",
        "-out",
        f"{name}.csr",
        "-subj",
        f"/CN={name}",
    )
    (folder / "names").write_text(f"subjectAltName=DNS:{SERVER},DNS:localhost")
    signer = ["-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-CAcreateserial"]
    openssl(
        folder, "x509", "-req", "-in", f"{name}.csr", *signer, "-days", "2", "-extfile", "names", "-out", f"{name}.pem"
    )


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    for ca in ("ca", "stranger"):
        openssl(
            folder,
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-keyout",
            f"{ca}.key",
            "-out",
            f"{ca}.pem",
            "-subj",
            f"/CN={ca}",
        )
    make_certificate(folder, "server", ca="ca")
    make_certificate(folder, "client", ca="ca")
    make_certificate(folder, "unknown", ca="stranger")
    openssl(folder, "rsa", "-aes256", "-passout", "pass:secret", "-in", "client.key", "-out", "locked.key")
    (folder / "many").mkdir()
    for ca in ("ca", "stranger"):
        (folder / f"many/{ca}.pem").write_bytes((folder / f"{ca}.pem").read_bytes())
    return folder


@pytest.fixture(scope="module")
def tls_port() -> Iterator[int]:
    ports = Ports()
    yield ports.start
    ports.close()


@pytest.fixture(scope="module")
def tls_agent(certificates: Path, tls_port: int) -> Iterator[ConsulAgent]:
    """An agent that lets in nobody over TLS but who has a certificate of its CA."""
    # The flat names are those that every version knows; verify_incoming_https leaves plain HTTP to the tests.
    settings = f"""
        ports {{ https = {tls_port} }}
        ca_file = "{certificates}/ca.pem"
        cert_file = "{certificates}/server.pem"
        key_file = "{certificates}/server.key"
        verify_incoming_https = true
    """
    with start_agent(hcl=settings) as agent:
        yield agent


@pytest.fixture
def variables(certificates: Path, tls_agent: ConsulAgent, tls_port: int) -> dict[str, str]:
    return {
        "CONSUL_HTTP_ADDR": f"localhost:{tls_port}",
        "CONSUL_HTTP_SSL": "true",
        "CONSUL_CACERT": str(certificates / "ca.pem"),
        "CONSUL_CLIENT_CERT": str(certificates / "client.pem"),
        "CONSUL_CLIENT_KEY": str(certificates / "client.key"),
    }


async def leader(variables: dict[str, str]) -> str:
    async with Store(resolve_endpoint(variables), "p") as store:
        await store.put_own("control", b"x" * 100_000, index=0)
        return await store.leader()


async def test_certificates_of_both_sides_let_in(variables: dict[str, str], tls_agent: ConsulAgent) -> None:
    assert await leader(variables) == tls_agent.raft_address


async def test_a_folder_of_authorities_is_read_whole(
    variables: dict[str, str], certificates: Path, tls_agent: ConsulAgent
) -> None:
    del variables["CONSUL_CACERT"]
    assert await leader(variables | {"CONSUL_CAPATH": str(certificates / "many")}) == tls_agent.raft_address


async def test_the_servers_name_may_differ_from_the_address(
    variables: dict[str, str], tls_port: int, tls_agent: ConsulAgent
) -> None:
    variables["CONSUL_HTTP_ADDR"] = f"https://127.0.0.1:{tls_port}"
    with pytest.raises(StoreError, match="certificate is not trusted") as caught:
        await leader(variables)
    assert "CONSUL_TLS_SERVER_NAME" in caught.value.hint
    assert await leader(variables | {"CONSUL_TLS_SERVER_NAME": SERVER}) == tls_agent.raft_address
    assert await leader(variables | {"CONSUL_HTTP_SSL_VERIFY": "false"}) == tls_agent.raft_address


async def test_a_server_of_a_strange_authority_is_not_trusted(variables: dict[str, str], certificates: Path) -> None:
    for strange in ({"CONSUL_CACERT": str(certificates / "stranger.pem")}, {"CONSUL_CACERT": ""}):
        with pytest.raises(StoreError, match="certificate is not trusted"):
            await leader(variables | strange)


async def test_without_a_certificate_nobody_gets_in(variables: dict[str, str], certificates: Path) -> None:
    unknown = {
        name: str(certificates / f"unknown.{end}")
        for name, end in (("CONSUL_CLIENT_CERT", "pem"), ("CONSUL_CLIENT_KEY", "key"))
    }
    for without in ({"CONSUL_CLIENT_CERT": "", "CONSUL_CLIENT_KEY": ""}, unknown):
        async with Store(resolve_endpoint(variables | without), "p") as store:
            with pytest.raises(StoreError, match="ended the connection") as caught:
                await store.listing()
            assert "CONSUL_CLIENT_CERT" in caught.value.hint


async def test_plain_http_where_tls_is_spoken_is_an_error(variables: dict[str, str]) -> None:
    async with Store(resolve_endpoint(variables | {"CONSUL_HTTP_SSL": "false"}), "p") as store:
        with pytest.raises(StoreError, match="HTTP request to an HTTPS server"):
            await store.listing()


async def test_tls_where_plain_http_is_spoken_is_an_error(variables: dict[str, str], tls_agent: ConsulAgent) -> None:
    async with Store(resolve_endpoint(variables | {"CONSUL_HTTP_ADDR": tls_agent.host}), "p") as store:
        with pytest.raises(Unreachable, match="no TLS there"):
            await store.listing()


async def test_a_key_with_a_password_is_refused_without_asking(variables: dict[str, str], certificates: Path) -> None:
    with pytest.raises(SettingsError, match="CONSUL_CLIENT_KEY"):
        resolve_endpoint(variables | {"CONSUL_CLIENT_KEY": str(certificates / "locked.key")})


@pytest.fixture
def socket_folder() -> Iterator[str]:
    """A folder with a short name: the path of a socket may have 107 bytes, fewer than tmp_path takes at times."""
    with tempfile.TemporaryDirectory(prefix="syncd-", dir="/tmp") as folder:
        yield folder


async def test_a_unix_socket_is_reached(socket_folder: str) -> None:
    address = f"unix://{socket_folder}/http.sock"
    with start_agent(hcl=f'addresses {{ http = "127.0.0.1 {address}" }}') as agent:
        async with Store(resolve_endpoint({"CONSUL_HTTP_ADDR": address}), "p") as store:
            index = await store.put_cas("a", b"1", 0, 0)
            assert (await store.listing()).entries["a"].index == index
            assert await store.leader() == agent.raft_address
            assert address in await store.describe()


async def test_credentials_token_and_scope_travel_with_every_request(consul: ConsulAgent) -> None:
    with proxy_to(consul.address) as proxy:
        variables = {
            "CONSUL_HTTP_ADDR": proxy.address,
            "CONSUL_HTTP_AUTH": "me:secret",
            "CONSUL_HTTP_TOKEN": "token-1",
        }
        proxy.when(anything, answer(200, b"true"), times=None)
        async with Store(resolve_endpoint(variables, datacenter="dc 9"), "p") as store:
            for call in (store.get("a"), store.transact(b"[]"), store.destroy_session("s"), store.listing()):
                with suppress(StoreError):
                    await call
        assert len(proxy.seen()) == 4
        for request in proxy.seen():
            assert request.query.endswith("dc=dc%209")
            head = request.head.decode().lower()
            assert "x-consul-token: token-1\r\n" in head
            assert f"authorization: basic {base64.b64encode(b'me:secret').decode()}\r\n".lower() in head
            assert "accept-encoding: identity\r\n" in head

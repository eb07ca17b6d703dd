"""TLS: the certificate must be the host's of the URL, whatever address the name led to."""

import asyncio
import ssl
import subprocess
from pathlib import Path

import pytest

from syncd.fanout.sender import Message, Result
from tests.support.receiver import hang, receiver, reply, then_close
from tests.support.telling import Telling

NAMES = {"a.example": ("127.0.0.1",), "b.example": ("127.0.0.1",)}


def look_up(host: str) -> tuple[str, ...]:
    return NAMES[host]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate that signs itself, for a.example and 127.0.0.1; its key is beside it."""
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=test", "-addext", "subjectAltName=DNS:a.example,IP:127.0.0.1",
         "-keyout", str(path.with_suffix(".key")), "-out", str(path)],
        check=True, capture_output=True,
    )  # fmt: skip
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    """Serve with that certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    return context


@pytest.fixture
def trusting(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the system trust it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize("host", ["a.example", "a.example.", "127.0.0.1"])
async def test_a_trusted_certificate_of_the_host_is_accepted(telling: Telling, tls: ssl.SSLContext, host: str) -> None:
    async with receiver(tls=tls) as there:
        told = telling(there.at(host), look_up=lambda host: ("127.0.0.1",))
        large = Message("large", b"x" * 1_000_000)
        assert [(await told.tell(message)).outcome for message in (large, large)] == ["delivered"] * 2
        assert there.requests[1].body == large.body
        assert there.connections == 1


@pytest.mark.usefixtures("trusting")
async def test_a_certificate_of_another_host_is_refused(telling: Telling, tls: ssl.SSLContext) -> None:
    async with receiver(tls=tls) as there:
        result = await telling(there.at("b.example"), look_up=look_up).tell()
        assert result.outcome == "failed"
        assert result.said.startswith("TLS: Hostname mismatch, certificate is not valid for 'b.example'")
        assert there.requests == []


async def test_a_certificate_that_nobody_vouches_for_is_refused(telling: Telling, tls: ssl.SSLContext) -> None:
    async with receiver(tls=tls) as there:
        assert await telling(there.url).tell() == Result("failed", "TLS: self-signed certificate")
        assert there.requests == []


async def test_a_receiver_that_speaks_no_tls_is_said(telling: Telling) -> None:
    async def speak_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(speak_first, "127.0.0.1", 0) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        assert await telling(url).tell() == Result("failed", "TLS: wrong version number")


@pytest.mark.usefixtures("trusting")
async def test_faults_over_tls_end_as_they_do_without(telling: Telling, tls: ssl.SSLContext) -> None:
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    async with receiver(
        reply(204), then_close(b""), then_close(ok), then_close(b""), reply(204), hang, tls=tls
    ) as there:
        told = telling(there.url, timeout=5.0)
        assert await told.tell() == Result("delivered", "204")
        assert await told.tell() == Result("delivered", "200"), "the kept connection broke and was replaced"
        assert (await told.tell()).outcome == "failed"
        assert await told.tell() == Result("delivered", "204")
        impatient = telling(there.url, timeout=0.3)
        assert await impatient.tell() == Result("failed", "no answer within 0.3s")

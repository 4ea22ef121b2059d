"""TLS: what is spoken, who is let in, and what is said of files that cannot be used."""

from __future__ import annotations

import ssl
import time
from contextlib import suppress
from pathlib import Path

import pytest
from OpenSSL import SSL
from twisted.internet.task import Clock

from rtcsig.door.certificates import Certificates
from tests.support.certificates import Authority, make_certificate

# Twisted's, of what it makes by itself.
pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")


@pytest.fixture
def files(tmp_path) -> tuple[Path, Path]:
    """A key and a certificate."""
    return make_certificate(tmp_path)


def described(files: tuple[Path, Path], more: str = "") -> str:
    """The endpoint with these files."""
    return f"ssl:0:privateKey={files[0]}:certKey={files[1]}{more}"


def certificates_of(files: tuple[Path, Path], client_ca: Path | str = "") -> Certificates:
    """What a listener has of these files."""
    return Certificates(Clock(), described(files), str(client_ca))


def client(**options) -> ssl.SSLContext:
    """A client that takes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for name, value in options.items():
        setattr(context, name, value)
    return context


class Conversation:
    """A handshake in memory, between Python's ``ssl`` and the server's side."""

    def __init__(self, certificates: Certificates, context: ssl.SSLContext) -> None:
        self._server = certificates.serverConnectionForTLS(None)
        self._server.set_accept_state()
        self._to_client, self._to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = context.wrap_bio(self._to_client, self._to_server)
        for _ in range(4):
            self._step(self.client.do_handshake)
            self._pass_on()
            self._step(self._server.do_handshake)
            self._pass_on()

    def _step(self, shake) -> None:
        with suppress(ssl.SSLWantReadError, SSL.WantReadError):
            shake()

    def _pass_on(self) -> None:
        if sent := self._to_server.read():
            self._server.bio_write(sent)
        with suppress(SSL.WantReadError):
            while True:
                self._to_client.write(self._server.bio_read(65_536))

    def says(self, data: bytes) -> bytes:
        """Send from the server to the client; returns what arrives."""
        self._server.send(data)
        self._pass_on()
        return self.client.read()


def test_the_newest_version_is_spoken(files):
    """TLS 1.3, when the client can."""
    assert Conversation(certificates_of(files), client()).client.version() == "TLSv1.3"


@pytest.mark.parametrize("cipher", ["ECDHE+AESGCM", "ECDHE+CHACHA20"])
def test_the_version_before_it_is_spoken_well(files, cipher):
    """TLS 1.2 with ciphers that keep their secrets."""
    old = client(maximum_version=ssl.TLSVersion.TLSv1_2)
    old.set_ciphers(cipher)
    name, version, _ = Conversation(certificates_of(files), old).client.cipher()
    assert version == "TLSv1.2"
    assert name.startswith("ECDHE-")


@pytest.mark.parametrize(
    "ciphers", ["ECDHE+AES:!AESGCM:!AESCCM", "AES128-SHA256", "AES128-GCM-SHA256"]
)
def test_ciphers_of_yesterday_are_refused(files, ciphers):
    """Those without forward secrecy, and those that encrypt and authenticate in two steps."""
    old = client(maximum_version=ssl.TLSVersion.TLSv1_2)
    old.set_ciphers(ciphers)
    with pytest.raises(SSL.Error, match="no shared cipher"):
        Conversation(certificates_of(files), old)


def test_older_versions_are_refused(files):
    """TLS 1.1 and before."""
    old = client()
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(SSL.Error, match=r"unsupported protocol|version"):
        Conversation(certificates_of(files), old)


def test_a_client_may_have_to_say_who_it_is(files, tmp_path):
    """With a certificate that the authority signed, and no other."""
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    certificates = certificates_of(files, authority.file)
    known = client(maximum_version=ssl.TLSVersion.TLSv1_2)
    folder = tmp_path / "known"
    folder.mkdir()
    known.load_cert_chain(*reversed(authority.make_certificate(folder)))
    assert Conversation(certificates, known).says(b"welcome") == b"welcome"
    for other in (None, stranger):
        unknown = client(maximum_version=ssl.TLSVersion.TLSv1_2)
        if other is not None:
            unknown.load_cert_chain(*reversed(other.make_certificate(folder)))
        with pytest.raises(SSL.Error, match="certificate"):
            Conversation(certificates, unknown)


def test_files_are_read_anew(files, tmp_path):
    """Who comes then gets the new certificate; who is there goes on."""
    certificates = certificates_of(files)
    before = Conversation(certificates, client())
    make_certificate(tmp_path, "another")
    assert Conversation(certificates, client()).client.getpeercert(True) == certificate_of(before)
    certificates.use(certificates.read(""))
    after = Conversation(certificates, client())
    assert certificate_of(after) != certificate_of(before)
    assert before.says(b"still here") == b"still here"


def certificate_of(conversation: Conversation) -> bytes:
    """What the server showed."""
    return conversation.client.getpeercert(True)


def test_the_end_of_a_certificate_is_known(files):
    """As a time that monitoring can compare: here a day from now."""
    left_s = certificates_of(files).not_after_s - time.time()
    assert 86_400 - 600 < left_s <= 86_400


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (lambda key, _: key.unlink(), "key.pem: No such file"),
        (lambda _, certificate: certificate.unlink(), "certificate.pem: No such file"),
        (lambda key, _: key.write_text("gaga"), "no key or no certificate in PEM"),
        (lambda _, certificate: certificate.write_text("gaga"), "no key or no certificate in PEM"),
        (lambda _, certificate: make_certificate(certificate.parent)[1], None),
    ],
)
def test_a_file_that_cannot_be_used_changes_nothing(files, spoil, line):
    """The sentence says which; the certificate of before is used on."""
    certificates = certificates_of(files)
    shown = certificate_of(Conversation(certificates, client()))
    spoil(*files)
    if line is not None:
        with pytest.raises(ValueError, match=line):
            certificates.read("")
    assert certificate_of(Conversation(certificates, client())) == shown


def test_a_key_of_another_certificate(files, tmp_path):
    """Is said before anybody meets it."""
    other = tmp_path / "other"
    other.mkdir()
    key, _ = make_certificate(other)
    with pytest.raises(ValueError, match="the key does not belong to the certificate"):
        certificates_of((key, files[1]))


def test_a_version_that_is_asked_for(files):
    """Is refused: it could only be an older one."""
    with pytest.raises(ValueError, match="sslmethod: "):
        Certificates(Clock(), described(files, ":sslmethod=TLSv1_METHOD"), "")


@pytest.mark.parametrize("content", [None, "gaga", "-----BEGIN CERTIFICATE-----\ngaga"])
def test_an_authority_that_cannot_be_read(files, tmp_path, content):
    """Lets nobody in by mistake."""
    path = tmp_path / "authority.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ValueError, match=r"authority.pem: (has no certificate|No such file)"):
        certificates_of(files, path)

"""How a broker knows us and how we know it: password, and certificates of TLS. Configuration only, no I/O."""

from dataclasses import dataclass

from devices.fields import Fields

PATH_LENGTH = 4096


@dataclass(frozen=True, slots=True)
class Access:
    """`tls` is whether the connection is encrypted and the broker's certificate checked, against `ca_file` (None: what
    the system trusts); `certificate_file` and `key_file` are our own, for a broker that asks for them. Files are PEM.
    """

    username: str | None = None
    password_file: str | None = None
    tls: bool = False
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None


def parse_access(fields: Fields) -> Access:
    """Read what a table says of it; mistakes are collected in the fields. Naming a file of TLS asks for TLS."""

    def text(key: str, longest: int = PATH_LENGTH) -> str | None:
        return None if fields.absent(key) else fields.text(key, longest)

    ca_file, certificate, key = text("ca_file"), text("certificate_file"), text("key_file")
    named = any(each is not None for each in (ca_file, certificate, key))
    tls = fields.flag("tls", named)
    if (certificate is None) != (key is None):
        fields.problem("certificate_file", "and key_file go together")
    if named and not tls:
        fields.problem("tls", "is false, and a file for it is named")
    return Access(text("username", 200), text("password_file"), tls, ca_file, certificate, key)

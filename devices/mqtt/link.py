"""Shell: one connection to an MQTT broker, driven by the thread that uses it and by no other.

Nothing happens here while nobody calls: should that thread stand still, the broker hears nothing any more, drops the
connection and publishes its last will. That is the reversion timer of devices that have none (MQTT 3.1.1, 3.1.2.5).
"""

import math
import secrets
import select
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Never

from paho.mqtt.client import MQTT_ERR_SUCCESS, Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from devices.drivers.hardware import HardwareError
from devices.mqtt.access import Access

SHORTEST_KEEPALIVE_S = 2
LONGEST_WAIT_S = 3600.0
NOBODY = Access()


@dataclass(frozen=True, slots=True)
class Broker:
    """Where a broker is, and how it knows us; `timeout_s` for connecting and for each answer."""

    host: str
    port: int
    timeout_s: float
    access: Access = NOBODY

    @property
    def keepalive_s(self) -> int:
        """How long the broker waits for us: longer than a look may take, and no longer than it must."""
        return max(SHORTEST_KEEPALIVE_S, math.ceil(2 * self.timeout_s + 1))

    @property
    def will_s(self) -> float:
        """How long after our last word the last will comes at the latest: the standard allows half as much again,
        and mosquitto looks every five seconds.
        """
        return 1.5 * self.keepalive_s + 6.0


@dataclass(frozen=True, slots=True)
class Post:
    """One message to send. `retained`: the broker shows it to whoever comes later."""

    topic: str
    payload: str
    retained: bool = False


Heard = Callable[[str, bytes, bool], None]
"""What takes a message: its topic, its payload, and whether it lay at the broker before we came."""


class MqttLink:
    """A connection with a last will. It is closed without a farewell, so the will is published in the end, too."""

    def __init__(self, broker: Broker, topics: tuple[str, ...], will: Post | None, heard: Heard) -> None:
        self._broker = broker
        self._topics = topics
        self._will = will
        self._heard = heard
        self._client: Client | None = None
        self._refusal = ""
        self._granted = self._welcome = False
        self._acknowledged: set[int] = set()
        self._look_topic = f"wattswarm/looks/{secrets.token_hex(6)}"

    @property
    def place(self) -> str:
        """The broker, for messages to people."""
        return f"{self._broker.host}:{self._broker.port}"

    @property
    def connected(self) -> bool:
        """Whether a connection was made and has not failed since."""
        return self._client is not None

    def open(self) -> None:
        """Connect and listen to the topics. Raises HardwareError."""
        client = Client(CallbackAPIVersion.VERSION2, client_id=f"wattswarm-{secrets.token_hex(6)}")
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.connect_timeout = self._broker.timeout_s
        self._refusal, self._welcome, self._granted = "", False, not self._topics
        self._acknowledged.clear()
        if self._will is not None:
            client.will_set(self._will.topic, self._will.payload, qos=1, retain=self._will.retained)
        try:
            access = self._broker.access
            if access.username is not None:
                client.username_pw_set(access.username, self._password())
            if access.tls:
                client.tls_set_context(_context(access))
            client.connect(self._broker.host, self._broker.port, self._broker.keepalive_s)
        except (OSError, ValueError) as error:
            raise HardwareError(f"{self.place}: {_reason(error)}") from error
        self._client = client
        self._await(lambda: self._welcome, "the broker does not answer")
        if self._topics:
            client.subscribe([(topic, 1) for topic in self._topics])
            self._await(lambda: self._granted, "the broker does not take the subscription")

    def put(self, post: Post) -> None:
        """Send a message. Raises HardwareError when the connection is gone."""
        self._send(post)

    def look(self) -> None:
        """Go to the broker and back: everything that it had for us before has then been heard.

        Raises HardwareError when no answer comes in time.
        """
        number = self._send(Post(self._look_topic, ""))
        self._await(lambda: number in self._acknowledged, "the broker has fallen silent")
        self._acknowledged.clear()

    def wait(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Listen until `done` says so; false when the time is over. Raises HardwareError."""
        end = time.monotonic() + min(timeout_s, LONGEST_WAIT_S)
        while not done():
            left_s = end - time.monotonic()
            if left_s <= 0:
                return False
            self._turn(left_s)
        return True

    def close(self) -> None:
        """Drop the connection; the broker publishes the last will."""
        client, self._client = self._client, None
        socket = None if client is None else client.socket()
        if socket is not None:
            socket.close()

    def _send(self, post: Post) -> int:
        assert self._client is not None
        sent = self._client.publish(post.topic, post.payload, qos=1, retain=post.retained)
        if sent.rc != MQTT_ERR_SUCCESS:
            self._fail(f"the connection is gone: {sent.rc.name}")
        return sent.mid

    def _await(self, done: Callable[[], bool], otherwise: str) -> None:
        came = self.wait(lambda: done() or bool(self._refusal), self._broker.timeout_s)
        if self._refusal:
            self._fail(self._refusal)
        if not came:
            self._fail(otherwise)

    def _turn(self, timeout_s: float) -> None:
        """Hear what there is, waiting at most so long for it."""
        client = self._client
        assert client is not None
        socket = client.socket()
        if socket is None:
            self._fail("the broker has closed the connection")
        writing = [socket] if client.want_write() else []
        # What TLS has decrypted already makes no socket readable.
        if isinstance(socket, ssl.SSLSocket) and socket.pending():
            timeout_s = 0.0
        try:
            readable, writable, _ = select.select([socket], writing, [], timeout_s)
        except (OSError, ValueError) as error:
            self._fail(str(error))
        pending = isinstance(socket, ssl.SSLSocket) and socket.pending()
        failed = bool((readable or pending) and client.loop_read() != MQTT_ERR_SUCCESS)
        failed |= bool(writable and client.loop_write() != MQTT_ERR_SUCCESS)
        if failed or client.loop_misc() != MQTT_ERR_SUCCESS:
            self._fail(self._refusal or "the broker has closed the connection")

    def _fail(self, text: str) -> Never:
        self.close()
        raise HardwareError(f"{self.place}: {text}")

    def _password(self) -> str | None:
        path = self._broker.access.password_file
        return None if path is None else Path(path).read_text("utf-8").strip()

    def _on_connect(self, client: Client, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._refusal = f"the broker refuses: {reason}; look at username and password_file"
        self._welcome = True

    def _on_subscribe(self, client: Client, data: Any, number: int, reasons: Any, properties: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            self._refusal = "the broker does not let us listen to every topic; look at its access list"
        self._granted = True

    def _on_publish(self, client: Client, data: Any, number: int, reason: Any, properties: Any) -> None:
        self._acknowledged.add(number)

    def _on_message(self, client: Client, data: Any, message: MQTTMessage) -> None:
        self._heard(message.topic, bytes(message.payload), message.retain)


def _context(access: Access) -> ssl.SSLContext:
    """Whom we believe, and who we are. Raises ValueError naming the file that cannot be used."""
    try:
        context = ssl.create_default_context(cafile=access.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ValueError(
            f"ca_file {access.ca_file}: {_brief(error)}; it must hold certificates in PEM"
        ) from error
    if access.certificate_file is not None and access.key_file is not None:
        try:
            context.load_cert_chain(access.certificate_file, access.key_file, password="")
        except (OSError, ssl.SSLError) as error:
            raise ValueError(
                f"certificate_file {access.certificate_file} with key_file {access.key_file}: {_brief(error)};"
                " they must be one certificate and its key in PEM, without a passphrase"
            ) from error
    return context


def _reason(error: Exception) -> str:
    """What went wrong while connecting, with the key to look at."""
    match error:
        case ssl.SSLCertVerificationError():
            return (
                f"its certificate is not trusted ({error.verify_message}); ca_file names who signed it, and host must"
                " be a name in it"
            )
        case ssl.SSLError():
            return (
                f"no TLS with it ({_brief(error)}); look at port, and at certificate_file if it asks for one"
            )
    return str(error)


def _brief(error: Exception) -> str:
    """An error without the place in the library where it was raised."""
    reason = error.reason if isinstance(error, ssl.SSLError) else None
    return str(reason or error)

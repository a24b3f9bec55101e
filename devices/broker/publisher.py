"""Shell: a thread that publishes a node's state on the owner's broker. Control gives it reports and never waits."""

import sys
import threading

from devices.broker.discovery import announcement, state
from devices.configuration.publish_settings import PublishConfig
from devices.drivers.hardware import HardwareError
from devices.messages.control_messages import ImageReport
from devices.mqtt.link import Broker, MqttLink, Post

TIMEOUT_S = 5.0
LONGEST_PAUSE_S = 60.0


class Publisher:
    """The newest report is published every `every_s`; a broker that is gone is tried again, ever more rarely."""

    def __init__(self, config: PublishConfig) -> None:
        self._config = config
        # The pause is part of a look: the broker must not take it for the end.
        broker = Broker(config.host, config.port, TIMEOUT_S + config.every_s, config.access)
        self._link = MqttLink(broker, (), Post(config.presence, "offline", retained=True), lambda *_: None)
        self._report: ImageReport | None = None
        self._closing = threading.Event()
        self._came = threading.Event()
        self._problem = ""
        self._thread = threading.Thread(target=self._work, name="publisher", daemon=True)
        self._thread.start()

    def show(self, report: ImageReport) -> None:
        """Publish this report when the time has come. Never waits."""
        self._report = report
        self._came.set()

    def close(self) -> None:
        """Let the broker say that the node is gone, and end."""
        self._closing.set()
        self._came.set()
        self._thread.join(1.0)

    def _work(self) -> None:
        failures = 0
        self._came.wait()
        while not self._closing.is_set():
            try:
                self._publish()
                self._problem, failures = "", 0
            except HardwareError as error:
                failures += 1
                self._tell(str(error))
            pause_s = self._config.every_s * 2 ** min(failures, 8)
            self._closing.wait(pause_s if failures == 0 else min(pause_s, LONGEST_PAUSE_S))
        self._link.close()

    def _tell(self, problem: str) -> None:
        if problem != self._problem:
            sys.stderr.write(f"home_assistant: {problem}\n")
        self._problem = problem

    def _publish(self) -> None:
        report = self._report
        if report is None:
            return
        if not self._link.connected:
            self._link.open()
            self._link.put(announcement(self._config, report))
            self._link.put(Post(self._config.presence, "online", retained=True))
        self._link.put(state(self._config, report))
        self._link.look()

"""A message as people read it: fixed words, the node's name, for how long, and how to acknowledge. No I/O."""

from dataclasses import dataclass
from typing import Final

from node.notification.matters import Severity
from node.notification.policy import Kind, Send

WORDS: Final = {Severity.NOTICE: "notice", Severity.WARNING: "warning", Severity.CRITICAL: "CRITICAL"}
TEST_TEXT: Final = "This is a test. Nothing is wrong."


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: a title and a few lines."""

    title: str
    body: str
    severity: Severity
    over: bool = False


def message_of(send: Send, node: str) -> Message:
    """The message of one effect of the policy."""
    matter = send.matter
    if send.kind is Kind.OVER:
        return Message(f"{node}: over", f"Over: {matter.text}", matter.severity, over=True)
    again = "Still: " if send.kind is Kind.AGAIN else ""
    since = f" It has lasted {_duration(send.age_s)}." if send.age_s >= 60 else ""
    how = f"Acknowledge: wattswarm node acknowledge {matter.reference} --config node.toml"
    return Message(
        f"{node}: {WORDS[matter.severity]}", f"{again}{matter.text}{since}\n{how}", matter.severity
    )


def probe_message(node: str) -> Message:
    """What the test button sends."""
    return Message(f"{node}: test", TEST_TEXT, Severity.NOTICE)


def _duration(seconds: float) -> str:
    minutes = int(seconds // 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"

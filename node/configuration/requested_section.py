"""The part of a configuration that offers headroom to the dso's requests, and the arming that it means."""

from collections.abc import Iterable

from pydantic import Field

from devices.response.fast_response import Arming
from devices.response.response_curve import requested_curve
from node.configuration.section import Section


class RequestedSection(Section):
    """One service that the dso calls by requests: headroom for it in W, and how long a store must sustain it."""

    service: str = Field(pattern=r"^[a-z0-9-]{1,48}$")
    up_w: float = Field(default=0.0, ge=0, le=1e9)
    down_w: float = Field(default=0.0, ge=0, le=1e9)
    sustain_s: float = Field(default=3_600.0, gt=0, le=86_400)


def called(sections: Iterable[RequestedSection]) -> Iterable[Arming]:
    """What these sections arm."""
    return (
        Arming(requested_curve(each.service, each.sustain_s), each.up_w, each.down_w) for each in sections
    )

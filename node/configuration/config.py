"""Shell: reads one TOML file into a frozen `Config`; every mistake gets one message with its key's path.

Durations name their clock in their key: `_real_ms` and `_real_s` are wall durations, everything in the genesis is
cell time.
"""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    ValidationError,
)

from devices.configuration.control_config import parse_config
from devices.errors import ConfigurationError, ServiceError
from devices.response.fast_response import Arming
from devices.response.response_curve import curve_table
from devices.response.service_files import find_curve
from node.configuration.bidding_section import BiddingSection
from node.configuration.gateway_section import GatewaySection
from node.configuration.openadr_section import OpenAdrSection
from node.configuration.operation_sections import MetricsSection, NotifySection, UpgradeSection
from node.configuration.privacy_section import PrivacySection
from node.configuration.readiness_section import readiness_table
from node.configuration.requested_section import RequestedSection, called
from node.configuration.section import Address, Addresses, Peers, Section, Tables, Texts, list_is_tuple
from node.configuration.web_section import WebSection
from node.constants import ADDRESSES_PER_MEMBER
from node.errors import ConfigError


class NodeSection(Section):
    """Who this node is and where it keeps its files. With `joins` its keys need not be in the ledger yet."""

    name: str = Field(min_length=1, max_length=64)
    data_dir: str = "."
    genesis: str = "genesis.cbor"
    joins: bool = False
    last_trading_interval: int | None = Field(default=None, ge=0)


class NetworkSection(Section):
    """Where to listen, and where each other member may be reached: in `members`, a file that the founder of the cell
    wrote (`peers` in it), and in `peers`, which goes before it. `addresses` are where others reach this node."""

    listen: Annotated[Addresses, Field(min_length=1, max_length=ADDRESSES_PER_MEMBER)] = (
        "/ip4/127.0.0.1/tcp/9400",
    )
    addresses: Annotated[Addresses, Field(max_length=ADDRESSES_PER_MEMBER)] = ()
    members: str | None = None
    peers: Peers = Field(default_factory=dict)


class ClockSection(Section):
    """Cell time = epoch + (wall - start) x speed; in the field epoch equals start and speed is 1.

    With `file` these three come from that file, and the daemon waits for it: nodes that must start together do.
    """

    file: str | None = None
    start_wall_ns: int = Field(default=0, ge=0)
    epoch_ns: int = Field(default=0, ge=0)
    speed: int = Field(default=1, ge=1, le=100_000)


class TimingSection(Section):
    """Real-time durations of the agreement and the gate."""

    gate_margin_real_ms: int = Field(default=300, ge=10, le=60_000)
    propose_real_ms: int = Field(default=900, ge=50, le=60_000)
    vote_real_ms: int = Field(default=500, ge=50, le=60_000)
    round_delta_real_ms: int = Field(default=250, ge=10, le=60_000)
    rebroadcast_real_ms: int = Field(default=500, ge=50, le=60_000)


class RetentionSection(Section):
    """How many of the last blocks are kept, with their entries, and of how many heights the single votes; none: all."""

    blocks: int | None = Field(default=None, ge=1)
    votes: int | None = Field(default=None, ge=1)


class ArmedSection(Section):
    """One service and the headroom that it may use, up (injecting more) and down."""

    service: str = Field(min_length=1)
    up_w: float = Field(default=0.0, ge=0, le=1e9)
    down_w: float = Field(default=0.0, ge=0, le=1e9)


class SiteSection(Section):
    """The connection point and what is behind it. `profile` is a CSV of measured powers over time, `grid_profile`
    one of frequency and voltage.

    Each table of `ders` is a device as `devices/configuration/control_config.py` reads it, `surroundings` the place
    that modelled devices stand in, and `sensors` what is on the expansion port. `service_files` are response curves
    of the operator's own, `mandatory_services` the droops that hold always, `armed_services` what is offered,
    `requested_services` what the dso may call; `islanding` acts on an outage that the meter sees, `forming` is the
    battery that then forms the grid; `readiness` is the trouble to prepare for, `switchgear` a real breaker
    and former; `home_assistant` is a broker on which the owner sees the devices, `dispatch_log` a file that gets every
    control cycle; `privacy` says who may see how much of the home's demand.
    """

    profile: str | None = None
    import_limit_w: float = Field(default=17_250.0, gt=0, le=1e9)
    export_limit_w: float = Field(default=17_250.0, gt=0, le=1e9)
    cycle_real_ms: int = Field(default=100, ge=10, le=10_000)
    linger_real_s: float | None = Field(default=None, gt=0)
    grid_profile: str | None = None
    islanding: bool = False
    forming: dict[str, object] | None = None
    readiness: dict[str, object] | None = None
    switchgear: dict[str, object] | None = None
    service_files: Texts = ()
    mandatory_services: Texts = ()
    armed_services: Annotated[tuple[ArmedSection, ...], BeforeValidator(list_is_tuple)] = ()
    requested_services: Annotated[tuple[RequestedSection, ...], BeforeValidator(list_is_tuple)] = ()
    surroundings: dict[str, object] | None = None
    home_assistant: dict[str, object] | None = None
    dispatch_log: str | None = None
    dispatch_log_mb: int = Field(default=64, ge=1, le=10_000)
    privacy: PrivacySection = PrivacySection()
    sensors: Tables = ()
    ders: Tables = ()


class WitnessedCell(Section):
    """A neighbouring cell: its genesis, and the nodes of it that cosign our log and whose log we cosign.

    A peer is named as that genesis names it, or by its feed key in hexadecimal where that has changed.
    """

    genesis: str
    peers: Peers


class WitnessSection(Section):
    """Where neighbouring cells reach this node, and which they are; without cells there are no witnesses."""

    listen: Address | None = None
    cells: Annotated[tuple[WitnessedCell, ...], BeforeValidator(list_is_tuple)] = ()


class Config(Section):
    """The whole configuration of one daemon."""

    node: NodeSection
    network: NetworkSection = NetworkSection()
    clock: ClockSection = ClockSection()
    timing: TimingSection = TimingSection()
    site: SiteSection = SiteSection()
    retention: RetentionSection = RetentionSection()
    witness: WitnessSection = WitnessSection()
    bidding: BiddingSection = BiddingSection()
    metrics: MetricsSection = MetricsSection()
    upgrade: UpgradeSection = UpgradeSection()
    notify: NotifySection = NotifySection()
    gateway: GatewaySection = GatewaySection()
    openadr: OpenAdrSection = OpenAdrSection()
    web: WebSection = WebSection()
    file: str = ""

    @property
    def directory(self) -> Path:
        """The data directory; a relative one is seen from the configuration file."""
        return (Path(self.file).parent / self.node.data_dir).resolve()

    @property
    def serves_pages(self) -> bool:
        """Whether the configuration has a `[web]` table."""
        return "web" in self.model_fields_set

    @property
    def genesis_path(self) -> Path:
        """The genesis file; a relative path is seen from the configuration file."""
        return (Path(self.file).parent / self.node.genesis).resolve()

    @property
    def profile_path(self) -> Path | None:
        """The profile to replay, if any."""
        if self.site.profile is None:
            return None
        return (Path(self.file).parent / self.site.profile).resolve()

    @property
    def service_paths(self) -> tuple[Path, ...]:
        """The operator's own response curves."""
        return tuple((Path(self.file).parent / name).resolve() for name in self.site.service_files)


class _MembersFile(Section):
    peers: Peers


def load_config(path: Path) -> Config:
    """Read and check a configuration file. Raises `ConfigError` with one message per mistake."""
    table = _table(path, "write one with `wattswarm node init`")
    if "file" in table:
        raise ConfigError([f"{path}: file: unknown key; allowed here: {', '.join(_allowed_keys(()))}"])
    config = _checked(Config, path, {**table, "file": str(path.resolve())})
    problems = site_problems(config)
    if problems:
        raise ConfigError([f"{path}: site.{problem}" for problem in problems])
    if config.network.members is None:
        return config
    known = read_addresses((path.parent / config.network.members).resolve())
    network = config.network.model_copy(update={"peers": {**known, **config.network.peers}})
    return config.model_copy(update={"network": network})


def read_addresses(path: Path) -> dict[str, tuple[str, ...]]:
    """Where the members of a cell may be reached, by name, from the file of its founder. Raises `ConfigError`."""
    return _checked(_MembersFile, path, _table(path, "the founder of the cell wrote it")).peers


def clock_path(config: Config) -> Path | None:
    """The file that the clock comes from, if any; a relative path is seen from the configuration file."""
    return None if config.clock.file is None else (Path(config.file).parent / config.clock.file).resolve()


def with_clock_file(config: Config) -> Config:
    """The configuration with the clock of its clock file, which must exist. Raises `ConfigError`."""
    path = clock_path(config)
    if path is None:
        return config
    clock = _checked(ClockSection, path, _table(path, "whoever starts the cell writes it"))
    return config.model_copy(update={"clock": clock})


def control_table(
    config: Config, interval_s: int, name: str = "", rank: tuple[str, ...] = ()
) -> dict[str, object]:
    """The configuration of this node's control process. Raises ServiceError for a service that is none.

    `rank` are the formers of the genesis and `name` is who this node is among them.
    """
    site, clock = config.site, config.clock
    profile = config.profile_path
    table: dict[str, object] = {
        "data_dir": str(config.directory),
        "interval_s": interval_s,
        "clock": {"start_wall_ns": clock.start_wall_ns, "epoch_ns": clock.epoch_ns, "speed": clock.speed},
        "connection": {"minimum_w": -site.import_limit_w, "maximum_w": site.export_limit_w},
        "cycle_ms": site.cycle_real_ms,
        "islanding": site.islanding,
        "ders": list(site.ders),
    }
    if profile is not None:
        table["profile"] = str(profile)
    if site.grid_profile is not None:
        table["grid_profile"] = str((Path(config.file).parent / site.grid_profile).resolve())
    if site.forming is not None:
        table["forming"] = site.forming | {"name": name, "rank": list(rank)}
    if site.readiness is not None:
        table["readiness"] = readiness_table(site.readiness, Path(config.file).parent, config.service_paths)
    if site.switchgear is not None:
        table["switchgear"] = site.switchgear
    if site.mandatory_services:
        table["mandatory"] = [
            curve_table(find_curve(name, config.service_paths)) for name in site.mandatory_services
        ]
    if site.sensors:
        table["sensors"] = list(site.sensors)
    if site.home_assistant is not None:
        table["home_assistant"] = {"node": config.node.name} | site.home_assistant
    if site.dispatch_log is not None:
        table["dispatch_log"] = str((Path(config.file).parent / site.dispatch_log).resolve())
        table["dispatch_log_mb"] = site.dispatch_log_mb
    if site.surroundings is not None:
        table["surroundings"] = site.surroundings
    if site.linger_real_s is not None:
        table["linger_s"] = site.linger_real_s
    return table


def armings(config: Config) -> tuple[Arming, ...]:
    """The services that this node offers. Raises ServiceError for a service that is none."""
    curves = (
        Arming(find_curve(each.service, config.service_paths), each.up_w, each.down_w)
        for each in config.site.armed_services
    )
    return (*curves, *called(config.site.requested_services))


def site_problems(config: Config) -> tuple[str, ...]:
    """What the control process would refuse, one message per mistake; the interval is not known yet."""
    try:
        parse_config(control_table(config, interval_s=900))
        offered = armings(config)
    except ConfigurationError as error:
        return error.problems
    except ServiceError as error:
        return tuple(str(error).splitlines())
    if config.site.armed_services and config.site.grid_profile is None and config.site.switchgear is None:
        return ("grid_profile: is missing; an armed service reads frequency from it",)
    names = [each.curve.name for each in offered]
    return tuple(
        f"armed_services: {name} is armed twice" for name in sorted(set(names)) if names.count(name) > 1
    )


def _table(path: Path, remedy: str) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ConfigError([f"{path}: no such file; {remedy}"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: cannot be read: {error}"]) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{path}: not valid TOML: {error}"]) from error


_Checked = TypeVar("_Checked", bound=BaseModel)


def _checked(section: type[_Checked], path: Path, table: dict[str, object]) -> _Checked:
    try:
        return section.model_validate(table)
    except ValidationError as error:
        raise ConfigError([_mistake(path, dict(item), table) for item in error.errors()]) from None


def _mistake(path: Path, item: dict[str, object], table: dict[str, object]) -> str:
    location = item["loc"]
    assert isinstance(location, tuple)
    key = ".".join(_written(location, table)) or "(file)"
    message = str(item["msg"]).removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        allowed = ", ".join(_allowed_keys(location[:-1]))
        return f"{path}: {key}: unknown key; allowed here: {allowed}"
    if item["type"] == "missing":
        return f"{path}: {key}: is missing"
    if item["type"] == "string_pattern_mismatch":
        message = "must be a multiaddress like /ip4/192.0.2.7/tcp/9400"
    return f"{path}: {key}: {message}; found {item['input']!r}"


def _written(location: tuple[object, ...], table: object) -> Iterator[str]:
    """The parts of a key as the file has it: one address that stands for a list of one has no number."""
    for part in location:
        if isinstance(table, str):
            return
        yield str(part)
        table = table.get(part) if isinstance(table, dict) else None


def _allowed_keys(location: tuple[object, ...]) -> list[str]:
    """The keys a section takes, for a message about one that it does not take."""
    section: type[BaseModel] = Config
    for part in location:
        annotation = section.model_fields[str(part)].annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            section = annotation
    return [name for name in section.model_fields if name != "file"]

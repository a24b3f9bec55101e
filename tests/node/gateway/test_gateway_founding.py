"""Founding a cell below another, and the section of a gateway's configuration."""

from pathlib import Path
from typing import Any

import pytest

from ledger.records.genesis import Genesis, member_id
from market.rules import decode_rules
from node.cli.cell import CellAbove, init
from node.configuration.config import load_config
from node.errors import ConfigError
from node.founding.founding import init_node

KEY = "ab" * 32
FEEDER = """[grid]
import_price = 0.3
export_price = 0.05
[branches.substation]
[branches.north]
parent = "substation"
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Cards of a district and a street, a feeder, and the district's genesis."""
    (tmp_path / "feeder.toml").write_text(FEEDER)
    for name, branch in (("mill-lane", None), ("school", None), ("gate", None), ("ada", "north")):
        fields: dict[str, object] = {"name": name, "addresses": ("/ip4/127.0.0.1/tcp/9400",)}
        init_node(
            tmp_path / name, fields | ({"branch": branch} if branch else {}), validator=True, passphrase=None
        )
    cards = [tmp_path / name / "member.toml" for name in ("mill-lane", "school")]
    init(tmp_path / "district", *cards, feeder=tmp_path / "feeder.toml", gate_lead_s=600, first_interval=9)
    return tmp_path


def found(files: Path, **options: object) -> Genesis:
    cards = [files / name / "member.toml" for name in ("gate", "ada")]
    above: dict[str, Any] = {
        "parent": files / "district" / "genesis.cbor",
        "gateway": "gate",
        "gateway_above": "mill-lane",
    }
    terms: dict[str, Any] = {"gate_lead_s": 200, **{key: options[key] for key in options if key not in above}}
    over = CellAbove(**above | {key: options[key] for key in options if key in above})
    init(files / "street", *cards, feeder=files / "feeder.toml", first_interval=9, above=over, **terms)
    return Genesis.decode((files / "street" / "genesis.cbor").read_bytes())


def test_a_cell_founded_below_another_knows_its_parent_and_its_gateway(files: Path) -> None:
    parent = Genesis.decode((files / "district" / "genesis.cbor").read_bytes())
    genesis = found(files)
    rule = decode_rules(genesis.application).parent
    assert rule is not None
    assert (rule.cell_id, rule.gate_lead_s) == (parent.cell_id, 600)
    assert rule.gateway == member_id(genesis.members[0].feed_key)
    assert rule.member_above == member_id(parent.members[0].feed_key)


@pytest.mark.parametrize(
    ("options", "mistake"),
    [
        ({"gateway": None}, "--parent: needs --gateway"),
        ({"gateway": "ben"}, "'ben' is not one of the members, which are gate, ada"),
        ({"gateway_above": "ben"}, "'ben' is no member of the parent, which has mill-lane, school"),
        ({"gateway": "ada"}, "must be a member on the root branch"),
        ({"parent": Path("none.cbor")}, "none.cbor"),
        ({"parent": None}, "name the one above with --parent"),
        ({"gate_lead_s": 600}, "must be below 600"),
        ({"interval_s": 1800}, "the parent's intervals have 900 s"),
    ],
)
def test_a_parent_that_does_not_fit_is_refused(files: Path, options: dict[str, object], mistake: str) -> None:
    with pytest.raises(ConfigError, match=mistake):
        found(files, **options)


@pytest.mark.parametrize(
    ("section", "mistake"),
    [
        ('side = "cell"', "needs side, listen, peer and addresses"),
        (f'peer = "{KEY}"', "needs a side"),
        ('side = "above"', "gateway.side"),
        ('listen = "here"', "must be a multiaddress"),
    ],
)
def test_a_gateway_that_is_half_configured_is_refused(files: Path, section: str, mistake: str) -> None:
    path = files / "gate" / "node.toml"
    path.write_text(f'[node]\nname = "gate"\n[gateway]\n{section}\n')
    with pytest.raises(ConfigError) as refused:
        load_config(path)
    assert mistake in "\n".join(refused.value.mistakes)


def test_a_gateway_is_read_with_its_addresses(files: Path) -> None:
    path = files / "gate" / "node.toml"
    place = "/ip4/192.0.2.7/tcp/9500"
    path.write_text(
        f'[node]\nname = "gate"\n[gateway]\nside = "cell"\nlisten = "{place}"\npeer = "{KEY}"\naddresses = "{place}"\n'
    )
    assert load_config(path).gateway.addresses == (place,)

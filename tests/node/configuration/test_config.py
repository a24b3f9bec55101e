"""Configuration: one message per mistake, with the key's path and what is allowed."""

from pathlib import Path

import pytest

from node.configuration.config import Config, clock_path, control_table, load_config, with_clock_file
from node.errors import ConfigError

ADDRESS = "/ip4/192.0.2.7/tcp/9400"


def write(tmp_path: Path, text: str, name: str = "node.toml") -> Path:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return path


def load(tmp_path: Path, text: str) -> Config:
    return load_config(write(tmp_path, text))


def mistakes(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert all(mistake.startswith(str(tmp_path)) for mistake in caught.value.mistakes)
    return [mistake.split(".toml: ", 1)[1] for mistake in caught.value.mistakes]


NODE = '[node]\nname = "home-1"\n'


def test_a_name_is_enough(tmp_path: Path) -> None:
    config = load(tmp_path, NODE)
    assert config.directory == tmp_path
    assert config.genesis_path == tmp_path / "genesis.cbor"
    assert (config.clock.speed, config.network.peers, config.profile_path) == (1, {}, None)


def test_a_node_may_listen_at_one_address_or_several(tmp_path: Path) -> None:
    other = "/ip6/2001:db8::7/tcp/9400"
    one = load(tmp_path, NODE + f'[network]\nlisten = "{ADDRESS}"\n').network
    both = load(
        tmp_path, NODE + f'[network]\nlisten = ["{ADDRESS}", "{other}"]\naddresses = ["{other}"]\n'
    ).network
    assert (one.listen, one.addresses) == ((ADDRESS,), ())
    assert (both.listen, both.addresses) == ((ADDRESS, other), (other,))


def test_paths_are_seen_from_the_file_and_not_from_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    path = write(
        tmp_path, '[node]\nname = "a"\ndata_dir = "data"\ngenesis = "../g.cbor"\n[site]\nprofile = "p.csv"\n'
    )
    monkeypatch.chdir(tmp_path / "elsewhere")
    config = load_config(path)
    assert config.directory == tmp_path / "data"
    assert config.genesis_path == tmp_path.parent / "g.cbor"
    assert config.profile_path == tmp_path / "p.csv"


def test_every_mistake_gets_its_own_message(tmp_path: Path) -> None:
    found = mistakes(
        tmp_path,
        '[node]\nname = ""\ncolour = "red"\n[network]\nlisten = "0.0.0.0:9400"\n[clock]\nspeed = 0\n'
        "[timing]\npropose_real_ms = 5\n[sight]\n",
    )
    assert sorted(message.split(":")[0] for message in found) == [
        "clock.speed",
        "network.listen",
        "node.colour",
        "node.name",
        "sight",
        "timing.propose_real_ms",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            NODE + "size = 3\n",
            "node.size: unknown key; allowed here: name, data_dir, genesis, joins, last_trading_interval",
        ),
        (NODE + "[site]\nders = 3\n", "site.ders: "),
        (NODE + '[clock]\nspeed = "fast"\n', "clock.speed: Input should be a valid integer; found 'fast'"),
        (NODE + "[clock]\nspeed = 200000\n", "less than or equal to 100000; found 200000"),
        (NODE + '[network]\nlisten = "x"\n', "network.listen: must be a multiaddress like /ip4/"),
        (NODE + '[network]\nlisten = ["x"]\n', "network.listen.0: must be a multiaddress like /ip4/"),
        (NODE + "[network]\nlisten = []\n", "network.listen: "),
        (NODE + "[network]\nlisten = 3\n", "network.listen: "),
        (NODE + f"[network]\naddresses = {[ADDRESS] * 9}\n", "network.addresses: "),
        (NODE + '[network.peers]\nb = ["x"]\n', "network.peers.b.0: must be a multiaddress like /ip4/"),
        (NODE + "[timing]\nvote_real_ms = 1\n", "timing.vote_real_ms: "),
        (NODE + "[site]\nimport_limit_w = 0\n", "site.import_limit_w: "),
        ("file = 1\n" + NODE, "file: unknown key; allowed here: node, network, clock, timing, site"),
        ("", "node: is missing"),
        ("[node]\n", "node.name: is missing"),
        ("[node\n", "not valid TOML"),
        (NODE + '[[site.ders]]\nkind = "windmill"\nname = "w"\n', "site.ders"),
    ],
)
def test_a_mistake_names_its_key_and_what_is_allowed(tmp_path: Path, text: str, message: str) -> None:
    (found,) = mistakes(tmp_path, text)
    assert message in found


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="wattswarm node init"):
        load_config(tmp_path / "none.toml")


def test_members_come_from_their_file_and_the_own_table_goes_before_it(tmp_path: Path) -> None:
    write(tmp_path, f'[peers]\na = ["{ADDRESS}"]\nb = ["{ADDRESS}"]\n', "members.toml")
    config = load(
        tmp_path, NODE + '[network]\nmembers = "members.toml"\n[network.peers]\nb = ["/ip4/10.0.0.1/tcp/1"]\n'
    )
    assert config.network.peers == {"a": (ADDRESS,), "b": ("/ip4/10.0.0.1/tcp/1",)}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (None, "no such file; the founder of the cell wrote it"),
        ('[peers]\na = ["nowhere"]\n', "peers.a.0: must be a multiaddress"),
        ("[piers]\n", "piers"),
    ],
)
def test_a_mistake_in_the_members_file_is_told_with_that_file(
    tmp_path: Path, members: str | None, message: str
) -> None:
    if members is not None:
        write(tmp_path, members, "members.toml")
    path = write(tmp_path, NODE + '[network]\nmembers = "members.toml"\n')
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert any(
        mistake.startswith(str(tmp_path / "members.toml")) and message in mistake
        for mistake in caught.value.mistakes
    )


def test_a_clock_file_replaces_the_clock(tmp_path: Path) -> None:
    config = load(tmp_path, NODE + '[clock]\nfile = "clock.toml"\n')
    assert clock_path(config) == tmp_path / "clock.toml"
    write(tmp_path, "start_wall_ns = 5\nepoch_ns = 7\nspeed = 1200\n", "clock.toml")
    clock = with_clock_file(config).clock
    assert (clock.start_wall_ns, clock.epoch_ns, clock.speed) == (5, 7, 1200)


def test_a_mistake_in_the_clock_file_is_told_with_that_file(tmp_path: Path) -> None:
    config = load(tmp_path, NODE + '[clock]\nfile = "clock.toml"\n')
    write(tmp_path, "speed = -1\n", "clock.toml")
    with pytest.raises(ConfigError, match=r"clock\.toml: speed: "):
        with_clock_file(config)


def test_without_a_clock_file_nothing_changes(tmp_path: Path) -> None:
    config = load(tmp_path, NODE)
    assert (clock_path(config), with_clock_file(config)) == (None, config)


def test_control_gets_the_site_the_clock_and_the_interval(tmp_path: Path) -> None:
    config = load(
        tmp_path, NODE + '[site]\nimport_limit_w = 5000.0\nlinger_real_s = 30.0\nprofile = "p.csv"\n'
    )
    table = control_table(config, 900)
    assert table["interval_s"] == 900
    assert table["connection"] == {"minimum_w": -5000.0, "maximum_w": 17_250.0}
    assert (table["linger_s"], table["profile"]) == (30.0, str(tmp_path / "p.csv"))

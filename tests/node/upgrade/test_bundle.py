"""Which release files are taken: each rule of the framework broken once, and every byte of a good one spoilt."""

import io
import runpy
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.signer import CryptoSigner

from node.exit_codes import ExitCode
from node.upgrade.bundle import verified
from node.upgrade.errors import ReleaseRefusedError
from node.upgrade.publishing import make_release, make_root
from node.upgrade.release import Release, may_follow

NOW = datetime.now(UTC).replace(microsecond=0)
LATER = NOW + timedelta(days=30)
KEYS = [CryptoSigner.generate_ed25519() for _ in range(3)]
STRANGER = CryptoSigner.generate_ed25519()
ROOT = make_root(KEYS, 2, LATER)
WHEEL = "wattswarm-0.2.0-py3-none-any.whl"
RELEASE = Release("0.2.0", (1,), (WHEEL,))


def made(
    place: Path,
    signers: list[CryptoSigner] = KEYS[:2],
    number: int = 5,
    expires: datetime = LATER,
    root: bytes = ROOT,
    release: Release = RELEASE,
) -> Path:
    """A release file."""
    place.mkdir(parents=True, exist_ok=True)
    wheel = place / WHEEL
    wheel.write_bytes(b"a wheel")
    target = place / "a.release"
    make_release(target, root, signers, release, [wheel], number=number, expires=expires)
    return target


def taken(file: Path, trusted: Path, root: bytes = ROOT) -> tuple[Release, list[bytes]]:
    """What comes out of a file that is taken."""
    with verified(file, root, trusted) as bundle:
        release = bundle.release()
        return release, [path.read_bytes() for path in bundle.wheels(release)]


def refused(file: Path, trusted: Path, words: str) -> None:
    """Expect a refusal with these words, as a failed check."""
    with pytest.raises(ReleaseRefusedError, match=words) as caught:
        taken(file, trusted)
    assert caught.value.exit_code is ExitCode.FAILED


def test_a_release_signed_by_enough_keys_is_taken_again_and_again(tmp_path: Path) -> None:
    file = made(tmp_path)
    assert taken(file, tmp_path / "trusted") == (RELEASE, [b"a wheel"])
    assert taken(file, tmp_path / "trusted") == (RELEASE, [b"a wheel"])
    assert taken(made(tmp_path / "newer", number=6), tmp_path / "trusted")[0] == RELEASE


@pytest.mark.parametrize("signers", [[], KEYS[:1], [KEYS[0], STRANGER], [KEYS[0], KEYS[0]]])
def test_too_few_of_the_pinned_keys_are_refused(tmp_path: Path, signers: list[CryptoSigner]) -> None:
    if signers == [KEYS[0], KEYS[0]]:
        signers = [KEYS[0]]
    refused(made(tmp_path, signers), tmp_path / "trusted", "not signed by enough of the pinned keys")


def test_an_expired_release_is_refused(tmp_path: Path) -> None:
    refused(made(tmp_path, expires=NOW - timedelta(days=1)), tmp_path / "trusted", "have expired")


def test_keys_of_somebody_elses_root_are_refused(tmp_path: Path) -> None:
    other = [STRANGER, CryptoSigner.generate_ed25519()]
    file = made(tmp_path, other, root=make_root(other, 2, LATER))
    refused(file, tmp_path / "trusted", "not signed by enough")


def test_an_older_release_than_one_that_was_seen_is_refused(tmp_path: Path) -> None:
    taken(made(tmp_path / "new", number=7), tmp_path / "trusted")
    refused(made(tmp_path / "old", number=6), tmp_path / "trusted", "never goes back")


def spoilt(file: Path, name: str, data: bytes | None) -> Path:
    """A copy with one file of the archive replaced, or left out."""
    target = file.with_name("spoilt.release")
    with tarfile.open(file) as old, tarfile.open(target, "w:") as new:
        for entry in old:
            content = old.extractfile(entry)
            assert content is not None
            kept = content.read() if entry.name != name else data
            if kept is not None:
                entry.size = len(kept)
                new.addfile(entry, io.BytesIO(kept))
    return target


def test_a_wheel_that_is_not_the_signed_one_is_refused(tmp_path: Path) -> None:
    file = made(tmp_path)
    refused(spoilt(file, f"targets/{WHEEL}", b"b wheel"), tmp_path / "trusted", "damaged")
    refused(
        spoilt(file, f"targets/{WHEEL}", b"a wheel and more"), tmp_path / "trusted", "damaged|no release file"
    )
    refused(spoilt(file, f"targets/{WHEEL}", None), tmp_path / "trusted", "no release file")
    refused(spoilt(file, "metadata/targets.json", None), tmp_path / "new", "no release file")


def test_what_is_no_release_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    refused(tmp_path / "text", tmp_path / "trusted", "no release file")
    refused(tmp_path / "missing", tmp_path / "trusted", "no such file")
    refused(
        made(tmp_path / "w", release=Release("0.2.0", (1,), ("../x.whl",))),
        tmp_path / "trusted",
        "not describe",
    )


def test_a_key_rotates_when_old_and_new_keys_sign_it(tmp_path: Path) -> None:
    new = [KEYS[0], STRANGER]
    root = make_root([*KEYS, STRANGER], 2, LATER, number=2)
    file = made(tmp_path, new, number=9, root=root)
    assert taken(file, tmp_path / "trusted")[0] == RELEASE
    refused(made(tmp_path / "old", KEYS[1:3], number=8), tmp_path / "trusted", "never goes back")


@pytest.mark.parametrize("running", ["0.2.0", "0.10.0", "1.0"])
def test_a_node_never_goes_back(running: str) -> None:
    with pytest.raises(ReleaseRefusedError, match="never goes back"):
        may_follow(RELEASE, running, (1,))
    may_follow(RELEASE, "0.1.9", (1,))


def test_a_release_that_does_not_speak_the_cells_protocol_is_refused() -> None:
    with pytest.raises(ReleaseRefusedError, match="speaks protocol 2, the cell speaks 1"):
        may_follow(Release("0.2.0", (2,), (WHEEL,)), "0.1.0", (1,))
    may_follow(Release("0.2.0", (1, 2), (WHEEL,)), "0.1.0", (1,))
    with pytest.raises(ReleaseRefusedError, match="speaks protocol 1, the cell speaks 2"):
        may_follow(Release("0.2.0", (1,), (WHEEL,)), "0.1.0", (1, 2))


def test_the_publishers_script_makes_what_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    main = runpy.run_path(str(Path(__file__).parents[3] / "scripts" / "make_release.py"))["main"]
    keys, root, file, wheel = (tmp_path / name for name in ("keys", "root.json", "a.release", WHEEL))
    wheel.write_bytes(b"a wheel")
    for arguments in (
        f"keys {keys} --count 3",
        f"root {keys} --threshold 2 --days 9 --out {root}",
        f"release {keys} --root {root} --version 0.2.0 --days 9 --out {file} {wheel}",
    ):
        monkeypatch.setattr("sys.argv", ["make_release.py", *arguments.split()])
        main()
    assert [path.stat().st_mode & 0o777 for path in keys.iterdir()] == [0o600] * 3
    assert taken(file, tmp_path / "trusted", root.read_bytes()) == (RELEASE, [b"a wheel"])
    (keys / "release-1.pem").unlink()
    main()
    assert taken(file, tmp_path / "trusted", root.read_bytes())[0] == RELEASE
    (keys / "release-2.pem").unlink()
    main()
    with pytest.raises(ReleaseRefusedError, match="not signed by enough"):
        taken(file, tmp_path / "trusted", root.read_bytes())


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whichever_byte_is_spoilt_what_comes_out_is_what_was_signed(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    place = tmp_path_factory.mktemp("spoilt")
    file = made(place)
    content = bytearray(file.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    file.write_bytes(content)
    try:
        assert taken(file, place / "trusted") == (RELEASE, [b"a wheel"])
    except ReleaseRefusedError as fault:
        assert str(file) in str(fault)

"""Shell: `wattswarm market check-certificate`: is a clearing proven, of a file of orders or of a ledger's blocks?"""

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from market.cell import EnergyCell
from market.certificates.certificate import Certificate
from market.certificates.check import check
from market.certificates.json_form import certificate_from_json
from market.certificates.of_blocks import check_block
from market.comparing.source import of_first_node, replay_node
from market.errors import CertificateError, FileError, InputError
from market.feeder_file import read_feeder
from market.orders_file import read_orders
from market.units import kwh_text, money_text

MAX_BYTES = 2**30  # as of a file of orders


def check_certificate_command(
    orders: Path,
    certificate: Path | None = None,
    /,
    *,
    feeder: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Check that a certificate proves a clearing of a file of orders, without clearing them.

    Given a node's or a testnet's directory instead, and no certificate, check every block of its ledger: that
    the certificate whose hash the block carries proves the block's clearing.

    The orders must be those that were cleared, and the feeder the one they were cleared on. Checked are
    balance, fills, limits, money, that nobody trades at a loss, and what the mechanism promises: for uniform
    and pay-as-bid that no other plan is worth more.

    Examples: wattswarm market check-certificate orders.csv certificate.json --feeder feeder.toml
    wattswarm market check-certificate demo-cell

    Exit status: 0 it holds; 1 it does not, or a file has mistakes.

    Parameters
    ----------
    orders
        The CSV file of orders, in the order in which they were cleared; or a directory.
    certificate
        The JSON file that `wattswarm market clear --certificate` wrote; not with a directory.
    feeder
        The TOML file of the feeder, if the orders were cleared on one.
    as_json
        Print one JSON object: holds, reason, mechanism, hash; of a directory holds, reason, blocks with hashes.
    """
    if orders.is_dir():
        if certificate is not None or feeder is not None:
            return _refuse("a directory has its own certificates and feeder; leave them out")
        return _check_blocks(orders, as_json)
    if certificate is None:
        return _refuse(f"{orders}: name the certificate file to check, or a directory with a ledger instead")
    found, reason = _check_file(orders, certificate, feeder)
    if as_json:
        told = {
            "holds": not reason,
            "reason": reason or None,
            "mechanism": None if found is None else found.mechanism.value,
            "hash": None if found is None else found.hash().hex(),
        }
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
    if reason:
        sys.stderr.write(f"{reason}\nThe certificate does not hold.\n")
        return 1
    if found is not None and not as_json:
        sys.stdout.write(
            f"The certificate holds: {found.mechanism.value}, volume {kwh_text(found.volume)} kWh, "
            f"welfare {money_text(found.welfare)}\nhash {found.hash().hex()}\n"
        )
    return 0


def _refuse(reason: str) -> int:
    sys.stderr.write(f"{reason}\nNothing was checked.\n")
    return 1


def _check_blocks(directory: Path, as_json: bool) -> int:
    checked: list[tuple[int, int, str]] = []
    reason = None
    try:
        of_first_node(directory, lambda node: _check_node(node, checked))
    except InputError as error:
        reason = str(error)
    if as_json:
        blocks = [{"height": height, "interval": interval, "hash": sha} for height, interval, sha in checked]
        told = {"holds": reason is None, "reason": reason, "blocks": blocks}
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
    elif reason is None:
        sys.stdout.write(
            f"{len(checked)} blocks, each carries the hash of a certificate that proves its clearing\n"
        )
    if reason is not None:
        sys.stderr.write(f"{reason}\nNot every certificate holds.\n")
        return 1
    return 0


def _check_node(node: Path, checked: list[tuple[int, int, str]]) -> None:
    checked.clear()
    for state, outcomes in replay_node(node, EnergyCell()):
        try:
            certificate = check_block(state.rules, outcomes.clearing)
        except CertificateError as error:
            raise CertificateError(f"{node}: block {outcomes.height}: {error}") from error
        checked.append((outcomes.height, outcomes.clearing.interval, certificate.hash().hex()))


def _check_file(orders: Path, path: Path, feeder: Path | None) -> tuple[Certificate | None, str]:
    """The certificate, if it can be read, and why it does not hold, empty if it does."""
    found: Certificate | None = None
    try:
        tree = None if feeder is None else read_feeder(feeder)
        names = None if tree is None else {branch.name: index for index, branch in enumerate(tree.branches)}
        listed = read_orders(orders, names)
        found = _read(path)
        check(found, listed, tree)
    except FileError as error:
        return found, "\n".join(error.mistakes)
    except CertificateError as error:
        return found, f"{path}: {error}"
    return found, ""


def _read(path: Path) -> Certificate:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CertificateError(f"larger than {MAX_BYTES} bytes")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise CertificateError(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CertificateError("not UTF-8 text") from error
    return certificate_from_json(text)

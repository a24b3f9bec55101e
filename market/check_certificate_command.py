"""Shell: `wattswarm market check-certificate`: does a certificate prove a clearing of these orders?"""

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from market.certificates.certificate import Certificate
from market.certificates.check import check
from market.certificates.json_form import certificate_from_json
from market.errors import CertificateError, FileError, InputError
from market.feeder_file import read_feeder
from market.orders_file import read_orders
from market.units import kwh_text, money_text

MAX_BYTES = 2**30  # as of a file of orders


def check_certificate_command(
    orders: Path,
    certificate: Path,
    /,
    *,
    feeder: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Check that a certificate proves a clearing of a file of orders, without clearing them.

    The orders must be those that were cleared, and the feeder the one they were cleared on. Checked are
    balance, fills, limits, money, that nobody trades at a loss, and what the mechanism promises: for uniform
    and pay-as-bid that no other plan is worth more.

    Example: wattswarm market check-certificate orders.csv certificate.json --feeder feeder.toml

    Exit status: 0 it holds; 1 it does not, or a file has mistakes.

    Parameters
    ----------
    orders
        The CSV file of orders, in the order in which they were cleared.
    certificate
        The JSON file that `wattswarm market clear --certificate` wrote.
    feeder
        The TOML file of the feeder, if the orders were cleared on one.
    as_json
        Print one JSON object: holds, reason, mechanism, hash.
    """
    found: Certificate | None = None
    try:
        tree = None if feeder is None else read_feeder(feeder)
        names = None if tree is None else {branch.name: index for index, branch in enumerate(tree.branches)}
        listed = read_orders(orders, names)
        found = _read(certificate)
        check(found, listed, tree)
    except FileError as error:
        reason = "\n".join(error.mistakes)
    except CertificateError as error:
        reason = f"{certificate}: {error}"
    except InputError as error:
        reason = f"{orders}: {error}"
    else:
        reason = ""
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

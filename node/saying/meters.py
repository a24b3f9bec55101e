"""Shell: what the meters of branches counted, left for the dso's node to say. Energies kWh."""

from ledger.records.genesis import Role
from market.errors import MalformedPayload
from market.payloads import BranchReading, Kind, Reading, encode_meter
from market.units import energy_from_kwh
from node.errors import InputRefusedError
from node.saying.speaking import Speaker, branch_index


def say_meter(said: Speaker, branch: str, contribution: str, consumption: str, interval: int) -> str:
    """Say what went out of a branch (contribution) and into it in an interval; what was left, in words.

    Raises `InputRefusedError` or OSError.
    """
    said.require(Role.DSO, "branches")
    open_ones = said.tip.state.records
    if interval not in open_ones and interval < said.tip.last_interval:
        known = f"those from {min(open_ones)} on can" if open_ones else "there is none that can"
        raise InputRefusedError(f"--interval: readings of {interval} can no longer be corrected; {known}")
    try:
        reading = Reading(energy_from_kwh(contribution), energy_from_kwh(consumption))
        payload = encode_meter(BranchReading(branch_index(said.rules, branch), reading))
    except MalformedPayload as error:
        raise InputRefusedError(str(error)) from error
    said.leave(Kind.METER, interval, payload)
    return f"{branch}, interval {interval}: {contribution} kWh out, {consumption} in."

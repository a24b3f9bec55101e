"""What an emergency of the cell costs and pays: prices of the genesis for intervals in which there is no market price.

Without them the supplier's tariff goes on. Prices are µ/kWh.
"""

from dataclasses import dataclass

from ledger.encoding import Value
from market.rule_fields import fields, integer, within
from market.units import MAX_PRICE

WHERE = "emergency_tariff"


@dataclass(frozen=True, slots=True)
class EmergencyTariff:
    """What a kWh withdrawn costs (import), and what one injected earns (export), import >= export.

    Raises `InvalidRules` naming the field.
    """

    import_price: int
    export_price: int

    def __post_init__(self) -> None:
        within(self.import_price, -MAX_PRICE, MAX_PRICE, f"{WHERE}.import_price")
        within(self.export_price, -MAX_PRICE, self.import_price, f"{WHERE}.export_price")


def emergency_tariff_value(tariff: EmergencyTariff) -> Value:
    """The tariff as a field of the rules of a genesis."""
    return (tariff.import_price, tariff.export_price)


def emergency_tariff_from(value: Value) -> EmergencyTariff:
    """What `emergency_tariff_value` was given. Raises `InvalidRules` naming the field."""
    import_price, export_price = fields(value, 2, WHERE)
    return EmergencyTariff(
        integer(import_price, f"{WHERE}.import_price"), integer(export_price, f"{WHERE}.export_price")
    )

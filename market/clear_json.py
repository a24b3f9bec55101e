"""A clearing as JSON text whose numbers are exact decimals: kWh and prices with six, money with up to twelve.

Python's `json` would write them as binary floats, so the text is composed here. Energies go in as mWh.
"""

import json
from collections.abc import Sequence

from market.clearing import Clearing
from market.feeder import Feeder
from market.json_text import json_list, json_object
from market.orders import Order
from market.units import kwh_text, money_text, price_text


def clearing_json(orders: Sequence[Order], feeder: Feeder, clearing: Clearing) -> str:
    """One JSON object: prices, volume_kwh, welfare, fills, flows, grid_import_kwh, grid_export_kwh.

    On a feeder with fees there is also what they come to, `fees`; on one with losses the energy lost, `losses_kwh`,
    and what the loss account keeps, `loss_money`.
    `orders` ascend by id, as the clearing's fills do; fills are those that got energy. A price is null where
    nothing trades. Ids are texts or integers.
    """
    names = [branch.name for branch in feeder.branches]
    prices = ["null" if price is None else price_text(price) for price in clearing.prices]
    fills = [
        f'{{"id": {json.dumps(orders[place].id)}, "kwh": {kwh_text(int(clearing.fills[place]))}, '
        f'"price": {prices[orders[place].branch]}}}'
        for place in clearing.fills.nonzero()[0].tolist()
    ]
    return json_object(
        {
            "prices": json_object(dict(zip(names, prices, strict=True))),
            "volume_kwh": kwh_text(clearing.volume),
            "welfare": money_text(clearing.welfare),
            "fills": json_list(fills),
            "flows": json_object(dict(zip(names, map(kwh_text, clearing.flows), strict=True))),
            "grid_import_kwh": kwh_text(clearing.grid_import),
            "grid_export_kwh": kwh_text(clearing.grid_export),
        }
        | ({"fees": money_text(clearing.fees)} if feeder.has_fees else {})
        | (
            {"losses_kwh": kwh_text(clearing.losses), "loss_money": money_text(clearing.loss_money)}
            if feeder.has_losses or clearing.losses
            else {}
        )
    )

"""Shell: solves CIGRE's low-voltage residential feeder by pandapower, and writes it as a vector for the tests.

pandapower (BSD-3-Clause) is no dependency of this project; install version 3.5.6 in an environment of its own:

    python scripts/make_feeder_vector.py [--out tests/vectors/feeders/cigre_lv_residential.json]
"""

import argparse
import importlib
import json
import sys
from pathlib import Path
from typing import Any

ROOT_BUS = "Bus R1"


def vector() -> dict[str, Any]:
    """The feeder below its root: each bus with the line that leads to it, what it injects, and its solved voltage."""
    pandapower = importlib.import_module("pandapower")
    networks = importlib.import_module("pandapower.networks")
    net = networks.create_cigre_network_lv()
    pandapower.runpp(net)
    nodes = []
    for bus, name in net.bus["name"].items():
        lines = net.line[net.line["to_bus"] == bus]
        if not name.startswith("Bus R") or name == ROOT_BUS or name == "Bus R0" or lines.empty:
            continue
        line = lines.iloc[0]
        loads = net.load[net.load["bus"] == bus]
        nodes.append(
            {
                "name": name,
                "parent": str(net.bus.at[line["from_bus"], "name"]),
                "r_ohm": float(line["r_ohm_per_km"] * line["length_km"]),
                "x_ohm": float(line["x_ohm_per_km"] * line["length_km"]),
                "p_w": -1e6 * float(loads["p_mw"].sum()),
                "q_var": -1e6 * float(loads["q_mvar"].sum()),
                "voltage_pu": float(net.res_bus.at[bus, "vm_pu"]),
            }
        )
    root = net.bus.index[net.bus["name"] == ROOT_BUS][0]
    return {
        "source": f"pandapower {pandapower.__version__}, create_cigre_network_lv (BSD-3-Clause)",
        "root": ROOT_BUS,
        "nominal_v": 1000 * float(net.bus.at[root, "vn_kv"]),
        "root_voltage_pu": float(net.res_bus.at[root, "vm_pu"]),
        "nodes": nodes,
    }


def main(arguments: list[str]) -> int:
    """The command line: where to write."""
    parser = argparse.ArgumentParser(description="Solve CIGRE's low-voltage feeder by pandapower.")
    parser.add_argument("--out", type=Path, default=Path("tests/vectors/feeders/cigre_lv_residential.json"))
    options = parser.parse_args(arguments)
    options.out.write_text(json.dumps(vector(), indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

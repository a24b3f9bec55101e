"""Real daemons: two members become one virtual battery, trade as one, share it out, and part again."""

import json
import tomllib
from pathlib import Path

import pytest
from cell_of_processes import Cell, ended, found

from ledger.audit.audit import verify_directory
from market.cell import EnergyCell
from market.outcomes import BlockOutcomes, SettlementLine
from node.config_file import config_text
from node.founding import CONFIG_FILE
from node.ledger_view import blocks
from node.saying import virtual_battery
from sim.testnet.layout import DAEMON_LOG
from sim.testnet.processes import Daemon

pytestmark = pytest.mark.processes

"""Shell: `wattswarm devices`: finds, shows and tries devices, says how they respond, and commands them."""

from cyclopts import App

from devices.response.response_command import response_command
from node.cli import device_commands, device_use
from node.cli.device_replay import replay_log
from node.cli.device_tests import add_commands
from node.cli.openadr_command import openadr

app = App(name="devices", help="Find, show, try and command devices; services and their response.")
add_commands(app)
app.command(response_command, name="response")
app.command(replay_log, name="replay")
app.command(openadr)
device_use.add_commands(app)
# By its path, because what it computes with takes a tenth of a second to import.
app.command(
    "node.cli.device_readiness:app",
    name="readiness",
    help="Foresee trouble: fit a model from a record, and see what a node has learned.",
)
device_commands.add_commands(app)

"""Shell: `wattswarm devices`: finds, shows and tries devices, says how they respond, and commands them."""

from cyclopts import App

from devices.response_command import response_command
from node.cli import device_commands
from node.cli.device_readiness import app as readiness
from node.cli.device_replay import replay_log
from node.cli.device_tests import add_commands
from node.cli.openadr_command import openadr

app = App(name="devices", help="Find, show, try and command devices; services and their response.")
add_commands(app)
app.command(response_command, name="response")
app.command(replay_log, name="replay")
app.command(openadr)
app.command(readiness)
device_commands.add_commands(app)

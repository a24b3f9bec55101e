"""Shell: `wattswarm devices`: what devices are asked for, and commands to them."""

from cyclopts import App

from devices.response_command import response_command
from node.cli import device_commands

app = App(name="devices", help="What devices are asked for, and commands to them.")
app.command(response_command, name="response")
device_commands.add_commands(app)

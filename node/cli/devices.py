"""Shell: `wattswarm devices`: what devices are, and what they do when they are asked."""

from cyclopts import App

from node.cli.device_tests import add_commands

app = App(name="devices", help="Find, show and try devices.")
add_commands(app)

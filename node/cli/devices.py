"""Shell: `wattswarm devices`: what devices are asked for."""

from cyclopts import App

from devices.response_command import response_command

app = App(name="devices", help="What devices are asked for: services and their response.")
app.command(response_command, name="response")

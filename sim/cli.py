"""Shell: `wattswarm sim`: worlds to run the cores in."""

from cyclopts import App

from sim.grid.cli import grid

app = App(name="sim", help="Simulate the grid around a cell.")
app.command(grid, name="grid")

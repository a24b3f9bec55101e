"""Shell: `wattswarm sim`: worlds to run the cores in."""

from cyclopts import App

from sim.grid.cli import grid
from sim.seeds.cli import seeds

app = App(
    name="sim", help="Simulate the grid around a cell, and search seeded worlds for what must never happen."
)
app.command(grid, name="grid")
app.command(seeds, name="seeds")

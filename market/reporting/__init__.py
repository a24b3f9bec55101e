"""Reports: what the blocks of a cell say about prices, energy and money, as tables, a page, files and SQL."""

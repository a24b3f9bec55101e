"""Who belongs to the cell, who is about to, and who has convicted itself."""

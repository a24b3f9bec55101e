"""What a control process is told at its start, and what its devices fall back to. Pure: one message per mistake."""

"""What daemon and control process say to each other, and how it is framed."""

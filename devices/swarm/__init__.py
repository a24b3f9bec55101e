"""Many members as one: shares of a request without a coordinator, virtual batteries, and borrowing."""

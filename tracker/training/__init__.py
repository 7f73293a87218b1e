"""Networks, their training, and what comes of it."""

"""Which runs bear most on what is open, and the commands that train them."""

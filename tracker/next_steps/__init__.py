"""Which runs would settle what is open, and the commands that train them."""

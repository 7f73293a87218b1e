"""What the runs bear out: each conclusion as data with its verdict and evidence, then as a sentence."""

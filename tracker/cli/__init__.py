"""The command line: owns standard output, standard error and the exit status."""

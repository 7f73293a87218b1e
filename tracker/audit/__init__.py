"""What is wrong with a data set before anything is trained on it, decided from what was measured of its clips."""

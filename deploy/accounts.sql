-- Run once, when PostgreSQL makes its data folder: the second database, for MLflow's accounts.
CREATE DATABASE accounts OWNER mlflow;

# Starts MLflow's server. Accounts are kept in a database of their own beside the runs'.
set -eu
cat > /tmp/auth.ini <<END
[mlflow]
default_permission = READ
database_uri = postgresql+psycopg2://mlflow:${POSTGRES_PASSWORD}@${POSTGRES_HOST:-db}/accounts
admin_username = ${ADMIN_USERNAME:-admin}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
END
export MLFLOW_AUTH_CONFIG_PATH=/tmp/auth.ini
exec mlflow server --host 0.0.0.0 --port "${PORT:-5000}" --app-name basic-auth --workers 4 \
  --backend-store-uri "postgresql+psycopg2://mlflow:${POSTGRES_PASSWORD}@${POSTGRES_HOST:-db}/mlflow" \
  --artifacts-destination s3://runs/artifacts --serve-artifacts

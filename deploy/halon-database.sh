#!/bin/sh
# Halon's own role and database beside Temporal's, in the PostgreSQL that PGHOST, PGUSER and PGPASSWORD name. Doing it
# again changes nothing but the password, which is the one of the file then.
set -eu
HALON_PASSWORD=$(cat "${HALON_PASSWORD_FILE:-/run/secrets/store_password}")
export HALON_PASSWORD
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --dbname postgres <<'SQL'
\getenv password HALON_PASSWORD
SELECT 'CREATE ROLE halon LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'halon') \gexec
ALTER ROLE halon PASSWORD :'password';
SELECT 'CREATE DATABASE halon OWNER halon' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'halon') \gexec
REVOKE ALL ON DATABASE halon FROM PUBLIC;
SQL

"""Write `rebuild.sh`: the commands that rebuild a server from the files of a restore, in order, stopping at an error.

The head is fixed text; what is special to one restore are the calls at the end, so that a reader sees each command
with its names. It runs on bash 3.2 (macOS) and needs only psql, pg_restore and sha256sum or shasum.
"""

import shlex
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCheck:
    """A file that must be there; `sha256` is checked when it is known."""

    name: str
    size_bytes: int
    sha256: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseStep:
    """One database to restore; `number` names its files in the kit."""

    number: str
    name: str
    file: str


def write_script(
    *, title: str, oldest_major: int, files: tuple[FileCheck, ...], databases: tuple[DatabaseStep, ...], has_roles: bool
) -> str:
    """Return the script's text. Bytes of names that no encoding explains are kept as surrogates.

    Args:
        title: One line that says what is rebuilt.
        oldest_major: The oldest PostgreSQL version that takes these dumps.
        files: Checked before anything is written to the server.
        databases: In the order of their restore.
        has_roles: Whether the kit holds a roles script.
    """
    calls = [f"check_file {_words(file.name, str(file.size_bytes), file.sha256 or '-')}" for file in files]
    calls += [f"check_server {oldest_major}", "check_target"]
    if has_roles:
        calls.append("create_roles")
    calls += [
        f"restore_database {_words(step.number, connection_string(step.name), step.name, step.file)}"
        for step in databases
    ]
    if has_roles:
        calls.append("return_roles")
    comment = " ".join(title.split())
    return _HEAD.replace("@TITLE@", comment) + "\n".join(calls) + _TAIL


def connection_string(database: str) -> str:
    """Name a database so that libpq takes it whole: a bare `dbname=postgres` would be read as a connection string."""
    escaped = database.replace("\\", "\\\\").replace("'", "\\'")
    return f"dbname='{escaped}'"


def _words(*arguments: str) -> str:
    return " ".join(shlex.quote(argument) for argument in arguments)


_HEAD = r"""#!/usr/bin/env bash
# @TITLE@
#
#   PGHOST=... PGPORT=... PGUSER=... PGPASSWORD=... bash rebuild.sh [FOLDER OF THE FILES]
#
# README.md says what this does and what it cannot do. It stops at the first error and never touches a database that
# exists. REBUILD_JOBS: parallel jobs per database. REBUILD_EXISTING_ROLES=update: roles of the backup that the server
# has already are not refused but get the backup's attributes.
set -euo pipefail
export LC_ALL=C PGCLIENTENCODING=UTF8 PGDATABASE=postgres PGAPPNAME=flexvault-rebuild
# A database or role may be set to read only or to a short time limit; the restore must not obey that.
export PGOPTIONS="${PGOPTIONS:-} -c default_transaction_read_only=off -c statement_timeout=0 -c lock_timeout=0"

kit="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)"
files="${1:-$(dirname -- "$kit")}"
files="$(CDPATH='' cd -- "$files" && pwd)"
jobs="${REBUILD_JOBS:-2}"
existing_roles="${REBUILD_EXISTING_ROLES:-refuse}"

say() { printf '%s\n' "$*"; }
fail() { printf 'rebuild stopped: %s\n' "$*" >&2; exit 1; }
run_sql() { psql --no-psqlrc --quiet --no-password --set ON_ERROR_STOP=1 "$@"; }
ask() { run_sql --tuples-only --no-align --command "$1"; }
major_of() { "$1" --version | sed 's/^[^0-9]*\([0-9][0-9]*\).*/\1/'; }

check_file() {  # name, size in bytes, SHA-256 or -
  local path="$files/$1" size sum
  [ -f "$path" ] || fail "file is missing: $path"
  size="$(wc -c <"$path" | tr -d ' ')"
  [ "$size" = "$2" ] || fail "file has $size bytes instead of $2, download it again: $path"
  [ "$3" != - ] || return 0
  if command -v sha256sum >/dev/null; then sum="$(sha256sum <"$path")"; else sum="$(shasum -a 256 <"$path")"; fi
  [ "${sum%% *}" = "$3" ] || fail "file has another SHA-256 than the backup, download it again: $path"
}

check_server() {  # oldest major version that takes the dumps
  local program number
  for program in psql pg_restore; do
    command -v "$program" >/dev/null || fail "$program is not on the PATH; install the PostgreSQL client"
  done
  number="$(ask 'SHOW server_version_num')"
  server_major=$((number / 10000))
  [ "$server_major" -ge "$1" ] || fail "the server runs PostgreSQL $server_major, the backup needs $1 or newer"
  for program in psql pg_restore; do
    [ "$(major_of "$program")" = "$server_major" ] ||
      fail "$program is of version $(major_of "$program"); use the client of the server's version $server_major"
  done
  superuser="$(ask 'SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user')"
}

check_target() {
  local problems
  problems="$(run_sql --tuples-only --no-align --set "existing_roles=$existing_roles" --file "$kit/checks.sql")"
  [ -z "$problems" ] || fail "the server is not ready, nothing was changed:
$problems"
}

create_roles() {
  local script="$kit/roles.sql"
  if [ "$superuser" = t ]; then script="$kit/roles-superuser.sql"
  elif [ "$server_major" -lt 16 ]; then script="$kit/roles-15-and-older.sql"
  fi
  say "roles: $(basename -- "$script")"
  run_sql --single-transaction --output /dev/null --file "$script"
  if [ "$superuser" != t ] && [ "$server_major" -lt 16 ]; then
    run_sql --single-transaction --file "$kit/owners-borrow.sql"
  fi
}

return_roles() {
  if [ "$superuser" != t ] && [ "$server_major" -lt 16 ]; then
    run_sql --single-transaction --file "$kit/owners-return.sql"
  fi
}

restore_objects() {  # file, connection string, list, further options of pg_restore
  local file="$files/$1" connection="$2" list="$3"
  shift 3
  pg_restore --exit-on-error --no-password --no-tablespaces "$@" \
    --use-list "$kit/databases/$list" --dbname "$connection" "$file"
}

restore_database() {  # number, connection string, name, file
  local section list="$1.list"
  say "database $3: create"
  run_sql --file "$kit/databases/$1.create.sql"
  if [ "$superuser" != t ]; then
    # Without superuser an object goes only to an owner who may create in its schema; rights of schemas come last.
    list="$1.managed.list"
    restore_objects "$4" "$2" "$1.managed.schemas.list"
    run_sql --dbname "$2" --file "$kit/databases/$1.managed.lend.sql"
  fi
  for section in pre-data data post-data; do
    say "database $3: $section"
    restore_objects "$4" "$2" "$list" --jobs "$jobs" --section "$section"
  done
  if [ "$superuser" != t ]; then
    run_sql --dbname "$2" --file "$kit/databases/$1.managed.return.sql"
    restore_objects "$4" "$2" "$1.managed.rights.list"
  fi
  say "database $3: statistics, settings and grants"
  run_sql --dbname "$2" --command 'SET client_min_messages = error' --command 'ANALYZE'
  run_sql --file "$kit/databases/$1.after.sql"
}

"""

_TAIL = """
say 'rebuild complete'
"""

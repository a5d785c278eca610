"""Write the page that lies beside the rebuild kit, for a person at three in the morning."""

import re
from typing import Final

from flexvault.domain.sql_text import one_line
from flexvault.kit.facts import KitFacts
from flexvault.kit.known_errors import KNOWN_ERRORS


def write_readme(facts: KitFacts) -> str:
    """Say in plain words what to run, in which order, what the files do not hold, and how to go on after a stop."""
    verification = facts.verification
    verified = (
        f"deep verification {verification.number} of {verification.completed_at}: {verification.verdict}"
        if verification
        else f"its deep verification is not used: {_shown(facts.notice)}"
        if facts.notice
        else "never deeply verified: `compare` counts the rows of the files itself"
    )
    return _PAGE.format(
        server=_shown(facts.server_name),
        version=_shown(facts.server_version),
        point=_shown(facts.recovery_point_id),
        time=_shown(facts.recovery_point_time),
        verified=verified,
        files="\n".join(_files(facts)),
        errors="\n".join(
            f"- {', '.join(sorted(kind.lower() for kind in known.kinds))}: {known.reason}." for known in KNOWN_ERRORS
        ),
    )


def _files(facts: KitFacts) -> list[str]:
    lines = [
        f"- {_code(file.name)}: {f'database {_code(file.database)}' if file.database else file.kind}, "
        f"{file.size_bytes} bytes"
        for file in facts.files
    ]
    return lines + [f"- database {_code(name)}: **not in this restore**" for name in facts.left_out]


def _code(text: str) -> str:
    """Show a name in one line as Markdown code, whatever characters it has."""
    shown = _shown(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    return f"{fence} {shown} {fence}" if "`" in shown else f"`{shown}`"


def _shown(text: str) -> str:
    return one_line(text)


_PAGE: Final = """# Rebuild of {server}

Recovery point `{point}` of {time}, PostgreSQL {version}; {verified}.

## What to do

You need Python 3.12 or newer (where `python3` is older, call a newer one by its name, such as `python3.12`), nothing
else to install for it, and PostgreSQL's client
(`psql`, `pg_restore`, `pg_dump`, `pg_dumpall`) of the **new server's** major version, first on the `PATH`.

1. Create a new, empty server of the same or a newer PostgreSQL version. Never use the source server: the
   kit refuses it, unless `--allow-source` says that it is to restore beside the living databases.
2. Download all files of this restore into one folder, this folder among them.
3. Say where the new server is, as its administrator:

   ```
   export PGHOST=... PGPORT=5432 PGUSER=... PGPASSWORD=... PGSSLMODE=require
   ```

4. `python3 rebuild.pyz check` changes nothing. It walks every file and says all that is in the way, each with what to
   do: extensions to allow, libraries to preload, databases that exist, roles that exist and differ, locales, rights.
   Do that, and check again.
5. `python3 rebuild.pyz restore --jobs 4` checks again, then makes the roles (in one transaction), then database by
   database. Nothing is ever added to a database that exists.
6. Read the table at its end, or `rebuild-report.txt` beside the files: each object that is not simply restored, and
   why (states below).
7. `python3 rebuild.pyz compare` proves it: rows, definitions, owners, rights, settings, roles. Its last line says
   `all equal`, or how many differences there are, and how many of them the table of the restore has named.
8. Set passwords of roles (below), then let applications in.

States: `restored`, with a reason where something is to be known; `refreshed`: computed anew; `left out`: on purpose,
or unfinished; `refused`: the server does not take it, or what it needs; `lost`: what no such server takes; `ask`: yours
to decide. Exit status: 0 done, and for `compare` all equal; 1 stopped, or something differs or is not proven; 2 wrong
usage.

## When it stops

It stops at the first error that is not listed below, and says which object and what to do. Mend that, then **run the
same command again**. It goes on: databases that are done stay, one whose data was being loaded goes on with the
tables that are not in, another one that this kit had begun is dropped and made anew. That holds after `kill -9`, a
lost connection, a restart of either machine. What it knows lies in a database `flexvault_rebuild` of the new
server, which is gone when nothing is unfinished: a database that was begun and is not chosen this time is named at
the end, with the command that goes on with it. Two rebuilds never work on one server at once. A database that this
kit did not make is never touched. To begin from nothing: drop the databases that it made, and that one.

- A function does not find a table or another function: it needs a search_path that is not its database's:
  `--search-path DATABASE 'app, public'`.
- An extension cannot be had: `--without-extension NAME` leaves it out with everything that needs it, all listed.
- A role exists already and differs from the backup's: `--existing-roles update` gives it the backup's attributes,
  `--keep-role NAME` leaves it, and memberships in it, as they are.

## Only a part

`--database NAME`, `--schema DATABASE SCHEMA`, `--table DATABASE SCHEMA TABLE` restore only these, `--into OTHER` into
a new database of another name. What belongs to a chosen table and needs another one, such as a foreign key, is listed
as left out; views come with their schema. Give `compare` the same choices. Names are whole and exact.
`python3 rebuild.pyz show` says what the files hold and `show --database NAME` lists it by name; neither needs a server.

## What is not in the files

- **Server parameters, firewall rules, private endpoints, tags, Microsoft Entra administrators.** They belong to the
  Azure resource.
- **Passwords of roles**, unless a superuser took the roles file: then it holds their verifiers, which are left out
  unless you say `--with-passwords`. Else set new ones: `ALTER ROLE name PASSWORD '...'`.
- **Scheduled jobs** (pg_cron) are listed and not scheduled. **Subscriptions** are left out (`--with-subscriptions`
  makes them, disabled). **Security labels** are left out. **Tablespaces**: all objects go to the default one.
- **Databases `postgres`, `azure_maintenance`, `azure_sys`**: every server has its own; what people made in them is
  listed.
- **Replication slots**: they begin anew. **Statistics**: the kit gathers them itself, by ANALYZE of each database.
- **The contents of materialized views** are computed again from the restored tables, so they may differ from the
  source's.

Without superuser (every flexible server) the administrator stays a member of the roles that it created on PostgreSQL
16 or newer: revoke what you do not want. Foreign servers and user mappings may hold passwords of other servers: the
table names them.

## Errors behind which it goes on

Each such object stands as `refused` in the table, with what depends on it. `rebuild.pyz show --known-errors` has the
exact messages.

{errors}

## Files

{files}
"""

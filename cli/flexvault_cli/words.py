"""The words and options of the command line."""

import argparse
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from flexvault_cli import __version__
from flexvault_cli.api import VaultApi
from flexvault_cli.commands import (
    applying,
    approvals,
    breaker,
    doctor,
    holds,
    instances,
    jobs,
    journal,
    points,
    poisoning,
    policies,
    previews,
    runs,
    vault,
    verification,
)
from flexvault_cli.connection import VARIABLES

type Command = Callable[[VaultApi, argparse.Namespace], int | None]
"""Answers an exit status of its own, or nothing when it is done."""

PEOPLE = ("reader", "operator", "contributor", "approver")
IMMUTABILITY = ("Disabled", "Unlocked", "Locked")
SOFT_DELETE = ("Off", "On", "AlwaysOn")
STATES = ("Pending", "Approved", "Rejected", "Expired", "Used", "Void")
INSTANCE_HELP = "name of the backup instance, or of its server"
POINT_HELP = "the recovery point's id"
DATE_HELP = "a date (its midnight in UTC), or a time such as 2026-01-01T02:00:00Z"
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class Actions(Protocol):
    """Where sub-commands are added; argparse has no public name for it."""

    def add_parser(self, name: str, **options: Any) -> argparse.ArgumentParser: ...


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="flexvault",
        parents=[_common_options()],
        description="Policies, protection, backups and restores of a flexvault vault.",
        epilog=f"Without --endpoints the vault is named by {', '.join(VARIABLES)}.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.set_defaults(endpoints=None, person="operator", output="table")
    nouns = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, summary, fill in (
        ("vault", "the vault itself", _fill_vault),
        ("policy", "schedules and retention", _fill_policy),
        ("instance", "protected servers", _fill_instance),
        ("job", "what ran and what is running", _fill_job),
        ("point", "recovery points", _fill_point),
        ("hold", "legal holds, under which nothing is deleted", _fill_hold),
        ("approval", "critical changes that wait for a second person", _fill_approval),
        ("breaker", "what stops retention when it would delete too much", _fill_breaker),
    ):
        noun = nouns.add_parser(name, help=summary)
        fill(noun.add_subparsers(required=True, metavar="ACTION"))
    _fill_runs(nouns)
    _fill_apply(nouns)
    _fill_doctor(nouns)
    _fill_journal(nouns)
    return parser


def _common_options() -> argparse.ArgumentParser:
    """Make the options that may stand before or after the command's words."""
    options = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    options.add_argument("--endpoints", metavar="FILE", help="a local cloud's file, such as .local/endpoints.json")
    options.add_argument("--as", dest="person", choices=PEOPLE, help="whose token of that file (operator)")
    options.add_argument("--output", choices=("table", "json"), help="how answers are shown (table)")
    return options


def _add(actions: Actions, name: str, command: Command) -> argparse.ArgumentParser:
    summary = (command.__doc__ or "").strip()
    parser = actions.add_parser(name, help=summary, description=summary, parents=[_common_options()])
    parser.set_defaults(run=command)
    return parser


def _add_for_instance(actions: Actions, name: str, command: Command) -> argparse.ArgumentParser:
    parser = _add(actions, name, command)
    parser.add_argument("instance", help=INSTANCE_HELP)
    return parser


def _add_reason(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", metavar="TEXT", help="why, for the journal")


def _add_wait(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--wait", action="store_true", help="wait until the job has ended; exit 1 if it failed")


def _add_databases(parser: argparse.ArgumentParser, what: str) -> None:
    text = f"exact name of a database {what}; may be repeated"
    parser.add_argument("--database", action="append", metavar="NAME", help=text)


def _fill_vault(actions: Actions) -> None:
    _add(actions, "show", vault.show_vault)
    revoked = _add(actions, "revoke-keys", vault.revoke_keys)
    revoked.add_argument("--account", choices=("landing", "vault"), default="landing", help="whose SAS (landing)")
    revoked.add_argument("--reason", required=True, metavar="TEXT", help="why, for the journal")
    _add(actions, "isolation", vault.show_isolation)
    verified = _add(actions, "verify", verification.verify_vault)
    verified.add_argument("--deep", action="store_true", help="read every block, too, and compute its checksum")
    verified.add_argument("--instance", metavar="NAME", help=f"only this one: {INSTANCE_HELP}")
    changed = _add(actions, "set", vault.set_vault)
    changed.add_argument("--immutability", type=str.capitalize, choices=IMMUTABILITY)
    changed.add_argument("--soft-delete", choices=SOFT_DELETE, help="whether a deleted instance can be undeleted")
    changed.add_argument("--soft-delete-days", type=int, metavar="DAYS", help="and for how long: 14 to 180")
    changed.add_argument("--yes", action="store_true", help="needed for Locked and AlwaysOn, which stay for ever")
    guard = _add(actions, "guard", vault.guard_vault)
    guard.add_argument("state", nargs="?", choices=("on", "off"), help="how it shall be (shown without it)")


def _fill_policy(actions: Actions) -> None:
    _add(actions, "list", policies.list_policies)
    _add(actions, "show", policies.show_policy).add_argument("name")
    changed = _add(actions, "set", policies.set_policy)
    changed.add_argument("file", help="JSON: a policy resource, or its properties alone")
    changed.add_argument("--name", help="the policy's name (the file's member name, else the file's own name)")
    _add(actions, "delete", policies.delete_policy).add_argument("name")
    simulated = _add(actions, "simulate", policies.simulate_policy)
    simulated.add_argument("policy", metavar="FILE", help="JSON as for policy set, or the name of the vault's policy")
    simulated.add_argument("--from", dest="begin", required=True, type=_moment, metavar="DATE", help=DATE_HELP)
    end = simulated.add_mutually_exclusive_group(required=True)
    end.add_argument("--years", type=int, metavar="N")
    end.add_argument("--until", type=_moment, metavar="DATE", help=DATE_HELP)
    simulated.add_argument("--failures", type=_dates, metavar="DATE,...", help="days on which every backup fails")
    simulated.add_argument("--size", type=int, metavar="BYTES", help="size of the server at the begin")
    simulated.add_argument("--growth", type=float, metavar="SHARE", help="of the size in a year: 0.2 is 20 %%")


def _fill_instance(actions: Actions) -> None:
    _add(actions, "list", instances.list_instances)
    _add_for_instance(actions, "show", instances.show_instance)
    protected = _add(actions, "protect", instances.protect_server)
    protected.add_argument(
        "server_id", metavar="SERVER_ID", help="resource id of the server (of a local cloud: its name)"
    )
    protected.add_argument("--policy", required=True, help="name of the policy")
    protected.add_argument("--name", help="the instance's name (derived from the server)")
    stopped = _add_for_instance(actions, "stop", instances.stop_instance)
    stopped.add_argument(
        "--keep",
        choices=tuple(instances.STOPPING),
        default="forever",
        help="how long recovery points stay (forever); as-policy: until they expire, but for the newest good one",
    )
    _add_for_instance(actions, "resume", instances.resume_instance)
    _add_for_instance(actions, "delete", instances.delete_instance)
    _add(actions, "deleted", instances.list_deleted)
    _add_for_instance(actions, "undelete", instances.undelete_instance)
    _add_for_instance(actions, "schedule", instances.show_schedule)
    previewed = _add_for_instance(actions, "preview", previews.preview_instance)
    previewed.add_argument("--policy", metavar="FILE|NAME", help="compare with this policy: JSON, or the vault's own")
    previewed.add_argument("--until", type=_moment, metavar="DATE", help=DATE_HELP)
    _add_for_instance(actions, "poisoning", poisoning.show_poisoning)
    known = _add_for_instance(actions, "acknowledge", poisoning.acknowledge_poisoning)
    known.add_argument("--reason", required=True, metavar="TEXT", help="why the data may be gone, for the journal")
    reevaluated = _add_for_instance(actions, "reevaluate", previews.reevaluate_instance)
    reevaluated.add_argument("--preview", required=True, metavar="HASH", help="what instance preview printed")


def _fill_job(actions: Actions) -> None:
    _add(actions, "list", jobs.list_jobs)
    shown = _add(actions, "show", jobs.show_job)
    shown.add_argument("job", help="the job's id")
    _add_wait(shown)


def _fill_point(actions: Actions) -> None:
    _add_for_instance(actions, "list", points.list_points)
    shown = _add_for_instance(actions, "show", points.show_point)
    shown.add_argument("point", help=POINT_HELP)
    listed = _add_for_instance(actions, "contents", points.show_contents)
    listed.add_argument("point", help=POINT_HELP)
    listed.add_argument("--database", metavar="NAME", help="only this one: its exact name")
    listed.add_argument("--schema", metavar="NAME", help="only what lies in this schema: its exact name")
    listed.add_argument("--kind", metavar="KIND", help="only objects of this kind, such as table")
    fetched = _add_for_instance(actions, "kit", points.fetch_kit)
    fetched.add_argument("point", help=POINT_HELP)
    fetched.add_argument("--prefix", required=True, help="what the restored files' names begin with")
    _add_databases(fetched, "that was restored, if not all were")
    fetched.add_argument("--folder", default=".", metavar="FOLDER", help="where the restored files are, or will be (.)")
    verified = _add_for_instance(actions, "verify", points.verify_point)
    verified.add_argument("point", help=POINT_HELP)
    _add_wait(verified)
    found = _add_for_instance(actions, "verification", points.show_verification)
    found.add_argument("point", help=POINT_HELP)


def _fill_hold(actions: Actions) -> None:
    _add_for_instance(actions, "list", holds.list_holds)
    placed = _add_for_instance(actions, "place", holds.place_hold)
    placed.add_argument("name", help="of the hold, such as the reference of the case")
    placed.add_argument("--reason", required=True, metavar="TEXT", help="why, for the journal")
    placed.add_argument("--point", metavar="ID", help="the only recovery point to hold (all of the instance)")
    _add_for_instance(actions, "release", holds.release_hold).add_argument("name", help="of the hold")


def _fill_approval(actions: Actions) -> None:
    listed = _add(actions, "list", approvals.list_approvals)
    listed.add_argument("--state", type=str.capitalize, choices=STATES, help="only these; Pending waits for a decision")
    _add(actions, "show", approvals.show_approval).add_argument("approval", metavar="ID")
    for name, command in (("approve", approvals.approve), ("reject", approvals.reject)):
        decided = _add(actions, name, command)
        decided.add_argument("approval", metavar="ID")
        _add_reason(decided)


def _fill_breaker(actions: Actions) -> None:
    _add(actions, "show", breaker.show_breaker)
    _add_reason(_add(actions, "release", breaker.release_breaker))


def _fill_runs(nouns: Actions) -> None:
    backup = _add_for_instance(nouns, "backup", runs.back_up)
    backup.add_argument("--rule", help="the policy's backup rule (its only one)")
    backup.add_argument("--tag", help="the retention tag to use instead of the policy's choice")
    _add_wait(backup)
    restored = _add_for_instance(nouns, "restore", runs.restore)
    restored.add_argument("point", help=POINT_HELP)
    restored.add_argument("--container", required=True, metavar="URL", help="URL of the container to restore into")
    restored.add_argument("--prefix", required=True, help="what every restored file's name begins with")
    restored.add_argument("--container-id", metavar="ID", help="resource id of the container or its account")
    _add_databases(restored, "to restore (all)")
    restored.add_argument("--check", action="store_true", help="only check it and show what it would do")
    _add_wait(restored)


def _fill_apply(nouns: Actions) -> None:
    applied = _add(nouns, "apply", applying.apply_folder)
    applied.add_argument("folder", metavar="FOLDER", help="it holds policies/*.json and instances/*.json")
    applied.add_argument(
        "--dry-run", action="store_true", help="only show what would be done; exit 3 if that is something"
    )


def _fill_doctor(nouns: Actions) -> None:
    asked = _add(nouns, "doctor", doctor.ask_doctor)
    whose = asked.add_mutually_exclusive_group()
    whose.add_argument("--server", metavar="ID", help="any server: its resource id (of a local cloud: its name)")
    whose.add_argument("--instance", metavar="NAME", help=INSTANCE_HELP)
    whose.add_argument("--now", action="store_true", help="ask for all protected servers now (as the last night found)")
    asked.add_argument("--sql", action="store_true", help="show the SQL for what only PostgreSQL knows, too")


def _fill_journal(nouns: Actions) -> None:
    asked = _add(nouns, "journal", journal.list_journal)
    asked.add_argument("--instance", metavar="NAME", help=f"its own stream: {INSTANCE_HELP}")
    asked.add_argument("--type", metavar="T", help="only entries of this type, such as PolicyChanged")
    asked.add_argument("--limit", type=_limit, default=50, metavar="N", help="show at most so many entries (50)")


def _limit(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        message = f"'{text}' is no number of entries: 1 or more"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _moment(text: str) -> str:
    """Read a date or a time as the vault wants it."""
    told = f"{text}T00:00:00Z" if _DATE.fullmatch(text) else text
    try:
        has_offset = datetime.fromisoformat(told).tzinfo is not None
    except ValueError:
        has_offset = False
    if not has_offset:
        message = f"'{text}' is no date such as 2026-01-31, nor a time with an offset such as 2026-01-31T02:00:00Z"
        raise argparse.ArgumentTypeError(message)
    return told


def _dates(text: str) -> list[str]:
    """Read dates between commas; the vault says which one is none."""
    return [date.strip() for date in text.split(",")]

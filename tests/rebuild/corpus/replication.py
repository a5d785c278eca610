"""What must not act by itself after a restore: publications, subscriptions, event triggers, foreign servers."""

from tests.rebuild.corpus.model import Check, Database, Source

PUBLISHED, FOREIGN, EVENTS = "published", "foreign", "events"
SECRET = "not-a-real-secret-but-must-not-be-printed"

_ROLES = "CREATE ROLE rep_owner LOGIN; CREATE ROLE rep_user LOGIN;"
_PUBLISHED = """
CREATE TABLE public.sent (id int PRIMARY KEY, v text, hidden text);
CREATE TABLE public.also (id int PRIMARY KEY);
INSERT INTO public.sent SELECT n, 'v', 'h' FROM generate_series(1, 15) AS n;
CREATE PUBLICATION chosen FOR TABLE public.sent (id, v) WHERE (id > 5), public.also WITH (publish = 'insert, update');
"""
_PUBLISHED_SUPERUSER = f"""
ALTER PUBLICATION chosen OWNER TO rep_owner;
CREATE PUBLICATION "all of \\! it" FOR ALL TABLES WITH (publish_via_partition_root = true);
CREATE PUBLICATION of_schema FOR TABLES IN SCHEMA public;
CREATE SUBSCRIPTION "sub \\! touch" CONNECTION 'host=nowhere.invalid user=x password={SECRET}'
    PUBLICATION one WITH (connect = false, slot_name = 'slot_one');
"""
_FOREIGN = f"""
CREATE FOREIGN DATA WRAPPER dummy OPTIONS (debug 'yes');
CREATE SERVER "far \\! away" TYPE 'x' VERSION '1' FOREIGN DATA WRAPPER dummy OPTIONS (host 'nowhere.invalid');
ALTER SERVER "far \\! away" OWNER TO rep_owner;
GRANT USAGE ON FOREIGN SERVER "far \\! away" TO rep_user;
CREATE USER MAPPING FOR rep_user SERVER "far \\! away" OPTIONS (user 'x', password '{SECRET}');
CREATE USER MAPPING FOR PUBLIC SERVER "far \\! away" OPTIONS (password '{SECRET}');
CREATE FOREIGN TABLE public.far (id int OPTIONS (name 'x'), v text) SERVER "far \\! away" OPTIONS (tab 'le');
CREATE TABLE public.near AS SELECT generate_series(1, 9) AS n;
"""
_EVENTS = """
CREATE SCHEMA audit;
CREATE TABLE audit.ddl (tag text);
CREATE FUNCTION audit.log_ddl() RETURNS event_trigger LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO ddl SELECT command_tag FROM pg_event_trigger_ddl_commands(); END $$;
CREATE FUNCTION audit.refuse() RETURNS event_trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'nothing may be made here'; END $$;
CREATE TABLE public.t AS SELECT generate_series(1, 8) AS n;
CREATE INDEX ON public.t (n);
CREATE EVENT TRIGGER audit_ddl ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'CREATE INDEX') EXECUTE FUNCTION audit.log_ddl();
CREATE EVENT TRIGGER audit_off ON sql_drop EXECUTE FUNCTION audit.refuse();
ALTER EVENT TRIGGER audit_off DISABLE;
CREATE EVENT TRIGGER refuse_all ON ddl_command_start EXECUTE FUNCTION audit.refuse();
"""


def _asked(database: str, what: str, sql: str, expected: str, lost: str = "", lost_always: str = "") -> Check:
    return Check(what=what, database=database, sql=sql, expected=expected, lost=lost, lost_always=lost_always)


REPLICATION = Source(
    name="replication",
    roles=_ROLES,
    databases=(
        Database(name=PUBLISHED, sql=_PUBLISHED, as_superuser=_PUBLISHED_SUPERUSER),
        Database(name=FOREIGN, as_superuser=_FOREIGN),
        Database(name=EVENTS, as_superuser=_EVENTS),
    ),
    checks=(
        _asked(
            PUBLISHED,
            "a publication of some tables, with columns and rows",
            """SELECT p.pubname, pubinsert, pubdelete, tablename, attnames, rowfilter FROM pg_publication AS p
                JOIN pg_publication_tables AS t ON t.pubname = p.pubname WHERE p.pubname = 'chosen' ORDER BY tablename""",
            "chosen|t|f|also|{id}|NULL\nchosen|t|f|sent|{id,v}|(id > 5)",
        ),
        _asked(
            PUBLISHED,
            "owner of a publication",
            "SELECT pg_get_userbyid(pubowner) FROM pg_publication WHERE pubname = 'chosen'",
            "rep_owner",
        ),
        _asked(
            PUBLISHED,
            "a publication FOR ALL TABLES",
            "SELECT pubname, pubviaroot FROM pg_publication WHERE puballtables",
            "all of \\! it|t",
            lost="publication … all of \\! it … refused",
        ),
        _asked(
            PUBLISHED,
            "a publication FOR TABLES IN SCHEMA",
            "SELECT count(*) FROM pg_publication_namespace",
            "1",
            lost="of_schema … refused",
        ),
        _asked(
            PUBLISHED,
            "a subscription, whose secret nobody should restore unseen",
            "SELECT subname, subenabled FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())",
            "sub \\! touch|f",
            lost_always="subscription … sub \\! touch … left out",
        ),
        _asked(PUBLISHED, "rows of published tables", "SELECT count(*), count(hidden) FROM sent", "15|15"),
        _asked(
            FOREIGN,
            "a foreign server with owner, options and rights",
            """SELECT srvname, pg_get_userbyid(srvowner), srvtype, srvoptions, has_server_privilege('rep_user', oid, 'USAGE')
                FROM pg_foreign_server""",
            "far \\! away|rep_owner|x|{host=nowhere.invalid}|t",
            lost="server … far \\! away … refused",
        ),
        _asked(
            FOREIGN,
            "a foreign table",
            "SELECT ftoptions FROM pg_foreign_table",
            "{tab=le}",
            lost="table public.far … refused",
        ),
        _asked(
            FOREIGN,
            "user mappings, whose secrets are in the dump",
            "SELECT count(*) FROM pg_user_mappings",
            "2",
            lost="user mapping … far \\! away … refused",
        ),
        _asked(FOREIGN, "rows beside a foreign table", "SELECT count(*) FROM near", "9"),
        _asked(
            EVENTS,
            "event triggers with their state",
            "SELECT evtname, evtenabled, evttags FROM pg_event_trigger ORDER BY 1",
            'audit_ddl|O|{"CREATE TABLE","CREATE INDEX"}\naudit_off|D|NULL\nrefuse_all|O|NULL',
            lost="event trigger audit_ddl … refused",
        ),
        _asked(EVENTS, "no event trigger ran during the restore", "SELECT count(*) FROM audit.ddl", "0"),
        _asked(
            EVENTS,
            "what an event trigger would have refused",
            "SELECT count(*), (SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass) FROM t",
            "8|1",
        ),
    ),
)

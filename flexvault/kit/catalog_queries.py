"""Catalog queries of the comparison with a living source: each returns rows of (name of an object, value as text).

They are no queries of pg_dump: a thing that pg_dump forgets must not be forgotten here too.

Oids, transaction ids and physical facts stay out: they never survive a dump. A missing privilege list counts as the
default one, because pg_dump writes nothing for it, and lists are sorted, because their order says nothing.
"""

from typing import Final, LiteralString

from flexvault.kit.catalog_rights import RELATION_KIND, acl_text, changed_rights, sorted_acl

type Queries = dict[str, LiteralString]
"""Kind of object -> query."""

_USER_SCHEMA = "{schema} NOT IN ('pg_catalog', 'information_schema') AND {schema} NOT LIKE 'pg\\_toast%'"
_OWN = (
    "NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = '{catalog}'::regclass AND d.objid = {oid} "
    "AND d.deptype = 'e')"
)


def _part(name: LiteralString) -> LiteralString:
    """Write a part of a name as `comparison.in_schema` does: the dot behind it then ends it and no other."""
    return f"CASE WHEN {name} ~ '[.]|^\"' THEN quote_ident({name}) ELSE {name} END || '.' || "


_SCHEMA: Final = _part("n.nspname")


def _sorted(options: LiteralString) -> LiteralString:
    """Write options in an order of their own: pg_dump sorts them by name, so theirs does not survive."""
    return f"(SELECT string_agg(item, ' ' ORDER BY item) FROM unnest({options}) AS item)"


def _own(catalog: LiteralString, oid: LiteralString) -> LiteralString:
    """Limit a query to objects of users: not the system's, not those that an extension brings."""
    return f"{_USER_SCHEMA.format(schema='n.nspname')} AND {_OWN.format(catalog=catalog, oid=oid)}"


DATABASES: Final = """
    SELECT json_build_array(datname, datallowconn AND datconnlimit <> -2) FROM pg_database ORDER BY datname"""
"""Name, and whether anybody may connect: -2 is a database whose DROP was interrupted."""

OF_DATABASE: Final = "database properties"

OF_THE_SERVER: Queries = {
    OF_DATABASE: f"""
    SELECT d.datname, concat_ws(' ', 'owner', datdba::regrole, 'encoding', pg_encoding_to_char(encoding),
        'provider', coalesce(to_jsonb(d) ->> 'datlocprovider', 'c'), 'collate', datcollate, 'ctype', datctype, 'locale',
        coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', '-'),
        'icu rules', coalesce(to_jsonb(d) ->> 'daticurules', '-'), 'connection limit', datconnlimit, 'template',
        datistemplate, 'rights', {acl_text("datacl", "'d'", "datdba")}, 'comment',
        coalesce(quote_literal(shobj_description(d.oid, 'pg_database')), 'none'))
    FROM pg_database AS d""",
    "role": """
        SELECT rolname, concat_ws(' ', 'superuser', rolsuper, 'inherit', rolinherit, 'createrole', rolcreaterole,
            'createdb', rolcreatedb, 'login', rolcanlogin, 'replication', rolreplication, 'bypassrls', rolbypassrls,
            'connection limit', rolconnlimit, 'valid until', coalesce(rolvaliduntil, 'infinity'),
            'comment', coalesce(quote_literal(shobj_description(oid, 'pg_authid')), 'none'))
        FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%'""",
    "membership": """
        SELECT m.roleid::regrole || ' to ' || m.member::regrole, ((to_jsonb(m) - '{oid,roleid,member,grantor}'::text[])
            || jsonb_build_object('grantor',
                CASE m.grantor WHEN 10 THEN 'the first superuser' ELSE m.grantor::regrole::text END))::text
        FROM pg_auth_members AS m WHERE m.member::regrole::text NOT LIKE 'pg\\_%'""",
    "settings of": """
        SELECT CASE setdatabase WHEN 0 THEN 'all databases' ELSE 'database ' || quote_ident(d.datname) END
            || CASE setrole WHEN 0 THEN ', all roles' ELSE ', role ' || setrole::regrole END,
            (SELECT string_agg(item, ' | ' ORDER BY item) FROM unnest(setconfig) AS item)
        FROM pg_db_role_setting LEFT JOIN pg_database AS d ON d.oid = setdatabase""",
}

PARAMETER_RIGHTS: Final = f"SELECT parname, {sorted_acl('paracl')} FROM pg_parameter_acl"
"""From PostgreSQL 15 on."""

OF_A_DATABASE: Queries = {
    "schema": f"""
        SELECT nspname, concat_ws(' ', 'owner', nspowner::regrole, 'rights', {acl_text("nspacl", "'n'", "nspowner")})
        FROM pg_namespace AS n
        WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'
            AND {_OWN.format(catalog="pg_namespace", oid="n.oid")}""",
    "extension": """
        SELECT extname, concat_ws(' ', 'version', extversion, 'schema', extnamespace::regnamespace, 'owner',
            CASE WHEN oid >= 16384 THEN extowner::regrole END)
        FROM pg_extension""",
    "relation": f"""
        SELECT {_SCHEMA}c.relname, concat_ws(' ', 'kind', c.relkind, 'owner', c.relowner::regrole,
            'persistence', c.relpersistence, 'options', c.reloptions, 'toast options',
            (SELECT t.reloptions FROM pg_class AS t WHERE t.oid = c.reltoastrelid), 'of type',
            nullif(c.reloftype, 0)::regtype, 'access method', am.amname, 'row security',
            c.relrowsecurity, c.relforcerowsecurity, 'replica identity', c.relreplident, 'populated', c.relispopulated,
            'partition key', pg_get_partkeydef(c.oid), 'partition bound', pg_get_expr(c.relpartbound, c.oid), 'parents',
            (SELECT string_agg(inhparent::regclass::text, ' ' ORDER BY inhseqno)
             FROM pg_inherits WHERE inhrelid = c.oid),
            'rights', {acl_text("c.relacl", RELATION_KIND, "c.relowner")})
        FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace LEFT JOIN pg_am AS am ON am.oid = c.relam
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c') AND {_own("pg_class", "c.oid")}""",
    "column": f"""
        SELECT {_SCHEMA}{_part("c.relname")}a.attname, concat_ws(' ',
            (SELECT count(*) FROM pg_attribute AS b
             WHERE b.attrelid = c.oid AND b.attnum BETWEEN 1 AND a.attnum AND NOT b.attisdropped),
            format_type(a.atttypid, a.atttypmod), 'not null', a.attnotnull, 'default', pg_get_expr(e.adbin, e.adrelid),
            'identity', a.attidentity, 'generated', a.attgenerated, 'storage', a.attstorage, 'compression',
            to_jsonb(a) ->> 'attcompression', 'statistics', nullif(a.attstattarget, -1), 'options', a.attoptions,
            {_sorted("a.attfdwoptions")},
            'collation', nullif(a.attcollation, 0)::regcollation, 'rights',
            (SELECT string_agg(item::text, ' ' ORDER BY item::text) FROM unnest(a.attacl) AS item))
        FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
            LEFT JOIN pg_attrdef AS e ON e.adrelid = a.attrelid AND e.adnum = a.attnum
        WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
            AND {_own("pg_class", "c.oid")}""",
    "constraint": f"""
        SELECT coalesce(nullif(c.conrelid, 0)::regclass::text, c.contypid::regtype::text) || ' ' || c.conname,
            concat_ws(' ', pg_get_constraintdef(c.oid), 'validated', c.convalidated, 'parents', c.coninhcount,
                'triggers', (SELECT string_agg(DISTINCT t.tgenabled::text, '') FROM pg_trigger AS t
                             WHERE t.tgconstraint = c.oid AND t.tgisinternal AND t.tgenabled <> 'O'))
        FROM pg_constraint AS c JOIN pg_namespace AS n ON n.oid = c.connamespace
        WHERE c.contype <> 'n' AND {_own("pg_constraint", "c.oid")}""",
    "not null constraint": f"""
        SELECT coalesce(nullif(c.conrelid, 0)::regclass::text, c.contypid::regtype::text) || ' ' || c.conname,
            concat_ws(' ', pg_get_constraintdef(c.oid), 'validated', c.convalidated, 'parents', c.coninhcount)
        FROM pg_constraint AS c JOIN pg_namespace AS n ON n.oid = c.connamespace
        WHERE c.contype = 'n' AND {_own("pg_constraint", "c.oid")}""",
    "index": f"""
        SELECT {_SCHEMA}c.relname, concat_ws(' ', pg_get_indexdef(i.indexrelid), 'valid', i.indisvalid,
            'clustered', i.indisclustered, 'replica identity', i.indisreplident, 'statistics',
            (SELECT string_agg(a.attnum || ':' || a.attstattarget, ' ' ORDER BY a.attnum)
             FROM pg_attribute AS a WHERE a.attrelid = i.indexrelid AND a.attstattarget >= 0))
        FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE {_own("pg_class", "c.oid")}""",
    "view definition": f"""
        SELECT {_SCHEMA}c.relname, pg_get_viewdef(c.oid)
        FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('v', 'm') AND {_own("pg_class", "c.oid")}""",
    "function": f"""
        SELECT {_SCHEMA}p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
            concat_ws(' ', CASE p.prokind WHEN 'a' THEN (SELECT concat_ws(' ', pg_get_function_arguments(p.oid),
                'returns', pg_get_function_result(p.oid), 'parallel', p.proparallel, 'type', aggtranstype::regtype,
                'moving', nullif(aggmtranstype, 0)::regtype, 'sorted by', nullif(aggsortop, 0)::regoperator,
                to_jsonb(a) - '{{aggfnoid,aggtranstype,aggmtranstype,aggsortop}}'::text[])
                FROM pg_aggregate AS a WHERE aggfnoid = p.oid) ELSE pg_get_functiondef(p.oid) END,
            'owner', p.proowner::regrole, 'rights', {acl_text("p.proacl", "'f'", "p.proowner")})
        FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
        WHERE {_own("pg_proc", "p.oid")} AND NOT EXISTS (SELECT FROM pg_depend AS i
            WHERE i.classid = 'pg_proc'::regclass AND i.objid = p.oid AND i.deptype = 'i')""",
    "trigger": f"""
        SELECT c.oid::regclass || ' ' || t.tgname,
            concat_ws(' ', pg_get_triggerdef(t.oid), 'enabled', t.tgenabled)
        FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE NOT t.tgisinternal AND {_own("pg_class", "c.oid")}""",
    "policy": """
        SELECT format('%I.%I ', schemaname, tablename) || policyname,
            concat_ws(' ', permissive, (SELECT string_agg(r::text, ' ' ORDER BY r) FROM unnest(roles) AS r), cmd,
                'using', qual, 'check', with_check)
        FROM pg_policies""",
    "rule": f"""
        SELECT c.oid::regclass || ' ' || r.rulename, concat_ws(' ', 'enabled', r.ev_enabled, pg_get_ruledef(r.oid))
        FROM pg_rewrite AS r JOIN pg_class AS c ON c.oid = r.ev_class JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE r.rulename <> '_RETURN' AND {_own("pg_class", "c.oid")}""",
    "type": f"""
        SELECT {_SCHEMA}t.typname, concat_ws(' ', 'kind', t.typtype, 'owner', t.typowner::regrole,
            (SELECT string_agg(quote_literal(enumlabel), ' ' ORDER BY enumsortorder)
             FROM pg_enum WHERE enumtypid = t.oid),
            CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod) END, 'not null', t.typnotnull,
            'default', t.typdefault, 'collation', nullif(t.typcollation, 0)::regcollation,
            (SELECT concat_ws(' ', rngsubtype::regtype, nullif(rngcollation, 0)::regcollation, o.opcname,
                rngcanonical, rngsubdiff, (to_jsonb(r) ->> 'rngmultitypid')::oid::regtype)
             FROM pg_range AS r JOIN pg_opclass AS o ON o.oid = rngsubopc WHERE rngtypid = t.oid),
            CASE t.typtype WHEN 'b' THEN concat_ws(' ', t.typinput, t.typoutput, t.typreceive, t.typsend, t.typmodin,
                t.typmodout, t.typanalyze, to_jsonb(t) ->> 'typsubscript', t.typlen, t.typbyval, t.typalign,
                t.typstorage, t.typcategory, t.typispreferred, t.typdelim, nullif(t.typelem, 0)::regtype) END,
            'rights', {acl_text("t.typacl", "'T'", "t.typowner")})
        FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
        WHERE (t.typtype IN ('e', 'd', 'r', 'c', 'b') OR t.typtype = 'p' AND NOT t.typisdefined)
            AND NOT EXISTS (SELECT FROM pg_type AS e WHERE e.typarray = t.oid)
            AND (t.typrelid = 0 OR EXISTS (SELECT FROM pg_class AS c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
            AND {_own("pg_type", "t.oid")}""",
    "sequence": f"""
        SELECT {_SCHEMA}c.relname, concat_ws(' ', s.seqtypid::regtype, 'start', seqstart, 'increment',
            seqincrement, 'min', seqmin, 'max', seqmax, 'cache', seqcache, 'cycle', seqcycle, 'owned by',
            (SELECT d.refobjid::regclass || '.' || a.attname FROM pg_depend AS d
                JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
             WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')))
        FROM pg_sequence AS s JOIN pg_class AS c ON c.oid = s.seqrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE {_own("pg_class", "c.oid")}""",
    "statistics": f"""
        SELECT {_SCHEMA}s.stxname, concat_ws(' ', pg_get_statisticsobjdef(s.oid), 'owner',
            s.stxowner::regrole, 'statistics', nullif(to_jsonb(s) ->> 'stxstattarget', '-1'))
        FROM pg_statistic_ext AS s JOIN pg_namespace AS n ON n.oid = s.stxnamespace
        WHERE {_own("pg_statistic_ext", "s.oid")}""",
    "default privileges": f"""
        SELECT d.defaclrole::regrole || ' in '
            || coalesce(nullif(d.defaclnamespace, 0)::regnamespace::text, 'any schema')
            || ' on ' || d.defaclobjtype::text, {sorted_acl("d.defaclacl")}
        FROM pg_default_acl AS d""",
    "comment on": """
        SELECT o.type || ' ' || o.identity, d.description
        FROM pg_description AS d, pg_identify_object(d.classoid, d.objoid, d.objsubid) AS o
        WHERE coalesce(o.schema, '') NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
            AND d.classoid <> 'pg_largeobject'::regclass
            AND NOT EXISTS (SELECT FROM pg_depend AS e
                            WHERE e.classid = d.classoid AND e.objid = d.objoid AND e.deptype = 'e')""",
    "system object rights": changed_rights(of_extensions=False),
    "extension object rights": changed_rights(of_extensions=True),
    "publication": """
        SELECT pubname, concat_ws(' ', 'owner', pubowner::regrole, 'all tables', puballtables, pubinsert, pubupdate,
            pubdelete, pubtruncate, pubviaroot, nullif(to_jsonb(p) ->> 'pubgencols', 'n'),
            nullif(to_jsonb(p) ->> 'puballsequences', 'false'))
        FROM pg_publication AS p""",
    "event trigger": """
        SELECT evtname, concat_ws(' ', evtevent, 'owner', evtowner::regrole, evtfoid::regproc, evtenabled, evttags)
        FROM pg_event_trigger""",
    "foreign server": f"""
        SELECT s.srvname, concat_ws(' ', w.fdwname, 'owner', s.srvowner::regrole, s.srvtype, s.srvversion,
            {_sorted("s.srvoptions")})
        FROM pg_foreign_server AS s JOIN pg_foreign_data_wrapper AS w ON w.oid = s.srvfdw""",
    "foreign data wrapper": f"""
        SELECT w.fdwname, concat_ws(' ', 'owner', w.fdwowner::regrole, nullif(w.fdwhandler, 0)::regproc,
            nullif(w.fdwvalidator, 0)::regproc, {_sorted("w.fdwoptions")})
        FROM pg_foreign_data_wrapper AS w
        WHERE NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_foreign_data_wrapper'::regclass
                          AND d.objid = w.oid AND d.deptype = 'e')""",
    "rights on foreign object": f"""
        SELECT 'server ' || s.srvname, {acl_text("s.srvacl", "'S'", "s.srvowner")} FROM pg_foreign_server AS s
        UNION ALL
        SELECT 'wrapper ' || w.fdwname, {acl_text("w.fdwacl", "'F'", "w.fdwowner")}
        FROM pg_foreign_data_wrapper AS w""",
    "user mapping": f"""
        SELECT m.srvname || ' for ' || m.usename, {_sorted("m.umoptions")} FROM pg_user_mappings AS m""",
    "transform": f"""
        SELECT t.trftype::regtype || ' language ' || l.lanname, concat_ws(' ',
            'from sql', nullif(t.trffromsql::oid, 0)::regprocedure, 'to sql', nullif(t.trftosql::oid, 0)::regprocedure)
        FROM pg_transform AS t JOIN pg_language AS l ON l.oid = t.trflang
        WHERE {_OWN.format(catalog="pg_transform", oid="t.oid")}""",
    "foreign table": f"""
        SELECT {_SCHEMA}c.relname, concat_ws(' ', s.srvname, {_sorted("f.ftoptions")})
        FROM pg_foreign_table AS f JOIN pg_class AS c ON c.oid = f.ftrelid
            JOIN pg_foreign_server AS s ON s.oid = f.ftserver JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE {_own("pg_class", "c.oid")}""",
    "language": f"""
        SELECT l.lanname, concat_ws(' ', 'owner', l.lanowner::regrole, 'trusted', l.lanpltrusted, 'rights',
            {acl_text("l.lanacl", "'l'", "l.lanowner")})
        FROM pg_language AS l WHERE l.lanispl AND {_OWN.format(catalog="pg_language", oid="l.oid")}""",
    "cast": f"""
        SELECT format_type(c.castsource, NULL) || ' as ' || format_type(c.casttarget, NULL),
            concat_ws(' ', nullif(c.castfunc, 0)::regprocedure, c.castcontext, c.castmethod)
        FROM pg_cast AS c WHERE c.oid >= 16384 AND {_OWN.format(catalog="pg_cast", oid="c.oid")}""",
    "collation": f"""
        SELECT {_SCHEMA}c.collname, concat_ws(' ', 'owner', c.collowner::regrole, c.collprovider,
            c.collisdeterministic, c.collcollate, c.collctype,
            coalesce(to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale'), to_jsonb(c) ->> 'collicurules')
        FROM pg_collation AS c JOIN pg_namespace AS n ON n.oid = c.collnamespace
        WHERE {_own("pg_collation", "c.oid")}""",
    "conversion": f"""
        SELECT {_SCHEMA}c.conname, concat_ws(' ', 'owner', c.conowner::regrole,
            pg_encoding_to_char(c.conforencoding), pg_encoding_to_char(c.contoencoding), c.conproc, c.condefault)
        FROM pg_conversion AS c JOIN pg_namespace AS n ON n.oid = c.connamespace
        WHERE {_own("pg_conversion", "c.oid")}""",
    "operator": f"""
        SELECT o.oid::regoperator, concat_ws(' ', 'owner', o.oprowner::regrole, o.oprcode, o.oprresult::regtype,
            nullif(o.oprcom, 0)::regoperator, nullif(o.oprnegate, 0)::regoperator, o.oprrest, o.oprjoin,
            o.oprcanmerge, o.oprcanhash)
        FROM pg_operator AS o JOIN pg_namespace AS n ON n.oid = o.oprnamespace
        WHERE {_own("pg_operator", "o.oid")}""",
    "operator class": f"""
        SELECT {_SCHEMA}c.opcname || ' using ' || a.amname, concat_ws(' ', 'owner', c.opcowner::regrole,
            c.opcintype::regtype, c.opcdefault, nullif(c.opckeytype, 0)::regtype)
        FROM pg_opclass AS c JOIN pg_namespace AS n ON n.oid = c.opcnamespace JOIN pg_am AS a ON a.oid = c.opcmethod
        WHERE {_own("pg_opclass", "c.oid")}""",
    "operator family": f"""
        SELECT {_SCHEMA}f.opfname || ' using ' || a.amname, concat_ws(' ', 'owner', f.opfowner::regrole,
            (SELECT string_agg(concat_ws(' ', o.amopstrategy, o.amopopr::regoperator), ', '
                ORDER BY o.amopstrategy, o.amopopr::regoperator::text) FROM pg_amop AS o WHERE o.amopfamily = f.oid),
            (SELECT string_agg(concat_ws(' ', p.amprocnum, p.amproc), ', ' ORDER BY p.amprocnum, p.amproc::text)
             FROM pg_amproc AS p WHERE p.amprocfamily = f.oid))
        FROM pg_opfamily AS f JOIN pg_namespace AS n ON n.oid = f.opfnamespace JOIN pg_am AS a ON a.oid = f.opfmethod
        WHERE {_own("pg_opfamily", "f.oid")}""",
    "text search configuration": f"""
        SELECT {_SCHEMA}c.cfgname, concat_ws(' ', 'owner', c.cfgowner::regrole, p.prsname,
            (SELECT string_agg(concat_ws(' ', m.maptokentype, m.mapseqno, m.mapdict::regdictionary), ', '
                ORDER BY m.maptokentype, m.mapseqno) FROM pg_ts_config_map AS m WHERE m.mapcfg = c.oid))
        FROM pg_ts_config AS c JOIN pg_namespace AS n ON n.oid = c.cfgnamespace
            JOIN pg_ts_parser AS p ON p.oid = c.cfgparser
        WHERE {_own("pg_ts_config", "c.oid")}""",
    "text search dictionary": f"""
        SELECT {_SCHEMA}td.dictname, concat_ws(' ', 'owner', td.dictowner::regrole, t.tmplname,
            td.dictinitoption)
        FROM pg_ts_dict AS td JOIN pg_namespace AS n ON n.oid = td.dictnamespace
            JOIN pg_ts_template AS t ON t.oid = td.dicttemplate
        WHERE {_own("pg_ts_dict", "td.oid")}""",
}

_PUBLICATION_TABLE: Final = """
    SELECT p.pubname || ' ' || r.prrelid::regclass, {}
    FROM pg_publication_rel AS r JOIN pg_publication AS p ON p.oid = r.prpubid"""

PUBLISHED_BEFORE_15: Queries = {"publication table": _PUBLICATION_TABLE.format("''")}

PUBLISHED: Queries = {
    "publication table": _PUBLICATION_TABLE.format("""concat_ws(' ',
        'columns ' || (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attname) FROM pg_attribute AS a
            WHERE a.attrelid = r.prrelid AND a.attnum = ANY(r.prattrs::smallint[])),
        'where ' || pg_get_expr(r.prqual, r.prrelid))"""),
    "publication schema": """
        SELECT p.pubname || ' ' || n.pnnspid::regnamespace, ''
        FROM pg_publication_namespace AS n JOIN pg_publication AS p ON p.oid = n.pnpubid""",
}
"""From PostgreSQL 15 on."""

UNREADABLE: Queries = {
    "user mapping": """
        SELECT m.srvname || ' for ' || m.usename,
            'its options are shown to a superuser, and to its role and the owner of the server, alone'
        FROM pg_user_mappings AS m JOIN pg_foreign_server AS s ON s.oid = m.srvid
        WHERE m.umoptions IS NULL AND NOT (
            (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
            OR pg_has_role(s.srvowner, 'USAGE') AND (m.umuser = 0 OR m.usename = current_user)
            OR has_server_privilege(s.oid, 'USAGE') AND m.usename = current_user)""",
}
"""What a session does not see, with the reason: nothing there says nothing (`pg_user_mappings` of PostgreSQL)."""

TABLES_WITH_ROWS: Final = f"""
    SELECT json_build_array(n.nspname, c.relname, (SELECT json_agg(a.attname ORDER BY a.attname)
        FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
        (SELECT json_build_array(rn.nspname, r.relname)
         FROM pg_class AS r JOIN pg_namespace AS rn ON rn.oid = r.relnamespace
         WHERE c.relispartition AND r.oid = pg_partition_root(c.oid)),
        EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attgenerated <> ''))
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND {_USER_SCHEMA.format(schema="n.nspname")}
    ORDER BY c.relpages DESC"""

DERIVED: Queries = {
    "rows of materialized view": f"""
        SELECT {_SCHEMA}c.relname, 'it was filled again from its query'
        FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.relkind = 'm' AND {_own("pg_class", "c.oid")}""",
    "collation version": """
        SELECT '', coalesce(to_jsonb(d) ->> 'datcollversion', 'none')
        FROM pg_database AS d WHERE d.datname = current_database()""",
}
"""What a rebuild makes anew."""

LEFT_OUT: Queries = {
    "subscription": """
        SELECT subname, '' FROM pg_subscription
        WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())""",
    "security label": """
        SELECT objtype || ' ' || objname || ' of ' || provider, ''
        FROM pg_seclabels""",
}
"""What a rebuild leaves out on purpose; why is said by `never_restored`."""

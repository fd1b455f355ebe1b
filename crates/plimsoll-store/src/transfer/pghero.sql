-- everything that PgHero kept: reads the table once, with no lock but the one of reading it
copy (
    select database, schema, relation, size, captured_at from pghero_space_stats
) to stdout (format csv, header)

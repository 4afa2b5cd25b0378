-- The index of runs: everything here can be made again from the artifact stores.
-- Times are microseconds since 1970-01-01 UTC. What no query looks into is JSON.

CREATE TABLE deployments (
    id    TEXT NOT NULL PRIMARY KEY,
    shape TEXT NOT NULL -- [[name, [upstream, …]], …] in topological order; upstream steps by position
) STRICT;

CREATE TABLE runs (
    key           INTEGER PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    name          TEXT NOT NULL,
    pipeline      TEXT NOT NULL,
    status        TEXT NOT NULL,
    store         TEXT NOT NULL, -- URI of the artifact store that holds its documents
    deployment_id TEXT NOT NULL,
    started_at    INTEGER NOT NULL,
    ended_at      INTEGER,
    error         TEXT,
    header        TEXT NOT NULL -- run.json
) STRICT;

CREATE INDEX runs_by_name ON runs (name);
CREATE INDEX runs_by_time ON runs (started_at, id);
CREATE INDEX runs_by_pipeline ON runs (pipeline, started_at, id);
CREATE INDEX runs_unended ON runs (key) WHERE status IN ('initializing', 'submitted', 'running');

CREATE TABLE run_metadata (
    run   INTEGER NOT NULL,
    key   TEXT NOT NULL,
    value TEXT NOT NULL, -- JSON
    PRIMARY KEY (run, key)
) STRICT, WITHOUT ROWID;

-- A step without a row has not begun.
CREATE TABLE step_runs (
    run      INTEGER NOT NULL,
    name     TEXT NOT NULL,
    step     INTEGER NOT NULL, -- position in the deployment
    status   TEXT NOT NULL,
    ended_at INTEGER,
    reason   TEXT,             -- why it was skipped
    record   TEXT,             -- its last result without values
    PRIMARY KEY (run, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempts (
    run        INTEGER NOT NULL,
    step       INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    status     TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,
    error      TEXT, -- a failure, as JSON
    PRIMARY KEY (run, step, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE outputs (
    run      INTEGER NOT NULL,
    step     TEXT NOT NULL,
    output   TEXT NOT NULL,
    version  TEXT NOT NULL,
    artifact TEXT NOT NULL,
    made     INTEGER NOT NULL, -- 1 where the version was made, 0 where it was taken from the cache
    PRIMARY KEY (run, step, output)
) STRICT, WITHOUT ROWID;

CREATE INDEX outputs_by_version ON outputs (version, made);
CREATE INDEX outputs_by_artifact ON outputs (artifact, version);

CREATE TABLE inputs (
    run     INTEGER NOT NULL,
    step    TEXT NOT NULL,
    input   TEXT NOT NULL,
    version TEXT NOT NULL,
    PRIMARY KEY (run, step, input)
) STRICT, WITHOUT ROWID;

CREATE INDEX inputs_by_version ON inputs (version);

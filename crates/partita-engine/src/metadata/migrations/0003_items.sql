-- Items of mapped steps: each has rows like a step's, told apart by `item`, which is -1 for the step
-- itself.

CREATE TABLE new_step_runs (
    run      INTEGER NOT NULL,
    name     TEXT NOT NULL,
    item     INTEGER NOT NULL,
    step     INTEGER NOT NULL, -- position in the deployment
    status   TEXT NOT NULL,
    ended_at INTEGER,
    reason   TEXT,             -- why it was skipped
    record   TEXT,             -- its last result without values
    items    INTEGER,          -- how many items it has; NULL if it is not mapped
    PRIMARY KEY (run, name, item)
) STRICT, WITHOUT ROWID;

INSERT INTO new_step_runs (run, name, item, step, status, ended_at, reason, record)
    SELECT run, name, -1, step, status, ended_at, reason, record FROM step_runs;
DROP TABLE step_runs;
ALTER TABLE new_step_runs RENAME TO step_runs;

CREATE TABLE new_attempts (
    run        INTEGER NOT NULL,
    step       INTEGER NOT NULL,
    item       INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    status     TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,
    error      TEXT, -- a failure, as JSON
    PRIMARY KEY (run, step, item, number)
) STRICT, WITHOUT ROWID;

INSERT INTO new_attempts (run, step, item, number, status, started_at, ended_at, error)
    SELECT run, step, -1, number, status, started_at, ended_at, error FROM attempts;
DROP TABLE attempts;
ALTER TABLE new_attempts RENAME TO attempts;

CREATE TABLE new_outputs (
    run      INTEGER NOT NULL,
    step     TEXT NOT NULL,
    item     INTEGER NOT NULL,
    output   TEXT NOT NULL,
    version  TEXT NOT NULL,
    artifact TEXT NOT NULL,
    made     INTEGER NOT NULL, -- 1 where the version was made, 0 where it was taken from the cache
    PRIMARY KEY (run, step, item, output)
) STRICT, WITHOUT ROWID;

INSERT INTO new_outputs (run, step, item, output, version, artifact, made)
    SELECT run, step, -1, output, version, artifact, made FROM outputs;
DROP TABLE outputs;
ALTER TABLE new_outputs RENAME TO outputs;

CREATE INDEX outputs_by_version ON outputs (version, made);
CREATE INDEX outputs_by_artifact ON outputs (artifact, version);

CREATE TABLE new_inputs (
    run     INTEGER NOT NULL,
    step    TEXT NOT NULL,
    item    INTEGER NOT NULL,
    input   TEXT NOT NULL,
    version TEXT NOT NULL,
    PRIMARY KEY (run, step, item, input)
) STRICT, WITHOUT ROWID;

INSERT INTO new_inputs (run, step, item, input, version)
    SELECT run, step, -1, input, version FROM inputs;
DROP TABLE inputs;
ALTER TABLE new_inputs RENAME TO inputs;

CREATE INDEX inputs_by_version ON inputs (version);

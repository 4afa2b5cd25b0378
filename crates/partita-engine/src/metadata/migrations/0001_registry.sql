-- The registry: what people register. It is original here and nowhere else.

CREATE TABLE components (
    type   TEXT NOT NULL,
    name   TEXT NOT NULL,
    flavor TEXT NOT NULL,
    config TEXT NOT NULL, -- JSON object
    PRIMARY KEY (type, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE stacks (
    name TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE stack_components (
    stack    TEXT NOT NULL,
    type     TEXT NOT NULL,
    position INTEGER NOT NULL, -- the first of its type is the default
    name     TEXT NOT NULL,
    PRIMARY KEY (stack, type, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX stack_components_by_component ON stack_components (type, name);

CREATE TABLE flavors (
    type          TEXT NOT NULL,
    name          TEXT NOT NULL,
    description   TEXT NOT NULL,
    source        TEXT NOT NULL,
    config_schema TEXT NOT NULL, -- JSON Schema
    PRIMARY KEY (type, name)
) STRICT, WITHOUT ROWID;

INSERT INTO components (type, name, flavor, config) VALUES
    ('orchestrator', 'default', 'local', '{}'),
    ('artifact_store', 'default', 'local', '{}');
INSERT INTO stacks (name) VALUES ('default');
INSERT INTO stack_components (stack, type, position, name) VALUES
    ('default', 'orchestrator', 0, 'default'),
    ('default', 'artifact_store', 0, 'default');

-- What is kept of a flavor that lives in a process of its own: JSON; NULL for one without any.

ALTER TABLE flavors ADD COLUMN plugin TEXT;

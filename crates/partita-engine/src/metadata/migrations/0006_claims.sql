-- What a flavor says of a component's configuration: JSON; NULL where it was not asked.

ALTER TABLE components ADD COLUMN claims TEXT;

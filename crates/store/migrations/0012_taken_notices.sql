-- Whether somebody is at it, until due_at. One that waits to be tried again is not.
ALTER TABLE logout_notices ADD COLUMN taken BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX logout_notices_taken ON logout_notices (client_id) WHERE taken;

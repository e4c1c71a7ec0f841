-- When a server that has the client in its configuration file last said so, while another one has started without it. 0: never since then.
ALTER TABLE configured_clients ADD COLUMN served_at BIGINT NOT NULL DEFAULT 0;

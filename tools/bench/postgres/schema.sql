-- Double entry as a careful team writes it by hand: an entry with its postings, a running balance for each
-- seller, and none for the platform's own accounts, whose rows every payment would wait for.
CREATE TABLE payments (
  id bigserial PRIMARY KEY,
  seller integer NOT NULL,
  amount bigint NOT NULL CHECK (amount > 0),
  currency char(3) NOT NULL,
  state text NOT NULL
);
CREATE TABLE entries (
  id bigserial PRIMARY KEY,
  payment_id bigint NOT NULL UNIQUE REFERENCES payments,
  booked_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE postings (
  entry_id bigint NOT NULL REFERENCES entries,
  line smallint NOT NULL,
  account text NOT NULL,
  amount bigint NOT NULL,
  PRIMARY KEY (entry_id, line)
);
CREATE TABLE wallets (
  seller integer PRIMARY KEY,
  pending bigint NOT NULL
);
INSERT INTO wallets SELECT seller, 0 FROM generate_series(1, 10000) AS seller;

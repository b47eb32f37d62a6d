-- One payment: accepted, then captured and booked, then read in the wallet. Both transactions are durable.
\set seller random(1, :sellers)
\set amount random(500, 20000)
\set fee :amount * 5 / 100
\set net :amount - :fee
BEGIN;
INSERT INTO payments (seller, amount, currency, state)
  VALUES (:seller, :amount, 'USD', 'accepted') RETURNING id AS payment \gset
COMMIT;
BEGIN;
INSERT INTO entries (payment_id) VALUES (:payment) RETURNING id AS entry \gset
INSERT INTO postings (entry_id, line, account, amount) VALUES
  (:entry, 1, 'psp_clearing', :amount),
  (:entry, 2, 'buyer', -(:amount::bigint)),
  (:entry, 3, 'buyer', :amount),
  (:entry, 4, 'seller_pending', -(:net::bigint)),
  (:entry, 5, 'platform_fees', -(:fee::bigint));
UPDATE payments SET state = 'captured' WHERE id = :payment;
UPDATE wallets SET pending = pending + :net WHERE seller = :seller;
COMMIT;
SELECT pending FROM wallets WHERE seller = :seller;

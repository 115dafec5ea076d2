-- What a slot reports beside orders and fills. Runs that were projected before get the tables empty: `isobar project RUN`
-- makes all tables anew from the journals.

-- What a person who watches a slot has to know: halts, proofs of the account, unknown outcomes, other limits.
CREATE TABLE notices (
    slot       TEXT NOT NULL,
    record     INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    kind       TEXT NOT NULL,               -- halted, flat, rearmed, proved, unproved, unknown, limits, ...
    order_id   INTEGER,                     -- where it is about one order
    text       TEXT NOT NULL,               -- for people
    PRIMARY KEY (slot, record)
) STRICT, WITHOUT ROWID;

-- Fills of the account by orders that the slot did not place. They count in positions; no row of orders belongs to them.
CREATE TABLE foreign_fills (
    slot       TEXT NOT NULL,
    record     INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    market     INTEGER NOT NULL,
    side       TEXT NOT NULL,               -- bid, ask
    price      INTEGER NOT NULL,
    quantity   INTEGER NOT NULL,
    fee        INTEGER NOT NULL,
    position   INTEGER NOT NULL,            -- after the fill
    PRIMARY KEY (slot, record)
) STRICT, WITHOUT ROWID;

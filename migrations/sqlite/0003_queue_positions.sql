-- Where live orders stood in their queues: a row where a read of the venue showed another place than the read before.
CREATE TABLE queue_positions (
    slot       TEXT NOT NULL,
    record     INTEGER NOT NULL,            -- number within the slot's journal
    seq        INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    order_id   INTEGER NOT NULL,
    ahead      INTEGER NOT NULL,            -- contracts that trade before the order, 1/100 contract
    PRIMARY KEY (slot, record)
) STRICT, WITHOUT ROWID;

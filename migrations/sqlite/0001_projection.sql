-- The projection of one run: derived from its journals, read by people and reports, never by the trading path.
-- It can be deleted and rebuilt at any time. Money is in 1/1 000 000 dollar, prices in 1/10 000 dollar, quantities and
-- positions in 1/100 contract (positive YES, negative NO), probabilities in ppm, times in UTC nanoseconds.
-- `seq` is the input of the feed journal that a row follows from.

CREATE TABLE runs (
    run        TEXT PRIMARY KEY NOT NULL,
    engine     TEXT NOT NULL,
    clock      TEXT NOT NULL,
    stale_after INTEGER NOT NULL,
    source     TEXT NOT NULL,
    opened_at  INTEGER NOT NULL,
    closed_at  INTEGER
) STRICT;

CREATE TABLE markets (
    market     INTEGER PRIMARY KEY NOT NULL,
    ticker     TEXT NOT NULL,
    event      TEXT NOT NULL,
    series     TEXT NOT NULL,
    strike     TEXT NOT NULL,               -- less, between, greater, other
    floor      INTEGER,                     -- degrees Fahrenheit
    cap        INTEGER,
    opens      INTEGER NOT NULL,
    closes     INTEGER NOT NULL,
    settled_value INTEGER,                  -- price units of a YES contract
    settled_at INTEGER
) STRICT;
CREATE INDEX markets_by_event ON markets (event);

CREATE TABLE forecasts (
    seq        INTEGER PRIMARY KEY NOT NULL,
    at         INTEGER NOT NULL,
    event      TEXT NOT NULL,
    model      TEXT NOT NULL,               -- hash of the bundle
    issued     INTEGER NOT NULL,
    inputs     TEXT NOT NULL,               -- hash of the input row
    no_opinion TEXT                         -- why there are no probabilities
) STRICT;
CREATE TABLE forecast_probabilities (
    seq        INTEGER NOT NULL,
    market     INTEGER NOT NULL,
    ppm        INTEGER NOT NULL,
    PRIMARY KEY (seq, market)
) STRICT, WITHOUT ROWID;

CREATE TABLE slots (
    slot       TEXT PRIMARY KEY NOT NULL,
    run        TEXT NOT NULL,
    settings   TEXT NOT NULL,
    opened_at  INTEGER NOT NULL,
    closed_at  INTEGER,
    stopped_at INTEGER,                     -- after repeated faults
    faults     INTEGER
) STRICT;

CREATE TABLE swaps (
    slot       TEXT NOT NULL,
    record     INTEGER NOT NULL,            -- number within the slot's journal
    seq        INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    component  TEXT NOT NULL,               -- hash of its bytes
    name       TEXT NOT NULL,
    parameters TEXT NOT NULL,               -- JSON array of integers
    PRIMARY KEY (slot, record)
) STRICT, WITHOUT ROWID;

CREATE TABLE refused_components (
    slot       TEXT NOT NULL,
    record     INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    path       TEXT NOT NULL,
    component  TEXT,
    reason     TEXT NOT NULL,
    PRIMARY KEY (slot, record)
) STRICT, WITHOUT ROWID;

CREATE TABLE decisions (
    slot       TEXT NOT NULL,
    decision   INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    event      TEXT NOT NULL,
    took_ns    INTEGER NOT NULL,
    takes      INTEGER NOT NULL,            -- how many targets it gave
    quotes     INTEGER NOT NULL,            -- how many quotes it wants to rest
    fault      TEXT,                        -- how the component failed
    PRIMARY KEY (slot, decision)
) STRICT, WITHOUT ROWID;
CREATE INDEX decisions_by_event ON decisions (event, at);

-- Why a decision acted in a market or did not, beside what it saw there.
CREATE TABLE reasons (
    slot       TEXT NOT NULL,
    decision   INTEGER NOT NULL,
    line       INTEGER NOT NULL,            -- position in the decision
    market     INTEGER NOT NULL,
    verdict    TEXT NOT NULL,               -- take, make, pass
    side       TEXT NOT NULL,               -- bid, ask
    price      INTEGER,
    quantity   INTEGER NOT NULL,
    take_ev    INTEGER,                     -- of one contract, with fees
    make_ev    INTEGER,
    note       TEXT NOT NULL,
    probability INTEGER,
    bid        INTEGER,
    bid_size   INTEGER,
    ask        INTEGER,
    ask_size   INTEGER,
    position   INTEGER NOT NULL,
    PRIMARY KEY (slot, decision, line)
) STRICT, WITHOUT ROWID;

CREATE TABLE orders (
    slot       TEXT NOT NULL,
    order_id   INTEGER NOT NULL,
    decision   INTEGER NOT NULL,
    market     INTEGER NOT NULL,
    side       TEXT NOT NULL,
    price      INTEGER NOT NULL,
    quantity   INTEGER NOT NULL,
    take       INTEGER NOT NULL,            -- 1 where it takes at once and rests nothing
    filled     INTEGER NOT NULL,
    state      TEXT NOT NULL,               -- open, filled, cancelled
    reason     TEXT,                        -- why it was cancelled
    placed_seq INTEGER NOT NULL,
    placed_at  INTEGER NOT NULL,
    ended_at   INTEGER,
    PRIMARY KEY (slot, order_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE refusals (
    slot       TEXT NOT NULL,
    record     INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    decision   INTEGER NOT NULL,
    market     INTEGER NOT NULL,
    side       TEXT NOT NULL,
    price      INTEGER NOT NULL,
    quantity   INTEGER NOT NULL,
    reason     TEXT NOT NULL,
    PRIMARY KEY (slot, record)
) STRICT, WITHOUT ROWID;

CREATE TABLE fills (
    slot       TEXT NOT NULL,
    record     INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    order_id   INTEGER NOT NULL,
    market     INTEGER NOT NULL,
    side       TEXT NOT NULL,
    price      INTEGER NOT NULL,
    quantity   INTEGER NOT NULL,
    fee        INTEGER NOT NULL,
    taker      INTEGER NOT NULL,
    position   INTEGER NOT NULL,            -- after the fill
    PRIMARY KEY (slot, record)
) STRICT, WITHOUT ROWID;

-- Profit so far = settled + position × (value of a YES contract now) − paid − fees.
CREATE TABLE positions (
    slot       TEXT NOT NULL,
    market     INTEGER NOT NULL,
    position   INTEGER NOT NULL,            -- held now
    paid       INTEGER NOT NULL,            -- YES bought minus YES sold, each at its YES price
    fees       INTEGER NOT NULL,
    fills      INTEGER NOT NULL,
    settled    INTEGER NOT NULL,            -- position at settlement × value of a YES contract
    settled_value INTEGER,
    payout     INTEGER,                     -- received at settlement
    profit     INTEGER,                     -- once settled
    PRIMARY KEY (slot, market)
) STRICT, WITHOUT ROWID;

-- How far each journal was read: written in the same transaction as the rows.
CREATE TABLE journals (
    journal    TEXT PRIMARY KEY NOT NULL,   -- feed, or slots/<name>
    segment    INTEGER NOT NULL,
    offset     INTEGER NOT NULL,
    record     INTEGER NOT NULL,
    chain      BLOB NOT NULL
) STRICT;

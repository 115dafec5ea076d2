//! Cash, positions and what came of them, in exact integers.
//!
//! A position is signed: positive YES, negative NO. The venue nets: buying YES while holding NO closes NO first and pays
//! one dollar a pair. A position is carried at what was paid for it; a partial close releases its share of that cost,
//! rounded down to $0.000001, and the remainder stays with what is left. So nothing is ever lost:
//! `cash + collateral + fees − realised` is the starting cash at every moment ([`Ledger::is_balanced`]).

use crate::market::MarketId;
use crate::units::{Money, Price, Quantity, Side};
use serde::{Deserialize, Serialize};

/// The books of one slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    start: Money,
    cash: Money,
    accounts: Vec<Account>,
}

/// What one market did to a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Signed position, 1/100 contracts: positive YES, negative NO.
    pub position: i64,
    /// What was paid for the open position, without fees.
    pub cost: Money,
    /// Profit of closed and settled contracts, before fees.
    pub realised: Money,
    /// Fees paid.
    pub fees: Money,
    /// Received at settlement.
    pub payouts: Money,
}

impl Ledger {
    /// A ledger that holds nothing but `cash`.
    pub fn new(cash: Money) -> Self {
        Self { start: cash, cash, accounts: Vec::new() }
    }

    /// Takes over what an account holds, in place of what was held: cash and, by market, signed position (1/100 contracts)
    /// and what was paid for it. What was realised and paid in fees stays as it is; the start moves so that all adds up.
    pub fn adopt(&mut self, cash: Money, held: impl IntoIterator<Item = (MarketId, i64, Money)>) {
        for account in &mut self.accounts {
            (account.position, account.cost) = (0, Money::ZERO);
        }
        for (market, position, cost) in held {
            let account = self.account_mut(market);
            (account.position, account.cost) = (position, cost);
        }
        self.cash = cash;
        self.start = cash + self.collateral() + self.fees() - self.realised();
    }

    /// Books a fill: contracts of the other outcome are closed first, the rest opens or adds.
    pub fn fill(&mut self, market: MarketId, side: Side, price: Price, quantity: Quantity, fee: Money) {
        let account = self.account_mut(market);
        let held = Quantity::new((-account.position * side.sign()).max(0).unsigned_abs());
        let closed = quantity.min(held);
        let opened = quantity - closed;
        // A bid pays `price` for YES, or gives up NO that is worth the complement; an ask is the mirror image.
        let (paid, received) = match side {
            Side::Bid => (price, price.complement()),
            Side::Ask => (price.complement(), price),
        };
        let (proceeds, premium) = (received.times(closed), paid.times(opened));
        let cost = account.release(closed);
        account.realised += proceeds - cost;
        account.position += side.sign() * quantity.signed();
        account.cost += premium;
        account.fees += fee;
        self.cash += proceeds - premium - fee;
    }

    /// Pays the position of a market, a YES contract being worth `value`. Returns what was received.
    pub fn settle(&mut self, market: MarketId, value: Price) -> Money {
        let account = self.account_mut(market);
        let payout = worth(account.position, value);
        account.realised += payout - account.cost;
        account.payouts += payout;
        account.cost = Money::ZERO;
        account.position = 0;
        self.cash += payout;
        payout
    }

    /// Signed position, 1/100 contracts: positive YES, negative NO.
    pub fn position(&self, market: MarketId) -> i64 {
        self.accounts.get(market.index()).map_or(0, |account| account.position)
    }

    /// Markets with an open position, and the position.
    pub fn positions(&self) -> impl Iterator<Item = (MarketId, i64)> {
        let all = (0..).map(MarketId).zip(&self.accounts).map(|(market, account)| (market, account.position));
        all.filter(|(_, position)| *position != 0)
    }

    /// What a market did so far.
    pub fn account(&self, market: MarketId) -> Account {
        self.accounts.get(market.index()).copied().unwrap_or_default()
    }

    /// Money at hand.
    pub fn cash(&self) -> Money {
        self.cash
    }

    /// Money at the beginning.
    pub fn start(&self) -> Money {
        self.start
    }

    /// What was paid for all open positions, without fees.
    pub fn collateral(&self) -> Money {
        self.accounts.iter().map(|account| account.cost).sum()
    }

    /// Profit of closed and settled contracts, before fees.
    pub fn realised(&self) -> Money {
        self.accounts.iter().map(|account| account.realised).sum()
    }

    /// Fees paid.
    pub fn fees(&self) -> Money {
        self.accounts.iter().map(|account| account.fees).sum()
    }

    /// Received at settlements.
    pub fn payouts(&self) -> Money {
        self.accounts.iter().map(|account| account.payouts).sum()
    }

    /// Cash plus open positions at the mark of their YES contract; at cost where there is none.
    pub fn worth(&self, mark: impl Fn(MarketId) -> Option<Price>) -> Money {
        let open = (0..).map(MarketId).zip(&self.accounts).filter(|(_, account)| account.position != 0);
        let marked = |(market, account): (MarketId, &Account)| {
            mark(market).map_or(account.cost, |value| worth(account.position, value))
        };
        self.cash + open.map(marked).sum::<Money>()
    }

    /// Whether every micro-dollar is accounted for. Anything else is a bug.
    pub fn is_balanced(&self) -> bool {
        self.cash + self.collateral() + self.fees() - self.realised() == self.start
    }

    fn account_mut(&mut self, market: MarketId) -> &mut Account {
        if self.accounts.len() <= market.index() {
            self.accounts.resize(market.index() + 1, Account::default());
        }
        &mut self.accounts[market.index()]
    }
}

impl Account {
    /// Profit after fees, an open position taken at cost.
    pub fn profit(&self) -> Money {
        self.realised - self.fees
    }

    /// Takes the share of `closed` contracts out of the cost: all of it when they are all that is held.
    fn release(&mut self, closed: Quantity) -> Money {
        if closed.is_zero() {
            return Money::ZERO;
        }
        let share = i128::from(self.cost.micros()) * i128::from(closed.signed()) / i128::from(self.position.abs());
        let share = Money::new(i64::try_from(share).expect("a share is not more than the whole"));
        self.cost -= share;
        share
    }
}

/// What a signed position is worth when a YES contract is worth `value`.
fn worth(position: i64, value: Price) -> Money {
    let side = if position < 0 { value.complement() } else { value };
    side.times(Quantity::new(position.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKET: MarketId = MarketId(3);

    fn cents(cents: u16) -> Price {
        Price::from_cents(cents).expect("a price")
    }

    fn filled(fills: &[(Side, u16, u32)]) -> Ledger {
        let mut ledger = Ledger::new(Money::dollars(100));
        for (side, price, contracts) in fills {
            ledger.fill(MARKET, *side, cents(*price), Quantity::contracts(*contracts), Money::ZERO);
        }
        assert!(ledger.is_balanced());
        ledger
    }

    #[test]
    fn buying_yes_ties_up_its_price_and_buying_no_the_complement() {
        let yes = filled(&[(Side::Bid, 40, 10)]);
        assert_eq!((yes.cash(), yes.collateral()), (Money::dollars(96), Money::dollars(4)));
        let no = filled(&[(Side::Ask, 40, 10)]);
        assert_eq!((no.cash(), no.collateral()), (Money::dollars(94), Money::dollars(6)));
        assert_eq!((yes.position(MARKET), no.position(MARKET)), (1_000, -1_000));
    }

    #[test]
    fn buying_yes_closes_no_first_at_a_dollar_a_pair() {
        // 10 NO for 0.60 each; 15 YES at 0.30: ten pairs return 0.70 each, five YES stay.
        let ledger = filled(&[(Side::Ask, 40, 10), (Side::Bid, 30, 15)]);
        let account = ledger.account(MARKET);
        assert_eq!(account.position, 500);
        assert_eq!(account.cost, Money::new(1_500_000));
        assert_eq!(account.realised, Money::dollars(1));
        assert_eq!(ledger.cash(), Money::new(94_000_000 + 7_000_000 - 1_500_000));
    }

    #[test]
    fn a_partial_close_releases_average_cost_and_leaves_the_remainder() {
        // 0.01 at 0.3333 and 0.02 at 0.3334 cost 10 001 millionths; a third of that is 3 333.67.
        let mut ledger = Ledger::new(Money::ZERO);
        let price = |units| Price::new(units).expect("a price");
        ledger.fill(MARKET, Side::Bid, price(3_333), Quantity::new(1), Money::ZERO);
        ledger.fill(MARKET, Side::Bid, price(3_334), Quantity::new(2), Money::ZERO);
        ledger.fill(MARKET, Side::Ask, price(5_000), Quantity::new(1), Money::ZERO);
        assert_eq!(ledger.account(MARKET).cost, Money::new(10_001 - 3_333));
        assert_eq!(ledger.account(MARKET).realised, Money::new(5_000 - 3_333));
        ledger.fill(MARKET, Side::Ask, price(5_000), Quantity::new(2), Money::ZERO);
        assert_eq!(ledger.account(MARKET).cost, Money::ZERO);
        assert_eq!(ledger.account(MARKET).realised, Money::new(15_000 - 10_001));
    }

    #[test]
    fn settlement_pays_the_side_that_came_true() {
        let mut won = filled(&[(Side::Bid, 48, 41)]);
        assert_eq!(won.settle(MARKET, Price::ONE), Money::dollars(41));
        assert_eq!(won.account(MARKET).realised, Money::new(41_000_000 - 19_680_000));
        let mut lost = filled(&[(Side::Ask, 48, 41)]);
        assert_eq!(lost.settle(MARKET, Price::ONE), Money::ZERO);
        assert_eq!(lost.account(MARKET).realised, Money::new(-21_320_000));
        assert_eq!(lost.settle(MARKET, Price::ONE), Money::ZERO, "paid once");
        assert!(won.is_balanced() && lost.is_balanced());
    }

    #[test]
    fn worth_is_cash_plus_marks_and_cost_where_there_is_no_mark() {
        let ledger = filled(&[(Side::Ask, 40, 10)]);
        assert_eq!(ledger.worth(|_| Some(cents(25))), Money::new(94_000_000 + 7_500_000));
        assert_eq!(ledger.worth(|_| None), Money::dollars(100));
    }

    #[test]
    fn fees_leave_cash_and_profit_but_not_cost() {
        let mut ledger = Ledger::new(Money::dollars(1));
        ledger.fill(MARKET, Side::Bid, cents(52), Quantity::contracts(1), Money::new(17_500));
        assert_eq!(ledger.cash(), Money::new(462_500));
        assert_eq!(ledger.account(MARKET).cost, Money::new(520_000));
        assert_eq!(ledger.account(MARKET).profit(), Money::new(-17_500));
    }
}

//! The simulated exchange's own rows of weather, which stand for the training source and the final climate reports.

use super::Answer;
use crate::{Error, Source, Weather};

/// `GET {base}/sim/weather`, with what its rows mean.
#[derive(Clone, Debug)]
pub struct Simulated(Source);

impl Simulated {
    /// The rows of this address.
    pub const fn new(source: Source) -> Self {
        Self(source)
    }

    pub(super) async fn fetch(&self) -> Result<Answer, Error> {
        let weather = Weather::from_iter(self.0.fetch().await?);
        Ok(Answer { weather, ..Answer::default() })
    }
}

impl From<Source> for super::Provider {
    fn from(source: Source) -> Self {
        Self::Simulated(Simulated::new(source))
    }
}

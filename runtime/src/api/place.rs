//! Reading places in pages.

use super::{Api, ApiError};
use crate::store::{Order, Page, PlaceName};

/// The longest page.
pub const MAX_PAGE: usize = 1_000;

impl Api {
    /// A page of a place.
    pub(super) async fn page(
        &self,
        place: &PlaceName,
        order: Order,
        cursor: u64,
        limit: usize,
    ) -> Result<Page, ApiError> {
        check_limit(limit)?;
        self.store()
            .page(place, order, cursor, limit)
            .await
            .map_err(ApiError::unavailable)
    }
}

pub(super) fn check_limit(limit: usize) -> Result<(), ApiError> {
    if (1..=MAX_PAGE).contains(&limit) {
        return Ok(());
    }
    Err(ApiError::invalid(format!(
        "a page of {limit} entries was asked for: ask for 1 to {MAX_PAGE}"
    )))
}

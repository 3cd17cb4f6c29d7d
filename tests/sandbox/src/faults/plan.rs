//! What a fault does to one call: waiting, answering, cutting.

use std::{sync::Arc, time::Duration};

use axum::response::Response;
use jiff::{Timestamp, tz::TimeZone};

use super::spec::{Cut, Spec, usual};
use crate::fault::Fault;

/// What happens to one call.
#[derive(Clone, Default)]
pub(crate) struct Plan {
    /// The fault's number.
    pub(crate) fault: Option<u64>,
    pub(super) spec: Option<Arc<Spec>>,
}

/// A mark on an answer that must not reach the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CutMark(pub(crate) Cut);

impl Plan {
    /// Waits and perhaps answers, before any work is done.
    pub(crate) async fn before(&self, now: Timestamp, zone: &TimeZone) -> Option<Response> {
        let spec = self.spec.as_ref()?;
        wait(spec.delay_ms).await;
        if spec.cut == Some(Cut::Before) {
            return Some(cut(Response::default(), Cut::Before));
        }
        (!spec.commit && spec.cut != Some(Cut::After)).then(|| spec.answer(now, zone)).flatten()
    }

    /// Waits, and perhaps replaces the answer or marks it as cut, after the work was done.
    pub(crate) async fn after(
        &self,
        response: Response,
        now: Timestamp,
        zone: &TimeZone,
    ) -> Response {
        let Some(spec) = &self.spec else { return response };
        wait(spec.delay_after_ms).await;
        if spec.cut == Some(Cut::After) {
            return cut(response, Cut::After);
        }
        let mut answer = spec.answer(now, zone);
        if let Some(answer) = &mut answer {
            // What the work came to stays on record although the client does not see it.
            *answer.extensions_mut() = response.extensions().clone();
        }
        answer.unwrap_or(response)
    }
}

/// What a fault does to one item of a batch.
pub(crate) struct ItemFault {
    /// It stands for the item's answer.
    pub(crate) fault: Fault,
    /// Whether the work is done all the same.
    pub(crate) commit: bool,
}

impl Plan {
    /// For one item of a batch: waits, and perhaps answers in its place.
    pub(crate) async fn before_item(&self) -> Option<ItemFault> {
        let spec = self.spec.as_ref()?;
        wait(spec.delay_ms).await;
        if !spec.answers() {
            return None;
        }
        let status = spec.http_status();
        let mut fault = spec.fault(status);
        if spec.fault_type.is_none() {
            // Whatever stands within a batch looks alike; only the type says who refused it.
            fault.shape = usual(status).shape;
        }
        Some(ItemFault { fault, commit: spec.commit })
    }

    /// For one item of a batch, after its work: waits.
    pub(crate) async fn after_item(&self) {
        if let Some(spec) = &self.spec {
            wait(spec.delay_after_ms).await;
        }
    }
}

async fn wait(millis: u64) {
    if millis > 0 {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
}

fn cut(mut response: Response, at: Cut) -> Response {
    response.extensions_mut().insert(CutMark(at));
    response
}

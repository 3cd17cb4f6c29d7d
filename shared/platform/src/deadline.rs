//! The end of an invocation's time. Lambda ends a process whose handler is still at work then, and with it
//! what only the process has: new tokens that could not be stored yet ([`crate::refresh::storing`]). So a
//! handler is given up a moment earlier. To everything else that is the same as a crash.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lambda_runtime::Context;

/// What an answer needs to reach Lambda.
const KEPT_BACK: Duration = Duration::from_secs(1);

/// The time was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the invocation took longer than the function may")]
pub struct OutOfTime;

/// Does the work unless it takes longer than the invocation that it is for.
///
/// # Errors
/// [`OutOfTime`]: the work stopped in the middle.
pub async fn in_time<T>(
    invocation: &Context,
    work: impl Future<Output = T>,
) -> Result<T, OutOfTime> {
    let time = left(invocation, SystemTime::now());
    tokio::time::timeout(time, work).await.map_err(|_| {
        tracing::error!(invocation = %invocation.request_id, "out of time; the work is given up in the middle");
        OutOfTime
    })
}

/// What is left for the work. By the machine's clock, which is Lambda's too.
fn left(invocation: &Context, now: SystemTime) -> Duration {
    let ends = UNIX_EPOCH + Duration::from_millis(invocation.deadline);
    ends.duration_since(now).unwrap_or_default().saturating_sub(KEPT_BACK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending_in(time: Duration) -> Context {
        let ends = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + time;
        let mut invocation = Context::default();
        invocation.deadline = ends.as_millis().try_into().unwrap();
        invocation
    }

    #[tokio::test]
    async fn work_is_given_up_a_second_before_lambda_ends_the_process() {
        let invocation = ending_in(Duration::from_millis(1050));
        assert_eq!(in_time(&invocation, std::future::ready(7)).await, Ok(7));
        assert_eq!(in_time(&invocation, std::future::pending::<()>()).await, Err(OutOfTime));
    }

    #[test]
    fn a_function_of_three_minutes_works_for_all_but_a_second_of_them() {
        let mut invocation = Context::default();
        invocation.deadline = 180_000;
        assert_eq!(left(&invocation, UNIX_EPOCH), Duration::from_secs(179));
        let late = UNIX_EPOCH + Duration::from_secs(200);
        assert_eq!(left(&invocation, late), Duration::ZERO);
    }
}

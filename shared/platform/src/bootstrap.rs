//! How every function starts: one place that builds clients and stores from the environment, and the
//! loop that takes HTTP requests, other events, or both.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use axum::Router;
use domain::mapping::Mapping;
use domain::settings::Settings;
use lambda_http::Adapter;
use lambda_http::request::LambdaRequest;
use lambda_runtime::{LambdaEvent, service_fn, tower::Service};
use quickbooks::{CALL_TIMEOUT, Client, OAuth};
use serde_json::Value;

use crate::access::QuickBooks;
use crate::activity::{self, Activity};
use crate::audit::AuditLog;
use crate::bucket::Bucket;
use crate::bus::Bus;
use crate::clock::Clock;
use crate::companies::Companies;
use crate::config::{self, Intuit, Tables};
use crate::connections::Connections;
use crate::deadline::in_time;
use crate::disconnect::Disconnect;
use crate::documents::Documents;
use crate::doorbell::Doorbell;
use crate::erasure::{Eraser, Erasures};
use crate::erasure_requests::ErasureRequests;
use crate::error::Result;
use crate::go_live::GoLive;
use crate::jobs::Jobs;
use crate::journal::Journal;
use crate::mail::Mailer;
use crate::mail_log::MailLog;
use crate::oauth_states::OAuthStates;
use crate::pace::InteractivePace;
use crate::records::Records;
use crate::refresh::{OnAws, Refresher};
use crate::refresh_requests::RefreshRequests;
use crate::secrets::Secrets;
use crate::start_over::StartOver;
use crate::sweep_runs::SweepRuns;
use crate::tokens::TokenProvider;
use crate::work::Work;

/// How long a worker waits for somebody else's refresh of a token.
const PATIENCE: Duration = Duration::from_secs(20);
/// The same for a function that answers inside the gateway's 30 s: a refresh of its own, and the call
/// itself, must still fit, or the answer of Intuit would be lost with the function.
const IN_A_HURRY: Duration = Duration::from_secs(4);

/// Everything that a function can be built of. Making a store makes no call.
#[derive(Clone)]
pub struct Platform {
    sdk: SdkConfig,
    dynamo: aws_sdk_dynamodb::Client,
    tables: Tables,
    call_timeout: Duration,
    /// The clock.
    pub clock: Clock,
}

impl Platform {
    /// Reads the environment and prepares the AWS clients.
    ///
    /// Time-outs: 3 s to connect, 8 s for a try, 20 s for all tries of a call, so that an HTTP function
    /// answers inside the gateway's 30 s.
    pub async fn load() -> Result<Self> {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            .operation_attempt_timeout(Duration::from_secs(8))
            .operation_timeout(Duration::from_secs(20))
            .build();
        let sdk = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .timeout_config(timeouts)
            .load()
            .await;
        Ok(Self {
            dynamo: aws_sdk_dynamodb::Client::new(&sdk),
            tables: Tables::from_env()?,
            call_timeout: CALL_TIMEOUT,
            clock: Clock::from_env(),
            sdk,
        })
    }

    /// Gives a call to Intuit less than its usual 30 s, for functions that answer inside the gateway's
    /// 30 s and make several.
    #[must_use]
    pub fn with_call_timeout(mut self, timeout: Duration) -> Self {
        self.call_timeout = timeout;
        self
    }

    /// Company rows and leases.
    pub fn companies(&self) -> Companies {
        Companies::new(self.dynamo.clone(), &self.tables.companies)
    }

    /// The work list.
    pub fn work(&self) -> Work {
        Work::new(self.dynamo.clone(), &self.tables.work)
    }

    /// The journal of sends.
    pub fn journal(&self) -> Journal {
        Journal::new(self.dynamo.clone(), &self.tables.work, &self.companies())
    }

    /// Timecards and imported names.
    pub fn records(&self) -> Records {
        Records::new(self.dynamo.clone(), &self.tables.records)
    }

    /// Jobs.
    pub fn jobs(&self) -> Jobs {
        Jobs::new(self.dynamo.clone(), &self.tables.jobs)
    }

    /// Settings.
    pub fn settings(&self) -> Documents<Settings> {
        Documents::new(self.dynamo.clone(), &self.tables.settings)
    }

    /// Mappings.
    pub fn mappings(&self) -> Documents<Mapping> {
        Documents::new(self.dynamo.clone(), &self.tables.mappings)
    }

    /// The audit trail.
    pub fn audit(&self) -> AuditLog {
        AuditLog::new(self.dynamo.clone(), &self.tables.audit_log)
    }

    /// The lines of deleted companies.
    pub fn erasures(&self) -> Erasures {
        Erasures::new(self.dynamo.clone(), &self.tables.audit_log)
    }

    /// What erases a deleted company's rows.
    pub fn eraser(&self) -> Eraser {
        Eraser::new(self.dynamo.clone(), self.tables.clone())
    }

    /// Requests to erase a company.
    pub fn erasure_requests(&self) -> Result<ErasureRequests> {
        ErasureRequests::from_env(aws_sdk_sqs::Client::new(&self.sdk))
    }

    /// Connections.
    pub fn connections(&self) -> Connections {
        Connections::new(self.dynamo.clone(), &self.tables.connections)
    }

    /// Connect links and OAuth states.
    pub fn oauth_states(&self) -> OAuthStates {
        OAuthStates::new(self.dynamo.clone(), &self.tables.oauth_states)
    }

    /// The interactive share of Intuit's limits.
    pub fn interactive_pace(&self) -> InteractivePace {
        InteractivePace::new(self.dynamo.clone(), &self.tables.counters, config::pace_scale())
    }

    /// What the runs of sweeps came to.
    pub fn sweep_runs(&self) -> SweepRuns {
        SweepRuns::new(self.dynamo.clone(), &self.tables.counters)
    }

    /// The doorbell.
    pub fn doorbell(&self) -> Result<Doorbell> {
        Doorbell::from_env(aws_sdk_sqs::Client::new(&self.sdk))
    }

    /// Requests to token-refresh.
    pub fn refresh_requests(&self) -> Result<RefreshRequests> {
        RefreshRequests::from_env(aws_sdk_sqs::Client::new(&self.sdk))
    }

    /// What a use of a connection leads to.
    pub fn activity(&self) -> Result<Activity> {
        Ok(Activity::new(
            self.connections(),
            self.refresh_requests()?,
            activity::renew_after()?,
            self.clock.clone(),
        ))
    }

    /// The host app's bus.
    pub fn bus(&self) -> Result<Bus> {
        Bus::from_env(aws_sdk_eventbridge::Client::new(&self.sdk))
    }

    /// E-mail; none when no sender is configured.
    pub fn mailer(&self) -> Option<Mailer> {
        Mailer::from_env(aws_sdk_ses::Client::new(&self.sdk))
    }

    /// Which mails went out.
    pub fn mail_log(&self) -> MailLog {
        MailLog::new(self.dynamo.clone(), &self.tables.counters)
    }

    /// Secrets.
    pub fn secrets(&self) -> Result<Secrets> {
        Secrets::from_env(aws_sdk_secretsmanager::Client::new(&self.sdk))
    }

    /// What follows when a connection has become live. `secrets` as with [`Platform::refresher`].
    pub fn go_live(&self, secrets: Secrets) -> Result<GoLive> {
        Ok(GoLive {
            connections: self.connections(),
            secrets,
            settings: self.settings(),
            companies: self.companies(),
            work: self.work(),
            doorbell: self.doorbell()?,
            bus: self.bus()?,
            audit: self.audit(),
        })
    }

    /// A bucket by the variable that names it.
    pub fn bucket(&self, variable: &str) -> Result<Bucket> {
        let name = config::required(variable)?;
        Ok(Bucket::new(aws_sdk_s3::Client::new(&self.sdk), name))
    }

    /// Intuit's OAuth endpoints.
    pub fn oauth(&self, intuit: &Intuit) -> OAuth {
        OAuth::new(quickbooks::http_client(), intuit.endpoints.clone())
            .with_timeout(self.call_timeout)
    }

    /// Starts companies over with another QuickBooks company.
    pub fn start_over(&self, disconnect: Disconnect) -> StartOver {
        StartOver {
            disconnect,
            mappings: self.mappings(),
            settings: self.settings(),
            audit: self.audit(),
            clock: self.clock.clone(),
        }
    }

    /// Ending a company's connection. Intuit has `revoke_within` to take the access back.
    pub fn disconnect(&self, intuit: &Intuit, revoke_within: Duration) -> Result<Disconnect> {
        Ok(Disconnect {
            connections: self.connections(),
            companies: self.companies(),
            secrets: self.secrets()?,
            oauth: self.oauth(intuit).with_timeout(revoke_within),
            bus: self.bus()?,
            audit: self.audit(),
            clock: self.clock.clone(),
        })
    }

    /// The plain QuickBooks client, for one that has a token in hand.
    pub fn quickbooks_client(&self, intuit: &Intuit) -> Client {
        Client::new(quickbooks::http_client(), intuit.endpoints.api.clone())
            .with_timeout(self.call_timeout)
    }

    /// The refresh protocol. `secrets` remembers what it stores, so share it with whoever reads.
    pub fn refresher(&self, intuit: &Intuit, secrets: Secrets) -> Result<Refresher<OnAws>> {
        let world = OnAws::new(
            self.connections(),
            secrets,
            self.oauth(intuit),
            self.audit(),
            self.bus()?,
            self.clock.clone(),
        );
        Ok(Refresher::new(world, intuit.environment))
    }

    /// Calls to QuickBooks on behalf of any company, with tokens.
    pub fn quickbooks(&self, intuit: &Intuit) -> Result<QuickBooks> {
        let secrets = self.secrets()?;
        let tokens = TokenProvider::new(
            self.refresher(intuit, secrets.clone())?,
            secrets,
            self.clock.clone(),
            config::refresh_margin()?,
            if self.call_timeout < CALL_TIMEOUT { IN_A_HURRY } else { PATIENCE },
        );
        Ok(QuickBooks::new(
            tokens,
            self.quickbooks_client(intuit),
            self.connections(),
            self.companies(),
            self.bus()?,
            self.audit(),
            self.clock.clone(),
        ))
    }
}

/// Runs a function that only takes HTTP requests.
pub async fn run_http(router: Router, activity: Activity) -> Result<(), lambda_http::Error> {
    lambda_http::run(crate::http::finish(router, activity)).await
}

/// Runs a function that takes HTTP requests and other events. What is not an HTTP request of the
/// gateway goes to `other`, whose answer is the invocation's answer.
pub async fn run_both<F>(
    router: Router,
    activity: Activity,
    other: F,
) -> Result<(), lambda_runtime::Error>
where
    F: AsyncFn(Value) -> Result<Value, lambda_runtime::Error>,
{
    let adapter = Adapter::from(crate::http::finish(router, activity));
    let handler = async |event: LambdaEvent<Value>| -> Result<Value, lambda_runtime::Error> {
        if event.payload.pointer("/requestContext/http").is_none() {
            return in_time(&event.context, Box::pin(other(event.payload))).await?;
        }
        let request: LambdaRequest = serde_json::from_value(event.payload)?;
        let response = adapter.clone().call(LambdaEvent::new(request, event.context)).await?;
        Ok(serde_json::to_value(response)?)
    };
    lambda_runtime::run(service_fn(handler)).await
}

/// Runs a function that takes events only.
pub async fn run_events<F>(handler: F) -> Result<(), lambda_runtime::Error>
where
    F: AsyncFn(Value) -> Result<Value, lambda_runtime::Error>,
{
    let handler = async |event: LambdaEvent<Value>| {
        in_time(&event.context, Box::pin(handler(event.payload))).await?
    };
    lambda_runtime::run(service_fn(handler)).await
}

/// Logs why a function could not start, by name, and ends the process.
pub fn refuse_to_start(error: &dyn std::fmt::Display) -> lambda_runtime::Error {
    tracing::error!(%error, "the function cannot start");
    error.to_string().into()
}

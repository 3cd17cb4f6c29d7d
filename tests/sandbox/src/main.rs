//! The sandbox as a program: read the options, start, print the addresses, stop on a signal.

use std::{io::ErrorKind, process::ExitCode};

use quickbooks_sandbox::{Config, Sandbox};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| "quickbooks_sandbox=info".into()),
        )
        .with_writer(std::io::stderr)
        .init();

    let config = match Config::from_env_and_args(std::env::args().skip(1)) {
        Ok(Some(config)) => config,
        Ok(None) => {
            println!("{}", quickbooks_sandbox::USAGE);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("quickbooks-sandbox: {error}\n\n{}", quickbooks_sandbox::USAGE);
            return ExitCode::from(2);
        }
    };
    match run(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quickbooks-sandbox: {error}");
            match error.kind() {
                // A state file that cannot be used is a bad option.
                ErrorKind::InvalidData => ExitCode::from(2),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

async fn run(config: Config) -> std::io::Result<()> {
    // Handlers first: a signal that comes while the ports open must not be lost.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let sandbox = Sandbox::start(config).await?;
    println!("QuickBooks sandbox  {}", sandbox.public_url());
    println!("  authorize page    {}/connect/oauth2", sandbox.public_url());
    println!("  REST              {}/v3/company/<realm>", sandbox.public_url());
    println!("  local issuer      {}/issuer", sandbox.public_url());
    println!("Admin and page      {}", sandbox.admin_url());
    println!("Seed                {}", sandbox.seed());
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    sandbox.stop().await
}

//! Runs the proxy: `stack-proxy --aws LISTEN=UPSTREAM --quickbooks LISTEN=UPSTREAM --control LISTEN`;
//! with `--requests FILE` it keeps there what functions send.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use stack_tests::proxy::{self, Route, Target};

const USAGE: &str = "usage: stack-proxy --aws 127.0.0.1:4570=127.0.0.1:4566 \
    --quickbooks 127.0.0.1:4571=127.0.0.1:4600 --control 127.0.0.1:4572 [--requests FILE]";

fn route(target: Target, text: &str) -> Option<Route> {
    let (listen, upstream) = text.split_once('=')?;
    Some(Route { target, listen: listen.parse().ok()?, upstream: upstream.parse().ok()? })
}

fn arguments() -> Option<(Vec<Route>, SocketAddr, Option<PathBuf>)> {
    let mut words = std::env::args().skip(1);
    let (mut routes, mut control, mut requests) = (Vec::new(), None, None);
    while let Some(option) = words.next() {
        let value = words.next()?;
        match option.as_str() {
            "--aws" => routes.push(route(Target::Aws, &value)?),
            "--quickbooks" => routes.push(route(Target::QuickBooks, &value)?),
            "--control" => control = Some(value.parse().ok()?),
            "--requests" => requests = Some(value.into()),
            _ => return None,
        }
    }
    Some((routes, control?, requests))
}

#[tokio::main]
async fn main() -> ExitCode {
    let Some((routes, control, requests)) = arguments() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match proxy::run(&routes, control, requests.as_deref()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stack-proxy cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}

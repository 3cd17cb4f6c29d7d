//! Runs the proxy: `stack-proxy --aws LISTEN=UPSTREAM --quickbooks LISTEN=UPSTREAM --control LISTEN`.

use std::net::SocketAddr;
use std::process::ExitCode;

use stack_tests::proxy::{self, Route, Target};

const USAGE: &str = "usage: stack-proxy --aws 127.0.0.1:4570=127.0.0.1:4566 \
    --quickbooks 127.0.0.1:4571=127.0.0.1:4600 --control 127.0.0.1:4572";

fn route(target: Target, text: &str) -> Option<Route> {
    let (listen, upstream) = text.split_once('=')?;
    Some(Route { target, listen: listen.parse().ok()?, upstream: upstream.parse().ok()? })
}

fn arguments() -> Option<(Vec<Route>, SocketAddr)> {
    let mut words = std::env::args().skip(1);
    let (mut routes, mut control) = (Vec::new(), None);
    while let Some(option) = words.next() {
        let value = words.next()?;
        match option.as_str() {
            "--aws" => routes.push(route(Target::Aws, &value)?),
            "--quickbooks" => routes.push(route(Target::QuickBooks, &value)?),
            "--control" => control = Some(value.parse().ok()?),
            _ => return None,
        }
    }
    Some((routes, control?))
}

#[tokio::main]
async fn main() -> ExitCode {
    let Some((routes, control)) = arguments() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match proxy::run(&routes, control).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stack-proxy cannot listen: {error}");
            ExitCode::FAILURE
        }
    }
}

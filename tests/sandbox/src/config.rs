//! Start-up options: flags first, then `QBO_SANDBOX_*` variables, then defaults.

use std::{net::IpAddr, path::PathBuf};

use crate::{latency::LatencyModel, webhooks::Receiver};

/// The text of `--help`.
pub const USAGE: &str = "\
Usage: quickbooks-sandbox [options]

  --host ADDRESS         address to listen on           (QBO_SANDBOX_HOST, 127.0.0.1)
  --port PORT            QuickBooks' side; 0 = any      (QBO_SANDBOX_PORT, 4600)
  --admin-port PORT      admin API; 0 = any             (QBO_SANDBOX_ADMIN_PORT, 4601)
  --public-url URL       base of links and the issuer   (QBO_SANDBOX_PUBLIC_URL, http://HOST:PORT)
  --client-id ID         the app's OAuth client id      (QBO_SANDBOX_CLIENT_ID, sandbox-client)
  --client-secret SECRET the app's OAuth client secret  (QBO_SANDBOX_CLIENT_SECRET, sandbox-secret)
  --limits-scale FACTOR  multiplies the REST limits     (QBO_SANDBOX_LIMITS_SCALE, 1)
  --latency on|off|SINGLE,ITEM
                         ms of a call and of an item    (QBO_SANDBOX_LATENCY, on)
  --webhook-url URL      where webhooks go              (QBO_SANDBOX_WEBHOOK_URL, nowhere)
  --webhook-verifier-token TOKEN
                         signs the webhooks             (QBO_SANDBOX_WEBHOOK_VERIFIER_TOKEN,
                                                         sandbox-verifier-token)
  --seed NUMBER          repeats tokens, jitter, order  (QBO_SANDBOX_SEED, another each time)
  --state-file PATH      kept between two runs          (QBO_SANDBOX_STATE_FILE, none)
  --help                 this text";

/// How a sandbox starts.
#[derive(Clone)]
pub struct Config {
    /// Address that both ports listen on.
    pub host: IpAddr,
    /// Port of QuickBooks' side; 0 lets the system choose.
    pub port: u16,
    /// Port of the admin API; 0 lets the system choose.
    pub admin_port: u16,
    /// Base of the links in discovery documents and of the local issuer, without a trailing slash.
    /// `None` means `http://host:port`.
    pub public_url: Option<String>,
    /// OAuth client id that the sandbox accepts.
    pub client_id: String,
    /// OAuth client secret that the sandbox accepts. It guards nothing real.
    pub client_secret: String,
    /// Factor on the REST limits of 500 a minute, 10 a second, 10 in flight.
    pub limits_scale: f64,
    /// How long calls take.
    pub latency: LatencyModel,
    /// Where webhooks go: http to a loopback address, `localhost` or `*.localhost`. `None`: nobody
    /// is told anything until the admin API subscribes.
    pub webhook_url: Option<String>,
    /// Key of the webhooks' signatures. It guards nothing real.
    pub webhook_verifier_token: String,
    /// Where everything random starts from: the same seed gives the same tokens, trace ids, jitter and
    /// disorder to the same requests.
    pub seed: u64,
    /// File that the state is read from at the start, if it exists, and written to at the end.
    pub state_file: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            host: IpAddr::from([127, 0, 0, 1]),
            port: 4600,
            admin_port: 4601,
            public_url: None,
            client_id: "sandbox-client".into(),
            client_secret: "sandbox-secret".into(),
            limits_scale: 1.0,
            latency: LatencyModel::default(),
            webhook_url: None,
            webhook_verifier_token: "sandbox-verifier-token".into(),
            seed: rand::random(),
            state_file: None,
        }
    }
}

impl Config {
    /// Both ports chosen by the system and no latency: what a test wants.
    pub fn ephemeral() -> Self {
        Self { port: 0, admin_port: 0, latency: LatencyModel::off(), ..Self::default() }
    }

    /// Reads the process environment and `args` (without the program's name).
    /// `Ok(None)` means that help was asked for.
    ///
    /// # Errors
    /// A sentence that names the option which is unknown, lacks its value or has a bad one.
    pub fn from_env_and_args(args: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        Self::read(args, |name| std::env::var(name).ok())
    }

    fn read(
        args: impl Iterator<Item = String>,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, String> {
        let mut config = Self::default();
        for option in OPTIONS {
            let name = format!("QBO_SANDBOX_{}", option[2..].replace('-', "_").to_uppercase());
            if let Some(value) = env(&name) {
                config.set(option, &value).map_err(|problem| format!("{name}: {problem}"))?;
            }
        }
        let mut args = args;
        while let Some(arg) = args.next() {
            if arg == "--help" || arg == "-h" {
                return Ok(None);
            }
            let (option, value) = match arg.split_once('=') {
                Some((option, value)) => (option.to_owned(), Some(value.to_owned())),
                None => (arg, None),
            };
            if !OPTIONS.contains(&option.as_str()) {
                return Err(format!("unknown option {option}"));
            }
            let value = value.or_else(|| args.next()).ok_or(format!("{option} needs a value"))?;
            config.set(&option, &value).map_err(|problem| format!("{option}: {problem}"))?;
        }
        Ok(Some(config))
    }

    fn set(&mut self, option: &str, value: &str) -> Result<(), String> {
        let port = || value.parse::<u16>().map_err(|_| format!("{value} is not a port"));
        match option {
            "--host" => {
                self.host = value.parse().map_err(|_| format!("{value} is not an IP address"))?;
            }
            "--port" => self.port = port()?,
            "--admin-port" => self.admin_port = port()?,
            "--public-url" => self.public_url = Some(value.trim_end_matches('/').to_owned()),
            "--client-id" => value.clone_into(&mut self.client_id),
            "--client-secret" => value.clone_into(&mut self.client_secret),
            "--latency" => self.latency = LatencyModel::parse(value)?,
            "--webhook-url" => {
                Receiver::parse(value)?;
                self.webhook_url = Some(value.to_owned());
            }
            "--webhook-verifier-token" => {
                if value.is_empty() {
                    return Err("the token is empty".into());
                }
                value.clone_into(&mut self.webhook_verifier_token);
            }
            "--state-file" if value.is_empty() => return Err("a path is missing".into()),
            "--state-file" => self.state_file = Some(PathBuf::from(value)),
            "--seed" => {
                self.seed = value.parse().map_err(|_| format!("{value} is not a whole number"))?;
            }
            _ => {
                self.limits_scale = value
                    .parse()
                    .ok()
                    .filter(|scale: &f64| scale.is_finite() && *scale > 0.0)
                    .ok_or(format!("{value} is not a positive number"))?;
            }
        }
        Ok(())
    }
}

const OPTIONS: [&str; 12] = [
    "--host",
    "--port",
    "--admin-port",
    "--public-url",
    "--client-id",
    "--client-secret",
    "--limits-scale",
    "--latency",
    "--webhook-url",
    "--webhook-verifier-token",
    "--seed",
    "--state-file",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &[&str], env: &[(&str, &str)]) -> Result<Option<Config>, String> {
        Config::read(args.iter().map(ToString::to_string), |name| {
            env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_flag_wins_over_its_variable() {
        let env = [("QBO_SANDBOX_PORT", "5000"), ("QBO_SANDBOX_CLIENT_ID", "from-env")];
        let config = read(&["--port", "6000", "--limits-scale=2.5"], &env).unwrap().unwrap();
        assert_eq!((config.port, config.client_id.as_str()), (6000, "from-env"));
        assert!((config.limits_scale - 2.5).abs() < f64::EPSILON);
    }

    #[test]
    fn a_bad_option_is_named() {
        assert_eq!(read(&["--prot", "1"], &[]).err().unwrap(), "unknown option --prot");
        assert_eq!(read(&["--port", "x"], &[]).err().unwrap(), "--port: x is not a port");
        assert_eq!(read(&["--port"], &[]).err().unwrap(), "--port needs a value");
        assert!(read(&["--limits-scale", "0"], &[]).is_err());
        let far = read(&["--webhook-url", "https://example.com/hook"], &[]).err().unwrap();
        assert!(far.starts_with("--webhook-url: "), "{far}");
        let empty = [("QBO_SANDBOX_WEBHOOK_VERIFIER_TOKEN", "")];
        assert!(read(&[], &empty).is_err());
        assert!(read(&["--help"], &[]).unwrap().is_none());
    }
}

//! Which function process made a connection.
//!
//! The emulator runs each function as a process of this machine. The kernel's tables lead from
//! the two ends of a connection to a socket and from there to the process that holds it.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

/// The environment variable by which Lambda tells a function its own name.
const FUNCTION_NAME: &str = "AWS_LAMBDA_FUNCTION_NAME=";

/// The process of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// The function's name as deployed.
    pub function: String,
}

impl Process {
    /// Ends the process at once, as a crash of its machine would: nothing is flushed or closed.
    pub fn kill(&self) {
        if let Some(pid) = Pid::from_raw(self.pid) {
            // A process that ended by itself a moment ago is as dead as was asked for.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// The function process at the far end of a connection, `None` when anything else called.
///
/// Blocks on reads of `/proc`.
pub fn behind(client: SocketAddr, server: SocketAddr) -> Option<Process> {
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let inode = inode(&table, client, server)?;
    let socket = format!("socket:[{inode}]");
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let function = function_name(&fs::read(entry.path().join("environ")).ok()?)?;
        holds(&entry.path(), &socket).then_some(Process { pid, function })
    })
}

/// The socket whose own end is `local` and whose other end is `remote`.
fn inode(table: &str, local: SocketAddr, remote: SocketAddr) -> Option<&str> {
    let (local, remote) = (hex(local)?, hex(remote)?);
    table.lines().find_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        (fields.nth(1)? == local && fields.next()? == remote).then(|| fields.nth(6))?
    })
}

/// An address as the kernel prints it: the four bytes in host order, then the port.
fn hex(address: SocketAddr) -> Option<String> {
    let IpAddr::V4(ip) = address.ip() else { return None };
    Some(format!("{:08X}:{:04X}", u32::from_ne_bytes(ip.octets()), address.port()))
}

fn function_name(environment: &[u8]) -> Option<String> {
    environment
        .split(|byte| *byte == 0)
        .find_map(|variable| variable.strip_prefix(FUNCTION_NAME.as_bytes()))
        .map(|name| String::from_utf8_lossy(name).into_owned())
}

fn holds(process: &Path, socket: &str) -> bool {
    fs::read_dir(process.join("fd"))
        .into_iter()
        .flatten()
        .flatten()
        .any(|fd| fs::read_link(fd.path()).is_ok_and(|to| to.as_os_str() == socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_table_leads_from_both_ends_to_the_socket() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:11DA 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 111 1\n\
            1: 0100007F:C001 0100007F:11DA 01 00000000:00000000 00:00000000 00000000     0        0 222 1\n";
        let client = "127.0.0.1:49153".parse().unwrap();
        let server = "127.0.0.1:4570".parse().unwrap();
        assert_eq!(inode(table, client, server), Some("222"));
        assert_eq!(inode(table, client, client), None);
    }

    #[test]
    fn a_process_without_a_function_name_is_no_function() {
        assert_eq!(function_name(b"PATH=/bin\0HOME=/root\0"), None);
        let environment = b"PATH=/bin\0AWS_LAMBDA_FUNCTION_NAME=worker-1\0";
        assert_eq!(function_name(environment), Some("worker-1".to_owned()));
    }
}

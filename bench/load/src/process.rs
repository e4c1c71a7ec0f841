//! A process that is measured: its CPU time and memory, read from the system.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::Outcome;

/// A child that ends with this value.
pub(crate) struct Process {
    child: Child,
    /// The first line that it printed.
    pub(crate) said: String,
}

impl Process {
    /// Starts a command and reads its first line: where it listens.
    pub(crate) fn start(mut command: Command) -> Outcome<Self> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let stdout = child.stdout.take().ok_or("no stdout")?;
        let mut said = String::new();
        BufReader::new(stdout).read_line(&mut said)?;
        Ok(Self {
            child,
            said: said.trim().to_owned(),
        })
    }

    /// Starts a command that says nothing.
    pub(crate) fn silent(mut command: Command) -> Outcome<Self> {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok(Self {
            child,
            said: String::new(),
        })
    }

    /// User and system time so far, in microseconds.
    pub(crate) fn cpu_micros(&self) -> Outcome<u64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, fields) = stat.rsplit_once(") ").ok_or("an odd /proc/PID/stat")?;
        let ticks: u64 = fields
            .split(' ')
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<u64>().ok())
            .sum();
        // USER_HZ is 100 on every Linux.
        Ok(ticks * 10_000)
    }

    /// Resident memory, in KiB.
    pub(crate) fn resident_kib(&self) -> Outcome<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

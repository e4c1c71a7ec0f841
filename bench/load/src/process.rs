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

    /// User and system time so far of the process, its threads and everything that it started, in microseconds.
    pub(crate) fn cpu_micros(&self) -> Outcome<u64> {
        let mut ticks = 0;
        for pid in self.tree() {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
            let (_, fields) = stat.rsplit_once(") ").ok_or("an odd /proc/PID/stat")?;
            // utime, stime, and both of the children that have ended.
            let fields = fields.split(' ').skip(11).take(4);
            ticks += fields.filter_map(|field| field.parse::<u64>().ok()).sum::<u64>();
        }
        // USER_HZ is 100 on every Linux.
        Ok(ticks * 10_000)
    }

    /// Resident memory of the process and everything that it started, in KiB.
    pub(crate) fn resident_kib(&self) -> Outcome<u64> {
        let mut kib = 0;
        for pid in self.tree() {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("VmRSS:"))
                .ok_or("no VmRSS")?;
            kib += line.trim().trim_end_matches(" kB").parse::<u64>()?;
        }
        Ok(kib)
    }

    fn tree(&self) -> Vec<u32> {
        let mut found = vec![self.child.id()];
        let mut next = 0;
        while let Some(pid) = found.get(next).copied() {
            found.extend(children(pid));
            next += 1;
        }
        found
    }
}

fn children(pid: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten();
    let lists = threads
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    let all: Vec<String> = lists.collect();
    all.iter()
        .flat_map(|list| list.split_whitespace())
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

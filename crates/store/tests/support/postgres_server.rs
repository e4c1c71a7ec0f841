//! A PostgreSQL server of our own, for a run of the tests.
//!
//! Started when `CARNET_TEST_POSTGRES` names none, stopped when the process that started it ends, however it ends.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::scratch::Scratch;

/// A running server.
pub(crate) struct Server {
    pub(crate) port: u16,
    /// The server stops when the other end of its standard input is gone.
    _child: Child,
}

/// The server that all tests of this process share: the one of the environment, or one of our own.
pub(crate) fn shared_url() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    static OWN: OnceLock<Server> = OnceLock::new();
    URL.get_or_init(|| match std::env::var("CARNET_TEST_POSTGRES") {
        Ok(url) if !url.is_empty() => url,
        _ => {
            let server = OWN.get_or_init(|| Server::start(&[], |_| {}));
            format!("postgres://postgres@127.0.0.1:{}/postgres", server.port)
        }
    })
}

impl Server {
    /// Make a cluster, let `prepare` put files into its folder, and start it with these settings.
    pub(crate) fn start(settings: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        let programs = programs();
        let folder = Scratch::new("postgres").path().to_owned();
        std::fs::create_dir_all(&folder).expect("a folder for PostgreSQL");
        let data = folder.join("data");
        hand_over(&folder);
        run(as_owner(&programs.join("initdb")).arg("-D").arg(&data).args([
            "-A",
            "trust",
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]));
        prepare(&data);
        hand_over(&folder);
        let port = free_port();
        let mut server = as_owner(&programs.join("postgres"));
        server
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(&folder)
            .args(["-p", &port.to_string()]);
        for setting in ["listen_addresses=127.0.0.1", "max_connections=200", "fsync=off"]
            .iter()
            .chain(settings)
        {
            server.args(["-c", setting]);
        }
        let child = watched(&server, &folder);
        let server = Self { port, _child: child };
        server.wait_until_ready(&programs);
        server
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "another process is waited for, and no runtime is there yet"
    )]
    fn wait_until_ready(&self, programs: &Path) {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(30) {
            let port = self.port.to_string();
            let asked = Command::new(programs.join("pg_isready"))
                .args(["-q", "-h", "127.0.0.1", "-p", &port])
                .status();
            if asked.is_ok_and(|status| status.success()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("PostgreSQL did not become ready within 30 seconds");
    }
}

/// The folder of PostgreSQL's server programs.
fn programs() -> PathBuf {
    let mut places: Vec<PathBuf> = std::env::var_os("PATH")
        .map(|path| std::env::split_paths(&path).collect())
        .unwrap_or_default();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        places.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    let complete = |place: &PathBuf| {
        ["initdb", "postgres", "pg_isready"]
            .iter()
            .all(|name| place.join(name).exists())
    };
    places.into_iter().find(complete).expect(
        "PostgreSQL is needed: set CARNET_TEST_POSTGRES to the URL of a server, or install its server programs \
         (Debian: apt-get install postgresql)",
    )
}

/// PostgreSQL refuses to run as root: then its own user runs it.
fn as_owner(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"])
        .arg(program);
    command
}

fn hand_over(folder: &Path) {
    if is_root() {
        run(Command::new("chown")
            .args(["-R", "postgres:postgres"])
            .arg(folder));
    }
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().expect("id");
    output.stdout.starts_with(b"0\n")
}

/// Start the server under a shell that stops it, and removes the folder, when our end of its standard input closes.
fn watched(server: &Command, folder: &Path) -> Child {
    let script = "log=$1/log; folder=$1; shift; cd /; \"$@\" >\"$log\" 2>&1 </dev/null & server=$!; \
                  while read -r _; do :; done; kill -INT $server; wait $server; rm -rf \"$folder\"";
    let mut shell = Command::new("sh");
    shell
        .args(["-c", script, "sh"])
        .arg(folder)
        .arg(server.get_program())
        .args(server.get_args());
    let mut child = shell
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh");
    child
        .stdin
        .as_mut()
        .expect("a pipe")
        .write_all(b"\n")
        .expect("the shell reads");
    child
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// Run a command to its end; its words are shown when it fails.
pub(crate) fn run(command: &mut Command) {
    let output = command
        .current_dir("/")
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

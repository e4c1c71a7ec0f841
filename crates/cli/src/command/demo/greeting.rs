//! What the demo prints: a permit, and lines that work as printed.

use std::path::PathBuf;
use std::{env, fmt};

use carnet_server::config::Ttl;
use serde_json::{Value, json};

use super::api::{APP, CHALLENGE};

/// Everything that a visitor needs to know.
pub(super) struct Greeting {
    pub(super) issuer: String,
    pub(super) api: String,
    pub(super) email: &'static str,
    pub(super) password: String,
    pub(super) service_secret: String,
    pub(super) folder: PathBuf,
    pub(super) access_ttl: Ttl,
    pub(super) app_origin: String,
    pub(super) web_origin: String,
    /// The file with the secret of the server-rendered app.
    pub(super) web_secret: PathBuf,
    pub(super) kept: bool,
}

/// A line to copy, what it does, and what its answer contains.
struct Step {
    what: &'static str,
    command: String,
    expect: &'static str,
}

impl Greeting {
    pub(super) fn json(&self) -> Value {
        let steps: Vec<_> = self
            .steps()
            .into_iter()
            .map(|step| json!({ "what": step.what, "command": step.command, "expect": step.expect }))
            .collect();
        json!({ "issuer": self.issuer, "api": self.api, "email": self.email, "password": self.password, "folder": self.folder, "steps": steps, "app_origin": self.app_origin, "web_origin": self.web_origin, "web_secret_file": self.web_secret, "browser": self.browser_url() })
    }

    /// Where a browser logs in for the demo's app.
    fn browser_url(&self) -> String {
        let callback = format!("{}/callback", self.api);
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("response_type", "code"),
                ("client_id", APP),
                ("redirect_uri", callback.as_str()),
                ("scope", "openid email read:data"),
                ("state", "xyz"),
                ("code_challenge", CHALLENGE),
                ("code_challenge_method", "S256"),
            ])
            .finish();
        format!("{}/oauth/authorize?{query}", self.issuer)
    }

    fn service_step(&self) -> Step {
        let Self {
            issuer,
            service_secret,
            ..
        } = self;
        Step {
            what: "A service asks for itself: no user, no browser",
            command: format!(
                "curl -s {issuer}/oauth/token -d grant_type=client_credentials -d client_id=service-account-id -d client_secret={service_secret} --data-urlencode 'scope=read:metrics write:logs'"
            ),
            expect: "read:metrics write:logs",
        }
    }

    fn steps(&self) -> Vec<Step> {
        let Self {
            issuer, api, email, ..
        } = self;
        let jar = self.folder.join("cookies").display().to_string();
        // The password is generated from letters and digits: nothing in it needs quoting.
        let password = &self.password;
        let log_in = format!(
            "TOKEN=$(curl -s -c {jar} {issuer}/auth/login -H 'Content-Type: application/json' -d '{{\"email\":\"{email}\",\"password\":\"{password}\"}}' | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/'); echo \"$TOKEN\""
        );
        let call = format!("curl -s {api}/api/user/profile -H \"Authorization: Bearer $TOKEN\"");
        let refresh = format!("curl -s -X POST -b {jar} -c {jar} {issuer}/auth/refresh");
        let step = |what, command: &str, expect| Step {
            what,
            command: command.to_owned(),
            expect,
        };
        vec![
            step(
                "Log in: an access token, and a refresh token in an HttpOnly cookie",
                &log_in,
                "eyJ",
            ),
            step(
                "What the token says",
                &format!("echo \"$TOKEN\" | {} jwt decode", program()),
                "roles",
            ),
            step("Call the API", &call, "alice@example.com"),
            step(
                "Without a token",
                &format!("curl -s {api}/api/data"),
                "token_missing",
            ),
            step(
                "Keep the first refresh token, as a thief would",
                &format!("FIRST=$(awk '$6 == \"refresh_token\" {{ print $7 }}' {jar}); echo \"$FIRST\""),
                "carnet_rt.",
            ),
            step("Refresh", &refresh, "access_token"),
            step("Refresh again", &refresh, "access_token"),
            step(
                "The thief comes with the first: refused, and the family is dead",
                &format!("curl -s -X POST {issuer}/auth/refresh -H \"Cookie: refresh_token=$FIRST\""),
                "refresh_token_reused",
            ),
            step("… so the newest is dead too", &refresh, "refresh_token_invalid"),
            step("Log in again", &log_in, "eyJ"),
            step(
                "Log out: 204",
                &format!(
                    "curl -s -o {jar}.out -w '%{{http_code}}' -X POST -b {jar} -c {jar} {issuer}/auth/logout"
                ),
                "204",
            ),
            step(
                "Call again: refused at once, though the token has not expired",
                &call,
                "token_invalid",
            ),
            self.service_step(),
        ]
    }
}

/// How a shell calls this program: by its name where that is enough, else by where it lies.
fn program() -> String {
    const NAME: &str = "carnet";
    let Ok(own) = env::current_exe() else {
        return NAME.to_owned();
    };
    let folders = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&folders).find_map(|folder| folder.join(NAME).canonicalize().ok());
    if found.is_some_and(|found| found == own) {
        return NAME.to_owned();
    }
    let path = own.display().to_string();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-".contains(letter);
    match path.chars().all(plain) {
        true => path,
        false => format!("'{}'", path.replace('\'', r"'\''")),
    }
}

const WIDTH: usize = 76;

impl fmt::Display for Greeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |left: &str, right: &str| format!("│  {left:<12}{right:<width$}│", width = WIDTH - 14);
        writeln!(f, "╭{}╮", "─".repeat(WIDTH))?;
        writeln!(
            f,
            "{}",
            line("CARNET", "a permit that any service can check on the spot")
        )?;
        writeln!(f, "├{}┤", "╌".repeat(WIDTH))?;
        writeln!(f, "{}", line("server", &self.issuer))?;
        writeln!(f, "{}", line("guarded API", &self.api))?;
        writeln!(
            f,
            "{}",
            line("user", &format!("{} (editor, reviewer)", self.email))
        )?;
        writeln!(f, "{}", line("tokens live", &self.access_ttl.to_string()))?;
        let kept = if self.kept {
            "kept when this stops"
        } else {
            "removed when this stops"
        };
        writeln!(f, "{}", line("data", kept))?;
        writeln!(f, "╰{}╯", "─".repeat(WIDTH))?;
        writeln!(
            f,
            "password    {}\nfolder      {}\n",
            self.password,
            self.folder.display()
        )?;
        for (number, step) in self.steps().iter().enumerate() {
            writeln!(f, "# {}. {}\n{}\n", number + 1, step.what, step.command)?;
        }
        writeln!(
            f,
            "# In a browser: log in and allow the app what it asks for\n{}\n",
            self.browser_url()
        )?;
        writeln!(
            f,
            "# As a command line does it: type a code in a browser, then ask for tokens\n{} login --issuer {} --client-id my-cli-client-id --scope \"openid email offline_access read:data\"\n",
            program(),
            self.issuer
        )?;
        writeln!(
            f,
            "# A browser app may use the login API from {}: examples/spa-memory",
            self.app_origin
        )?;
        writeln!(
            f,
            "# A server-rendered app logs people in at {}: examples/server-rendered\nISSUER={} ORIGIN={} CLIENT_SECRET_FILE={} cargo run -p server-rendered",
            self.web_origin,
            self.issuer,
            self.web_origin,
            self.web_secret.display()
        )?;
        write!(f, "# Stop with Ctrl-C.")
    }
}

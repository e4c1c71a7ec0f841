//! `carnet demo`: a server with a user in it, an API that it guards, and the lines to try them with.

mod api;
mod greeting;

use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use carnet_listen::secret_file;
use carnet_server::app::App;
use carnet_server::clock::SystemClock;
use carnet_server::config::{self, Config, Ttl};
use carnet_server::email::Email;
use carnet_server::password::Password;
use carnet_server::serve::Server;
use carnet_store::{NewUser, StoreError};

use super::operator::{broken, show as tell};
use super::serve::{Hangup, asked_to_stop, cannot_listen};
use crate::failure::Failure;
use crate::output::Output;
use greeting::Greeting;

/// Start a server, a user and a guarded API, and print lines to try them with
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  carnet demo\n  carnet demo --access-ttl 20s --dir ./demo")]
pub(crate) struct Demo {
    /// Keep database, keys and password here; a temporary folder that is removed at the end when left out
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// Life of access tokens: short ones can be watched expiring
    #[arg(long, value_name = "TIME", default_value = "15m")]
    access_ttl: Ttl,
    /// Port of the server; 0 takes a free one
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Port of the guarded API; 0 takes a free one
    #[arg(long, default_value_t = 8081)]
    api_port: u16,
    /// Origin of a browser app that may log people in by the login API: see examples/spa-memory
    #[arg(long, value_name = "ORIGIN", default_value = "http://127.0.0.1:8000")]
    app_origin: String,
    /// Origin of a server-rendered app that may log people in by the code flow: see examples/server-rendered
    #[arg(long, value_name = "ORIGIN", default_value = "http://127.0.0.1:8083")]
    web_origin: String,
}

/// The demo's only user.
const EMAIL: &str = "alice@example.com";
/// What to do about a port that is taken.
const OTHER_PORT: &str = "stop what listens there, or take free ports: carnet demo --port 0 --api-port 0";
/// The `aud` of its tokens.
const AUDIENCE: &str = "https://api.example.com";
/// The API's name at the introspection endpoint.
const API_ID: &str = "demo-api";
/// The file with the secret of the demo's service.
const SERVICE_SECRET: &str = "service-account.secret";
/// The file with the secret of the server-rendered app.
const WEB_SECRET: &str = "web-client.secret";

pub(crate) async fn run(demo: Demo, out: &Output) -> Result<(), Failure> {
    let temporary;
    let folder = match &demo.dir {
        Some(folder) => folder.as_path(),
        None => {
            temporary = tempfile::Builder::new()
                .prefix("carnet-demo-")
                .tempdir()
                .map_err(|error| unusable(&error))?;
            temporary.path()
        }
    };
    make_private(folder).map_err(|error| unusable(&error))?;
    let api_secret = kept_secret(&folder.join("demo-api.secret"))?;
    let password = kept_secret(&folder.join("password"))?;
    let service_secret = kept_secret(&folder.join(SERVICE_SECRET))?;
    kept_secret(&folder.join(WEB_SECRET))?;

    let api_listener = bind(demo.api_port).await?;
    let port = match demo.port {
        0 => bind(0)
            .await?
            .local_addr()
            .map_err(|error| unusable(&error))?
            .port(),
        port => port,
    };
    let config = configuration(&demo, port, folder)?;
    App::prepare(&config, true).await.map_err(broken)?;
    let app = App::open(config, SystemClock).await.map_err(broken)?;
    seed(&app, &password).await?;
    let issuer = app.config.issuer.as_str().to_owned();
    let server = Server::bind(app)
        .await
        .map_err(|error| cannot_listen(&error).todo(OTHER_PORT))?;
    let api_address = api_listener.local_addr().map_err(|error| unusable(&error))?;

    let greeting = Greeting {
        issuer: issuer.clone(),
        api: format!("http://{api_address}"),
        email: EMAIL,
        password,
        service_secret,
        folder: folder.to_path_buf(),
        access_ttl: demo.access_ttl,
        app_origin: demo.app_origin,
        web_origin: demo.web_origin,
        web_secret: folder.join(WEB_SECRET),
        kept: demo.dir.is_some(),
    };
    // The server answers first: the API's guard asks it for its keys.
    let running = tokio::spawn(server.run(asked_to_stop(Hangup::Stops)));
    let api = api::serve(api_listener, (&issuer, AUDIENCE), (API_ID, &api_secret)).await?;
    tell(out, &greeting.json(), || greeting.to_string());
    running
        .await
        .map_err(|error| Failure::broken(error.to_string()))?;
    api.abort();
    Ok(())
}

/// Database, keys and, once the printed lines have run, a cookie jar lie there: nobody else's business.
fn make_private(folder: &std::path::Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    std::fs::set_permissions(folder, Permissions::from_mode(0o700))
}

fn configuration(demo: &Demo, port: u16, folder: &std::path::Path) -> Result<Config, Failure> {
    let text = configured(demo, port);
    let file = folder.join("carnet.toml");
    std::fs::write(&file, &text).map_err(|error| unusable(&error))?;
    let (config, _) = config::parse(&text, &file, &[]).map_err(|error| {
        Failure::usage("config_invalid", error.what.clone())
            .because("the demo's configuration does not start")
            .todo(error.todo.clone())
    })?;
    carnet_server::log::install(&config.log).map_err(|error| Failure::broken(error.to_string()))?;
    Ok(config)
}

fn configured(demo: &Demo, port: u16) -> String {
    let Demo {
        access_ttl,
        app_origin,
        web_origin,
        ..
    } = demo;
    let web_origin = web_origin.trim_end_matches('/');
    let [web_callback, web_home] = ["/auth/callback", "/"].map(|path| format!("{web_origin}{path}"));
    format!(
        r#"issuer = "http://127.0.0.1:{port}"
[listen]
address = "127.0.0.1:{port}"
[tokens]
access_ttl = "{access_ttl}"
[tokens.claims]
email = "email"
role = "role"
[log]
format = "text"
level = "warn"
[first_party]
scope = "read:data read:profile"
origins = [{app_origin:?}]
[[clients]]
id = "service-account-id"
grant_types = ["client_credentials"]
auth_method = "client_secret_post"
secret_file = "{SERVICE_SECRET}"
scope = "read:metrics write:logs"
[[clients]]
id = "my-app-client-id"
name = "My app"
grant_types = ["authorization_code", "refresh_token"]
redirect_uris = ["https://app.example.com/callback", "http://127.0.0.1/callback"]
post_logout_redirect_uris = ["https://app.example.com/"]
scope = "openid profile email offline_access read:data read:profile"
[[clients]]
id = "my-web-client-id"
name = "My notes"
grant_types = ["authorization_code", "refresh_token"]
auth_method = "client_secret_basic"
secret_file = "{WEB_SECRET}"
redirect_uris = [{web_callback:?}]
post_logout_redirect_uris = [{web_home:?}]
scope = "openid profile email offline_access read:data read:profile"
[[clients]]
id = "my-cli-client-id"
name = "My command line"
grant_types = ["device_code", "authorization_code", "refresh_token"]
redirect_uris = ["http://127.0.0.1/callback"]
scope = "openid profile email offline_access read:data read:profile"
[[resources]]
audience = "{AUDIENCE}"
introspection_id = "{API_ID}"
introspection_secret_file = "demo-api.secret"
"#
    )
}

/// The user with her roles; when the folder was used before, she is there already.
async fn seed(app: &App, password: &str) -> Result<(), Failure> {
    let ours = |what: &str| Failure::broken(what);
    let now = app.now();
    for (role, permission) in [("editor", "articles:write"), ("reviewer", "articles:review")] {
        match app.store.add_role(role, "made by the demo", now).await {
            Ok(()) | Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(broken(error)),
        }
        app.store.permit(role, permission, None).await.map_err(broken)?;
    }
    let email = Email::parse(EMAIL).ok_or_else(|| ours("the user's address is none"))?;
    let password = Password::to_verify(password).map_err(|_| ours("the password is too long"))?;
    let hash = app
        .hasher
        .hash(password)
        .await
        .map_err(|_| ours("the password could not be hashed"))?;
    let user = NewUser {
        sub: String::new(),
        email_display: email.display,
        email_canonical: email.canonical,
        name: Some("Alice Example".to_owned()),
        password_hash: Some(hash),
        roles: vec!["editor".to_owned(), "reviewer".to_owned()],
        email_verified: true,
        claims: "{}".to_owned(),
        attributes: "{}".to_owned(),
    };
    match app.store.create_user(&user, now).await {
        Ok(_) | Err(StoreError::Conflict("email_taken")) => Ok(()),
        Err(error) => Err(broken(error)),
    }
}

/// A random secret that stays the same as long as the folder does.
fn kept_secret(file: &std::path::Path) -> Result<String, Failure> {
    let made = super::operator::made_password()?;
    if !file.exists() {
        secret_file::create(file, made.as_bytes()).map_err(|error| unusable(&error))?;
    }
    let secret = secret_file::read(file).map_err(|error| {
        Failure::usage("secret_file", format!("{}: {}", file.display(), error.what))
            .because("the demo keeps its secrets there")
            .todo(error.todo)
    })?;
    String::from_utf8(secret.to_vec()).map_err(|_| Failure::broken(format!("{} is not text", file.display())))
}

async fn bind(port: u16) -> Result<tokio::net::TcpListener, Failure> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    tokio::net::TcpListener::bind(address).await.map_err(|error| {
        cannot_listen(&std::io::Error::new(
            error.kind(),
            format!("cannot listen on {address}: {error}"),
        ))
        .todo("stop what listens there, or choose other ports: --port and --api-port")
    })
}

fn unusable(error: &std::io::Error) -> Failure {
    Failure::usage(
        "folder_unusable",
        format!("the demo's folder cannot be used: {error}"),
    )
    .because("it keeps database, keys and password there")
    .todo("name another with --dir")
}

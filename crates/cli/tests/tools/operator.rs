//! `carnet config check` and the operator's commands, before there is a server.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::{carnet, run};

/// A folder with a configuration that has these lines.
fn folder_with(lines: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "issuer = \"http://127.0.0.1:8080\"\n{lines}\n[[resources]]\naudience = \"https://api.example.com\"\n"
    );
    std::fs::write(folder.path().join("carnet.toml"), text).unwrap();
    folder
}

/// Files that hold a secret, or a whole database, are for their owner alone.
fn write_private(file: &Path, text: &str) {
    std::fs::write(file, text).unwrap();
    std::fs::set_permissions(file, Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn what_the_server_refuses_for_its_configuration_the_check_refuses_as_well() {
    let folder = folder_with("[storage]\npostgres_url_file = \"db.url\"");
    let url = folder.path().join("db.url");
    for none in [
        "\n",
        "hunter2 hunter2",
        "mysql://carnet:hunter2@db/carnet",
        "postgres://",
    ] {
        write_private(&url, none);
        for command in [&["config", "check"][..], &["serve"], &["user", "list"]] {
            let refused = carnet(folder.path(), command, "");
            assert_eq!(refused.exit, 2, "{none:?} {command:?}: {}", refused.err);
            assert!(refused.err.contains("config_invalid"), "{}", refused.err);
            assert!(!refused.err.contains("hunter2"), "{}", refused.err);
        }
    }
    for fine in [
        "postgres://carnet:hunter2@db.example.com/carnet?sslmode=verify-full\n",
        "host=/run/postgresql user=carnet",
    ] {
        write_private(&url, fine);
        carnet(folder.path(), &["config", "check"], "").done();
    }

    let folder = folder_with("[pages]\ntheme_folder = \"theme\"");
    let checked = || carnet(folder.path(), &["config", "check"], "");
    assert_eq!(checked().exit, 2, "there is no such folder");
    std::fs::create_dir(folder.path().join("theme")).unwrap();
    checked().done();
    let login = folder.path().join("theme/login.html");
    std::fs::write(&login, "<p>\n{{ nope.x }}").unwrap();
    let refused = checked();
    assert!(
        refused.exit == 2 && refused.err.contains("login.html:2"),
        "{}",
        refused.err
    );
    std::fs::remove_file(&login).unwrap();
    std::fs::write(folder.path().join("theme/logn.html"), "").unwrap();
    let refused = checked();
    assert!(
        refused.exit == 2 && refused.err.contains("logn.html"),
        "{}",
        refused.err
    );
    assert!(
        !folder.path().join("carnet-master.key").exists(),
        "a check makes nothing"
    );
}

#[test]
fn a_file_that_is_no_database_is_not_our_fault() {
    let folder = folder_with("[storage]\nsqlite_file = \"notes.txt\"");
    write_private(&folder.path().join("notes.txt"), &"no database ".repeat(1_000));
    for command in [&["user", "list"][..], &["serve"], &["migrate"]] {
        let refused = carnet(folder.path(), command, "");
        assert_eq!(refused.exit, 1, "{}", refused.err);
        assert!(
            refused.err.contains("database_unusable") && refused.err.contains("notes.txt"),
            "{}",
            refused.err
        );
    }
    run(&["explain", "database_unusable"], "").done();
}

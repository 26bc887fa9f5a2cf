//! The foreign clients' libraries, pinned, installed once beside the build.
//!
//! `target/e2e/venv`, `target/e2e/contract` and `target/e2e/node`, each with a stamp naming what is in it, under one file
//! lock: parallel tests and later runs find them ready. A missing tool is a failure that names it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What pip installs, from PyPI.
const PYTHON_PACKAGES: &[&str] = &[
    "pika==1.4.4",
    "prometheus-client==0.26.0",
    "rstream==1.1.1",
    "websocket-client==1.9.2",
    "websockets==17.4",
];

/// What pip installs for checks against the API's description: apart, because it is much.
const CONTRACT_PACKAGES: &[&str] = &["jsonschema==4.26.0", "schemathesis==4.32.5"];

/// What npm installs, from the npm registry.
const NODE_PACKAGES: &[&str] = &["axe-core@4.14.1", "playwright-core@1.65.1", "ws@8.23.0"];

/// A Python that has [`PYTHON_PACKAGES`].
pub(crate) fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| virtual_environment("venv", PYTHON_PACKAGES))
}

/// A Python that has [`CONTRACT_PACKAGES`].
pub(crate) fn contract_python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| virtual_environment("contract", CONTRACT_PACKAGES))
}

fn virtual_environment(name: &str, packages: &[&str]) -> PathBuf {
    let venv = installed(name, packages, |folder| {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder));
        run(Command::new(folder.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(packages));
    });
    venv.join("bin/python")
}

/// The folder where Node finds [`NODE_PACKAGES`] (`NODE_PATH`).
pub(crate) fn node_path() -> &'static Path {
    static NODE_PATH: OnceLock<PathBuf> = OnceLock::new();
    NODE_PATH.get_or_init(|| {
        let node = installed("node", NODE_PACKAGES, |folder| {
            run(Command::new("npm")
                .args(["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"])
                .arg("--prefix")
                .arg(folder)
                .args(NODE_PACKAGES));
        });
        node.join("node_modules")
    })
}

/// `target/e2e/<name>`, filled by `install` unless its stamp says that it is already.
fn installed(name: &str, packages: &[&str], install: impl Fn(&Path)) -> PathBuf {
    let base = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("e2e");
    let folder = base.join(name);
    let stamp = folder.join(".stamp");
    let wanted = packages.join("\n");
    fs::create_dir_all(&base).expect("the target folder is writable");
    let lock = File::create(base.join(format!("{name}.lock"))).expect("the lock file opens");
    lock.lock().expect("the lock file can be locked");
    if fs::read_to_string(&stamp).ok().as_ref() != Some(&wanted) {
        if folder.exists() {
            fs::remove_dir_all(&folder).expect("an old installation can be removed");
        }
        fs::create_dir_all(&folder).expect("the target folder is writable");
        install(&folder);
        fs::write(&stamp, wanted).expect("the stamp can be written");
    }
    folder
}

fn run(command: &mut Command) {
    let program = command.get_program().to_owned();
    let output = command.output().unwrap_or_else(|error| {
        panic!("the end-to-end tests need {program:?} on PATH ({error}); `.ci/run` installs it")
    });
    assert!(
        output.status.success(),
        "{command:?} failed: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}

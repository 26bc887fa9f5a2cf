//! Asks the world, before anything is created, whether a start could work: ports, folders and
//! files.
//!
//! Looks only: a port is bound and let go without ever listening, a folder is asked for its
//! permissions. What is free now can be taken a moment later, so whoever really listens still has
//! to say what went wrong.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::thread;

use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};

use super::Config;
use crate::limits::{PORT_RELEASE_LOOKS, PORT_RELEASE_PAUSE};

/// What would go wrong, a line each with how to fix it.
#[must_use]
pub fn problems(config: &Config) -> Vec<String> {
    let ports = [("public-addr", config.public_addr), ("internal-addr", config.internal_addr)];
    let ports = ports.into_iter().filter_map(|(name, address)| port_problem(name, address));
    let folders = [("data-dir", Some(&config.data_dir)), ("log-dir", config.log_dir.as_ref())];
    let folders = folders.into_iter().filter_map(|(name, folder)| folder_problem(name, folder?));
    let tls = config.broker.as_ref().and_then(|broker| broker.tls.as_ref());
    let files = tls.into_iter().flat_map(|tls| {
        [
            ("broker-ca", "cacertfile", &tls.ca),
            ("broker-cert", "certfile", &tls.cert),
            ("broker-key", "keyfile", &tls.key),
        ]
    });
    let files =
        files.filter_map(|(name, parameter, file)| file_problem(name, parameter, file.as_deref()?));
    ports.chain(folders).chain(files).collect()
}

/// A file that has to be read; what is in it, its reader tells.
fn file_problem(name: &str, parameter: &str, file: &Path) -> Option<String> {
    let wrong = match accessat(CWD, file, Access::READ_OK, AtFlags::EACCESS) {
        Ok(()) if file.is_file() => return None,
        Ok(()) => "not a file; choose another".to_owned(),
        Err(Errno::NOENT | Errno::NOTDIR) => "no such file; choose another".into(),
        Err(Errno::ACCESS | Errno::PERM) => "not readable for this user; chown it".into(),
        Err(fault) => format!("{fault}; choose another"),
    };
    Some(format!("--{name} {} (or {parameter} in --amqp-url): {wrong}", file.display()))
}

fn port_problem(name: &str, address: SocketAddr) -> Option<String> {
    let fault = bind_patiently(address).err()?;
    let port = address.port();
    let (wrong, fix) = match Errno::from_io_error(&fault) {
        Some(Errno::ADDRINUSE) => (
            format!("port {port} is taken"),
            format!("stop what listens there (ss -ltnp 'sport = :{port}') or choose another"),
        ),
        Some(Errno::ACCESS | Errno::PERM) => (
            format!("port {port} needs privileges"),
            "choose one from 1024 up, or grant CAP_NET_BIND_SERVICE".into(),
        ),
        Some(Errno::ADDRNOTAVAIL) => (
            "this machine has no such address".into(),
            "choose one of its own, or 0.0.0.0 for all".into(),
        ),
        _ => (fault.to_string(), "choose another address".into()),
    };
    Some(format!("--{name} {address}: {wrong}; {fix}"))
}

/// As [`bind`]; a port that is taken is looked at again for a while. When a process on io_uring
/// was killed, the kernel tears down its rings after the process is gone, and with them the
/// listeners: who is started again at once would find its own port taken.
#[expect(clippy::disallowed_methods, reason = "before any shard runs")]
fn bind_patiently(address: SocketAddr) -> io::Result<()> {
    for _ in 1..PORT_RELEASE_LOOKS {
        match bind(address) {
            Err(fault) if fault.kind() == io::ErrorKind::AddrInUse => {
                thread::sleep(PORT_RELEASE_PAUSE);
            }
            found => return found,
        }
    }
    bind(address)
}

/// Binds and lets go. With SO_REUSEADDR a port is refused only while somebody listens on it
/// (socket(7)), also when that somebody is an ess that shares it among its shards.
fn bind(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())
}

fn folder_problem(name: &str, folder: &Path) -> Option<String> {
    let (place, missing) = nearest(folder);
    let subject = if missing {
        format!("--{name} {}: can't be made in {}", folder.display(), place.display())
    } else {
        format!("--{name} {}", folder.display())
    };
    if !place.is_dir() {
        return Some(format!("{subject}: not a folder; choose another"));
    }
    let wanted = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
    let fault = accessat(CWD, place, wanted, AtFlags::EACCESS).err()?;
    let fix = if fault == Errno::ROFS {
        "a read-only file system; mount it writable or choose another"
    } else if fault == Errno::ACCESS || fault == Errno::PERM {
        "not writable for this user; chown it, or choose another"
    } else {
        return Some(format!("{subject}: {fault}; choose another"));
    };
    Some(format!("{subject}: {fix}"))
}

/// The folder itself, or the nearest one above it that exists, and whether it is one above.
fn nearest(folder: &Path) -> (&Path, bool) {
    // `ancestors` of a relative path ends with "", which names no file.
    let named = |path: &&Path| !path.as_os_str().is_empty();
    let found = folder.ancestors().filter(named).find(|path| path.symlink_metadata().is_ok());
    match found {
        Some(path) => (path, path != folder),
        None if folder.is_absolute() => (Path::new("/"), true),
        None => (Path::new("."), true),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::net::TcpListener;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn config(folder: &Path) -> Config {
        let mut config = Config::with_defaults(1);
        config.public_addr = SocketAddr::from(([127, 0, 0, 1], 0));
        config.internal_addr = SocketAddr::from(([127, 0, 0, 1], 0));
        config.data_dir = folder.join("a/b/data");
        config.log_dir = Some(folder.join("logs"));
        config
    }

    #[test]
    fn a_start_that_could_work_has_no_problem_and_leaves_no_trace() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(problems(&config(folder.path())), Vec::<String>::new());
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 0);
    }

    #[test]
    fn a_taken_port_is_told_and_a_free_one_stays_free() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let mut config = config(folder.path());
        config.internal_addr = listener.local_addr().expect("it is bound");
        let found = problems(&config);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(&format!("--internal-addr {}: port", config.internal_addr)));
        assert!(found[0].contains("is taken; stop what listens there"), "{found:?}");
        drop(listener);
        assert_eq!(problems(&config), Vec::<String>::new());
        assert!(TcpListener::bind(config.internal_addr).is_ok());
    }

    #[test]
    fn a_port_shared_by_shards_is_taken_too() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let shard = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        rustix::net::sockopt::set_socket_reuseport(&shard, true).expect("Linux shares ports");
        shard.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
        shard.listen(1).expect("it listens");
        let mut config = config(folder.path());
        let address = shard.local_addr().expect("it is bound").as_socket();
        config.public_addr = address.expect("an internet address");
        assert_eq!(problems(&config).len(), 1);
    }

    #[test]
    fn an_address_of_another_machine_is_told() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = config(folder.path());
        config.public_addr = SocketAddr::from(([192, 0, 2, 1], 0));
        assert!(problems(&config)[0].contains("no such address"));
    }

    #[test]
    fn a_file_is_no_folder_and_nothing_can_be_made_in_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = config(folder.path());
        config.data_dir = folder.path().join("file");
        config.log_dir = Some(folder.path().join("file/logs"));
        fs::write(&config.data_dir, "").expect("writable");
        let found = problems(&config);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("not a folder; choose another"));
        assert!(found[1].contains("can't be made in") && found[1].contains("not a folder"));
    }

    #[test]
    fn a_folder_that_this_user_may_not_write_is_told() {
        if rustix::process::geteuid().is_root() {
            // Root may write anywhere but on a read-only file system; /proc lets nobody make a
            // folder, but says so only when asked to.
            return;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::set_permissions(folder.path(), Permissions::from_mode(0o555)).expect("it is ours");
        let found = problems(&config(folder.path()));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("not writable for this user"));
    }

    #[test]
    fn the_files_of_tls_have_to_be_there() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let there = folder.path().join("ca.pem");
        fs::write(&there, "").expect("writable");
        let url = format!(
            "amqps://h?cacertfile={}&certfile={}&keyfile={}",
            there.display(),
            folder.path().join("client.pem").display(),
            folder.path().display()
        );
        let url = vec![("ESS_AMQP_URL".to_owned(), url)];
        let broker = crate::config::load(&vec![], None, url, 1).config.broker;
        let mut config = config(folder.path());
        config.broker = broker;
        let found = problems(&config);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].starts_with("--broker-cert ") && found[0].contains("no such file; choose")
        );
        assert!(found[1].starts_with("--broker-key ") && found[1].contains("not a file; choose"));
    }

    #[test]
    fn a_relative_folder_is_looked_up_from_here() {
        assert_eq!(nearest(Path::new("no-such/data")), (Path::new("."), true));
        assert_eq!(nearest(Path::new("/no-such/data")), (Path::new("/"), true));
        assert_eq!(nearest(Path::new("src")), (Path::new("src"), false));
    }
}

//! The root in namespaces: a tmpfs with the laid-out tree, and for each thunk an overlay on it that
//! takes what the steps write.
//!
//! The slot lives in user (unless it is the machine's root), mount, network and ipc namespaces that are
//! made once; each runner in mount and pid namespaces of its own, so that all mounts and processes of a
//! thunk go when the runner goes. Paths are relative to the tmpfs, the slot's working directory.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use gg_store::LocalStore;
use gg_thunk::{Bytes, Node, Thunk, ValueName};

use super::make_private;
use super::over_host::{Host, OverHost};
use crate::error::{Doing, ExecError};
use crate::evidence::RootKind;
use crate::layout::{Large, LargeFile, Layout};
use crate::sys::{file, mount, process};
use crate::wire::Setup;

/// Devices that compilers and their helpers open.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

pub(crate) struct Namespaces {
    store: LocalStore,
    base: OwnedFd,
    layout: Layout,
    user_namespace: bool,
    /// Of the machine, if it is to be seen below the tree.
    host: Option<Host>,
    thunks: u64,
}

/// What a runner mounts.
pub(crate) struct Mounts {
    view: View,
    /// Read-only, from a path of the machine to one in the root.
    files: Vec<(Bytes, Bytes)>,
    /// Objects that are files of the system's, not the store's.
    borrowed: Vec<(ValueName, PathBuf)>,
    proc: bool,
}

/// What is seen at `merged`.
enum View {
    /// The tree and nothing else: the overlay's options.
    Sealed(String),
    OverHost(OverHost),
}

impl Namespaces {
    pub fn make(setup: &Setup, store: LocalStore) -> Result<Namespaces, ExecError> {
        let scratch = PathBuf::from(std::ffi::OsString::from_vec(setup.scratch.clone()));
        let mount_point = scratch.join("root");
        make_private(&mount_point)?;
        let user_namespace = leave()?;
        mount::make_private().doing(|| "cannot make the mounts private".to_owned())?;
        let host = (setup.kind == RootKind::OverHost).then(Host::look).transpose()?;
        // Three quarters of the memory: a slot may hold a large link's output.
        mount::tmpfs(mount_point.as_os_str().as_bytes(), "mode=755,size=75%,nr_inodes=4m")
            .doing(|| "cannot mount a tmpfs".to_owned())?;
        std::env::set_current_dir(&mount_point).doing(|| "cannot enter the tmpfs".to_owned())?;
        let base = OwnedFd::from(File::open(".").doing(|| "cannot open the tmpfs".to_owned())?);
        fs::create_dir("merged").doing(|| "cannot make a directory in the tmpfs".to_owned())?;
        make_devices().doing(|| "cannot make the devices".to_owned())?;
        let own = base.try_clone().doing(|| "cannot copy a descriptor".to_owned())?;
        let pool_bytes = setup.limits.pool_bytes;
        let layout = Layout::new(store.clone(), own, b"lower", pool_bytes, Large::Mounted)?;
        Ok(Namespaces { store, base, layout, user_namespace, host, thunks: 0 })
    }

    pub fn kind(&self) -> RootKind {
        if self.host.is_some() { RootKind::OverHost } else { RootKind::Namespaces }
    }

    pub fn prepare(&mut self, thunk: &Thunk) -> Result<Mounts, ExecError> {
        self.layout.lay(thunk.root)?;
        self.thunks += 1;
        let number = self.thunks;
        fs::create_dir(format!("t{number}"))
            .and_then(|()| fs::create_dir(format!("t{number}/upper")))
            .and_then(|()| fs::create_dir(format!("t{number}/work")))
            .doing(|| "cannot make the layer that takes what is written".to_owned())?;
        let (mut files, mut borrowed) = (Vec::new(), Vec::new());
        let own = self.written(thunk)?;
        let large: Vec<(Bytes, ValueName)> = self
            .layout
            .large_files()
            .iter()
            .filter(|(path, _)| !own.contains_key(*path))
            .map(|(path, file)| (path.clone(), file.object))
            .collect();
        for (path, object) in large {
            let source = self.source(&object, &path, &mut borrowed)?;
            files.push((source, [b"merged/", path.as_slice()].concat()));
        }
        let proc = match self.layout.resolve(b"/proc")? {
            Some((path, Some(Node::Dir(_)))) => path == b"proc",
            _ => false,
        };
        let xattr = if self.user_namespace { ",userxattr" } else { "" };
        let view = match &self.host {
            None => {
                own.iter().try_for_each(|(path, large)| self.copy_to_upper(path, *large))?;
                View::Sealed(format!("lowerdir=lower,upperdir=t{number}/upper,workdir=t{number}/work{xattr}"))
            }
            Some(host) => {
                let source =
                    |(path, large): (Bytes, LargeFile)| Ok((self.source(&large.object, &path, &mut borrowed)?, path));
                let written = own.into_iter().map(source).collect::<Result<_, ExecError>>()?;
                View::OverHost(OverHost::plan(host, thunk, format!("t{number}"), self.user_namespace, written))
            }
        };
        Ok(Mounts { view, files, borrowed, proc })
    }

    /// The checked file of a large object; it is noted if it is the system's.
    fn source(
        &self,
        object: &ValueName,
        path: &[u8],
        borrowed: &mut Vec<(ValueName, PathBuf)>,
    ) -> Result<Bytes, ExecError> {
        let source = self.store.checked_path(object)?.ok_or_else(|| missing(object, path))?;
        if source != self.store.object_path(object) {
            borrowed.push((*object, source.clone()));
        }
        Ok(source.into_os_string().into_vec())
    }

    /// Whether the system's files that were mounted are still what they were.
    pub fn still_holds(&self, mounts: &Mounts) -> Result<bool, ExecError> {
        for (object, source) in &mounts.borrowed {
            if self.store.checked_path(object)?.as_ref() != Some(source) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub fn clean(&mut self) -> Result<(), ExecError> {
        let name = format!("t{}", self.thunks);
        if self.thunks == 0 || !fs::exists(&name).unwrap_or(true) {
            return Ok(());
        }
        file::remove_all(self.base.as_fd(), name.as_bytes()).doing(|| "cannot remove what a thunk wrote".to_owned())
    }

    /// The large files that the steps may write to: they get copies.
    fn written(&mut self, thunk: &Thunk) -> Result<BTreeMap<Bytes, LargeFile>, ExecError> {
        let mut written = BTreeMap::new();
        if self.layout.large_files().is_empty() {
            return Ok(written);
        }
        for output in &thunk.outputs {
            let Some((path, _)) = self.layout.resolve(&output.path)? else {
                continue;
            };
            if let Some(large) = self.layout.large_files().get(&path).copied() {
                written.insert(path, large);
            }
        }
        Ok(written)
    }

    /// Puts a copy of a large file into the layer that takes what is written.
    fn copy_to_upper(&self, path: &[u8], large: LargeFile) -> Result<(), ExecError> {
        let shown = || format!("cannot copy /{}", String::from_utf8_lossy(path));
        let upper = format!("t{}/upper", self.thunks);
        let mut dir = file::open_dir(self.base.as_fd(), format!("t{}", self.thunks).as_bytes())
            .and_then(|dir| file::open_dir(dir.as_fd(), b"upper"))
            .doing(|| format!("cannot open {upper}"))?;
        let mut parts: Vec<&[u8]> = path.split(|b| *b == b'/').collect();
        let name = parts.pop().unwrap_or_default();
        for part in parts {
            match file::make_dir(dir.as_fd(), part, 0o755) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                other => other.doing(shown)?,
            }
            dir = file::open_dir(dir.as_fd(), part).doing(shown)?;
        }
        let mut copy = File::from(file::create(dir.as_fd(), name, large.mode).doing(shown)?);
        copy_object(&self.store, &large.object, &mut copy, path)
    }
}

impl Mounts {
    /// Makes the view the process's root; says what of the host could not be shown.
    pub fn enter(&self) -> io::Result<Vec<String>> {
        let named = |what: &str, e: io::Error| io::Error::new(e.kind(), format!("{what}: {e}"));
        let left_out = match &self.view {
            View::Sealed(options) => {
                mount::overlay(b"merged", options).map_err(|e| named("overlay", e))?;
                Vec::new()
            }
            View::OverHost(view) => view.mount()?,
        };
        match fs::create_dir("merged/dev") {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            other => other?,
        }
        mount::bind(b"dev", b"merged/dev", true).map_err(|e| named("/dev", e))?;
        for (source, target) in &self.files {
            mount::bind(source, target, false)
                .and_then(|()| mount::make_read_only(target))
                .map_err(|e| named(&String::from_utf8_lossy(target), e))?;
        }
        if self.proc {
            // A container may forbid it; then it stays the empty directory of the tree.
            let _ = mount::proc(b"merged/proc");
        }
        std::env::set_current_dir("merged")?;
        mount::pivot_here().map_err(|e| named("pivot_root", e))?;
        std::env::set_current_dir("/")?;
        Ok(left_out)
    }
}

/// Leaves the caller's namespaces; says whether a user namespace was needed.
fn leave() -> Result<bool, ExecError> {
    let others = libc::CLONE_NEWNS | libc::CLONE_NEWNET | libc::CLONE_NEWIPC;
    let (uid, gid) = process::ids();
    if uid == 0 && mount::unshare(others).is_ok() {
        return Ok(false);
    }
    mount::unshare(libc::CLONE_NEWUSER | others).doing(|| "cannot leave the namespaces".to_owned())?;
    fs::write("/proc/self/setgroups", "deny")
        .and_then(|()| fs::write("/proc/self/uid_map", format!("{uid} {uid} 1")))
        .and_then(|()| fs::write("/proc/self/gid_map", format!("{gid} {gid} 1")))
        .doing(|| "cannot map the user into the namespace".to_owned())?;
    Ok(true)
}

/// Makes `dev`, a read-only mount that holds the machine's devices.
fn make_devices() -> io::Result<()> {
    fs::create_dir("dev")?;
    mount::bind(b"dev", b"dev", false)?;
    std::env::set_current_dir("dev")?;
    for device in DEVICES {
        File::create(device)?;
        mount::bind(format!("/dev/{device}").as_bytes(), device.as_bytes(), false)?;
    }
    std::env::set_current_dir("..")?;
    mount::make_read_only(b"dev")
}

fn copy_object(store: &LocalStore, object: &ValueName, to: &mut File, path: &[u8]) -> Result<(), ExecError> {
    if store.copy_to(object, to)? {
        return Ok(());
    }
    Err(missing(object, path))
}

fn missing(object: &ValueName, path: &[u8]) -> ExecError {
    ExecError::NoObject { name: *object, path: format!("/{}", String::from_utf8_lossy(path)) }
}

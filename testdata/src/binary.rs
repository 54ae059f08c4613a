//! Where the workspace's binaries are, for tests of one crate that run another's program.
//! Knows cargo's layout of the target directory and the names; not what the programs do.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The path of the binary `name` of the workspace's `package`, of the same profile as the running test. Cargo brings it up to
/// date first: a test of another crate would otherwise run a stale one, or none.
///
/// # Panics
/// If it cannot be built.
pub fn binary(package: &str, name: &str) -> PathBuf {
    let test = env::current_exe().expect("the path of the running test");
    // TARGET/PROFILE/deps/test-HASH
    let profile_dir = test.parent().and_then(Path::parent).expect("a test stands in TARGET/PROFILE/deps");
    let profile = match profile_dir.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(other) => other,
    };
    let target = profile_dir.parent().expect("the target directory");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--offline", "--package", package, "--bin", name, "--profile", profile])
        .arg("--target-dir")
        .arg(target)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cannot build {name}: {}", String::from_utf8_lossy(&output.stderr));
    profile_dir.join(name)
}

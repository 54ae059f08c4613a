//! The test kit finds the workspace's programs.

use std::os::unix::fs::PermissionsExt;

#[test]
fn the_shim_is_built_where_it_is_said_to_be() {
    let shim = gg_testkit::binary("gg-shims", "gg-shim");
    let mode = std::fs::metadata(&shim).expect("the program is there").permissions().mode();
    assert_ne!(mode & 0o111, 0, "{} can be run", shim.display());
}

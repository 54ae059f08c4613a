//! The option table against the linker's own help.

use crate::binutils::help::unknown_options;
use crate::ld::option::LONG;

#[test]
fn help_has_no_option_that_the_table_lacks() {
    let mut known: Vec<&str> = LONG.iter().map(|opt| opt.name).collect();
    // Printed without a heading; of object files for Windows, unknown here on purpose.
    known.extend([
        "base_file",
        "dll",
        "file-alignment",
        "heap",
        "image-base",
        "major-image-version",
        "major-os-version",
        "major-subsystem-version",
        "minor-image-version",
        "minor-os-version",
        "minor-subsystem-version",
        "section-alignment",
        "stack",
        "subsystem",
    ]);
    assert_eq!(unknown_options("ld", &known), Vec::<String>::new());
}

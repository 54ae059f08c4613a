//! What an inference rests on, where a second look at the same tree must give another answer than the first.

#[path = "support/live.rs"]
mod live;

use std::path::PathBuf;

use gg_models::{Inference, Input};
use live::Bench;

fn reads(inference: &Inference, path: PathBuf) -> bool {
    inference.inputs.contains(&Input::File(path))
}

#[test]
fn a_header_that_hides_a_computed_one() {
    let bench = Bench::new(&[
        ("a.c", "#define NAME <foo.h>\n#include NAME\nint a = FOO;\n"),
        ("a/keep", ""),
        ("b/foo.h", "#define FOO 1\n"),
    ]);
    for (dirs, hiding) in [("-Ia -Ib", "a/foo.h"), ("-I. -I./b", "foo.h"), ("-isystem a -isystem b", "a/foo.h")] {
        let command = format!("gcc {dirs} -c a.c");
        bench.agrees(&command);
        assert_eq!(bench.world.looked_up.borrow().get(&bench.cwd.join(hiding)), Some(&false), "{command}");
        bench.write(hiding, "#define FOO 2\n");
        let after = bench.agrees(&command);
        let spelled = [bench.cwd.join(hiding), bench.cwd.join(".").join(hiding)];
        assert!(spelled.into_iter().any(|path| reads(&after, path)), "{command}");
        std::fs::remove_file(bench.cwd.join(hiding)).expect("remove a header");
        bench.world.looked_up.borrow_mut().clear();
    }
}

#[test]
fn a_header_that_hides_a_computed_one_beside_its_includer() {
    let bench = Bench::new(&[
        ("a.c", "#include \"sub/by.h\"\nint a = FOO;\n"),
        ("sub/by.h", "#define NAME \"foo.h\"\n#include NAME\n"),
        ("b/foo.h", "#define FOO 1\n"),
    ]);
    bench.agrees("gcc -Ib -c a.c");
    assert_eq!(bench.world.looked_up.borrow().get(&bench.cwd.join("sub/foo.h")), Some(&false));
    bench.write("sub/foo.h", "#define FOO 2\n");
    assert!(reads(&bench.agrees("gcc -Ib -c a.c"), bench.cwd.join("sub/foo.h")));
}

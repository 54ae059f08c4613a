//! What the world of one request records, and when that holds no more.

use super::*;

/// A world an hour from now: the times of directories are believed.
fn later<'a>(recall: &'a Recall, listings: &'a Listings) -> LiveWorld<'a> {
    let world = LiveWorld::new(recall, &[], None).with_listings(listings);
    LiveWorld { begun: world.begun + 3_600_000_000_000, ..world }
}

fn read(path: &Path, _: &Stat) -> Option<ValueName> {
    Some(ValueName::of(&std::fs::read(path).ok()?))
}

#[test]
fn standard_streams_are_no_files_whatever_they_are_here() {
    let recall = Recall::new(Path::new("/nonexistent"));
    let world = LiveWorld::new(&recall, &[], None);
    for path in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/dev/null"] {
        for stat in [world.stat(Path::new(path)), world.lstat(Path::new(path))] {
            assert_eq!(stat.unwrap().map(|stat| stat.kind), Some(FileKind::Other), "{path}");
        }
    }
    for path in ["/proc/self/cwd/nowhere", "//proc/self/fd/1000"] {
        assert!(world.stat(Path::new(path)).is_err() && world.lstat(Path::new(path)).is_err(), "{path}");
    }
    assert_eq!(world.stat(Path::new("/dev")).unwrap().map(|stat| stat.kind), Some(FileKind::Dir));
}

#[test]
fn what_a_directory_lacks_needs_no_look_until_it_changes() {
    let dir = gg_testkit::temp_dir();
    let recall = Recall::new(Path::new("/nonexistent"));
    let listings = Listings::default();
    let first = later(&recall, &listings);
    for number in 0..40 {
        assert_eq!(first.stat(&dir.path().join(format!("{number}.h"))).unwrap(), None);
    }
    let second = later(&recall, &listings);
    for absent in ["no.h", "bits/no.h", "bits/more/no.h"] {
        assert_eq!(second.stat(&dir.path().join(absent)).unwrap(), None, "{absent}");
    }
    let listed = |world: &LiveWorld<'_>| {
        world.dirs.borrow().get(dir.path().as_os_str()).map(|dir| matches!(dir.known, Known::Names(..)))
    };
    assert_eq!((listed(&first), listed(&second)), (Some(false), Some(true)));
    let evidence = second.evidence(false);
    assert!(evidence.holds(&read));
    std::fs::create_dir(dir.path().join("bits")).unwrap();
    std::fs::write(dir.path().join("bits/no.h"), "").unwrap();
    assert!(!evidence.holds(&read), "what was not looked for by itself is evidence, too");
    assert!(later(&recall, &listings).stat(&dir.path().join("bits/no.h")).unwrap().is_some());
}

#[test]
fn a_link_that_leads_to_nothing_may_lead_somewhere_one_day() {
    let (recall, listings) = (Recall::new(Path::new("/nonexistent")), Listings::default());
    for (link, to, asked) in [("inc/x.h", "../gen/x.h", "inc/x.h"), ("up", "gen", "up/x.h")] {
        for settled in [true, false] {
            let dir = gg_testkit::temp_dir();
            std::fs::create_dir(dir.path().join("inc")).unwrap();
            std::os::unix::fs::symlink(to, dir.path().join(link)).unwrap();
            let world = if settled { later(&recall, &listings) } else { LiveWorld::new(&recall, &[], None) };
            assert_eq!(world.stat(&dir.path().join(asked)).unwrap(), None);
            let evidence = world.evidence(false);
            assert!(evidence.holds(&read), "{asked}: nothing has changed");
            std::fs::create_dir(dir.path().join("gen")).unwrap();
            std::fs::write(dir.path().join("gen/x.h"), "").unwrap();
            assert!(!evidence.holds(&read), "{asked} is there now");
        }
    }
}

#[test]
fn an_output_that_a_search_looked_for_is_missed() {
    let (recall, listings) = (Recall::new(Path::new("/nonexistent")), Listings::default());
    for settled in [true, false] {
        for searched in [&["lib.so"][..], &["./lib.so"], &[]] {
            let dir = gg_testkit::temp_dir();
            for number in 0..40 {
                later(&recall, &listings).stat(&dir.path().join(format!("{number}.so"))).unwrap();
            }
            let world = if settled { later(&recall, &listings) } else { LiveWorld::new(&recall, &[], None) };
            let output = dir.path().join("lib.so");
            assert_eq!((world.stat_output(&output).unwrap(), world.lstat_output(&output).unwrap()), (None, None));
            for spelled in searched {
                assert_eq!(world.stat(&dir.path().join(spelled)).unwrap(), None);
            }
            let evidence = world.evidence(false);
            assert!(evidence.holds(&read));
            std::fs::write(&output, "made").unwrap();
            assert_eq!(evidence.holds(&read), searched.is_empty(), "{searched:?} finds it");
        }
    }
}

#[test]
fn a_directory_that_vanishes_between_two_looks_is_noticed() {
    let (recall, listings) = (Recall::new(Path::new("/nonexistent")), Listings::default());
    let dir = gg_testkit::temp_dir();
    let world = later(&recall, &listings);
    let inner = dir.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    assert!(world.stat(&inner).unwrap().is_some());
    std::fs::remove_dir(&inner).unwrap();
    assert_eq!(world.stat(&inner.join("x.h")).unwrap(), None);
    assert_eq!(world.torn(), Some(inner));
}

#[test]
fn a_file_without_links_is_looked_at_once_for_both() {
    let dir = gg_testkit::temp_dir();
    std::fs::write(dir.path().join("a"), "").unwrap();
    std::os::unix::fs::symlink("a", dir.path().join("b")).unwrap();
    let recall = Recall::new(Path::new("/nonexistent"));
    let world = LiveWorld::new(&recall, &[], None);
    let [a, b] = ["a", "b"].map(|name| dir.path().join(name));
    assert_eq!(world.stat(&a).unwrap(), world.stat(&b).unwrap());
    let own = |path: &Path| world.seen.borrow().get(path, Look::Own).flatten().map(|stat| stat.kind);
    assert_eq!((own(&a), own(&b)), (Some(FileKind::File), None));
    assert_eq!(world.lstat(&b).unwrap().map(|stat| stat.kind), Some(FileKind::Symlink));
}

#[test]
fn a_file_that_changes_between_two_looks_is_noticed() {
    let recall = Recall::new(Path::new("/nonexistent"));
    let world = LiveWorld::new(&recall, &[], None);
    for text in [b"x", b"x"] {
        world.depends_on(Path::new("/a.h"), ValueName::of(text));
        assert_eq!(world.torn(), None);
    }
    world.depends_on(Path::new("/a.h"), ValueName::of(b"y"));
    assert_eq!(world.torn(), Some("/a.h".into()));
}

#[test]
fn a_file_that_changes_between_looks_by_two_spellings_is_noticed() {
    let recall = Recall::new(Path::new("/nonexistent"));
    for (spelled, edit) in [("src/../a.c", true), ("link.c", true), ("src/../a.c", false), ("link.c", false)] {
        let dir = gg_testkit::temp_dir();
        std::fs::create_dir(dir.path().join("src")).unwrap();
        std::os::unix::fs::symlink("a.c", dir.path().join("link.c")).unwrap();
        let [spelled, physical] = [spelled, "a.c"].map(|path| dir.path().join(path));
        std::fs::write(&physical, "int a;").unwrap();
        let world = LiveWorld::new(&recall, &[], None);
        world.stat(&spelled).unwrap();
        if edit {
            std::fs::write(&physical, "int other;").unwrap();
        }
        world.lstat(&physical).unwrap();
        assert_eq!(world.saw_another(&spelled, &physical), edit, "{}", spelled.display());
        // Times may not tell.
        world.depends_on(&spelled, ValueName::of(b"int a;"));
        world.depends_on(&physical, ValueName::of(b"int b;"));
        assert!(world.saw_another(&spelled, &physical));
    }
}

#[test]
fn a_file_taken_under_one_spelling_is_known_by_content_under_another() {
    let dir = std::env::temp_dir().join(format!("gg-world-{}", std::process::id()));
    std::fs::create_dir_all(dir.join("src")).unwrap();
    let file = dir.join("a.h");
    std::fs::write(&file, "x").unwrap();
    let recall = Recall::new(Path::new("/nonexistent"));
    let world = LiveWorld::new(&recall, &[], None);
    world.stat(&dir.join("src/../a.h")).unwrap();
    world.lstat(&file).unwrap();
    world.depends_on(&file, ValueName::of(b"x"));
    let evidence = world.evidence(false);
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, "x").unwrap();
    assert!(evidence.holds(&read), "a fresh checkout has the same bytes");
    std::fs::write(&file, "y").unwrap();
    assert!(!evidence.holds(&read));
    std::fs::remove_dir_all(dir).unwrap();
}

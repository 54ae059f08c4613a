//! The linker's options: how each finds its value and what it does to files.
//!
//! Knows only names; the order of options and the search for files are the concern of others.

use crate::verdict::ReasonKind;

/// Where an option's value stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Value {
    /// It has none.
    None,
    /// After `=` (a letter's: in the same word), else in the next word.
    Required,
    /// After `=`, or there is none.
    Optional,
}

/// What an option does to the file system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Effect {
    /// Nothing.
    Pure,
    /// Names a library to search for.
    Library,
    /// Names a directory for libraries.
    LibraryDir,
    /// Whether libraries that follow may be shared ones.
    Dynamic(bool),
    /// Keeps the state that `Dynamic` and `Format` set.
    PushState,
    /// Brings it back.
    PopState,
    /// The format of the files that follow.
    Format,
    /// The target, and with it the default script and directories.
    Emulation,
    /// The format of the output.
    OutputFormat,
    /// A second output, of the first one's symbols.
    ImportLibrary,
    /// The output may be linked again; libraries that follow are no shared ones, and nothing is searched for on behalf of shared objects.
    Relocatable,
    /// Only directories of the command line are searched.
    NoDefaultDirs,
    /// The root of the default directories.
    Sysroot,
    /// Directories that the program will search when it runs.
    RunPath,
    /// Directories searched, when linking, for what shared objects need.
    RunPathLink,
    /// A script in the linker's command language.
    Script,
    /// One that is read after the command line, if no other stands for the linker's own; the last counts.
    DefaultScript,
    /// A list of symbols in the linker's command language, searched for as scripts are.
    ListFile,
    /// A file that is read as it stands.
    Reads,
    /// A file whose symbols are used, or a directory as in `RunPath`.
    JustSymbols,
    /// A shared object that is loaded into the linker.
    Plugin,
    /// The output.
    Output,
    /// A map of the output; `-` is standard output.
    Map,
    /// A map on standard output.
    PrintMap,
    /// A makefile's rule for the output.
    DependencyFile,
    /// A note that identifies the output; one style is drawn by lot.
    BuildId,
    /// Asks the tool about itself.
    Probe(ReasonKind),
    /// Does something to files that is not modelled.
    Unmodelled(&'static str),
}

/// One option.
pub(crate) struct Opt {
    /// Its name without dashes.
    pub name: &'static str,
    /// Where its value stands.
    pub value: Value,
    /// What it does.
    pub effect: Effect,
}

macro_rules! table {
    ($(($name:literal, $value:ident, $effect:expr),)*) => {
        &[$(Opt { name: $name, value: Value::$value, effect: $effect },)*]
    };
}

use Effect::{
    BuildId, DefaultScript, DependencyFile, Dynamic, Emulation, Format, ImportLibrary, JustSymbols, Library,
    LibraryDir, ListFile, Map, NoDefaultDirs, Output, OutputFormat, Plugin, PopState, PrintMap, Probe, Pure, PushState,
    Reads, Relocatable, RunPath, RunPathLink, Script, Sysroot, Unmodelled,
};

/// Options with names of two letters and more, sorted bytewise.
#[rustfmt::skip]
pub(crate) static LONG: &[Opt] = table! {
    ("Bdynamic", None, Dynamic(true)),
    ("Bgroup", None, Pure),
    ("Bno-symbolic", None, Pure),
    ("Bshareable", None, Pure),
    ("Bstatic", None, Dynamic(false)),
    ("Bsymbolic", None, Pure),
    ("Bsymbolic-functions", None, Pure),
    ("EB", None, Pure),
    ("EL", None, Pure),
    ("Map", Required, Map),
    ("Qy", None, Pure),
    ("Tbss", Required, Pure),
    ("Tdata", Required, Pure),
    ("Tldata-segment", Required, Pure),
    ("Trodata-segment", Required, Pure),
    ("Ttext", Required, Pure),
    ("Ttext-segment", Required, Pure),
    ("Ur", None, Relocatable),
    ("accept-unknown-input-arch", None, Pure),
    ("add-needed", None, Pure),
    ("allow-multiple-definition", None, Pure),
    ("allow-shlib-undefined", None, Pure),
    ("architecture", Required, Unmodelled("other names of libraries")),
    ("as-needed", None, Pure),
    ("assert", Required, Pure),
    ("audit", Required, Pure),
    ("auxiliary", Required, Pure),
    ("be8", None, Pure),
    ("build-id", Optional, BuildId),
    ("call_shared", None, Dynamic(true)),
    ("check-sections", None, Pure),
    ("cmse-implib", None, Pure),
    ("compress-debug-sections", Required, Pure),
    ("copy-dt-needed-entries", None, Pure),
    ("cref", None, Pure),
    ("ctf-share-types", Required, Pure),
    ("ctf-variables", None, Pure),
    ("dT", Required, DefaultScript),
    ("dc", None, Pure),
    ("default-imported-symver", None, Pure),
    ("default-script", Required, DefaultScript),
    ("default-symver", None, Pure),
    ("defsym", Required, Pure),
    ("demangle", Optional, Pure),
    ("depaudit", Required, Pure),
    ("dependency-file", Required, DependencyFile),
    ("disable-multiple-abs-defs", None, Pure),
    ("disable-new-dtags", None, Pure),
    ("discard-all", None, Pure),
    ("discard-locals", None, Pure),
    ("discard-none", None, Pure),
    ("dn", None, Dynamic(false)),
    ("dp", None, Pure),
    ("dy", None, Dynamic(true)),
    ("dynamic-linker", Required, Pure),
    ("dynamic-list", Required, ListFile),
    ("dynamic-list-cpp-new", None, Pure),
    ("dynamic-list-cpp-typeinfo", None, Pure),
    ("dynamic-list-data", None, Pure),
    ("eh-frame-hdr", None, Pure),
    ("embedded-relocs", None, Pure),
    ("emit-relocs", None, Pure),
    ("enable-new-dtags", None, Pure),
    ("enable-non-contiguous-regions", None, Pure),
    ("enable-non-contiguous-regions-warnings", None, Pure),
    ("end-group", None, Pure),
    ("entry", Required, Pure),
    ("error-execstack", None, Pure),
    ("error-handling-script", Required, Unmodelled("runs another program")),
    ("error-rwx-segments", None, Pure),
    ("error-unresolved-symbols", None, Pure),
    ("exclude-libs", Required, Pure),
    ("export-dynamic", None, Pure),
    ("export-dynamic-symbol", Required, Pure),
    ("export-dynamic-symbol-list", Required, ListFile),
    ("fatal-warnings", None, Pure),
    ("filter", Required, Pure),
    ("fini", Required, Pure),
    ("fix-arm1176", None, Pure),
    ("fix-cortex-a53-835769", None, Pure),
    ("fix-cortex-a53-843419", Optional, Pure),
    ("fix-cortex-a8", None, Pure),
    ("fix-stm32l4xx-629360", Optional, Pure),
    ("fix-v4bx", None, Pure),
    ("fix-v4bx-interworking", None, Pure),
    ("flto", None, Pure),
    ("flto-partition", Required, Pure),
    ("force-exe-suffix", None, Unmodelled("changes the name of the output")),
    ("force-group-allocation", None, Pure),
    ("format", Required, Format),
    ("fuse-ld", Required, Pure),
    ("gc-keep-exported", None, Pure),
    ("gc-sections", None, Pure),
    ("gpsize", Required, Pure),
    ("hash-size", Required, Pure),
    ("hash-style", Required, Pure),
    ("help", None, Probe(ReasonKind::ProbePrint)),
    ("ignore-unresolved-symbol", Required, Pure),
    ("in-implib", Required, Reads),
    ("init", Required, Pure),
    ("just-symbols", Required, JustSymbols),
    ("ld-generated-unwind-info", None, Pure),
    ("library", Required, Library),
    ("library-path", Required, LibraryDir),
    ("long-plt", None, Pure),
    ("map-whole-files", None, Pure),
    ("max-cache-size", Required, Pure),
    ("merge-exidx-entries", None, Pure),
    ("mri-script", Required, Unmodelled("reads another language")),
    ("nmagic", None, Dynamic(false)),
    ("no-accept-unknown-input-arch", None, Pure),
    ("no-add-needed", None, Pure),
    ("no-allow-multiple-definition", None, Pure),
    ("no-allow-shlib-undefined", None, Pure),
    ("no-apply-dynamic-relocs", None, Pure),
    ("no-as-needed", None, Pure),
    ("no-check-sections", None, Pure),
    ("no-copy-dt-needed-entries", None, Pure),
    ("no-ctf-variables", None, Pure),
    ("no-define-common", None, Pure),
    ("no-demangle", None, Pure),
    ("no-dynamic-linker", None, Pure),
    ("no-eh-frame-hdr", None, Pure),
    ("no-enum-size-warning", None, Pure),
    ("no-error-execstack", None, Pure),
    ("no-error-rwx-segments", None, Pure),
    ("no-export-dynamic", None, Pure),
    ("no-fatal-warnings", None, Pure),
    ("no-fix-arm1176", None, Pure),
    ("no-fix-cortex-a53-835769", None, Pure),
    ("no-fix-cortex-a53-843419", None, Pure),
    ("no-fix-cortex-a8", None, Pure),
    ("no-gc-sections", None, Pure),
    ("no-keep-memory", None, Pure),
    ("no-ld-generated-unwind-info", None, Pure),
    ("no-map-whole-files", None, Pure),
    ("no-merge-exidx-entries", None, Pure),
    ("no-omagic", None, Pure),
    ("no-pie", None, Pure),
    ("no-print-gc-sections", None, Pure),
    ("no-print-map-discarded", None, Pure),
    ("no-relax", None, Pure),
    ("no-strip-discarded", None, Pure),
    ("no-undefined", None, Pure),
    ("no-undefined-version", None, Pure),
    ("no-warn-execstack", None, Pure),
    ("no-warn-mismatch", None, Pure),
    ("no-warn-rwx-segments", None, Pure),
    ("no-warn-search-mismatch", None, Pure),
    ("no-warn-textrel", None, Pure),
    ("no-warnings", None, Pure),
    ("no-wchar-size-warning", None, Pure),
    ("no-whole-archive", None, Pure),
    ("noinhibit-exec", None, Pure),
    ("noinhibit_exec", None, Pure),
    ("non_shared", None, Dynamic(false)),
    ("nostdlib", None, NoDefaultDirs),
    ("oformat", Required, OutputFormat),
    ("omagic", None, Dynamic(false)),
    ("orphan-handling", Required, Pure),
    ("out-implib", Required, ImportLibrary),
    ("output", Required, Output),
    ("package-metadata", Optional, Pure),
    ("pic-executable", None, Pure),
    ("pic-veneer", None, Pure),
    ("pie", None, Pure),
    ("plugin", Required, Plugin),
    ("plugin-opt", Required, Pure),
    ("pop-state", None, PopState),
    ("print-gc-sections", None, Pure),
    ("print-map", None, PrintMap),
    ("print-map-discarded", None, Pure),
    ("print-memory-usage", None, Pure),
    ("print-output-format", None, Probe(ReasonKind::ProbePrint)),
    ("print-sysroot", None, Probe(ReasonKind::ProbePrint)),
    ("push-state", None, PushState),
    ("qmagic", None, Pure),
    ("reduce-memory-overheads", None, Pure),
    ("relax", None, Pure),
    ("relocatable", None, Relocatable),
    ("remap-inputs", Required, Unmodelled("replaces inputs")),
    ("remap-inputs-file", Required, Unmodelled("replaces inputs")),
    ("require-defined", Required, Pure),
    ("retain-symbols-file", Required, Reads),
    ("rpath", Required, RunPath),
    ("rpath-link", Required, RunPathLink),
    ("script", Required, Script),
    ("section-ordering-file", Required, ListFile),
    ("section-start", Required, Pure),
    ("shared", None, Pure),
    ("soname", Required, Pure),
    ("sort-common", Optional, Pure),
    ("sort-section", Required, Pure),
    ("sort_common", Optional, Pure),
    ("spare-dynamic-tags", Required, Pure),
    ("split-by-file", Optional, Pure),
    ("split-by-reloc", Optional, Pure),
    ("start-group", None, Pure),
    ("static", None, Dynamic(false)),
    ("stats", None, Unmodelled("prints times")),
    ("strip-all", None, Pure),
    ("strip-debug", None, Pure),
    ("strip-discarded", None, Pure),
    ("stub-group-size", Required, Pure),
    ("sysroot", Required, Sysroot),
    ("target-help", None, Probe(ReasonKind::ProbePrint)),
    ("target1-abs", None, Pure),
    ("target1-rel", None, Pure),
    ("target2", Required, Pure),
    ("task-link", Required, Relocatable),
    ("thumb-entry", Required, Pure),
    ("trace", None, Pure),
    ("trace-symbol", Required, Pure),
    ("traditional-format", None, Pure),
    ("undefined", Required, Pure),
    ("undefined-version", None, Pure),
    ("unique", Optional, Pure),
    ("unresolved-symbols", Required, Pure),
    ("use-blx", None, Pure),
    ("verbose", Optional, Pure),
    ("version", None, Probe(ReasonKind::ProbeVersion)),
    ("version-exports-section", Required, Pure),
    ("version-script", Required, ListFile),
    ("vfp11-denorm-fix", Required, Pure),
    ("warn-alternate-em", None, Pure),
    ("warn-common", None, Pure),
    ("warn-constructors", None, Pure),
    ("warn-execstack", None, Pure),
    ("warn-multiple-gp", None, Pure),
    ("warn-once", None, Pure),
    ("warn-rwx-segments", None, Pure),
    ("warn-section-align", None, Pure),
    ("warn-shared-textrel", None, Pure),
    ("warn-textrel", None, Pure),
    ("warn-unresolved-symbols", None, Pure),
    ("whole-archive", None, Pure),
    ("wrap", Required, Pure),
};

/// Options of one letter, sorted bytewise.
#[rustfmt::skip]
pub(crate) static SHORT: &[Opt] = table! {
    ("(", None, Pure),
    (")", None, Pure),
    ("A", Required, Unmodelled("other names of libraries")),
    ("E", None, Pure),
    ("F", Required, Pure),
    ("G", Required, Pure),
    ("I", Required, Pure),
    ("L", Required, LibraryDir),
    ("M", None, PrintMap),
    ("N", None, Dynamic(false)),
    ("O", Required, Pure),
    ("P", Required, Pure),
    ("R", Required, JustSymbols),
    ("S", None, Pure),
    ("T", Required, Script),
    ("V", None, Pure),
    ("X", None, Pure),
    ("Y", Required, Unmodelled("another search path")),
    ("a", Required, Pure),
    ("b", Required, Format),
    ("c", Required, Unmodelled("reads another language")),
    ("d", None, Pure),
    ("e", Required, Pure),
    ("f", Required, Pure),
    ("g", None, Pure),
    ("h", Required, Pure),
    ("i", None, Relocatable),
    ("l", Required, Library),
    ("m", Required, Emulation),
    ("n", None, Dynamic(false)),
    ("o", Required, Output),
    ("q", None, Pure),
    ("r", None, Relocatable),
    ("s", None, Pure),
    ("t", None, Pure),
    ("u", Required, Pure),
    ("v", None, Pure),
    ("w", None, Pure),
    ("x", None, Pure),
    ("y", Required, Pure),
    ("z", Required, Pure),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted() {
        assert!(LONG.is_sorted_by(|a, b| a.name.as_bytes() < b.name.as_bytes()));
        assert!(SHORT.is_sorted_by(|a, b| a.name.as_bytes() < b.name.as_bytes()));
        assert!(SHORT.iter().all(|opt| opt.name.len() == 1));
    }
}

//! What a compiler defines before it reads anything, and what it answers to `__has_attribute` and its kin: asked from itself,
//! once for each shape of its flags.
//!
//! Knows nothing of sources.

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use super::builder::Builder;
use super::look;
use crate::derive::derive;
use crate::scan::exact::{BUILTINS, Dialect, Predefined, QUESTIONS, Shelf};
use crate::verdict::Reason;

/// Operands that libraries ask for; about others the compiler is asked when they come.
const ATTRIBUTES: &str = "access alias aligned alloc_align alloc_size always_inline artificial assume assume_aligned carries_dependency cold const constructor copy deprecated destructor diagnose_if enable_if error externally_visible fallthrough flatten format gnu::aligned gnu::always_inline gnu::cold gnu::const gnu::deprecated gnu::fallthrough gnu::noinline gnu::nonnull gnu::pure gnu::unused gnu::visibility gnu_inline hot init_priority leaf likely malloc may_alias maybe_unused no_icf no_profile_instrument_function no_sanitize no_sanitize_address no_sanitize_memory no_sanitize_thread no_sanitize_undefined no_stack_protector no_unique_address nocf_check noclone nodebug nodiscard noinline noipa nonnull nonstring noplt noreturn nothrow optimize packed preserve_access_index pure retain returns_nonnull returns_twice section sentinel simd symver target target_clones tls_model transparent_union unavailable unlikely unused used vector_size visibility warn_unused_result warning weak weakref zero_call_used_regs clang::fallthrough clang::lifetimebound clang::noescape clang::reinitializes clang::no_destroy clang::musttail clang::preferred_name clang::trivial_abi clang::require_constant_initialization require_constant_initialization lifetimebound gsl::Owner gsl::Pointer msvc::no_unique_address msvc::lifetimebound";
const BUILTIN_FUNCTIONS: &str = "__builtin_addressof __builtin_assume_aligned __builtin_bit_cast __builtin_bswap16 __builtin_bswap32 __builtin_bswap64 __builtin_choose_expr __builtin_clear_padding __builtin_clz __builtin_clzll __builtin_complex __builtin_constant_p __builtin_convertvector __builtin_ctz __builtin_ctzll __builtin_debugtrap __builtin_dynamic_object_size __builtin_expect __builtin_expect_with_probability __builtin_FILE __builtin_FUNCTION __builtin_is_constant_evaluated __builtin_isnan __builtin_launder __builtin_LINE __builtin_memcmp __builtin_object_size __builtin_offsetof __builtin_operator_new __builtin_popcount __builtin_prefetch __builtin_rotateleft32 __builtin_shuffle __builtin_shufflevector __builtin_source_location __builtin_speculation_safe_value __builtin_strlen __builtin_sub_overflow __builtin_add_overflow __builtin_mul_overflow __builtin_trap __builtin_types_compatible_p __builtin_unreachable __builtin_va_arg_pack __builtin_assume __builtin_COLUMN __builtin_invoke __builtin_is_corresponding_member __builtin_is_pointer_interconvertible_with_class __builtin_toascii __builtin_coro_noop __has_unique_object_representations __is_aggregate __is_layout_compatible __is_pointer_interconvertible_base_of __is_same __reference_constructs_from_temporary __reference_converts_from_temporary __atomic_load __atomic_load_n __sync_synchronize __type_pack_element __make_integer_seq __integer_pack __remove_cv __remove_cvref __remove_reference __add_pointer __is_nothrow_constructible __is_convertible __is_member_pointer __is_array __is_trivially_copyable __array_rank";

/// The definitions for these flags, of which none defines or includes anything.
pub(super) fn of(
    builder: &Builder<'_>,
    shelf: &Shelf,
    exe: &Path,
    flags: &[OsString],
    dialect: Dialect,
) -> Result<Option<Arc<Predefined>>, Reason> {
    let key = key(exe, flags, "");
    let listing: Option<String> = derive(builder.world, &key, |world| {
        look(world, exe)?;
        ask(builder, exe, flags, &source(dialect))
    })?;
    Ok(listing.map(|listing| shelf.predefined(&key, listing, dialect)))
}

/// The answer to one question, if there is one.
pub(super) fn answer(
    builder: &Builder<'_>,
    exe: &Path,
    flags: &[OsString],
    question: u8,
    operand: &[u8],
) -> Result<Option<i64>, Reason> {
    let (Some(name), Ok(operand)) = (QUESTIONS.get(usize::from(question)), std::str::from_utf8(operand)) else {
        return Ok(None);
    };
    let source = format!("\nGGA {name}({operand})\n");
    derive(builder.world, &key(exe, flags, &source), |world| {
        look(world, exe)?;
        let listing = ask(builder, exe, flags, &source)?;
        Ok(listing.and_then(|text| text.lines().find_map(|line| line.strip_prefix("GGA ")?.trim().parse().ok())))
    })
}

fn key(exe: &Path, flags: &[OsString], source: &str) -> Vec<u8> {
    let mut key = b"predefined 1".to_vec();
    for part in [exe.as_os_str(), OsStr::new(source)].into_iter().chain(flags.iter().map(OsString::as_os_str)) {
        key.push(0);
        key.extend_from_slice(part.as_encoded_bytes());
    }
    key
}

/// A source whose preprocessed text tells all that is to be known.
fn source(dialect: Dialect) -> String {
    let mut source = String::from("\n");
    for (number, (name, _)) in BUILTINS.iter().enumerate() {
        let _ = write!(source, "#ifdef {name}\nGGB {number}\n#endif\n");
    }
    for (number, name) in QUESTIONS.iter().enumerate() {
        let _ = writeln!(source, "#ifdef {name}");
        for operand in (if name.ends_with("builtin") { BUILTIN_FUNCTIONS } else { ATTRIBUTES }).split(' ') {
            let scoped = operand.contains("::");
            if !scoped || dialect.scope && name.contains("_c") {
                let _ = writeln!(source, "GGA {number} {operand} {name}({operand})");
            }
        }
        let _ = writeln!(source, "#endif");
    }
    source
}

/// The preprocessed text of a source, with its definitions; none if the compiler does not take it.
fn ask(builder: &Builder<'_>, exe: &Path, flags: &[OsString], source: &str) -> Result<Option<String>, Reason> {
    let mut argv: Vec<OsString> =
        ["sh", "-c", "s=$1; shift; printf %s \"$s\" | exec \"$@\"", "sh", source].map(Into::into).into();
    argv.push(exe.into());
    argv.extend(["-E", "-quiet", "-dD", "-nostdinc", "-w"].map(OsString::from));
    argv.extend(flags.iter().cloned());
    argv.push("-".into());
    let output = builder
        .world
        .run(Path::new("/bin/sh"), &argv, &builder.asking_env(), &builder.req.cwd)
        .map_err(|error| Reason::io(exe, &error))?;
    Ok(String::from_utf8(output.stdout).ok().filter(|_| output.status == Some(0)))
}

//! A slot's process, for the tests of this crate; in the product it is `gg __slot`.

fn main() -> std::process::ExitCode {
    gg_exec::slot::main()
}

//! The program `isobar`.

fn main() -> std::process::ExitCode {
    isobar::main()
}

//! The program with deliberate faults compiled in, which `isobar-mutants replay RUN --mutant fee|book|risk` switches on.
//!
//! A package of its own, built by itself: cargo unites features over everything that is built together, and the program
//! that trades must not hold a fault, not even one that is switched off.

fn main() -> std::process::ExitCode {
    isobar::main()
}

//! The program `isobar`.

/// A decision makes a few dozen small things and drops them again: between a frame and its order, half of what the system's
/// allocator takes for that is felt.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    isobar::main()
}

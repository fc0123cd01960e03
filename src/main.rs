use std::process::ExitCode;

fn main() -> ExitCode {
    bagssl::cli::main()
}

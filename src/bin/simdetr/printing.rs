//! Writing to standard output and error, which may be closed or full: never a panic.
//!
//! A reader that went away (`| head`) has what it wanted: the command ends quietly. A full device is
//! an error like any other.

use super::output::Answer;
use serde_json::json;
use simdetr::Error;
use simdetr::data::atomic_file::{STANDARD_OUTPUT, Target};
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

/// The work could not be done.
const FAILED: u8 = 1;
/// What the user wrote is wrong.
const USAGE: u8 = 2;

/// Whether a result is written to standard output, so that nothing else may be.
pub fn is_standard_output(out: Option<&Path>) -> bool {
    out.and_then(|out| Target::of(out).ok()) == Some(Target::standard_output())
}

/// Prints an answer, on standard error where `aside`; answers the exit status.
pub fn answer(answer: &Answer, as_json: bool, aside: bool) -> ExitCode {
    let text = answer.printed(as_json);
    let printed = match aside {
        true => print(&mut io::stderr().lock(), &text),
        false => print(&mut io::stdout().lock(), &text),
    };
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(source) => failure(&Error::io(STANDARD_OUTPUT, source), as_json),
    }
}

/// Prints an error on standard error; answers the exit status.
pub fn failure(error: &Error, as_json: bool) -> ExitCode {
    let closed = matches!(
        error,
        Error::Io { path, source } if path == Path::new(STANDARD_OUTPUT) && is_closed_pipe(source)
    );
    if !closed {
        let text = match as_json {
            true => json!({ "error": error.to_string() }).to_string(),
            false => format!("simdetr: {error}{}", advice(error)),
        };
        line(&text);
    }
    ExitCode::from(if is_usage(error) { USAGE } else { FAILED })
}

/// What to do about an error, in the words of the command line.
fn advice(error: &Error) -> &'static str {
    match error {
        Error::RunMismatch { .. } => "; --restart begins anew, another folder keeps both",
        _ => "",
    }
}

/// Prints help, the version, or what is wrong with the arguments; answers the exit status.
pub fn usage(message: &clap::Error) -> ExitCode {
    let printed = message.print().and_then(|()| io::stdout().flush());
    match printed {
        Err(source) if !is_closed_pipe(&source) && !message.use_stderr() => {
            failure(&Error::io(STANDARD_OUTPUT, source), false)
        }
        _ => ExitCode::from(if message.use_stderr() { USAGE } else { 0 }),
    }
}

/// One line on standard error; where that is closed or full there is nobody to tell.
pub fn line(text: &str) {
    let _ = print(&mut io::stderr().lock(), text);
}

fn print(stream: &mut dyn Write, text: &str) -> io::Result<()> {
    // At once, so that lines of several threads or processes stay whole.
    stream.write_all(format!("{text}\n").as_bytes())?;
    stream.flush()
}

fn is_closed_pipe(error: &io::Error) -> bool {
    error.kind() == ErrorKind::BrokenPipe
}

/// What the user wrote is wrong, as opposed to what was found when doing it.
fn is_usage(error: &Error) -> bool {
    matches!(
        error,
        Error::UnknownKey { .. }
            | Error::ConfigValue { .. }
            | Error::ConfigSyntax { .. }
            | Error::InvalidArgument { .. }
    )
}

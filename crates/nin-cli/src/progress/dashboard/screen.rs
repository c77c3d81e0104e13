//! The terminal: taken, written to, and given back however the program ends.

use std::io::{self, IsTerminal, Write, stderr};
use std::sync::{Mutex, PoisonError};

use rustix::termios::{
    LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, tcflush, tcgetattr,
    tcgetwinsize, tcsetattr,
};

/// The alternate screen, and no cursor on it.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[2J";
const LEAVE: &str = "\x1b[0m\x1b[?25h\x1b[?1049l";
/// What a special character is where it is off.
const DISABLED: u8 = 0;

/// How the terminal was before it was taken, until it is given back.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// Takes the terminal of stderr: its other screen, no echo, no line editing. Ctrl-C goes on sending
/// SIGINT; Ctrl-Z and Ctrl-\, which would leave the other screen to the shell, send nothing.
pub(super) fn take() -> io::Result<()> {
    let terminal = stderr();
    if !terminal.is_terminal() {
        return Err(io::Error::other("stderr is no terminal"));
    }
    let before = tcgetattr(&terminal)?;
    let mut own = before.clone();
    own.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON);
    for left_without_a_word in [SpecialCodeIndex::VSUSP, SpecialCodeIndex::VQUIT] {
        own.special_codes[left_without_a_word] = DISABLED;
    }
    tcsetattr(&terminal, OptionalActions::Now, &own)?;
    *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
    let mut terminal = terminal.lock();
    terminal.write_all(ENTER.as_bytes())?;
    terminal.flush()
}

/// Gives the terminal back as it was, if it was taken. For the end of a program too.
pub fn give_back() {
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(before) = before else { return };
    let terminal = stderr();
    // A terminal that is gone needs nothing.
    let _ = terminal.lock().write_all(LEAVE.as_bytes());
    // What was typed meanwhile was for nobody.
    let _ = tcflush(&terminal, QueueSelector::IFlush);
    let _ = tcsetattr(&terminal, OptionalActions::Now, &before);
}

/// `[columns, rows]` of the terminal.
pub fn size() -> io::Result<[usize; 2]> {
    let size = tcgetwinsize(stderr())?;
    Ok([usize::from(size.ws_col), usize::from(size.ws_row)])
}

/// Shows these lines, in one write; what else stood there is gone.
pub(super) fn show(lines: &[String]) -> io::Result<()> {
    let shown = format!("\x1b[H{}\x1b[0m\x1b[K\x1b[J", lines.join("\x1b[0m\x1b[K\r\n"));
    let mut terminal = stderr().lock();
    terminal.write_all(shown.as_bytes())?;
    terminal.flush()
}

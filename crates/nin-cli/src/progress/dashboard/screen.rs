//! Takes over the terminal, and restores it however the program ends.

use std::io::{self, IsTerminal, Write, stderr};
use std::sync::{Mutex, PoisonError};

use rustix::termios::{
    LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, tcflush, tcgetattr,
    tcgetwinsize, tcsetattr,
};

/// Switches to the alternate screen and hides the cursor.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[2J";
const LEAVE: &str = "\x1b[0m\x1b[?25h\x1b[?1049l";
/// Disables a special character.
const DISABLED: u8 = 0;

/// The state of the terminal before it was taken over.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// Takes over the terminal of stderr: alternate screen, no echo, no line editing. Ctrl-C still sends SIGINT; Ctrl-Z
/// and Ctrl-\, which would leave the alternate screen to the shell, are disabled.
pub(super) fn take() -> io::Result<()> {
    let terminal = stderr();
    if !terminal.is_terminal() {
        return Err(io::Error::other("stderr is not a terminal"));
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

/// Restores the terminal if it was taken over. Also called at the end of the program.
pub fn give_back() {
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(before) = before else { return };
    let terminal = stderr();
    // Ignores a terminal that is gone.
    let _ = terminal.lock().write_all(LEAVE.as_bytes());
    // Discards what was typed in the meantime.
    let _ = tcflush(&terminal, QueueSelector::IFlush);
    let _ = tcsetattr(&terminal, OptionalActions::Now, &before);
}

/// Returns the `[columns, rows]` of the terminal.
pub fn size() -> io::Result<[usize; 2]> {
    let size = tcgetwinsize(stderr())?;
    Ok([usize::from(size.ws_col), usize::from(size.ws_row)])
}

/// Replaces the content of the screen with these lines, in one write.
pub(super) fn show(lines: &[String]) -> io::Result<()> {
    let shown = format!("\x1b[H{}\x1b[0m\x1b[K\x1b[J", lines.join("\x1b[0m\x1b[K\r\n"));
    let mut terminal = stderr().lock();
    terminal.write_all(shown.as_bytes())?;
    terminal.flush()
}

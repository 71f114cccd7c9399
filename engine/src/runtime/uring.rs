//! io_uring itself: whether this process may use it, and why not.

use std::io;

use crate::limits;

/// Tries a small ring.
///
/// # Errors
/// What it was refused for; `needed_bytes` is the locked memory that the caller's own rings will need.
pub(crate) fn check(needed_bytes: u64) -> Result<(), String> {
    const ENTRIES: u32 = 8;
    match io_uring::IoUring::new(ENTRIES) {
        Ok(_) => Ok(()),
        Err(error) => Err(explain_refusal(&error, needed_bytes)),
    }
}

/// Puts the refusal of a ring into words: the figures found and needed, or where it is switched off.
pub(crate) fn explain_refusal(error: &io::Error, needed_bytes: u64) -> String {
    match error.raw_os_error() {
        Some(libc::ENOMEM) => limits::explain_locked_memory(needed_bytes),
        Some(libc::EPERM | libc::EACCES) => format!(
            "the kernel refuses io_uring to this process ({error}); see sysctl kernel.io_uring_disabled and the \
             container's seccomp profile"
        ),
        Some(libc::ENOSYS) => format!("this kernel has no io_uring ({error})"),
        Some(libc::EMFILE | libc::ENFILE) => {
            format!("no descriptor is left for a ring ({error}); raise the limit with ulimit -n")
        }
        _ => format!("io_uring_setup failed: {error}"),
    }
}

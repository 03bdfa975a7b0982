//! Memory that the allocator keeps after it was freed.

/// Returns freed memory to the system, where the allocator keeps it otherwise: glibc keeps large blocks for reuse once
/// blocks of their size have been freed. Takes milliseconds, so it is for moments when much was freed at once. Does
/// nothing on other systems.
pub fn release_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(unsafe_code, reason = "calls the C library")]
    // SAFETY: the function may be called at any time, from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}

//! The unwinder of a program that never unwinds: a panic aborts, and the binary has no tables to unwind by.
//!
//! The standard library's own panic hook, which ours replaces first thing, would walk the stack and read debugging
//! information; with LLVM's unwinder that is a fifth of the binary. Where the stack ends at once, none of it can be
//! reached, and the linker leaves it out. Names and meaning: Itanium C++ ABI, exception handling, level 1.

use core::ffi::c_int;

/// `_URC_END_OF_STACK`.
const END_OF_STACK: c_int = 5;

/// Shows no frame.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Backtrace() -> c_int {
    END_OF_STACK
}

/// What only somebody who unwinds would call.
macro_rules! never_called {
    ($($name:ident)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name() -> ! {
            std::process::abort()
        }
    )*};
}

never_called! {
    _Unwind_Resume _Unwind_GetIP _Unwind_SetIP _Unwind_GetIPInfo _Unwind_GetCFA _Unwind_SetGR _Unwind_GetRegionStart
    _Unwind_GetLanguageSpecificData _Unwind_GetTextRelBase _Unwind_GetDataRelBase _Unwind_FindEnclosingFunction
}

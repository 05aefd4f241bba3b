//! mq_receive(3), mq_send(3) and their kin: reads and writes of a message queue. mq_close(3) is in `close_dup`.

use libc::{c_char, c_int, c_uint, size_t, ssize_t, timespec};

use crate::fdtable::{self, IO};
use crate::interpose::read_write::{note, Way};

macro_rules! calls {
    ($($way:ident: fn $name:ident($queue:ident $(, $arg:ident: $type:ty)*) -> $ret:ty;)*) => {
        $(
            $crate::interpose! {
                /// Calls libc, and notes the transfer on a descriptor of interest.
                fn $name($queue: c_int $(, $arg: $type)*) -> $ret |real| {
                    // SAFETY: libc's own function; no destructor in this frame.
                    let done = unsafe { real()($queue $(, $arg)*) };
                    if fdtable::flags($queue) & IO != 0 {
                        note($queue, Way::$way, done as ssize_t, 0, || 0);
                    }
                    done
                }
            }
        )*
    };
}

calls! {
    In: fn mq_receive(queue, message: *mut c_char, len: size_t, priority: *mut c_uint) -> ssize_t;
    In: fn mq_timedreceive(queue, message: *mut c_char, len: size_t, priority: *mut c_uint, until: *const timespec) -> ssize_t;
    Out: fn mq_send(queue, message: *const c_char, len: size_t, priority: c_uint) -> c_int;
    Out: fn mq_timedsend(queue, message: *const c_char, len: size_t, priority: c_uint, until: *const timespec) -> c_int;
}

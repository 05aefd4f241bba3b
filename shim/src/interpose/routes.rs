//! Which raw system calls (`syscall`) go to which of our functions. All others go to the kernel.
//!
//! `hooks`: the call goes to our function that stands before libc's function of that name. The word says when, by the
//! fd, which is the first argument:
//!
//! | word | if |
//! |---|---|
//! | `Always` | always |
//! | `Known` | we know something of the fd |
//! | `Noted` | we know more of it than its provenance |
//!
//! The second word says how. A raw system call is no cancellation point, but the function of its name may be one; then
//! it runs `Uncancelled`, else `Plain`.
//!
//! `outcomes`: the call goes to a function that answers, or says that the kernel must answer. It runs guarded.
//!
//! `specials`: the call goes to a function that makes the system call itself.
//!
//! If the architecture lacks a call, its number is one that no program uses (`arch::numbers`). `shim/tests/routes.rs`
//! checks that each function with a system call of its name is here, or says why it is not.

/// Calls the macro `$then` with the table.
macro_rules! for_routes {
    ($then:ident) => {
        $then! {
            hooks {
                SYS_accept(fd, addr, len) Noted Uncancelled => read_write::accept[fd as _, addr as _, len as _];
                SYS_accept4(fd, addr, len, flags) Noted Uncancelled => read_write::accept4[fd as _, addr as _, len as _, flags as _];
                SYS_close(fd) Known Uncancelled => close_dup::close[fd as _];
                SYS_close_range(first, last, flags) Always Plain => close_dup::close_range[first as _, last as _, flags as _];
                SYS_connect(fd, addr, len) Noted Uncancelled => read_write::connect[fd as _, addr as _, len as _];
                SYS_dup(old) Always Plain => close_dup::hooked_dup[old as _];
                SYS_dup2(old, new) Always Plain => close_dup::hooked_dup2[old as _, new as _];
                SYS_dup3(old, new, flags) Always Plain => close_dup::hooked_dup3[old as _, new as _, flags as _];
                SYS_fcntl(fd, cmd, arg) Known Uncancelled => fcntl_ioctl::fcntl[fd as _, cmd as _, arg];
                SYS_ioctl(fd, request, arg) Known Plain => fcntl_ioctl::ioctl[fd as _, request as _, arg];
                SYS_read(fd, buf, count) Noted Uncancelled => read_write::read[fd as _, buf as _, count];
                SYS_readv(fd, iov, count) Noted Uncancelled => read_write::readv[fd as _, iov as _, count as _];
                // Only 32-bit systems use the upper half of the offset, which is the fifth argument.
                SYS_preadv2(fd, iov, count, offset, _high, flags) Noted Uncancelled => read_write::preadv2[fd as _, iov as _, count as _, offset as _, flags as _];
                SYS_recvfrom(fd, buf, len, flags, addr, addrlen) Noted Uncancelled => read_write::recvfrom[fd as _, buf as _, len, flags as _, addr as _, addrlen as _];
                SYS_recvmmsg(fd, msgs, count, flags, timeout) Always Uncancelled => messages::recvmmsg[fd as _, msgs as _, count as _, flags as _, timeout as _];
                SYS_recvmsg(fd, msg, flags) Always Uncancelled => messages::recvmsg[fd as _, msg as _, flags as _];
                SYS_write(fd, buf, count) Noted Uncancelled => read_write::write[fd as _, buf as _, count];
                SYS_writev(fd, iov, count) Noted Uncancelled => read_write::writev[fd as _, iov as _, count as _];
                SYS_pwritev2(fd, iov, count, offset, _high, flags) Noted Uncancelled => read_write::pwritev2[fd as _, iov as _, count as _, offset as _, flags as _];
                SYS_sendfile(out, file, offset, count) Noted Uncancelled => read_write::sendfile[out as _, file as _, offset as _, count];
                SYS_sendmmsg(fd, msgs, count, flags) Always Uncancelled => messages::sendmmsg[fd as _, msgs as _, count as _, flags as _];
                SYS_sendto(fd, buf, len, flags, addr, addrlen) Noted Uncancelled => read_write::sendto[fd as _, buf as _, len, flags as _, addr as _, addrlen as _];
                SYS_sendmsg(fd, msg, flags) Always Uncancelled => messages::sendmsg[fd as _, msg as _, flags as _];
                SYS_setsockopt(fd, level, name, value, len) Noted Plain => setsockopt::setsockopt[fd as _, level as _, name as _, value as _, len as _];
                SYS_shmat(id, addr, flags) Always Plain => mmap::shmat[id as _, addr as _, flags as _];
                SYS_shutdown(fd, how) Noted Plain => read_write::shutdown[fd as _, how as _];
                SYS_splice(from, at, to, offset, len, flags) Always Uncancelled => splice::splice[from as _, at as _, to as _, offset as _, len, flags as _];
                SYS_tee(from, to, len, flags) Always Uncancelled => splice::tee[from as _, to as _, len, flags as _];
                SYS_vmsplice(fd, iov, count, flags) Noted Uncancelled => splice::vmsplice[fd as _, iov as _, count, flags as _];
                SYS_mq_timedreceive(queue, message, len, priority, until) Always Uncancelled => mqueue::mq_timedreceive[queue as _, message as _, len, priority as _, until as _];
                SYS_mq_timedsend(queue, message, len, priority, until) Always Uncancelled => mqueue::mq_timedsend[queue as _, message as _, len, priority as _, until as _];
                SYS_timerfd_settime(fd, flags, new, old) Noted Plain => eventfd_timerfd::hooked_settime[fd as _, flags as _, new as _, old as _];
                SYS_madvise(addr, len, advice) Always Plain => mmap::madvise[addr as _, len, advice as _];
                SYS_mmap(addr, len, protection, flags, fd, offset) Always Plain => mmap::mmap[addr as _, len, protection as _, flags as _, fd as _, offset as _];
                SYS_mprotect(addr, len, protection) Always Plain => mmap::mprotect[addr as _, len, protection as _];
                SYS_mremap(addr, old, new, flags, to) Always Plain => mmap::mremap[addr as _, old, new, flags as _, to as _];
                SYS_munmap(addr, len) Always Plain => mmap::munmap[addr as _, len];
                SYS_pkey_mprotect(addr, len, protection, key) Always Plain => mmap::pkey_mprotect[addr as _, len, protection as _, key as _];
                SYS_prctl(option, a, b, c, d) Always Plain => prctl::prctl[option as _, a, b, c, d];
            }
            outcomes {
                SYS_poll(fds, count, timeout) => poll_select::raw_poll[fds as _, count as _, timeout as _];
                SYS_ppoll(fds, count, timeout, mask, size) => poll_select::raw_ppoll[fds as _, count as _, timeout as _, [mask, size]];
                SYS_select(count, read, write, except, timeout) => poll_select::raw_select[count as _, [read as _, write as _, except as _], timeout as _];
                SYS_pselect6(count, read, write, except, timeout, mask) => poll_select::raw_pselect[count as _, [read as _, write as _, except as _], timeout as _, mask];
            }
            specials {
                SYS_epoll_create => raw_create_sized;
                SYS_epoll_create1 => raw_create;
                SYS_epoll_ctl => raw_ctl;
                SYS_epoll_wait => raw_wait;
                SYS_epoll_pwait => raw_pwait;
                SYS_epoll_pwait2 => raw_pwait2;
                SYS_fork => fork;
                SYS_vfork => vfork;
                SYS_clone => clone;
                SYS_clone3 => clone3;
                SYS_seccomp => seccomp;
                SYS_io_uring_setup => io_uring_setup;
                SYS_io_uring_enter => io_uring_enter;
            }
        }
    };
}

pub(crate) use for_routes;

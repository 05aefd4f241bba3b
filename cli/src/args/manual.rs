//! What help and the man page say beyond the command line itself.

/// The sections of the man page after the commands: a title, and terms with their explanations.
pub const SECTIONS: [(&str, &[(&str, &str)]); 4] = [
    (
        "ENVIRONMENT",
        &[
            (
                "GLASSPOLL_LIB",
                "The path of libglasspoll.so. Without it the library is looked for beside this program, and in \
                 lib/glasspoll and lib beside the folder that this program is in.",
            ),
            (
                "GLASSPOLL_ENGINE",
                "observe: the kernel's epoll answers the program, and the library only records; emulate: glasspoll's \
                 own answers. --observe and --emulate set it. By default top and doctor observe the program that they \
                 start, and run emulates.",
            ),
            (
                "GLASSPOLL_RING",
                "The size of each process's record in memory: bytes, 512K, 4M and the like, from 16K to 1G; off: \
                 there is none. By default 1M, which holds 31,000 events; under run -c and run -o 64M. --ring sets it.",
            ),
            (
                "GLASSPOLL_STACKS",
                "on: the record keeps the call stack of each EPOLL_CTL_ADD, so that doctor can say which code added a \
                 descriptor; off: it does not. By default off, and on for the program that doctor starts. --stacks and \
                 --no-stacks set it.",
            ),
            (
                "GLASSPOLL_READY",
                "exact: a helper thread watches all the time, so that it is known when a file became ready. \
                 --exact sets it.",
            ),
            ("GLASSPOLL_LOG", "A filter for the log of the library, such as glasspoll::flow=trace. --log sets it."),
            ("GLASSPOLL_LOG_FILE", "Where the log goes; %p becomes the process id. By default stderr."),
            ("GLASSPOLL_LOG_FORMAT", "text or json."),
            ("GLASSPOLL_DEVICE", "poll: no signals are used, and every file is asked by poll(2)."),
            ("GLASSPOLL_HOT", "How many items of a set the waiting thread asks itself at most."),
            ("GLASSPOLL_CHAOS", "What waits must put up with, such as all,seed=7. --chaos sets it."),
            ("GLASSPOLL_SPIN", "How long a wait looks before it sleeps: off, auto, or microseconds."),
            (
                "LD_PRELOAD",
                "What is there already is kept, behind the library. A program that clears it before exec hands \
                 glasspoll down to no child.",
            ),
            (
                "XDG_RUNTIME_DIR, TMPDIR",
                "Where run makes the folder for the socket at which processes hand in their records, for as long \
                 as the program runs.",
            ),
        ],
    ),
    (
        "EXIT STATUS",
        &[
            (
                "run",
                "That of the program; if it died by a signal, by the same signal (128 and its number, as a shell says). \
                 125: trouble of glasspoll's own. 126: the program cannot be run. 127: it is not there.",
            ),
            (
                "doctor",
                "1: there are findings (--fail-on: from which severity on); of --self, no program can be run on glasspoll \
                 here. Without: 0; of a PROGRAM its own status, or \
                 128 and the number of the signal that ended it; 126: it cannot be run; 127: it is not there.",
            ),
            ("ls, record, dump", "1: the process has no record that can be read."),
            ("all", "125: trouble of glasspoll's own. 2: the command line makes no sense."),
        ],
    ),
    (
        "FILES",
        &[
            (
                "/proc/PID/fd",
                "The record of a process is a memfd named glasspoll there, of fixed size and sealed. The process's \
                 user can read it, and root; nothing is left on disk, and nothing of it outlives the process.",
            ),
            (
                "the FILE of run -o and record -o",
                "It is made anew, with mode 0600, in the place of what was there. It is written as events come, and \
                 can be read up to where the program, or glasspoll, was killed. Its format has a version; a glasspoll \
                 that does not know it says so.",
            ),
        ],
    ),
    (
        "EXAMPLES",
        &[
            ("glasspoll run -c -- redis-server --port 7777", "Run a server; on its end, say what its event loop did."),
            ("glasspoll run -o web.rec -- nginx -g 'daemon off;'", "Keep what the master and all workers did."),
            ("glasspoll run -- node server.js", "Run it, to be looked into later."),
            ("glasspoll run --observe -- node server.js", "The same, and the kernel's epoll goes on answering it."),
            ("glasspoll ls", "What is in the event loops of all that runs."),
            ("glasspoll record 4711 -o stuck.rec", "It is stuck: take what happened in the last seconds."),
            ("glasspoll dump stuck.rec | tail", "What it was at."),
            ("glasspoll report stuck.rec -o stuck.html", "See it."),
            ("glasspoll doctor stuck.rec", "What is wrong with it."),
            ("glasspoll dump --json web.rec | jq 'select(.errno == \"EMFILE\")'", "Ask something of your own."),
        ],
    ),
];

/// The limits: programs that the library serves in part or not at all.
pub const NOTES: &str = "A program that is linked statically, makes system calls without libc (Go), or is \
    set-user-ID runs on the kernel's epoll: nothing can be preloaded into it. Children are followed, over exec too. \
    Those that outlive the program are recorded until it ends.";

/// More text for the help of `run`.
pub const CHAOS: &str = "\
SPEC is a list of words, parted by commas. P is a share of the waits, such as
20% or 0.5%:
  seed=N            another number, another schedule; without it any
  short[=P]         fewer events than are ready (20%)
  reorder[=P]       in another order (100%)
  spurious[=P]      besides, one of a file that is not ready: a read of it gets
                    EAGAIN. Files that block are left out (1%)
  eintr[=P]         EINTR, of a wait that would sleep (1%)
  delay[=D..D][@P]  the wait looks later, by 0..2ms or the like (10%)
  edge=coalesce[@P] edges are kept back until more may have come, and are one
                    then (25%)
  repeat[=P]        of the edges: reported again, if the file is still ready (1%)
  all               all of these
  only=NAME+NAME    of all that the rest comes to, these alone. A NAME is
                    SET:WAIT:WHAT, as it stands in a record (epoll, wait, what)

The same seed is the same schedule for a program that does the same: what is
done is decided by the seed, the set and the number of the wait, and in a
forked child by that, too. Each injection is in the record (`glasspoll dump`).

With --chaos-until-fail the program is a test: it fails if its exit status is
not 0, a signal ends it, or it takes too long. It reads nothing, and what it
prints is shown if it fails. First it is run without chaos. When a seed makes it
fail, injections are left out as long as it fails without them; the command that
repeats the failure is printed. With --output the record of a run that failed is
kept: of the one with the fewest injections, if it fails again. The exit
status is 1 if it failed with a seed, 0 if it did not.";

/// For `ls --help`.
pub const LS: &str = "\
It lists the sets of every process on glasspoll, and the sets of the kernel's of
every process that you may look into, by /proc: no process notices it. The
kernel tells no rates and no times. Of its sets,
  DATA      is epoll_event.data, in hexadecimal if it is large
  WAITING   is what the file has for its reader, or for its peer. The kernel
            does not tell it of pipes and terminals
  \"closed here\" and \"another file now\" are items whose file this process no
            longer has at that fd. The file is open elsewhere (by another fd, or
            in a child), so the kernel keeps the item and goes on reporting it

Of the sets of glasspoll, STATE is one of
  cold      the kernel tells the library of it
  hot       busy: the waiting thread asks it itself
  ready     on the ready list, and for how long
  disarmed  EPOLLONESHOT has silenced it
  -         not known (in JSON, unknown): the set is the kernel's, and observed.
            Items of it that the record does not have are listed after it

AGE has a ~ where it is known roughly. EPOLLERR and EPOLLHUP, which every item
has, are not listed.

JSON is {\"processes\": [PROCESS, ...]}. More keys may come; these stay:
  PROCESS  pid, comm, command, kernel_sets: [KERNEL SET, ...], unreachable (why
           the library cannot be in it: it is linked statically, or with musl;
           or null); if it runs on glasspoll, exact (the time of becoming ready is exact), observed (the
           kernel's epoll answers: its sets are among the kernel_sets, too),
           age_ns (of its record), left_out (items without room in it),
           sets: [SET, ...]
  SET      epoll (its number, never given twice), epfd (null: unknown), waits,
           waiting: [{tid, name}, ...], items: [ITEM, ...]
  ITEM     fd, item (its number, never given twice), what (null: unknown),
           interest, state, delivered (events), ready_ns (how long it is ready;
           null: it is not), last_ns (how long ago it was delivered; null:
           unknown), age_ns: [at least, at most]
  KERNEL SET  epfds (the fds that stand for it), waiting, items:
           [{fd (with which it was added), what, place (here, closed, reused),
           interest, disarmed, data, queue (null: not told)}, ...]
  queue    {bytes: {unread, unsent}}, {connections: {waiting, most}},
           {count: of an eventfd} or {expirations: of a timerfd}";

/// For `attach --help`.
pub const ATTACH: &str = "\
A thread of the process that sleeps in a wait or a read is brought to load the
library; it stands for some milliseconds, the others go on. From then on the
process's calls of libc pass through the library, which records them; the
kernel's epoll serves as before. ls, top, record, dump and doctor then look into
it. detach takes the hooks out; the library stays mapped, asleep. Both take 2 s
at most. You need the right to trace the process.";

/// For `doctor --help`.
pub const DOCTOR: &str = "\
The exit status is 1 if there are findings (of --fail-on or worse). If there are
none, it is 0; for a PROGRAM its own, or 128 and the number of the signal that
ended it. So a test that fails never ends with 0. A PROGRAM that uses no epoll is
no error. Trouble of glasspoll's own is 125, a PROGRAM that cannot be run 126,
and one that is not there 127.

Of a running process its children are looked at, too, and those of them.

While a thread of a loop is overdue or spins, it is looked at from outside: what
it sleeps in, whether it has a processor, and its stack. For that a running
thread stands for some 50 microseconds, ten times at most for each incident;
with --no-ptrace none does.

--self tries each call in a child, and a program on the library, with both
engines. A line is ok, less (there is a way around, or something is left out) or
no. JSON is {\"version\", \"works\", \"facts\": [{\"name\", \"standing\", \"here\",
\"effect\"}, ...]}.";

/// For `dump --help`.
pub const DUMP: &str = "\
A line of text is the time since the first event in seconds, PID/TID, the
event, its fields, and what the file was. An argument that is a number is a
process, unless a file is called so.

JSON has an object for each event, a line each, with ns (CLOCK_MONOTONIC),
unix_ns (since 1970), pid, tid, event, file (if known), and the event's own:
  create       epoll, epfd, inherited, observed (the kernel's epoll answers)
  ctl          epoll, op, fd, events, data, item
  arm, disarm  fd, source
  wakeup       fd, source, events
  ready        epoll, fd, item, list (rdllist or ovflist)
  wait_enter   epoll, maxevents, timeout_ns (-1: for ever)
  deliver      epoll, fd, events, item, nth, ready_ns, exact
  wait_return  epoll, n, waited_ns
  release      fd, items, shared (the file may live on in another process)
  close        fd, lives_as (another number of the same file, or -1)
  dup          old, new
  read, write  fd, result, asked
  accept, connect, shutdown
               fd, result
  fork         child
  exec
  chaos        epoll, wait (which of the set), what; left (short), moved
               (reorder), after_ns (delay, eintr), fd and events (spurious,
               coalesce, repeat)
and errno where a call failed.";

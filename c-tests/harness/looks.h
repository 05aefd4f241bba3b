// For files that the library only polls, every 10 ms: the next poll sees what another process did to a file that was
// already ready. The kernel does not poll, and misses nothing.
#ifndef HARNESS_LOOKS_H
#define HARNESS_LOOKS_H

#include <dirent.h>

// How often the threads of a process have gone to sleep, without the thread `left_out`. Negative: a thread is awake
// now.
static inline long sleeps_without(pid_t pid, pid_t left_out)
{
    char path[300], line[200], state = 'S';
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    CHECK(tasks);
    long sum = 0;
    for (struct dirent *task; (task = readdir(tasks));) {
        snprintf(path, sizeof path, "/proc/%d/task/%s/status", (int)pid, task->d_name);
        bool is_counted = *task->d_name != '.' && atoi(task->d_name) != left_out;
        FILE *status = is_counted ? fopen(path, "r") : NULL;
        if (!status)
            continue;
        long n = 0;
        bool awake = false;
        while (fgets(line, sizeof line, status)) {
            if (sscanf(line, "State: %c", &state) == 1)
                awake |= state == 'R';
            if (sscanf(line, "voluntary_ctxt_switches: %ld", &n) == 1 && sum >= 0)
                sum += n;
        }
        if (awake)
            sum = -1;
        fclose(status);
    }
    closedir(tasks);
    return sum;
}

// The same for all threads.
static inline long sleeps_of(pid_t pid) { return sleeps_without(pid, 0); }

// The same for the other threads of the calling process.
static inline long sleeps_of_others(void) { return sleeps_without(getpid(), gettid()); }

// Returns when the threads of a process have polled and sleep on: the process has seen that a file is empty. `before`:
// its sleeps before the file was emptied. If the process never polls, the caller's test fails later: its waiter misses
// a write.
static inline void await_a_look(pid_t pid, long before)
{
    if (!emulated())
        return;
    int64_t end = now_ns() + WAIT_MS / 2 * 1000000LL;
    for (long last = -1; now_ns() < end;) {
        long now = sleeps_of(pid);
        if (now > before && now == last)
            return;
        last = now;
        sleep_ms(QUIET_MS); // a process that still polls would poll six times
    }
}

#endif

// curl_multi URL COUNT PARALLEL: downloads the URL COUNT times, PARALLEL at a time, driven by libcurl's multi_socket
// interface and one epoll. Prints how many succeeded, and a line for each different body: its length, its sum and how
// often it came.
#include <curl/curl.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define CHECK(ok)                                                              \
    do {                                                                       \
        if (!(ok)) {                                                           \
            fprintf(stderr, "line %d: %s is false\n", __LINE__, #ok);          \
            exit(1);                                                           \
        }                                                                      \
    } while (0)

struct transfer {
    uint64_t length, sum;
};

static const char *url;
static int epfd, timer, to_start, under_way, good;
static CURLM *multi;
static struct transfer *done;

static size_t take(char *bytes, size_t size, size_t count, void *to)
{
    struct transfer *transfer = to;
    for (size_t i = 0; i < size * count; i++)
        transfer->sum = transfer->sum * 31 + (unsigned char)bytes[i];
    transfer->length += size * count;
    return size * count;
}

static void start_one(void)
{
    CURL *easy = curl_easy_init();
    struct transfer *transfer = calloc(1, sizeof *transfer);
    CHECK(easy && transfer);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
    // Every second transfer has a connection of its own.
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, (long)(to_start % 2));
    CHECK(curl_multi_add_handle(multi, easy) == CURLM_OK);
    to_start--;
    under_way++;
}

static int on_timer(CURLM *of, long ms, void *data)
{
    (void)of, (void)data;
    struct itimerspec at = {0};
    // For curl 0 means at once; for the timer it would mean to disarm it.
    if (ms >= 0)
        at.it_value = (struct timespec){ms / 1000, ms % 1000 * 1000000 + 1};
    CHECK(timerfd_settime(timer, 0, &at, NULL) == 0);
    return 0;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *known)
{
    (void)easy, (void)data;
    if (what == CURL_POLL_REMOVE) {
        CHECK(epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL) == 0 || errno == EBADF || errno == ENOENT);
        return 0;
    }
    struct epoll_event event = {.data.fd = fd};
    event.events |= what & CURL_POLL_IN ? EPOLLIN : 0;
    event.events |= what & CURL_POLL_OUT ? EPOLLOUT : 0;
    CHECK(epoll_ctl(epfd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) == 0);
    CHECK(curl_multi_assign(multi, fd, &epfd) == CURLM_OK);
    return 0;
}

static void take_results(int *bodies)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(multi, &left))) {
        CURL *easy = message->easy_handle;
        struct transfer *transfer;
        CHECK(message->msg == CURLMSG_DONE);
        if (message->data.result != CURLE_OK)
            fprintf(stderr, "%s\n", curl_easy_strerror(message->data.result));
        else
            good++;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
        done[(*bodies)++] = *transfer;
        free(transfer);
        curl_multi_remove_handle(multi, easy);
        curl_easy_cleanup(easy);
        under_way--;
        if (to_start)
            start_one();
    }
}

static int compare(const void *a, const void *b)
{
    const struct transfer *left = a, *right = b;
    if (left->length != right->length)
        return left->length < right->length ? -1 : 1;
    return left->sum < right->sum ? -1 : left->sum > right->sum;
}

int main(int argc, char **argv)
{
    CHECK(argc == 4);
    url = argv[1];
    int count = atoi(argv[2]), parallel = atoi(argv[3]), bodies = 0, running;
    to_start = count;
    CHECK((done = calloc(count, sizeof *done)));
    CHECK((epfd = epoll_create1(EPOLL_CLOEXEC)) >= 0);
    CHECK((timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) >= 0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = timer};
    CHECK(epoll_ctl(epfd, EPOLL_CTL_ADD, timer, &event) == 0);
    CHECK(curl_global_init(CURL_GLOBAL_ALL) == CURLE_OK);
    CHECK((multi = curl_multi_init()));
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
    while (to_start && under_way < parallel)
        start_one();
    while (under_way) {
        struct epoll_event events[16];
        int n = epoll_wait(epfd, events, 16, 20000);
        CHECK(n > 0);
        for (int i = 0; i < n; i++) {
            uint64_t expired;
            if (events[i].data.fd == timer) {
                // A transfer may have set the timer anew since it was reported.
                CHECK(read(timer, &expired, sizeof expired) == sizeof expired || errno == EAGAIN);
                curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
                continue;
            }
            int what = 0;
            what |= events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0;
            what |= events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0;
            what |= events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0;
            curl_multi_socket_action(multi, events[i].data.fd, what, &running);
        }
        take_results(&bodies);
    }
    qsort(done, bodies, sizeof *done, compare);
    printf("%d of %d good\n", good, count);
    for (int first = 0, next; first < bodies; first = next) {
        for (next = first; next < bodies && !compare(&done[first], &done[next]); next++)
            ;
        printf("%llu bytes, sum %llu: %d\n", (unsigned long long)done[first].length,
               (unsigned long long)done[first].sum, next - first);
    }
    curl_multi_cleanup(multi);
    curl_global_cleanup();
    close(timer);
    close(epfd);
    return good == count ? 0 : 1;
}

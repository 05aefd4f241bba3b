// EPIOCSPARAMS and EPIOCGPARAMS set and return a set's busy poll parameters. A
// parameter out of range is refused.
// Source: ioctl_eventpoll(2); Linux: fs/eventpoll.c:ep_eventpoll_bp_ioctl.
// Contract: 9
#include "harness.h"
#include <sys/ioctl.h>

struct params {
    uint32_t usecs;
    uint16_t budget;
    uint8_t prefer, pad;
};
#define SET_PARAMS _IOW(0x8A, 1, struct params)
#define GET_PARAMS _IOR(0x8A, 2, struct params)

static void test(void)
{
    int epfd = ep_new();
    struct params got = {1, 1, 1, 1}, good = {50, 8, 1, 0};
    if (ioctl(epfd, GET_PARAMS, &got) == -1)
        SKIP("no busy poll parameters: %s", strerrorname_np(errno));
    CHECK(got.usecs == 0 && got.budget == 0 && got.prefer == 0 && got.pad == 0);
    OK(ioctl(epfd, SET_PARAMS, &good));
    OK(ioctl(epfd, GET_PARAMS, &got));
    CHECK(!memcmp(&got, &good, sizeof got));

    struct params bad[] = {{50, 8, 1, 1}, {50, 8, 2, 0}, {1u << 31, 8, 1, 0}};
    for (int i = 0; i < 3; i++)
        CHECK_ERR(ioctl(epfd, SET_PARAMS, &bad[i]), EINVAL);
    CHECK_ERR(ioctl(epfd, SET_PARAMS, NULL), EFAULT);
    CHECK_ERR(ioctl(epfd, GET_PARAMS, NULL), EFAULT);
    OK(ioctl(epfd, GET_PARAMS, &got));
    CHECK(!memcmp(&got, &good, sizeof got));
    int other = ep_new();
    OK(ioctl(other, GET_PARAMS, &got));
    CHECK_EQ(got.usecs, 0);
    OK(close(other));
    OK(close(epfd));
}

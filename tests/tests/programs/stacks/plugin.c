// Calls back. Two plugins of different SIZE have their code and tables at different places.
struct pair {
    int set, fd;
};

#ifndef SIZE
#define SIZE 8
#endif

static char data[SIZE] = {1};

__attribute__((noinline)) static int inner(void (*work)(struct pair), struct pair pair)
{
    volatile char frame[SIZE];
    frame[0] = data[0];
    work(pair);
    return frame[0];
}

int through(void (*work)(struct pair), struct pair pair)
{
    return inner(work, pair) + data[SIZE - 1];
}

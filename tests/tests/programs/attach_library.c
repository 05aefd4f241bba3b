/* Stands in for the library in tests of attaching: it counts the calls of its two functions, changes errno and the
 * vector registers as any function may, and patches nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is_attached;

static void say(const char *word, const char *options)
{
	const char *fd = getenv("SAY_TO");
	if (!fd)
		return;
	char line[256] = "";
	strncat(line, word, 16);
	strncat(line, options, 200);
	strcat(line, "\n");
	if (write(atoi(fd), line, strlen(line)) < 0)
		abort();
}

int glasspoll_attach(const char *options)
{
	volatile double registers[8];
	for (int i = 0; i < 8; i++)
		registers[i] = i * 1.5;
	say("attach ", options);
	errno = registers[2] > 2 ? EXDEV : 0;
	if (is_attached)
		return -EALREADY;
	if (getenv("SLOW"))
		sleep(4);
	if (getenv("CRASH"))
		*(volatile int *)8 = 1;
	is_attached = 1;
	return 7;
}

int glasspoll_detach(void)
{
	say("detach", "");
	if (!is_attached)
		return -ENOTCONN;
	is_attached = 0;
	return 7;
}

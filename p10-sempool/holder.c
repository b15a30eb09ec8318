#include "p10-sempool/holder.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/identity.h"

enum { PID_SHIFT = 8, START_SHIFT = 30 };

#define PID_MASK UINT64_C(0x3fffff)
#define START_MASK (UINT64_MAX >> START_SHIFT)

/* After unshare(2) of the PID namespace alone, /proc still is of the outer one,
 * and has another process under our pid. */
static bool is_shown_as(pid_t pid)
{
	char text[16] = "";
	ssize_t n = readlink("/proc/self", text, sizeof(text) - 1);

	return n > 0 && strtol(text, NULL, 10) == pid;
}

uint64_t holder_self(void)
{
	uint64_t start = identity_start_time(getpid());

	if (!start || !is_shown_as(getpid()))
		return 0;
	return (start & START_MASK) << START_SHIFT |
	       ((uint64_t)getpid() & PID_MASK) << PID_SHIFT;
}

pid_t holder_pid(uint64_t word)
{
	return (pid_t)(word >> PID_SHIFT & PID_MASK);
}

bool holder_is_alive(uint64_t word)
{
	pid_t pid = holder_pid(word);
	uint64_t start = pid > 0 ? identity_start_time(pid) : 0;

	/* None at all is for identity_is_alive(), which knows doubt. */
	if (start && (start & START_MASK) != word >> START_SHIFT)
		return false;
	return identity_is_alive(pid, start);
}

bool holder_is_gone(uint64_t word)
{
	pid_t pid = holder_pid(word);

	/* To 0 it would be a question about our own process group. */
	return pid > 0 && kill(pid, 0) < 0 && errno == ESRCH;
}

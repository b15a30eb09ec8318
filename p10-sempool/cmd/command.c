#include "p10-sempool/cmd/command.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/cmd/stop.h"
#include "lib/fdio.h"
#include "lib/tick.h"

#define STEP_NS TICK_S /* a stop right before a wait does not end it */
#define GRACE_NS (2 * TICK_S)

struct launch {
	char *const *argv;
	int lock;
	int report[2]; /* closed by exec, or it has why not */
};

/* In the child. What we handle exec resets, what we ignore it would not. */
static int exec_command(void *arg)
{
	const struct launch *launch = arg;
	int error;

	signal(SIGPIPE, SIG_DFL);
	error = fdio_set_cloexec(launch->lock, false);
	if (!error) {
		execvp(launch->argv[0], launch->argv);
		error = -errno;
	}
	fdio_write_full(launch->report[1], &error, sizeof(error));
	return 1;
}

/* child_fork(), not child_spawn(): it is to die with us. */
int command_start(char *const argv[], int lock, pid_t *pid)
{
	struct launch launch = {.argv = argv, .lock = lock};
	int error = fdio_pipe(launch.report), why = 0;
	ssize_t n;

	if (error)
		return error;
	error = child_fork(exec_command, &launch, pid);
	close(launch.report[1]);
	if (!error) {
		n = fdio_read_full(launch.report[0], &why, sizeof(why));
		if (n == sizeof(why)) {
			waitpid(*pid, NULL, 0);
			error = why;
		}
	}
	close(launch.report[0]);
	return error;
}

int command_wait(pid_t pid, int *status)
{
	int error, ended;

	do {
		error = child_wait(pid, tick_after(STEP_NS), status);
		if (!error)
			return 0;
	} while ((error == -EINTR || error == -ETIMEDOUT) && !stop_signal());
	if (stop_signal() == SIGINT &&
	    child_wait(pid, tick_after(TICK_S), status) == 0)
		return 0;
	/* Not only for a stop: if we cannot wait, we are about to end, and
	 * nobody would wait for it. */
	ended = child_end(pid, GRACE_NS, status);
	return stop_signal() ? ended : error;
}

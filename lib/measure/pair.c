#include "lib/measure/pair.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "lib/child.h"
#include "lib/fdio.h"
#include "lib/measure/lead.h"
#include "lib/measure/serve.h"
#include "lib/tick.h"

/* When one side failed because the other is gone, how long to wait for the
 * other's end, which is the reason to tell. */
#define REASON_NS (500 * TICK_MS)

/* The two sides of a running trial. */
struct pair {
	struct side_board *board;
	pid_t pid[2]; /* -1: ended, or not started */
	int fd[2];    /* hangs up when it has ended; -1 */
	int status[2];
};

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

bool pair_is_stop_asked(const struct measure_options *options)
{
	struct pollfd pfd = {.fd = options->stop_fd, .events = POLLIN};

	return options->stop_fd > 0 && poll(&pfd, 1, 0) > 0;
}

/* Each side has the only write end of a pipe: when it ends, whatever the way,
 * our end of it hangs up. */
static int start_side(struct pair *pair, int side, int (*run)(void *))
{
	int fds[2];
	int r = fdio_pipe(fds);

	if (r < 0)
		return r;
	r = child_fork(run, pair->board, &pair->pid[side]);
	fdio_close(&fds[1]);
	pair->fd[side] = fds[0];
	return r;
}

static int start_pair(struct pair *pair)
{
	int r = start_side(pair, MECHANISM_A, lead_run);

	return r < 0 ? r : start_side(pair, MECHANISM_B, serve_run);
}

/* Wait until a side ends, and note it. Returns 0, -EINTR on a stop, or
 * -ETIMEDOUT. */
static int wait_for_end(struct pair *pair, int64_t deadline)
{
	const struct measure_options *o = &pair->board->options;
	struct pollfd pfds[3] = {
		{.fd = pair->fd[0], .events = POLLIN},
		{.fd = pair->fd[1], .events = POLLIN},
		{.fd = o->stop_fd > 0 ? o->stop_fd : -1, .events = POLLIN},
	};
	int n = poll(pfds, 3, tick_left_ms(deadline));

	if (n < 0 && errno != EINTR)
		return -errno;
	if (pair_is_stop_asked(o))
		return -EINTR;
	for (int i = 0; i < 2 && n > 0; i++)
		if (pfds[i].revents && child_wait(pair->pid[i], TICK_NEVER,
						  &pair->status[i]) == 0) {
			pair->pid[i] = -1;
			fdio_close(&pair->fd[i]);
		}
	return n == 0 && tick_is_over(deadline) ? -ETIMEDOUT : 0;
}

static bool has_failed(const struct pair *pair, int side)
{
	return pair->pid[side] < 0 && pair->status[side] != 0;
}

/* Wait until both have ended, or one has failed for a reason of its own. */
static int wait_for_pair(struct pair *pair, int64_t deadline)
{
	while (pair->pid[0] > 0 || pair->pid[1] > 0) {
		int r = wait_for_end(pair, deadline);
		bool some = false;

		for (int i = 0; i < 2; i++) {
			if (!has_failed(pair, i))
				continue;
			if (pair->board->failure[i].error != -EPIPE)
				return 0;
			some = true;
		}
		if (r == -ETIMEDOUT && some)
			return 0;
		if (r < 0)
			return r;
		if (some)
			deadline = earlier(deadline, tick_after(REASON_NS));
	}
	return 0;
}

static void end_pair(struct pair *pair)
{
	for (int i = 0; i < 2; i++) {
		int status;

		if (pair->pid[i] > 0)
			child_end(pair->pid[i], 0, &status);
		fdio_close(&pair->fd[i]);
	}
}

/* Of two failures the one that is not a consequence of the other: a signal,
 * then a reason of its own, then a partner that is gone. */
static int find_reason(const struct pair *pair, char *why, size_t why_size)
{
	const struct side_failure *failure = pair->board->failure;
	char words[80];
	int side = -1;

	for (int i = 0; i < 2; i++) {
		if (!has_failed(pair, i))
			continue;
		if (WIFSIGNALED(pair->status[i])) {
			side = i;
			break;
		}
		if (side < 0 || failure[side].error == -EPIPE)
			side = i;
	}
	if (side < 0)
		return 0;
	if (WIFEXITED(pair->status[side]) && failure[side].error) {
		snprintf(why, why_size, "side %c, %s: %s", "AB"[side],
			 failure[side].doing, strerror(-failure[side].error));
		return failure[side].error;
	}
	snprintf(why, why_size, "side %c %s", "AB"[side],
		 child_describe(pair->status[side], words, sizeof(words)));
	return -EPIPE;
}

int pair_run(struct side_board *board, int64_t deadline, int *reason, char *why,
	     size_t why_size)
{
	struct pair pair = {.board = board, .pid = {-1, -1}, .fd = {-1, -1}};
	int r = start_pair(&pair);

	if (r == 0)
		r = wait_for_pair(&pair, deadline);
	*reason = r == 0 ? find_reason(&pair, why, why_size) : 0;
	end_pair(&pair);
	return r;
}

#include "lib/measure/pair.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "lib/child.h"
#include "lib/measure/lead.h"
#include "lib/measure/rig.h"
#include "lib/measure/serve.h"
#include "lib/tick.h"

/* When one side was killed, or failed because the other is gone, how long to wait
 * for the other's end, which may be the reason to tell. */
#define REASON_NS (200 * TICK_MS)

bool pair_is_stop_asked(const struct measure_options *options)
{
	struct pollfd pfd = {.fd = options->stop_fd, .events = POLLIN};

	return options->stop_fd > 0 && poll(&pfd, 1, 0) > 0;
}

/* What happened to a side; returns the error to tell. */
static int describe(const struct rig_result *result, const char *doing,
		    char name, char *why, size_t why_size)
{
	char words[80];

	if (result->error != -ECHILD) {
		snprintf(why, why_size, "side %c, %s: %s", name, doing,
			 strerror(-result->error));
		return result->error;
	}
	snprintf(why, why_size, "side %c %s", name,
		 child_describe(result->status, words, sizeof(words)));
	return -EPIPE;
}

int pair_run(struct side_board *board, int64_t deadline, int *reason, char *why,
	     size_t why_size)
{
	const struct rig_side side[2] = {{.body = lead_run, .arg = board},
					 {.body = serve_run, .arg = board}};
	const struct rig rig = {.side = side,
				.sides = 2,
				.deadline = deadline,
				.grace_ns = REASON_NS,
				.stop_fd = board->options.stop_fd};
	struct rig_result result[2];
	int r = rig_run(&rig, result);

	*reason = 0;
	for (int i = 0; i < 2; i++)
		if (result[i].is_cause)
			*reason = describe(&result[i], board->doing[i], "AB"[i],
					   why, why_size);
	return *reason ? 0 : r;
}

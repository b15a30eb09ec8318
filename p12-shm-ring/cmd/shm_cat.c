/* shm_cat - the command: a pipe through a ring in shared memory. The writer
 * reads its input right into the ring, the reader writes out of it. */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/cmd/stop.h"
#include "lib/fdio.h"
#include "lib/objname.h"
#include "lib/tick.h"
#include "p12-shm-ring/ring.h"

/* Of the ring, for one message: the other side works on those before it. */
#define SHARE 8
#define CHUNK_MAX ((size_t)1 << 20)

/* How often one who waits for its own input or output looks at the other. */
#define LOOK_NS (200 * TICK_MS)

struct arguments {
	const char *name;
	enum ring_side side;
	int64_t timeout_ns; /* TICK_NEVER: wait for the other for ever */
	struct ring_options ring;
};

static const char doc[] =
	"A pipe between any two shells, through shared memory.\v"
	"Example: ./shm_cat --name=/x write <file\n"
	"         ./shm_cat --name=/x read >copy\n"
	"Exit status: 0 all is through, 1 not, 2 usage, 3 nobody came within "
	"--timeout.";

static void parse(struct arguments *a, int argc, char **argv)
{
	static const char *const sides[] = {"write", "read", NULL};
	const struct cli_option options[] = {
		CLI_TEXT("name", 'n', "/NAME", &a->name,
			 "Of the ring (required)"),
		CLI_SIZE("buffer-size", 'b', "SIZE", &a->ring.capacity,
			 RING_CAPACITY_MIN, RING_CAPACITY_MAX,
			 "Room in the ring, if there is none yet (default "
			 "1MB)"),
		CLI_DURATION("timeout", 't', "DUR", &a->timeout_ns, 0,
			     86400 * TICK_S,
			     "How long to wait for the other side to come "
			     "(default: for ever)"),
		{0},
	};
	const struct cli_command command = {
		.doc = doc,
		.operands = "write|read",
		.most = 1,
		.options = options,
	};

	cli_parse(&command, argc, argv);
	if (!a->name)
		die_usage("--name=/NAME is missing");
	if (objname_check(a->name))
		die_usage("--name=%s: accepted is a slash and 1 to 250 bytes "
			  "without one",
			  a->name);
	if (!argv[1])
		die_usage("write or read is missing");
	a->side = (enum ring_side)cli_word("what to do", argv[1], sides);
}

/* ---- both sides ------------------------------------------------------------------- */

/* Leave, and take the name along when nobody else is in: if it is still ours. */
static void leave(struct ring *ring, const struct arguments *arguments,
		  bool is_done)
{
	const bool is_lost = ring_is_lost(ring);

	if (is_done)
		ring_close(ring);
	else
		ring_abandon(ring);
	if (is_lost || ring_remove(arguments->name) == 0)
		objname_release(OBJNAME_SHM, arguments->name);
}

static _Noreturn void fail(struct ring *ring, const struct arguments *arguments,
			   int error, const char *what)
{
	const char *other =
		arguments->side == RING_SENDER ? "reader" : "writer";

	leave(ring, arguments, false);
	if (error == -EINTR && stop_signal())
		exit(stop_exit_code());
	switch (error) {
	case -EOWNERDEAD:
		die("%s: the %s died before the end", arguments->name, other);
	case -EPIPE:
		die("%s: the %s left before the end", arguments->name, other);
	case -EBADMSG:
		die("%s: the %s broke the ring", arguments->name, other);
	case -EIDRM:
		die("%s: the name was removed, or is another ring's, before a "
		    "%s came",
		    arguments->name, other);
	case -ETIMEDOUT:
		die_status(DIE_TIMEOUT, "%s: no %s came within --timeout",
			   arguments->name, other);
	default:
		die_errno(error, "%s: %s", arguments->name, what);
	}
}

static struct ring *enter(const struct arguments *arguments)
{
	const int64_t deadline = tick_after(arguments->timeout_ns);
	struct ring *ring;
	int64_t soon;
	int rc;

	/* Who is in it may leave soon; who is making it, and gets a lot of
	 * memory for it, may take long. */
	objname_claim(OBJNAME_SHM, arguments->name); /* advice: it may fail */
	do {
		soon = tick_after(TICK_S);
		rc = stop_signal()
			     ? -EINTR
			     : ring_open(&ring, arguments->name,
					 arguments->side, &arguments->ring,
					 soon < deadline ? soon : deadline);
	} while (rc == -ETIMEDOUT && !tick_is_over(deadline));
	if (rc)
		objname_release(OBJNAME_SHM, arguments->name);
	else
		objname_made(OBJNAME_SHM, arguments->name);
	switch (rc) {
	case 0:
		break;
	case -EBUSY:
		die("%s: somebody %s already", arguments->name,
		    arguments->side == RING_SENDER ? "writes" : "reads");
	case -EACCES:
		die("%s: another user's: choose another --name",
		    arguments->name);
	case -EBADMSG:
		die("%s: not a ring, or one that is damaged or of another "
		    "version",
		    arguments->name);
	case -ENOSPC:
		die("%s: not enough shared memory (df /dev/shm, --buffer-size)",
		    arguments->name);
	case -ETIMEDOUT:
		die_status(DIE_TIMEOUT, "%s: it was not made within --timeout",
			   arguments->name);
	case -EINTR:
		exit(stop_exit_code());
	default:
		die_errno(rc, "%s", arguments->name);
	}
	return ring;
}

/* What is waited for: a place of len bytes in the ring, a message in it, or
 * that len bytes at that place go out. */
struct step {
	void *at;
	size_t len;
};

typedef int (*wait_fn)(struct ring *ring, struct step *step, int64_t deadline);

/* A wait in slices, so that no stop is missed that came right before it and
 * could interrupt nothing, and no death while we wait for something else. */
static int wait_for(wait_fn wait, struct ring *ring, struct step *step,
		    int64_t deadline)
{
	int64_t look;
	int rc;

	do {
		if (stop_signal())
			return -EINTR;
		look = tick_after(LOOK_NS);
		if (deadline < look)
			look = deadline;
		rc = wait(ring, step, look);
	} while (rc == -ETIMEDOUT && look != deadline);
	return rc;
}

/* A wait for something else is over without it: has the other side gone? */
static int look_at_peer(struct ring *ring)
{
	int peer = ring_peer(ring);

	return peer && peer != -ENOTCONN ? peer : -ETIMEDOUT;
}

static int peer(struct ring *ring, struct step *step, int64_t deadline)
{
	int rc = ring_wait_peer(ring, deadline);

	(void)step;
	return rc == -ETIMEDOUT ? look_at_peer(ring) : rc;
}

static int input(struct ring *ring, struct step *step, int64_t deadline)
{
	int rc = fdio_wait(0, POLLIN, deadline);

	(void)step;
	if (rc == -ETIMEDOUT)
		return look_at_peer(ring);
	return rc < 0 ? rc : 0;
}

static int room(struct ring *ring, struct step *step, int64_t deadline)
{
	return ring_reserve(ring, step->len, &step->at, deadline);
}

static int drained(struct ring *ring, struct step *step, int64_t deadline)
{
	(void)step;
	return ring_drain(ring, deadline);
}

static int message(struct ring *ring, struct step *step, int64_t deadline)
{
	ssize_t len = ring_peek(ring, &step->at, deadline);

	if (len < 0)
		return (int)len;
	step->len = (size_t)len;
	return 0;
}

static int written(struct ring *ring, struct step *step, int64_t deadline)
{
	ssize_t n = fdio_write_some(1, step->at, step->len, deadline);

	(void)ring;
	if (n < 0)
		return (int)n;
	step->at = (char *)step->at + n;
	step->len -= (size_t)n;
	return 0;
}

/* ---- writing ---------------------------------------------------------------------- */

static size_t chunk_of(const struct ring *ring)
{
	size_t bytes = ring_capacity(ring) / SHARE - 64;

	return bytes < CHUNK_MAX ? bytes : CHUNK_MAX;
}

static void write_into(struct ring *ring, const struct arguments *arguments)
{
	struct step step = {.len = chunk_of(ring)};
	ssize_t n = 1;
	int rc = 0;

	/* As with a FIFO: no reader, no input taken. */
	rc = wait_for(peer, ring, NULL, tick_after(arguments->timeout_ns));
	if (rc)
		fail(ring, arguments, rc, "waiting for a reader");
	while (n > 0) {
		rc = wait_for(room, ring, &step, TICK_NEVER);
		if (rc)
			fail(ring, arguments, rc, "waiting for room");
		rc = wait_for(input, ring, NULL, TICK_NEVER);
		if (rc)
			fail(ring, arguments, rc, "waiting for input");
		n = read(0, step.at, step.len);
		if (n < 0)
			fail(ring, arguments, -errno, "reading standard input");
		if (n > 0)
			rc = ring_commit(ring, (size_t)n);
		if (rc)
			fail(ring, arguments, rc, "sending");
	}
	rc = wait_for(drained, ring, NULL, TICK_NEVER);
	if (rc)
		fail(ring, arguments, rc, "waiting for the end");
}

/* ---- reading ---------------------------------------------------------------------- */

static void write_out(struct ring *ring, const struct arguments *arguments,
		      struct step step)
{
	int rc = 0;

	while (step.len > 0 && rc == 0)
		rc = wait_for(written, ring, &step, TICK_NEVER);
	if (rc == -EPIPE) {
		leave(ring, arguments, false);
		die_errno(EPIPE, "writing standard output");
	}
	if (rc)
		fail(ring, arguments, rc, "writing standard output");
	ring_release(ring);
}

static void read_from(struct ring *ring, const struct arguments *arguments)
{
	int64_t deadline = tick_after(arguments->timeout_ns);
	struct step step;
	int rc;

	for (;;) {
		rc = wait_for(message, ring, &step, deadline);
		if (rc == -ETIMEDOUT && ring_peer(ring) == 0)
			rc = wait_for(message, ring, &step, TICK_NEVER);
		deadline = TICK_NEVER; /* somebody came */
		if (rc == -EPIPE)
			return; /* the writer has said that this is the end */
		if (rc)
			fail(ring, arguments, rc, "waiting for data");
		write_out(ring, arguments, step);
	}
}

int main(int argc, char **argv)
{
	struct arguments arguments = {
		.timeout_ns = TICK_NEVER,
		.ring = {.capacity = 1 << 20, .is_fresh = true},
	};
	struct ring *ring;
	int rc;

	parse(&arguments, argc, argv);
	rc = stop_install();
	if (rc)
		die_errno(rc, "cannot begin");
	ring = enter(&arguments);
	if (arguments.side == RING_SENDER)
		write_into(ring, &arguments);
	else
		read_from(ring, &arguments);
	leave(ring, &arguments, true);
	return EXIT_SUCCESS;
}

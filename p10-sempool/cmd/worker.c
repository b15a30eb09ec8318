/* worker - takes a connection of the pool, holds it for a while, or as long as
 * a command runs, and gives it back. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/child.h"
#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/cmd/stop.h"
#include "lib/tick.h"
#include "p10-sempool/cmd/command.h"
#include "p10-sempool/cmd/target.h"
#include "p10-sempool/sempool.h"

#define OPEN_NS TICK_S /* for a manager that is just being started */
#define LONGEST_NS (INT64_C(86400) * 366 * TICK_S)

struct settings {
	const char *name;
	const char *timeout;         /* as given; NULL: none */
	int64_t timeout_ns, hold_ns; /* -1: none given */
	uint64_t number;             /* 0: none yet */
	char **command;              /* NULL: none */
	bool is_quiet;
};

static const char doc[] =
	"Take a connection of a pool, hold it, and give it back.\v"
	"Examples:\n"
	"  ./worker 1 --hold=3s --timeout=2s\n"
	"  ./worker 1 -- make -C project\n\n"
	"Exit status: 0 done, 1 failed, 2 usage, 3 no connection in time; with "
	"a command, its own.";

static void parse(struct settings *s, int argc, char **argv)
{
	const struct cli_option options[] = {
		TARGET_OPTION(&s->name),
		CLI_TEXT("timeout", 't', "DUR", &s->timeout,
			 "Give up after DUR without a connection, with exit "
			 "status 3"),
		CLI_DURATION("hold", 'H', "DUR", &s->hold_ns, 0, LONGEST_NS,
			     "How long to hold it (default 1s)"),
		CLI_ON("quiet", 'q', &s->is_quiet, "Print errors alone"),
		{0},
	};
	const struct cli_command command = {
		.doc = doc,
		.operands = "N [-- COMMAND...]",
		.most = INT_MAX, /* the second is refused below */
		.options = options,
		.behind = &s->command,
	};
	int n = cli_parse(&command, argc, argv);

	target_check(s->name);
	if (s->timeout)
		s->timeout_ns =
			cli_duration("--timeout", s->timeout, 0, LONGEST_NS);
	if (n < 1)
		die_usage("give the worker's number, like: worker 1");
	s->number = cli_count("N", argv[1], 1, 1000000000);
	if (n > 1)
		die_usage("'%s': a command stands behind --", argv[2]);
	if (s->command && s->hold_ns >= 0)
		die_usage("--hold and a command exclude each other");
}

/* A line of ours: not among what a command prints. */
__attribute__((format(printf, 2, 3))) static void say(const struct settings *s,
						      const char *format, ...)
{
	FILE *to = s->command ? stderr : stdout;
	char line[128];
	va_list args;

	if (s->is_quiet)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	/* At once, so that lines of several workers do not mix. */
	fprintf(to, "Worker %" PRIu64 ": %s\n", s->number, line);
	fflush(to);
}

static void open_pool(struct sempool *pool, const struct settings *s)
{
	int64_t patience =
		s->timeout && s->timeout_ns < OPEN_NS ? s->timeout_ns : OPEN_NS;
	int error = sempool_open(pool, s->name, tick_after(patience));

	if (error == -EINTR && stop_signal())
		exit(stop_exit_code());
	if (error)
		target_die(s->name, error);
	pool->is_stopped = stop_signal;
}

static void acquire(struct sempool *pool, struct sempool_lease *lease,
		    const struct settings *s)
{
	int64_t deadline = tick_after(s->timeout ? s->timeout_ns : -1);
	int error = sempool_try_acquire(pool, lease);

	if (error == -EAGAIN) {
		say(s, "Waiting for connection...");
		/* Other signals do not end it. */
		do
			error = sempool_acquire_until(pool, lease, deadline);
		while (error == -EINTR && !stop_signal());
	}
	if (error == -EINTR)
		exit(stop_exit_code());
	if (error == -ETIMEDOUT)
		die_status(DIE_TIMEOUT, "no connection within %s", s->timeout);
	if (error == -EIDRM)
		die("pool '%s' was removed", s->name);
	if (error == -EBADMSG)
		die("pool '%s' is damaged", s->name);
	if (error)
		die_errno(error, "cannot take a connection of pool '%s'",
			  s->name);
	say(s, "Acquired connection (%u remaining)", sempool_count_free(pool));
}

static void release(struct sempool *pool, struct sempool_lease *lease,
		    const struct settings *s)
{
	unsigned int remaining = sempool_count_free(pool) + 1;
	int error;

	/* Before it, not after: who waits for this connection prints a line
	 * too as soon as he has it. Of a command it is not known before. */
	if (!s->command)
		say(s, "Released connection (%u remaining)", remaining);
	error = sempool_release(pool, lease);
	if (error == SEMPOOL_LEFT)
		say(s, "Connection stays with what the command left running");
	else if (!error && s->command)
		say(s, "Released connection (%u remaining)", remaining);
	if (error == -EBADMSG)
		die("pool '%s' is damaged: our connection was given to "
		    "somebody else",
		    s->name);
	if (error < 0)
		die_errno(error, "cannot give back a connection of pool '%s'",
			  s->name);
}

static void put_number(const char *variable, unsigned int number)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", number);
	setenv(variable, text, 1);
}

/* Returns the exit status. */
static int run_command(struct sempool *pool, struct sempool_lease *lease,
		       const struct settings *s)
{
	int status = 0, error = sempool_hand_down(pool, lease);
	pid_t pid;

	if (error) {
		die_warn_errno(error, "cannot lock a connection of pool '%s'",
			       s->name);
		return DIE_FAILURE;
	}
	/* Which of the connections it is, for what each has but once; and the
	 * lock, for what shall not have it. */
	put_number("POOL_CONNECTION", lease->slot + 1);
	put_number("POOL_LOCK", (unsigned int)lease->lock);
	error = command_start(s->command, lease->lock, &pid);
	if (error) {
		die_warn_errno(error, "cannot run '%s'", s->command[0]);
		return child_spawn_exit_code(error);
	}
	error = command_wait(pid, &status);
	if (error) {
		die_warn_errno(error, "cannot wait for '%s'", s->command[0]);
		return DIE_FAILURE;
	}
	return stop_signal() ? stop_exit_code() : child_exit_code(status);
}

/* Returns the exit status. */
static int hold(const struct settings *s)
{
	int64_t hold_ns = s->hold_ns < 0 ? TICK_S : s->hold_ns;

	stop_wait(-1, tick_after(hold_ns));
	return stop_exit_code();
}

int main(int argc, char **argv)
{
	struct settings settings = {
		.name = TARGET_NAME, .timeout_ns = -1, .hold_ns = -1};
	struct sempool_lease lease;
	struct sempool pool;
	int status, error;

	parse(&settings, argc, argv);
	error = stop_install();
	if (error)
		die_errno(error, "cannot handle signals");
	open_pool(&pool, &settings);
	acquire(&pool, &lease, &settings);
	status = settings.command ? run_command(&pool, &lease, &settings)
				  : hold(&settings);
	release(&pool, &lease, &settings);
	sempool_close(&pool);
	return status;
}

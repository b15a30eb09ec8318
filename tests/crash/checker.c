#include "tests/crash/checker.h"

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/fdio.h"
#include "lib/tick.h"

#define PATIENCE_NS (60 * TICK_S)

void checker_init(struct checker *checker, char *const *argv)
{
	*checker = (struct checker){.argv = argv, .to = -1, .from = -1};
	signal(SIGPIPE, SIG_IGN);
}

static int stop(struct checker *checker)
{
	int status = 0;

	if (checker->pid <= 0)
		return 0;
	close(checker->to);
	close(checker->from);
	kill(checker->pid, SIGKILL);
	child_wait(checker->pid, TICK_NEVER, &status);
	checker->pid = 0;
	return status;
}

void checker_fini(struct checker *checker)
{
	stop(checker);
	free(checker->said);
}

/* What cannot be written will give no answer either. */
static void tell(const struct checker *checker, const char *text, size_t len)
{
	fdio_write_until(checker->to, text, len, tick_after(PATIENCE_NS));
}

static void start(struct checker *checker)
{
	struct child_spec spec = CHILD_SPEC_INIT;
	int in[2], out[2], error;

	if (fdio_pipe(in) < 0 || fdio_pipe(out) < 0)
		err(3, "cannot make a pipe");
	spec.argv = checker->argv;
	spec.in = in[0];
	spec.out = out[1];
	error = child_spawn(&spec, &checker->pid);
	if (error)
		errx(3, "cannot run the checker %s: %s", checker->argv[0],
		     strerror(-error));
	close(in[0]);
	close(out[1]);
	checker->to = in[1];
	checker->from = out[0];
	tell(checker, checker->said, checker->n_said);
}

void checker_say(struct checker *checker, const char *line)
{
	size_t len = strlen(line) + strlen("said \n");

	if (checker->n_said + len + 1 > checker->room_said) {
		checker->room_said = 2 * (checker->n_said + len + 1);
		checker->said = realloc(checker->said, checker->room_said);
		if (!checker->said)
			err(3, "no memory");
	}
	snprintf(checker->said + checker->n_said, len + 1, "said %s\n", line);
	if (checker->pid > 0)
		tell(checker, checker->said + checker->n_said, len);
	checker->n_said += len;
}

/* One line; false when none came. */
static bool hear(const struct checker *checker, char *line, size_t size)
{
	int64_t deadline = tick_after(PATIENCE_NS);
	size_t n = 0;
	ssize_t got;

	while (n + 1 < size) {
		got = fdio_read_some(checker->from, line + n, size - 1 - n,
				     deadline);
		if (got <= 0)
			return false;
		n += (size_t)got;
		if (line[n - 1] == '\n') {
			line[n - 1] = '\0';
			return true;
		}
	}
	return false;
}

bool checker_ask(struct checker *checker, const char *dir, char *why,
		 size_t size)
{
	char line[1024], how[64];
	int n = snprintf(line, sizeof(line), "check %s\n", dir), status;

	if (checker->pid <= 0)
		start(checker);
	tell(checker, line, (size_t)n);
	if (hear(checker, line, sizeof(line))) {
		if (strncmp(line, "bad ", 4) == 0)
			snprintf(why, size, "%s", line + 4);
		else if (strcmp(line, "ok") != 0)
			errx(3, "the checker answers '%s'", line);
		return strcmp(line, "ok") == 0;
	}
	status = stop(checker);
	if (WIFEXITED(status) && WEXITSTATUS(status) >= 125)
		errx(3, "the checker has failed, not the state");
	snprintf(why, size, "the checker gave no answer: %s",
		 child_describe(status, how, sizeof(how)));
	return false;
}

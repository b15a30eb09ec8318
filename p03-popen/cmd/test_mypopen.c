/* test_mypopen - the guide's three checks of popen and pclose, on ours or, to
 * compare, on the C library's. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/fdio.h"
#include "lib/tick.h"
#include "p03-popen/mypopen.h"

struct implementation {
	const char *popen_name, *pclose_name;
	FILE *(*popen)(const char *command, const char *mode);
	int (*pclose)(FILE *stream);
};

static const struct implementation ours = {"mypopen", "mypclose", mypopen,
					   mypclose};
static const struct implementation libc = {"popen", "pclose", popen, pclose};

/* Bytes as C would write them: "file1.txt\n". */
static void print_escaped(const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			fputs("\\n", stdout);
		else if ((unsigned char)*text < ' ' || *text == 0x7f)
			printf("\\%03o", (unsigned char)*text);
		else
			putchar(*text);
	}
}

static FILE *begin(const struct implementation *impl, const char *command,
		   const char *mode)
{
	FILE *stream;

	printf("Testing %s(\"%s\", \"%s\")...\n", impl->popen_name, command,
	       mode);
	fflush(stdout);
	stream = impl->popen(command, mode);
	if (!stream)
		die_errno(errno, "cannot run '%s'", command);
	return stream;
}

/* Close, print the status as a shell would say it, and compare. */
static bool end(const struct implementation *impl, FILE *stream, int wanted)
{
	int status = impl->pclose(stream);
	int code = status < 0 ? -1 : child_exit_code(status);

	if (status < 0)
		printf("%s failed: %s\n", impl->pclose_name, strerror(errno));
	else
		printf("%s returned: %d\n", impl->pclose_name, code);
	return code == wanted;
}

static bool judge(bool is_right, const char *remark)
{
	printf("%s%s\n", is_right ? "PASS" : "FAIL", is_right ? remark : "");
	return is_right;
}

static bool check_reading(const struct implementation *impl)
{
	FILE *stream = begin(impl, "ls", "r");
	char *line = NULL;
	size_t room = 0;
	bool is_read;

	fputs("Read: ", stdout);
	while (getline(&line, &room, stream) > 0)
		print_escaped(line);
	putchar('\n');
	free(line);
	is_read = !ferror(stream);
	return judge(end(impl, stream, 0) && is_read, "");
}

/* cat's standard output is a pipe of ours for as long as it takes to start
 * it: what it was given must come out there. */
static bool check_writing(const struct implementation *impl)
{
	static const char text[] = "Hello from parent\n";
	char got[sizeof(text)] = "";
	int ends[2] = {-1, -1}, saved, rc;
	FILE *stream;
	bool is_right;

	saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	rc = saved < 0 ? -errno : fdio_pipe(ends);
	if (rc)
		die_errno(rc, "cannot redirect the output of 'cat'");
	printf("Testing %s(\"cat\", \"w\")...\n", impl->popen_name);
	fflush(stdout);
	dup2(ends[1], STDOUT_FILENO);
	stream = impl->popen("cat", "w");
	rc = errno;
	dup2(saved, STDOUT_FILENO);
	if (!stream)
		die_errno(rc, "cannot run 'cat'");
	fdio_close(&saved);
	fdio_close(&ends[1]);

	is_right = fputs(text, stream) >= 0;
	fputs("Wrote: \"", stdout);
	print_escaped(text);
	fputs("\"\n", stdout);
	is_right &= end(impl, stream, 0);
	/* Not before: cat may keep back what it got until its input ends. */
	is_right &= fdio_read_until(ends[0], got, strlen(text),
				    tick_after(10 * TICK_S)) ==
			    (ssize_t)strlen(text) &&
		    strcmp(got, text) == 0;
	fdio_close(&ends[0]);
	return judge(is_right, "");
}

static bool check_status(const struct implementation *impl)
{
	FILE *stream = begin(impl, "exit 42", "r");

	return judge(end(impl, stream, 42), " (exit status preserved)");
}

int main(int argc, char **argv)
{
	bool must_check_libc = false, is_right;
	const struct cli_option options[] = {
		CLI_ON("libc", 'l', &must_check_libc,
		       "Check the C library's popen() and pclose() instead"),
		{0},
	};
	const struct cli_command command = {
		.doc = "Check mypopen() and mypclose(), one line a step.\v"
		       "Example: ./test_mypopen && ./test_mypopen --libc\n"
		       "Exit status: 0 all passed, 1 a check failed, 2 usage.",
		.options = options,
	};
	const struct implementation *impl;

	cli_parse(&command, argc, argv);
	impl = must_check_libc ? &libc : &ours;
	is_right = check_reading(impl);
	is_right &= check_writing(impl);
	is_right &= check_status(impl);
	return is_right ? EXIT_SUCCESS : EXIT_FAILURE;
}

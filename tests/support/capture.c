#include "tests/support/capture.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/tick.h"
#include "tests/support/support.h"

static int memory_file(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* All of the file, with a NUL behind it; closes it. */
static char *read_all(int fd, size_t *len)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char *text;

	assert_true(size >= 0);
	text = malloc((size_t)size + 1);
	assert_non_null(text);
	assert_int_equal(pread(fd, text, (size_t)size, 0), size);
	text[size] = '\0';
	*len = (size_t)size;
	close(fd);
	return text;
}

static int wait_or_kill(pid_t pid, int64_t deadline)
{
	int status, error;

	do
		error = child_wait(pid, deadline, &status);
	while (error == -EINTR);
	if (error == 0)
		return child_exit_code(status);
	kill(pid, SIGKILL);
	child_wait(pid, TICK_NEVER, &status);
	return error;
}

void capture_run(struct capture *capture, char *const argv[], const char *input,
		 int timeout_ms)
{
	struct child_spec spec = CHILD_SPEC_INIT;
	size_t len = input ? strlen(input) : 0;
	pid_t pid;

	spec.argv = argv;
	spec.in = memory_file("in");
	spec.out = memory_file("out");
	spec.err = memory_file("err");
	assert_int_equal(pwrite(spec.in, input ? input : "", len, 0), len);

	capture->status = child_spawn(&spec, &pid);
	if (capture->status == 0)
		capture->status =
			wait_or_kill(pid, tick_after(timeout_ms * TICK_MS));
	close(spec.in);
	capture->out = read_all(spec.out, &capture->out_len);
	capture->err = read_all(spec.err, &capture->err_len);
}

void capture_free(struct capture *capture)
{
	free(capture->out);
	free(capture->err);
	*capture = (struct capture){0};
}

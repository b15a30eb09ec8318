/* capture.h - run a command and keep what it printed. */
#ifndef UNIXIPC_TESTS_SUPPORT_CAPTURE_H
#define UNIXIPC_TESTS_SUPPORT_CAPTURE_H

#include <stddef.h>

struct capture {
	int status;      /* exit status, 128+N after signal N, or -errno:
		     * -ETIMEDOUT, and -ENOENT etc. when it did not start */
	char *out, *err; /* NUL-terminated; never NULL */
	size_t out_len, err_len;
};

/* Run argv (found in PATH) with input (NULL: nothing) on its standard input,
 * for at most timeout_ms, after which it is killed. Files hold what it reads
 * and prints, so no amount of it can block. */
void capture_run(struct capture *capture, char *const argv[], const char *input,
		 int timeout_ms);

void capture_free(struct capture *capture);

#endif

/* out_json.c - apart from the rest of out.h, so that a command without JSON does
 * not load jansson: a fifth of a millisecond at each start. */
#include <errno.h>
#include <stdlib.h>

#include "lib/cmd/out.h"

int out_json(json_t *value, FILE *to)
{
	/* 12 digits: more than was measured, and 0.1 stays 0.1. */
	const size_t flags = JSON_INDENT(2) | JSON_PRESERVE_ORDER |
			     JSON_ENCODE_ANY | JSON_REAL_PRECISION(12);
	char *text;
	int error = 0;

	if (!value)
		return -ENOMEM; /* what jansson returns when it has none */
	/* Not json_dumpf(), which keeps the reason of a failure to itself. */
	text = json_dumps(value, flags);
	json_decref(value);
	if (!text)
		return -ENOMEM;
	errno = 0;
	if (fputs(text, to) < 0 || putc('\n', to) < 0 || fflush(to) ||
	    ferror(to))
		error = errno ? -errno : -EIO;
	free(text);
	return error;
}

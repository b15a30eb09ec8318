/* fixture.h - what a stream holds, for the tests of mypopen. */
#ifndef UNIXIPC_TESTS_P03_FIXTURE_H
#define UNIXIPC_TESTS_P03_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "p03-popen/mypopen.h"
#include "tests/support/support.h"

enum { CHILD_MS = 20000 };

/* All that the stream holds, as a string. */
static inline char *slurp(FILE *stream)
{
	char *text = NULL;
	size_t room = 0;

	if (getdelim(&text, &room, EOF, stream) < 0) {
		free(text);
		text = strdup("");
	}
	return text;
}

static inline void assert_prints(FILE *stream, const char *wanted)
{
	char *text;

	assert_non_null(stream);
	text = slurp(stream);
	assert_string_equal(text, wanted);
	free(text);
	assert_int_equal(mypclose(stream), 0);
}

#endif

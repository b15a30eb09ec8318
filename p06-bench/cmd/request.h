/* request.h - what ipc_benchmark was asked for. A part of the command: what is
 * not accepted ends it. */
#ifndef UNIXIPC_P06_BENCH_CMD_REQUEST_H
#define UNIXIPC_P06_BENCH_CMD_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/measure/measure.h"
#include "lib/measure/mechanism.h"

#define REQUEST_MECHANISMS_MAX 32

enum request_format { REQUEST_TABLE, REQUEST_CSV, REQUEST_JSON };
enum request_placement { REQUEST_TWO, REQUEST_ONE, REQUEST_BOTH };

struct request {
	size_t message_bytes;
	struct measure_options options;
	const struct mechanism
		*mechanisms[REQUEST_MECHANISMS_MAX]; /* ends in NULL */
	int placement; /* enum request_placement */
	bool no_pin;
	int64_t deadline_ns;
	enum request_format format;
	const char *output, *compare;
};

/* Parse the command line; CPUs and placement are chosen where not given, and
 * the output file can be written as things are. */
void request_parse(struct request *request, int argc, char **argv);

#endif

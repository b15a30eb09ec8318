/* arguments.h - the command line of shm_image_filter. */
#ifndef UNIXIPC_P13_SHM_IMAGE_CMD_ARGUMENTS_H
#define UNIXIPC_P13_SHM_IMAGE_CMD_ARGUMENTS_H

#include <stdbool.h>

#include "lib/cmd/cli.h"
#include "p13-shm-image/job.h"

struct arguments {
	const char *input, *output; /* "-": a standard stream */
	struct job job;
	double sigma; /* of filters that have none of their own */
	int threshold;
	struct pool_options pool;
	uint64_t max_pixels;
	bool has_workers;   /* or they are as many as by default, or less */
	int format;         /* enum job_format; -1: as the input */
	const char *ending; /* of the name that says so, "ppm", or NULL */
	bool compares, is_json, keeps_going;
};

typedef int arguments_parser(const struct cli_command *command, int argc,
			     char **argv);

/* Parse it by cli_parse(), and what is not accepted ends the program; or, in
 * its fuzz target, by cli_try(). Returns 0 or its error. */
int arguments_parse(struct arguments *arguments, arguments_parser *parser,
		    int argc, char **argv);

#endif

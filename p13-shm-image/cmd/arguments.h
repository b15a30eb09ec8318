/* arguments.h - the command line of shm_image_filter. */
#ifndef UNIXIPC_P13_SHM_IMAGE_CMD_ARGUMENTS_H
#define UNIXIPC_P13_SHM_IMAGE_CMD_ARGUMENTS_H

#include <argp.h>
#include <stdbool.h>

#include "p13-shm-image/job.h"

struct arguments {
	const char *input, *output; /* "-": a standard stream */
	struct job job;
	struct crew_job crew;
	uint64_t max_pixels;
	bool has_workers; /* or they are as many as by default, or less */
	bool has_format, compares, is_json, keeps_going;
};

/* Parse it, or end the program. */
void arguments_parse(struct arguments *arguments, int argc, char **argv);

/* The two halves of it, for its fuzz target: what is to be parsed, and what is
 * there before. */
extern const struct argp arguments_argp;
void arguments_init(struct arguments *arguments);

#endif

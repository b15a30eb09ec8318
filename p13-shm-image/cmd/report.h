/* report.h - what shm_image_filter says about its work, as lines or JSON. */
#ifndef UNIXIPC_P13_SHM_IMAGE_CMD_REPORT_H
#define UNIXIPC_P13_SHM_IMAGE_CMD_REPORT_H

#include <stdint.h>
#include <stdio.h>

#include "lib/cmd/progress.h"
#include "p13-shm-image/cmd/arguments.h"

struct report {
	const struct arguments *arguments;
	FILE *to; /* NULL: nothing is said */
	struct progress progress;
	int64_t read_ns; /* of processor time; part of run_ns and single_ns */
	int64_t run_ns, write_ns, single_ns; /* 0: not measured */
	int64_t filter_ns, encode_ns;        /* of the slowest worker */
	int64_t single_filter_ns;
	unsigned int deaths;
};

void report_begin(struct report *report);

/* notify of a pool; arg is the report. */
void report_event(void *arg, const struct pool_event *event);

/* The same for the run that is there to compare with. */
void report_comparison(void *arg, const struct pool_event *event);

void report_end(const struct report *report);
void report_json(const struct report *report);

#endif

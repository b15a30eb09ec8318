/* report.h - what mypipe prints about a pipeline, on standard error. */
#ifndef UNIXIPC_P01_PIPELINE_CMD_REPORT_H
#define UNIXIPC_P01_PIPELINE_CMD_REPORT_H

#include "p01-pipeline/pipeline.h"

/* The descriptors of every process as they were wired: one line for a stage
 * when it starts, one for mypipe after that start. Returns 0 or -errno. */
int report_trace(const struct pipeline *p);

/* How each stage ended, and what it took. Returns 0 or -errno. */
int report_status(const struct pipeline *p);

/* A line for each stage whose program could not be run. */
void report_failed_starts(const struct pipeline *p);

#endif

/* report.h - what test_myrwlock prints. */
#ifndef UNIXIPC_P08_RWLOCK_CMD_REPORT_H
#define UNIXIPC_P08_RWLOCK_CMD_REPORT_H

#include "p08-rwlock/cmd/load.h"
#include "p08-rwlock/cmd/starvation.h"

/* A load_listener: one line an event, of which as many as are left to print.
 * arg is an atomic_uint, that number; then comes a line of three dots. */
void report_event(void *arg, const struct load_event *event);

/* The statistics, and the last line, which says PASS or FAIL and why. */
void report_statistics(const struct starvation *starvation);
void report_starvation(const struct starvation *starvation);

/* All of it as one object. */
void report_json(const struct load *load, const char *policy,
		 const struct starvation *starvation);

#endif

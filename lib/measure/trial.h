/* trial.h - the fields of struct measure_trial by name, so that medians, JSON
 * and CSV need not list them again. */
#ifndef UNIXIPC_LIB_MEASURE_TRIAL_H
#define UNIXIPC_LIB_MEASURE_TRIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/measure/measure.h"

#define TRIAL_FIELDS 14 /* all but is_disturbed */

struct trial_field {
	const char *name;
	size_t offset;
	bool is_count; /* uint64_t; otherwise double */
};
extern const struct trial_field trial_fields[TRIAL_FIELDS];

/* A count is rounded. */
double trial_get(const struct measure_trial *trial, size_t field);
void trial_set(struct measure_trial *trial, size_t field, double value);

/* Field by field; is_disturbed when one of them is. */
void trial_median(const struct measure_trial *trial, int n,
		  struct measure_trial *median);

#endif

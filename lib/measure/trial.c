#include "lib/measure/trial.h"

#include "lib/stats.h"

#define COUNT(field)                                              \
	{                                                         \
#field, offsetof(struct measure_trial, field), 1, \
	}
#define NUMBER(field)                                             \
	{                                                         \
#field, offsetof(struct measure_trial, field), 0, \
	}

const struct trial_field trial_fields[TRIAL_FIELDS] = {
	COUNT(messages),        COUNT(round_trips), NUMBER(bytes_per_s),
	NUMBER(messages_per_s), NUMBER(rtt_mean),   NUMBER(rtt_p50),
	NUMBER(rtt_p99),        NUMBER(rtt_p999),   NUMBER(rtt_max),
	NUMBER(cpu_ns),         NUMBER(switches),   NUMBER(rtt_cpu_ns),
	NUMBER(rtt_switches),   COUNT(disturbed),
};

double trial_get(const struct measure_trial *trial, size_t field)
{
	const void *at = (const char *)trial + trial_fields[field].offset;

	if (trial_fields[field].is_count)
		return (double)*(const uint64_t *)at;
	return *(const double *)at;
}

void trial_set(struct measure_trial *trial, size_t field, double value)
{
	void *at = (char *)trial + trial_fields[field].offset;

	if (trial_fields[field].is_count)
		*(uint64_t *)at = (uint64_t)(value + 0.5);
	else
		*(double *)at = value;
}

void trial_median(const struct measure_trial *trial, int n,
		  struct measure_trial *median)
{
	double values[MEASURE_TRIALS_MAX];

	*median = (struct measure_trial){0};
	for (size_t field = 0; field < TRIAL_FIELDS; field++) {
		for (int i = 0; i < n; i++)
			values[i] = trial_get(&trial[i], field);
		trial_set(median, field, stats_median(values, (size_t)n));
	}
	for (int i = 0; i < n; i++)
		median->is_disturbed |= trial[i].is_disturbed;
}

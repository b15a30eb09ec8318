/* What options and operands hold: values in range, or one line that says what
 * is accepted. */
#include "lib/cmd/cli.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cmd/die.h"

static _Noreturn void refuse(const char *option, const char *text,
			     const char *accepted)
{
	die_usage("%s=%.80s: accepted is %s", option, text, accepted);
}

/* min or max is NULL where there is no such limit. */
static _Noreturn void refuse_range(const char *option, const char *text,
				   const char *min, const char *max)
{
	char accepted[100];

	if (min && max)
		snprintf(accepted, sizeof(accepted), "%s to %s", min, max);
	else if (min || max)
		snprintf(accepted, sizeof(accepted), "%s or %s",
			 min ? min : max, min ? "more" : "less");
	else
		snprintf(accepted, sizeof(accepted), "a whole number");
	refuse(option, text, accepted);
}

struct scale {
	const char *word;
	uint64_t factor;
};

/* The largest unit that divides value: 67108864 is 64MB. The last of them
 * has the factor 1. */
static const char *in_units(uint64_t value, const struct scale *scale,
			    char *buf, size_t size)
{
	while (value % scale->factor != 0 || (value == 0 && scale->factor != 1))
		scale++;
	snprintf(buf, size, "%ju%s", (uintmax_t)(value / scale->factor),
		 scale->word);
	return buf;
}

static _Noreturn void refuse_scaled(const char *option, const char *text,
				    const struct scale *scale, uint64_t min,
				    uint64_t max, uint64_t unlimited)
{
	char low[32], high[32];

	refuse_range(option, text, in_units(min, scale, low, sizeof(low)),
		     max == unlimited
			     ? NULL
			     : in_units(max, scale, high, sizeof(high)));
}

uint64_t cli_size(const char *option, const char *text, uint64_t min,
		  uint64_t max)
{
	static const struct scale scale[] = {
		{"GB", 1 << 30}, {"MB", 1 << 20}, {"KB", 1 << 10}, {"", 1}};
	uint64_t bytes;

	if (parse_size(text, &bytes) || bytes < min || bytes > max)
		refuse_scaled(option, text, scale, min, max, UINT64_MAX);
	return bytes;
}

uint64_t cli_count(const char *option, const char *text, uint64_t min,
		   uint64_t max)
{
	static const struct scale scale[] = {
		{"G", 1000000000}, {"M", 1000000}, {"K", 1000}, {"", 1}};
	uint64_t count;

	if (parse_count(text, &count) || count < min || count > max)
		refuse_scaled(option, text, scale, min, max, UINT64_MAX);
	return count;
}

int64_t cli_integer(const char *option, const char *text, int64_t min,
		    int64_t max)
{
	char low[32], high[32];
	int64_t value;

	if (parse_integer(text, &value) == 0 && value >= min && value <= max)
		return value;
	snprintf(low, sizeof(low), "%jd", (intmax_t)min);
	snprintf(high, sizeof(high), "%jd", (intmax_t)max);
	refuse_range(option, text, min == INT64_MIN ? NULL : low,
		     max == INT64_MAX ? NULL : high);
}

int64_t cli_duration(const char *option, const char *text, int64_t min_ns,
		     int64_t max_ns)
{
	static const struct scale scale[] = {{"h", UINT64_C(3600000000000)},
					     {"m", UINT64_C(60000000000)},
					     {"s", 1000000000},
					     {"ms", 1000000},
					     {"us", 1000},
					     {"ns", 1}};
	int64_t ns;

	if (parse_duration(text, &ns) || ns < min_ns || ns > max_ns)
		refuse_scaled(option, text, scale,
			      min_ns < 0 ? 0 : (uint64_t)min_ns,
			      (uint64_t)max_ns, INT64_MAX);
	return ns;
}

/* "0-3,8": the CPUs of the set. */
static void describe_cpus(const cpu_set_t *set, char *buf, size_t size)
{
	size_t len = 0, last;

	buf[0] = '\0';
	for (size_t first = 0; first < CPU_SETSIZE; first = last + 1) {
		last = first;
		if (!CPU_ISSET(first, set))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, set))
			last++;
		if (len < size)
			len += (size_t)snprintf(
				buf + len, size - len,
				last > first ? "%s%zu-%zu" : "%s%zu",
				len > 0 ? "," : "", first, last);
	}
}

void cli_cpus(const char *option, const char *text, int *cpus, size_t max,
	      size_t *n)
{
	int error = parse_cpus(text, cpus, max, n);
	char accepted[200], list[128];
	cpu_set_t ours;

	if (sched_getaffinity(0, sizeof(ours), &ours) < 0)
		die_errno(errno, "cannot tell which CPUs there are");
	if (!error) {
		for (size_t i = 0; i < *n && !error; i++)
			if (!CPU_ISSET((size_t)cpus[i], &ours))
				error = -EINVAL;
	}
	if (!error)
		return;
	describe_cpus(&ours, list, sizeof(list));
	if (max == 1)
		snprintf(accepted, sizeof(accepted), "one of the CPUs %s",
			 list);
	else
		snprintf(accepted, sizeof(accepted),
			 "a list of at most %zu of the CPUs %s", max, list);
	refuse(option, text, accepted);
}

void cli_endpoint(const char *option, const char *text,
		  struct parse_endpoint *endpoint)
{
	if (parse_endpoint(text, endpoint))
		refuse(option, text,
		       "HOST:PORT, [ADDRESS]:PORT or :PORT, up to 65535");
}

unsigned int cli_mode(const char *option, const char *text)
{
	size_t len = strspn(text, "01234567");
	unsigned long mode;

	/* Four digits always fit. */
	if (len == 0 || len > 4 || text[len] != '\0' ||
	    (mode = strtoul(text, NULL, 8)) > 0777)
		refuse(option, text, "an octal mode such as 600, up to 0777");
	return (unsigned int)mode;
}

int cli_word(const char *option, const char *text, const char *const words[])
{
	char accepted[256] = "";
	size_t len = 0;

	for (int i = 0; words[i]; i++)
		if (strcmp(text, words[i]) == 0)
			return i;
	for (int i = 0; words[i] && len < sizeof(accepted); i++)
		len += (size_t)snprintf(accepted + len, sizeof(accepted) - len,
					"%s%s",
					i == 0         ? ""
					: words[i + 1] ? ", "
						       : " or ",
					words[i]);
	refuse(option, text, accepted);
}

#include "p08-rwlock/cmd/report.h"

#include <inttypes.h>
#include <stdio.h>

#include "lib/cmd/out.h"
#include "lib/tick.h"

static void print_event(const struct load_event *event)
{
	const char *lock = event->is_writer ? "write" : "read";
	const char *who = event->is_writer ? "Writer" : "Reader";

	if (event->kind == LOAD_WAITING)
		printf("%s %u waiting... (%u readers active)\n", who,
		       event->number, event->others);
	else if (event->kind == LOAD_RELEASED)
		printf("%s %u released %s lock\n", who, event->number, lock);
	else if (event->is_writer)
		printf("%s %u acquired %s lock\n", who, event->number, lock);
	else
		printf("%s %u acquired %s lock (%u writers waiting)\n", who,
		       event->number, lock, event->others);
}

void report_event(void *arg, const struct load_event *event)
{
	atomic_uint *left = arg;
	unsigned int before;

	if (atomic_load(left) == 0)
		return;
	/* Counted and printed at once: else one who is held up between the
	 * two would print behind the dots. */
	flockfile(stdout);
	before = atomic_load(left);
	if (before > 0)
		atomic_store(left, before - 1);
	if (before == 1)
		puts("...");
	else if (before > 1)
		print_event(event);
	funlockfile(stdout);
}

/* 1234567 as 1,234,567. */
static const char *with_commas(uint64_t value, char *buf, size_t size)
{
	char digits[24], *to = buf;
	int n = snprintf(digits, sizeof(digits), "%" PRIu64, value);

	for (int i = 0; i < n && to < buf + size - 2; i++) {
		if (i && (n - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = '\0';
	return buf;
}

/* Rounded to whole milliseconds. */
static long long in_ms(int64_t ns)
{
	return (long long)((ns + TICK_MS / 2) / TICK_MS);
}

void report_statistics(const struct starvation *starvation)
{
	char buf[32];

	puts("Statistics:");
	printf("Read operations: %s\n",
	       with_commas(starvation->readers.sum.entries, buf, sizeof(buf)));
	printf("Write operations: %s\n",
	       with_commas(starvation->writers.sum.entries, buf, sizeof(buf)));
	printf("Max reader wait: %lldms\n",
	       in_ms(starvation->readers.sum.longest_wait_ns));
	printf("Max writer wait: %lldms\n",
	       in_ms(starvation->writers.sum.longest_wait_ns));
}

void report_starvation(const struct starvation *starvation)
{
	const struct starvation_side *side = starvation->writers.has_starved
						     ? &starvation->writers
						     : &starvation->readers;

	if (starvation->wrong)
		printf("Exclusion violated %" PRIu64 " times: FAIL\n",
		       starvation->wrong);
	else if (!starvation->is_pass)
		printf("Starvation detected: %s %u waited %lldms, and no more "
		       "than %lldms is fair: FAIL\n",
		       side == &starvation->writers ? "Writer" : "Reader",
		       side->sum.waited_longest,
		       in_ms(side->sum.longest_wait_ns), in_ms(side->bound_ns));
	else
		puts("No starvation detected: PASS");
}

static json_t *side_json(const struct starvation_side *side,
			 unsigned int threads)
{
	return json_pack(
		"{si sI sf sf sf sb}", "threads", (int)threads, "operations",
		(json_int_t)side->sum.entries, "longest_wait_ms",
		(double)side->sum.longest_wait_ns / TICK_MS, "longest_hold_ms",
		(double)side->sum.longest_hold_ns / TICK_MS, "wait_bound_ms",
		(double)side->bound_ns / TICK_MS, "starved", side->has_starved);
}

void report_json(const struct load *load, const char *policy,
		 const struct starvation *starvation)
{
	out_json(json_pack("{ss ss sf so so si sI sb}", "schema",
			   "unixipc-rwlock/1", "policy", policy, "duration_s",
			   (double)(load->ended_ns - load->begun_ns) / TICK_S,
			   "readers",
			   side_json(&starvation->readers, load->plan->readers),
			   "writers",
			   side_json(&starvation->writers, load->plan->writers),
			   "most_readers_at_a_time",
			   (int)atomic_load(&load->exclusion.readers_most),
			   "exclusion_violations",
			   (json_int_t)starvation->wrong, "pass",
			   starvation->is_pass),
		 stdout);
}

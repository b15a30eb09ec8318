#include "p12-shm-ring/bench/report.h"

#include <stdio.h>

#include "lib/cmd/out.h"
#include "lib/stats.h"

const char *const report_waits[] = {"adaptive", "spin", "block", NULL};
const char *const report_syncs[] = {"ring", "sem", NULL};
const char *const report_peers[REPORT_PEERS] = {"pipe", "Unix socket"};
static const char *const roles[] = {"Producer", "Consumer"};

static double rate(const struct traffic_board *board, uint64_t count)
{
	return (double)count * 1e9 / (double)board->elapsed_ns;
}

/* 10M, 64KB: whole units, or plain digits. */
static const char *short_number(uint64_t n, unsigned int step,
				const char *const units[4], char buf[32])
{
	int unit = 0;

	while (unit < 3 && n % step == 0 && n > 0) {
		n /= step;
		unit++;
	}
	snprintf(buf, 32, "%llu%s", (unsigned long long)n, units[unit]);
	return buf;
}

void report_print_plan(const struct traffic_plan *plan)
{
	static const char *const bytes[] = {"B", "KB", "MB", "GB"};
	static const char *const counts[] = {"", "K", "M", "G"};
	static const char *const words[] = {"", " thousand", " million",
					    " billion"};
	char buffer[32], count[32];

	printf("Shared Memory Ring Buffer Benchmark\n");
	printf("Buffer: %s, Messages: %s\n",
	       short_number(plan->lane.buffer_bytes, 1024, bytes, buffer),
	       short_number(plan->messages, 1000, words, count));
	short_number(plan->messages, 1000, counts, count);
	printf("Producer: Writing %s messages...\n", count);
	printf("Consumer: Reading %s messages...\n", count);
	fflush(stdout);
}

static double ratio_to(const struct report *report, int peer)
{
	return rate(report->board, report->board->received) /
	       report->peer[peer].median.messages_per_s;
}

static void print_ratio(const struct report *report, int peer)
{
	double ratio = ratio_to(report, peer);
	const char *word = ratio < 1 ? "slower" : "faster";

	if (ratio < 1)
		ratio = 1 / ratio;
	printf("Comparison to %s: %.*fx %s\n", report_peers[peer],
	       ratio < 9.95 ? 1 : 0, ratio, word);
}

static double trip_mean(const struct traffic_board *board)
{
	return stats_mean(&board->trip) / 2;
}

static double trip_percentile(const struct traffic_board *board, double percent)
{
	return (double)stats_percentile(&board->trip, percent) / 2;
}

void report_print(const struct report *report)
{
	const struct traffic_board *board = report->board;
	const struct lane_plan *lane = &report->plan->lane;

	printf("Results:\n");
	printf("Throughput: %.3g million msg/sec\n",
	       rate(board, board->received) / 1e6);
	printf("Bandwidth: %.3g GB/sec\n", rate(board, board->bytes) / 1e9);
	printf("Latency (avg): %.2f μs\n", trip_mean(board) / 1e3);
	printf("Latency (p99): %.2f μs\n", trip_percentile(board, 99) / 1e3);
	printf("Zero-copy: %s\n", lane->has_semaphores ? "No" : "Yes");
	for (int i = 0; i < REPORT_PEERS && report->peer; i++)
		print_ratio(report, i);
	printf("Verified: %llu messages, every byte, in order\n",
	       (unsigned long long)board->received);
	if (lane->options.overflow == RING_DROP_NEWEST)
		printf("Dropped: %llu messages\n",
		       (unsigned long long)board->dropped);
	if (!lane->has_semaphores)
		for (int i = 0; i < 2; i++)
			printf("%s slept %llu times, yielded %llu times, woke "
			       "the other %llu times\n",
			       roles[i],
			       (unsigned long long)board->calls[i].sleeps,
			       (unsigned long long)board->calls[i].yields,
			       (unsigned long long)board->calls[i].wakes);
	if (report->line_ns > 0)
		printf("Cache line between the CPUs, there and back: %.0f ns\n",
		       report->line_ns);
}

static json_t *compose(const struct report *report)
{
	const struct traffic_plan *plan = report->plan;
	const struct traffic_board *board = report->board;
	json_t *result = json_pack(
		"{s:s, s:s, s:s, s:I, s:I, s:b, s:I, s:I, s:f, s:f, s:f, s:f, "
		"s:f, s:b}",
		"schema", "unixipc-ring-bench/1", "sync",
		report_syncs[plan->lane.has_semaphores], "wait",
		report_waits[plan->lane.options.wait], "buffer_bytes",
		(json_int_t)plan->lane.buffer_bytes, "message_bytes",
		(json_int_t)plan->lane.message_bytes, "mixed",
		(int)plan->lane.is_mixed, "messages",
		(json_int_t)board->received, "dropped",
		(json_int_t)board->dropped, "messages_per_s",
		rate(board, board->received), "bytes_per_s",
		rate(board, board->bytes), "latency_mean_ns", trip_mean(board),
		"latency_p99_ns", trip_percentile(board, 99), "line_rtt_ns",
		report->line_ns, "zero_copy", (int)!plan->lane.has_semaphores);

	for (int i = 0; i < 2 && !plan->lane.has_semaphores; i++)
		json_object_set_new(
			result, i ? "consumer_calls" : "producer_calls",
			json_pack("{s:I, s:I, s:I}", "sleeps",
				  (json_int_t)board->calls[i].sleeps, "yields",
				  (json_int_t)board->calls[i].yields, "wakes",
				  (json_int_t)board->calls[i].wakes));
	for (int i = 0; i < REPORT_PEERS && report->peer; i++)
		json_object_set_new(result, i ? "times_unix" : "times_pipe",
				    json_real(ratio_to(report, i)));
	return result;
}

int report_print_json(const struct report *report)
{
	return out_json(compose(report), stdout);
}

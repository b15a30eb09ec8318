#include "p13-shm-image/cmd/report.h"

#include <inttypes.h>

#include "lib/child.h"
#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/tick.h"

static const char *size_of(const struct image_shape *shape, char *buf,
			   size_t size)
{
	size_t bytes = image_bytes(shape);

	if (bytes >= 1 << 20)
		snprintf(buf, size, "%zuMB", (bytes + (1 << 19)) >> 20);
	else if (bytes >= 1 << 10)
		snprintf(buf, size, "%zuKB", (bytes + (1 << 9)) >> 10);
	else
		snprintf(buf, size, "%zuB", bytes);
	return buf;
}

void report_begin(struct report *report)
{
	const struct job *job = &report->arguments->job;

	progress_start(&report->progress,
		       (uint64_t)job->stages *
			       pool_strips(job->picture->shape.height));
}

static void tell_head(struct report *report)
{
	const struct job *job = &report->arguments->job;
	const struct image_shape *shape = &job->picture->shape;
	char buf[32];

	fprintf(report->to,
		"Shared Memory Image Processor\nImage: %ux%u (%s)\n"
		"Workers: %u\nFilter: ",
		shape->width, shape->height, size_of(shape, buf, sizeof(buf)),
		report->arguments->pool.workers);
	for (unsigned int i = 0; i < job->filters; i++)
		fprintf(report->to, "%s%s", i ? ", " : "",
			filter_names[job->kind[i]]);
	fprintf(report->to,
		"\n[Master] Loaded image into shared memory (shmid=%d)\n",
		job->segment.id);
}

static void tell_death(struct report *report, const struct pool_event *event)
{
	char how[48], buf[80];

	report->deaths++;
	child_describe(event->status, how, sizeof(how));
	snprintf(buf, sizeof(buf), "%s%s",
		 event->is_stalled ? "stopped or hung, and " : "", how);
	if (!report->to)
		die_warn("worker %u was %s; worker %u goes on", event->worker,
			 buf, event->successor);
	else if (event->end > event->first)
		fprintf(report->to,
			"[Master] Worker %u was %s in rows %u-%u: they are "
			"done again, and worker %u goes on\n",
			event->worker, buf, event->first, event->end - 1,
			event->successor);
	else
		fprintf(report->to,
			"[Master] Worker %u was %s between two strips: worker "
			"%u goes on\n",
			event->worker, buf, event->successor);
}

void report_comparison(void *arg, const struct pool_event *event)
{
	struct report *report = arg;

	if (event->what == POOL_PROGRESS)
		progress_update(&report->progress, event->done,
				"strips again, by one worker to compare with");
}

void report_event(void *arg, const struct pool_event *event)
{
	struct report *report = arg;

	if (event->what != POOL_PROGRESS)
		progress_clear(&report->progress);
	/* What was read is whole when the first of these events comes. */
	if (event->what == POOL_STARTED && event->worker == 1 && report->to)
		tell_head(report);
	if (event->what == POOL_PROGRESS)
		progress_update(&report->progress, event->done, "strips");
	else if (event->what == POOL_DIED)
		tell_death(report, event);
	else if (!report->to)
		return;
	else if (event->what == POOL_DONE)
		fprintf(report->to, "[Worker %u] Done (%" PRId64 "ms)\n",
			event->worker, event->busy_ns / TICK_MS);
	else if (event->end > event->first)
		fprintf(report->to, "[Worker %u] Processing rows %u-%u\n",
			event->worker, event->first, event->end - 1);
	else
		fprintf(report->to, "[Worker %u] Has no rows of its own\n",
			event->worker);
}

static double ms(int64_t ns)
{
	return (double)ns / (double)TICK_MS;
}

void report_end(const struct report *report)
{
	double speedup = (double)report->single_ns / (double)report->run_ns;

	if (!report->to)
		return;
	fprintf(report->to, "Total time: %.0fms", ms(report->run_ns));
	if (report->single_ns)
		fprintf(report->to,
			" (vs %.0fms single-threaded)\nSpeedup: %.2fx with %u "
			"workers",
			ms(report->single_ns), speedup,
			report->arguments->pool.workers);
	fputc('\n', report->to);
}

void report_json(const struct report *report)
{
	const struct arguments *arguments = report->arguments;
	const struct job *job = &arguments->job;
	json_t *filters = json_array(), *object;
	int error;

	for (unsigned int i = 0; i < job->filters; i++)
		json_array_append_new(filters,
				      json_string(filter_words[job->kind[i]]));
	object = json_pack(
		"{s:s, s:I, s:I, s:I, s:I, s:o, s:I, s:s, s:I, s:f, s:f, s:f, "
		"s:f, s:f}",
		"schema", "unixipc.shm_image_filter/1", "width",
		(json_int_t)job->picture->shape.width, "height",
		(json_int_t)job->picture->shape.height, "channels",
		(json_int_t)job->picture->shape.channels, "segment_bytes",
		(json_int_t)job->bytes, "filters", filters, "workers",
		(json_int_t)arguments->pool.workers, "schedule",
		arguments->pool.schedule == POOL_STATIC ? "static" : "dynamic",
		"deaths", (json_int_t)report->deaths, "read_ms",
		ms(report->read_ns), "filter_ms", ms(report->filter_ns),
		"encode_ms", ms(report->encode_ns), "write_ms",
		ms(report->write_ns), "total_ms", ms(report->run_ns));
	if (object && report->single_ns) {
		json_object_set_new(object, "single_total_ms",
				    json_real(ms(report->single_ns)));
		json_object_set_new(object, "single_filter_ms",
				    json_real(ms(report->single_filter_ns)));
		json_object_set_new(object, "speedup",
				    json_real((double)report->single_ns /
					      (double)report->run_ns));
	}
	error = out_json(object, stdout);
	if (error)
		die_errno(error, "cannot print the figures");
}

/* shm_image_filter - the command: read a picture into shared memory, have
 * workers filter and encode it there, write the result. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/cmd/outfile.h"
#include "lib/cmd/stop.h"
#include "lib/fdio.h"
#include "lib/objname.h"
#include "lib/tick.h"
#include "p13-shm-image/cmd/arguments.h"
#include "p13-shm-image/cmd/report.h"

static bool is_stream(const char *name)
{
	return strcmp(name, "-") == 0;
}

static const char *shown(const char *name)
{
	return is_stream(name) ? "standard input" : name;
}

static void leave_if_stopped(void)
{
	if (stop_signal())
		exit(stop_exit_code());
}

/* What waits for somebody else fails when we are to stop. */
static _Noreturn void fail_at(int error, const char *verb, const char *name)
{
	leave_if_stopped();
	die_errno(error, "cannot %s %s", verb, name);
}

static _Noreturn void refuse(const struct arguments *arguments,
			     const struct picture *picture, int error)
{
	const char *name = shown(arguments->input);

	leave_if_stopped();
	if (error == -EBADMSG && picture->rows_read > 0)
		die("%s: %s, in row %u of %u (--best-effort takes what is "
		    "there)",
		    name, picture->trouble, picture->rows_read,
		    picture->shape.height);
	if (error == -EBADMSG)
		die("%s: %s", name, picture->trouble);
	if (error == -EFBIG)
		die("%s: %ux%u pixels are more than --max-pixels", name,
		    picture->shape.width, picture->shape.height);
	die_errno(error, "cannot read %s", name);
}

/* What a PPM, PGM or PNM by its name cannot hold. A gray PPM is one: who reads
 * PPM reads PGM. */
static void check_ending(const struct arguments *arguments)
{
	const struct image_shape *out = &arguments->job.out;
	const char *ending = arguments->ending;

	if (!ending || arguments->job.format != JOB_PNM)
		return;
	if (image_has_alpha(out))
		die_usage("%s: a .%s has no alpha channel, as %s has: name it "
			  ".pam or .png",
			  arguments->output, ending, shown(arguments->input));
	if (out->channels > 1 && strcmp(ending, "pgm") == 0)
		die_usage("%s: a PGM has no colours, as %s has: name it .ppm, "
			  "or say -f grayscale",
			  arguments->output, shown(arguments->input));
}

static int open_input(const struct arguments *arguments)
{
	int fd, error = 0;

	if (!is_stream(arguments->output))
		error = outfile_check(arguments->output);
	if (error)
		die_errno(error, "cannot write %s", arguments->output);
	if (is_stream(arguments->input))
		return STDIN_FILENO;
	fd = open(arguments->input, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		fail_at(errno, "open", arguments->input);
	return fd;
}

static void check_picture(struct arguments *arguments,
			  const struct picture *picture)
{
	if (picture->shape.height == 1 && !arguments->has_workers)
		arguments->pool.workers = 1;
	if (arguments->pool.workers > picture->shape.height)
		die_usage("--workers=%u: %s has only %u rows",
			  arguments->pool.workers, shown(arguments->input),
			  picture->shape.height);
	if (picture->is_16_bit)
		die_warn("%s: has 16 bits a channel, and is processed at 8",
			 shown(arguments->input));
}

/* Its head, and the segment. Its pixels are read while workers filter. */
static void load(struct arguments *arguments, struct picture *picture,
		 struct source *source)
{
	struct job *job = &arguments->job;
	char buf[96];
	int error;

	source_from_fd(source, open_input(arguments));
	source->stop_fd = stop_fd();
	error = picture_open(picture, source, arguments->max_pixels,
			     arguments->keeps_going);
	if (error)
		refuse(arguments, picture, error);
	check_picture(arguments, picture);
	if (arguments->format < 0)
		arguments->format = picture->is_png ? JOB_PNG : JOB_PNM;
	job->format = (enum job_format)arguments->format;
	job->picture = picture;
	error = job_init(job);
	if (error == -EOVERFLOW)
		die("%s: rows of %u pixels are too long for a PNG",
		    shown(arguments->input), job->out.width);
	if (error)
		die("cannot have %zu bytes of shared memory: %s", job->bytes,
		    segment_explain(error, job->bytes, buf, sizeof(buf)));
	check_ending(arguments);
	job->is_loading = true;
}

static _Noreturn void fail(int error, const char *outcome)
{
	if (error == -EINTR)
		exit(stop_exit_code());
	if (error == -EOWNERDEAD)
		die("workers die again and again; %s", outcome);
	if (error == -EIDRM)
		die("somebody removed the semaphore set of the run; %s",
		    outcome);
	if (error == -ENOSPC)
		die_errno(error, "cannot make a semaphore set: see "
				 "kernel.sem");
	if (error == -E2BIG)
		die("cannot do two operations a semop: see kernel.sem, the "
		    "third number");
	die_errno(error, "cannot filter it");
}

/* What these stages took the worker that was longest at them. */
static int64_t busy_in(const struct job *job, unsigned int first,
		       unsigned int end)
{
	int64_t most = 0;

	for (unsigned int i = 1; i <= POOL_SLOTS; i++) {
		int64_t busy = 0;

		for (unsigned int stage = first; stage < end; stage++)
			busy += job->board->slot[i].busy_ns[stage];
		most = busy > most ? busy : most;
	}
	return most;
}

/* Advice for the user who finds it when we were killed: it may fail. */
static void note_set(int id, bool is_there)
{
	if (is_there)
		objname_claim_id(OBJNAME_SYSV_SEM, id);
	else
		objname_release_id(OBJNAME_SYSV_SEM, id);
}

/* So that the other end of a pipe need not wait for the comparison.
 * A standard stream's number stays taken. */
static int let_go(int fd)
{
	int error = fdio_close(&fd);

	return error ? error : fdio_open_std();
}

static void run(struct arguments *arguments, struct report *report)
{
	struct job *job = &arguments->job;
	int64_t start = tick_now();
	int error;

	arguments->pool.notify = report_event;
	arguments->pool.is_stopped = stop_signal;
	arguments->pool.note_set = note_set;
	arguments->pool.arg = report;
	error = job_run(job, &arguments->pool);
	report->run_ns = tick_now() - start;
	progress_end(&report->progress);
	job->is_loading = false;
	let_go(job->picture->source->fd);
	if (job->load_error)
		refuse(arguments, job->picture, job->load_error);
	if (error)
		fail(error, "nothing was written");
	if (job->picture->trouble[0])
		die_warn("%s: %s; %u of %u rows were read",
			 shown(arguments->input), job->picture->trouble,
			 job->picture->rows_read, job->picture->shape.height);
	if (job->picture->left_out[0])
		die_warn("%s: not kept: %s", shown(arguments->input),
			 job->picture->left_out);
	report->read_ns = job->load_ns;
	report->filter_ns = busy_in(job, 0, job->filters);
	report->encode_ns = busy_in(job, job->filters, job->stages);
}

static int write_to_stdout(const char *file, size_t len)
{
	int error = fdio_write_until(STDOUT_FILENO, file, len, TICK_NEVER);

	return error ? error : let_go(STDOUT_FILENO);
}

static void write_output(struct arguments *arguments, struct report *report)
{
	int64_t start = tick_now();
	size_t len;
	const char *file = job_file(&arguments->job, &len);
	int error;

	if (report->to)
		fputs("[Master] All workers complete, writing output\n",
		      report->to);
	leave_if_stopped();
	if (is_stream(arguments->output))
		error = write_to_stdout(file, len);
	else
		error = outfile_write(arguments->output, file, len);
	if (error)
		fail_at(error, "write",
			is_stream(arguments->output) ? "standard output"
						     : arguments->output);
	report->write_ns = tick_now() - start;
}

/* The same work on the same memory by one worker. The reading, of which a pipe
 * has no second one, counts with the processor time that it took. */
static void compare(struct arguments *arguments, struct report *report)
{
	struct pool_options alone = {
		.workers = 1,
		.stall_ns = arguments->pool.stall_ns,
		.notify = report_comparison,
		.is_stopped = stop_signal,
		.note_set = note_set,
		.arg = report,
	};
	int64_t start;
	int error;

	job_forget(&arguments->job);
	arguments->job.killed = 0;
	start = tick_now();
	report_begin(report);
	error = job_run(&arguments->job, &alone);
	progress_end(&report->progress);
	if (error)
		fail(error, "the output was written, and there is nothing to "
			    "compare it with");
	report->single_ns = report->read_ns + tick_now() - start;
	report->single_filter_ns =
		busy_in(&arguments->job, 0, arguments->job.filters);
}

int main(int argc, char **argv)
{
	static struct source source;
	struct arguments arguments;
	struct picture picture;
	struct report report = {.arguments = &arguments};
	int error;

	arguments_parse(&arguments, cli_parse, argc, argv);
	error = stop_install();
	if (error)
		die_errno(error, "cannot begin");
	signal(SIGCHLD, SIG_DFL); /* ignored, nobody could be waited for */
	if (!arguments.is_json)
		report.to = is_stream(arguments.output) ? stderr : stdout;
	setvbuf(stdout, NULL, _IOLBF, 0);
	load(&arguments, &picture, &source);
	report_begin(&report);
	run(&arguments, &report);
	write_output(&arguments, &report);
	if (arguments.compares)
		compare(&arguments, &report);
	if (arguments.is_json)
		report_json(&report);
	else
		report_end(&report);
	job_fini(&arguments.job);
	picture_close(&picture);
	return EXIT_SUCCESS;
}

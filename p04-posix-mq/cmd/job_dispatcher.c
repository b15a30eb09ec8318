/* job_dispatcher - takes jobs from a POSIX message queue by priority and runs
 * them. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/cmd/stop.h"
#include "lib/mqlimit.h"
#include "lib/objname.h"
#include "lib/tick.h"
#include "p04-posix-mq/cmd/target.h"
#include "p04-posix-mq/dispatcher.h"

/* How long the workers of a killed dispatcher may take to go, beyond the grace
 * that they give to their commands. */
#define TAKEOVER_NS (10 * TICK_S)

/* How long we wait at the end for the reader of our last lines. */
#define LAST_WORDS_NS TICK_S

struct settings {
	struct target target;
	struct dispatcher_options dispatcher;
	long capacity;
	size_t message_bytes;
	bool has_failed; /* a record was set aside, or a drain left jobs */
};

/* ---- the command line ---------------------------------------------------------- */

static const char doc[] =
	"Run jobs from a POSIX message queue, the most urgent first.\v"
	"Example:\n"
	"  job_dispatcher --workers=2 &\n"
	"  submit_job --priority=31 --cmd='echo URGENT'\n\n"
	"SIGINT, SIGTERM and SIGHUP end it; what runs or waits then is kept for "
	"the next start. DUR is like 250ms, 10s, 2m.";

static void parse(struct settings *s, int argc, char **argv)
{
	static const char *const wake_words[] = {
		[WAKE_NOTIFY] = "notify", [WAKE_POLL] = "poll", NULL};
	struct dispatcher_options *d = &s->dispatcher;
	const struct cli_option options[] = {
		TARGET_OPTIONS(&s->target),
		CLI_INTEGER("workers", 'w', "N", &d->workers, 1,
			    DISPATCHER_WORKERS_MAX,
			    "run up to N jobs at a time (1)"),
		CLI_WORD("wake", 0, "notify|poll", &d->wake, wake_words,
			 "sleep until mq_notify's signal, or in poll on the "
			 "queue (notify)"),
		CLI_DURATION("linger", 0, "DUR", &d->linger_ns, 0,
			     3600 * TICK_S,
			     "when idle, wait so long after the first job for "
			     "more urgent ones (1s)"),
		CLI_DURATION("aging", 0, "DUR", &d->aging_ns, 0,
			     JOB_AGING_MAX_NS,
			     "raise a waiting job by one priority each DUR (0: "
			     "off)"),
		CLI_INTEGER("max-attempts", 0, "N", &d->max_attempts, 1, 1000,
			    "give a job up when its worker died N times (3)"),
		CLI_DURATION("grace", 0, "DUR", &d->grace_ns, 0, 3600 * TICK_S,
			     "on a stop, time for commands between SIGTERM and "
			     "SIGKILL (2s)"),
		CLI_ON("drain", 0, &d->drain, "end when all jobs are done"),
		CLI_COUNT("capacity", 0, "N", &s->capacity, 1, 65536,
			  "messages that a new queue has room for (10)"),
		CLI_SIZE("msg-size", 0, "SIZE", &s->message_bytes, 64, 16 << 20,
			 "largest message of a new queue (8192)"),
		{0},
	};
	const struct cli_command command = {.doc = doc, .options = options};

	cli_parse(&command, argc, argv);
	target_check(&s->target);
}

/* ---- what it says ------------------------------------------------------------------ */

static struct outlet outlets[2];

/* As die_warn(), but no reader is waited for; that nobody can read it is no reason
 * to stop. */
static void warn(const struct settings *settings, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void warn(const struct settings *settings, const char *format, ...)
{
	char text[PATH_MAX + 128];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n > 0)
		outlet_say(settings->dispatcher.err, "%s: %s\n",
			   program_invocation_short_name, text);
}

static int report(enum dispatcher_event event, const struct job *job, long n,
		  void *arg)
{
	struct settings *settings = arg;
	struct outlet *out = settings->dispatcher.out;
	char command[200];

	switch (event) {
	case DISPATCHER_STARTED:
		return outlet_say(out,
				  "Dispatcher: Processing job %" PRIu64
				  " (priority %" PRIu32 "): %s\n",
				  job->id, job->priority,
				  job_describe(job, command, sizeof(command)));
	case DISPATCHER_ENDED:
		if (n != 0)
			warn(settings, "job %" PRIu64 " ended with status %ld",
			     job->id, n);
		break;
	case DISPATCHER_DIED:
		warn(settings,
		     "job %" PRIu64 ": its worker died (attempt %ld of "
		     "%" PRIu32 "), it will run again",
		     job->id, n, settings->dispatcher.max_attempts);
		break;
	case DISPATCHER_FAILED:
		warn(settings,
		     "job %" PRIu64 " failed: its worker died %ld times",
		     job->id, n);
		break;
	case DISPATCHER_HELD:
		warn(settings,
		     "job %" PRIu64 " waits until what is left of its last "
		     "run has ended (process group %ld)",
		     job->id, n);
		break;
	case DISPATCHER_FOUND:
		return outlet_say(
			out,
			"Dispatcher: unfinished jobs in the journal: %ld\n", n);
	case DISPATCHER_STRANGER:
		warn(settings,
		     "dropped a message that is no job of this journal");
		break;
	case DISPATCHER_RENEWED:
		objname_made(OBJNAME_MQ, settings->target.queue);
		warn(settings,
		     "queue '%s' was removed by somebody else, and is made "
		     "anew",
		     settings->target.queue);
		break;
	case DISPATCHER_SHORT:
		warn(settings, "cannot start jobs now, they wait: %s",
		     strerror((int)n));
		break;
	case DISPATCHER_UNREAD:
		settings->has_failed = true;
		warn(settings, "nobody reads the output of jobs: the last of "
			       "it is lost");
		break;
	case DISPATCHER_UNSOUND:
		settings->has_failed = true;
		warn(settings,
		     "job %ld is lost: its record is damaged, kept as "
		     "'%s/%ld.bad'",
		     n, settings->target.journal, n);
		break;
	}
	return 0;
}

static const struct settings defaults = {
	.target.queue = TARGET_QUEUE,
	.capacity = JOBQUEUE_CAPACITY,
	.message_bytes = JOBQUEUE_MESSAGE_BYTES,
	.dispatcher =
		{
			.wake = WAKE_NOTIFY,
			.workers = 1,
			.max_attempts = 3,
			.linger_ns = TICK_S,
			.grace_ns = 2 * TICK_S,
			.out = &outlets[0],
			.err = &outlets[1],
			.report = report,
		},
};

/* Both streams may be one file: then nobody's line is torn by the other's. */
static void open_outlets(struct settings *settings)
{
	struct stat out, err;

	outlet_init(&outlets[0], STDOUT_FILENO);
	outlet_init(&outlets[1], STDERR_FILENO);
	if (fstat(STDOUT_FILENO, &out) == 0 &&
	    fstat(STDERR_FILENO, &err) == 0 && out.st_dev == err.st_dev &&
	    out.st_ino == err.st_ino)
		settings->dispatcher.err = settings->dispatcher.out;
}

/* ---- opening, closing --------------------------------------------------------------- */

/* Without enough of them for one worker there is no need to begin, and what was
 * made could not be removed. */
static void check_descriptors(void)
{
	int fd[32], error = 0;
	size_t n = 0;

	while (n < sizeof(fd) / sizeof(fd[0]) && !error) {
		fd[n] = open("/", O_PATH | O_CLOEXEC);
		error = fd[n++] < 0 ? errno : 0;
	}
	while (n > 0)
		close(fd[--n]);
	if (error)
		die_errno(error, "cannot have descriptors for one worker "
				 "(ulimit -n)");
}

static void open_journal(struct settings *settings, struct journal *journal)
{
	struct target *target = &settings->target;
	pid_t holder;
	int error;

	target_locate(target);
	target_make_state(target);
	error = journal_open(journal, target->journal, true);
	if (error)
		target_die_journal(target, error);
	error = journal_serve(
		journal,
		tick_after(TAKEOVER_NS + settings->dispatcher.grace_ns),
		&holder);
	if (error == -EBUSY && holder)
		die("cannot serve queue '%s': process %d does", target->queue,
		    (int)holder);
	if (error == -EBUSY)
		die("cannot serve queue '%s': a process in another PID "
		    "namespace does",
		    target->queue);
	if (error == -ETIMEDOUT)
		die("cannot serve queue '%s': workers of a killed dispatcher "
		    "are still there",
		    target->queue);
	if (error)
		target_die_journal(target, error);
}

static void open_queue(const struct settings *settings, struct jobqueue *queue)
{
	const char *name = settings->target.queue;
	char why[256];
	bool is_new;
	int error;

	objname_claim(OBJNAME_MQ, name); /* advice: it may fail */
	error = jobqueue_serve(queue, name, settings->capacity,
			       settings->message_bytes, &is_new);
	if (error)
		objname_release(OBJNAME_MQ, name);
	else if (is_new)
		objname_made(OBJNAME_MQ, name);

	if (error && mqlimit_explain(error, settings->capacity,
				     settings->message_bytes, why, sizeof(why)))
		die("cannot create queue '%s': %s", name, why);
	if (error == -EBUSY)
		die("cannot serve queue '%s': a dispatcher with another --state "
		    "does",
		    name);
	if (error)
		target_die_queue(&settings->target, error);
	if (!is_new && (queue->capacity != settings->capacity ||
			queue->message_bytes != settings->message_bytes))
		die_warn("queue '%s' was there already: %ld messages of %zu "
			 "bytes",
			 name, queue->capacity, queue->message_bytes);
}

/* Remove the queue's name if nobody needs it: nothing in it, nobody about to
 * send. -EBUSY: somebody is; -ENOTEMPTY: somebody has. */
static int remove_queue(const struct settings *settings,
			struct journal *journal, struct jobqueue *queue)
{
	const char *queue_name = settings->target.queue;
	long depth;
	int error = journal_try_close(journal);

	if (error)
		return error;
	error = jobqueue_depth(queue, &depth);
	if (!error)
		error = depth > 0 ? -ENOTEMPTY : 0;
	/* Another program's is served, but not removed. */
	if (!error && objname_is_noted(OBJNAME_MQ, queue_name))
		error = jobqueue_remove(queue, queue_name);
	if (error != -ENOTEMPTY)
		objname_release(OBJNAME_MQ, queue_name);
	journal_leave(journal);
	return error;
}

static int count(uint64_t id, void *arg)
{
	(void)id;
	++*(long *)arg;
	return 0;
}

/* Dispatch until stopped, or until drained and nothing has come meanwhile. */
static int serve(struct settings *settings, struct journal *journal,
		 struct jobqueue *queue)
{
	struct outlet *out = settings->dispatcher.out;
	int error, removed;
	long left = 0;

	error = outlet_say(out, "Dispatcher running, queue: %s\n",
			   settings->target.queue);
	do {
		if (!error)
			error = dispatcher_run(&settings->dispatcher);
		removed = remove_queue(settings, journal, queue);
	} while (!error && removed == -ENOTEMPTY &&
		 settings->dispatcher.drain && !stop_signal());

	journal_each(journal, count, &left);
	if (left > 0 && !error)
		error = outlet_say(
			out, "Dispatcher: jobs kept for the next start: %ld\n",
			left);
	if (!error)
		outlet_drain(out, tick_after(LAST_WORDS_NS));
	if (left > 0 && settings->dispatcher.drain && !stop_signal())
		settings->has_failed = true;
	return error;
}

int main(int argc, char **argv)
{
	struct journal journal;
	struct jobqueue queue;
	struct settings settings = defaults;
	int error;

	parse(&settings, argc, argv);
	open_outlets(&settings);
	error = stop_install();
	if (error)
		die_errno(error, "cannot handle signals");
	signal(SIGCHLD, SIG_DFL); /* ignored, nobody could be waited for */
	check_descriptors();
	open_journal(&settings, &journal);
	open_queue(&settings, &queue);
	settings.dispatcher.journal = &journal;
	settings.dispatcher.queue = &queue;
	settings.dispatcher.queue_name = settings.target.queue;
	settings.dispatcher.stop_fd = stop_fd();
	settings.dispatcher.arg = &settings;
	error = serve(&settings, &journal, &queue);
	jobqueue_close(&queue);
	journal_close(&journal);
	if (error == -EBUSY)
		die("cannot wait for queue '%s': another process has asked "
		    "for its notifications: use --wake=poll",
		    settings.target.queue);
	if (error == -EEXIST)
		die("queue '%s' was removed by somebody else, and another has "
		    "that name by now: the jobs are kept",
		    settings.target.queue);
	if (error == -EPROTONOSUPPORT)
		target_die_journal(&settings.target, error);
	if (settings.dispatcher.out->error &&
	    !out_is_excused(settings.dispatcher.out->error))
		die_errno(settings.dispatcher.out->error,
			  "cannot write to standard output");
	if (error && !out_is_excused(error))
		die_errno(error, "cannot go on with queue '%s'",
			  settings.target.queue);
	return settings.has_failed ? 1 : 0;
}

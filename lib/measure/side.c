#include "lib/measure/side.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/child.h"
#include "lib/measure/payload.h"
#include "lib/tick.h"

int side_fail(struct side *s, int error, const char *format, ...)
{
	char *doing = s->board->doing[s->which];
	va_list args;

	va_start(args, format);
	vsnprintf(doing, sizeof(s->board->doing[0]), format, args);
	va_end(args);
	return error;
}

static int64_t timeval_ns(struct timeval tv)
{
	return (int64_t)tv.tv_sec * TICK_S + (int64_t)tv.tv_usec * TICK_US;
}

struct side_usage side_usage_now(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (struct side_usage){
		timeval_ns(ru.ru_utime) + timeval_ns(ru.ru_stime),
		(uint64_t)ru.ru_nvcsw + (uint64_t)ru.ru_nivcsw,
		(uint64_t)ru.ru_nivcsw};
}

struct side_usage side_usage_since(struct side_usage mark)
{
	struct side_usage now = side_usage_now();

	return (struct side_usage){now.cpu_ns - mark.cpu_ns,
				   now.switches - mark.switches,
				   now.involuntary - mark.involuntary};
}

void side_usage_add(struct side_usage *to, struct side_usage what)
{
	to->cpu_ns += what.cpu_ns;
	to->switches += what.switches;
	to->involuntary += what.involuntary;
}

int side_send(struct side *s, uint64_t sequence)
{
	payload_write(s->message, s->bytes, sequence);

	int r = s->mechanism->send(s->channel, s->message);
	return r < 0 ? side_fail(s, r, "sending message %llu",
				 (unsigned long long)(sequence & SIDE_NUMBER))
		     : 0;
}

int side_receive(struct side *s, uint64_t *sequence)
{
	int r = s->mechanism->receive(s->channel, s->message);

	if (r < 0)
		return side_fail(s, r, "receiving message %llu",
				 (unsigned long long)s->next);
	r = payload_check(s->message, s->bytes, sequence);
	return r < 0 ? side_fail(s, r, "message %llu arrived damaged",
				 (unsigned long long)s->next)
		     : 0;
}

int side_flush(struct side *s)
{
	int r = s->mechanism->flush ? s->mechanism->flush(s->channel) : 0;

	return r < 0 ? side_fail(s, r, "flushing") : 0;
}

int side_fail_order(struct side *s, uint64_t sequence)
{
	return side_fail(s, -EBADMSG, "message %llu arrived in place of %llu",
			 (unsigned long long)(sequence & SIDE_NUMBER),
			 (unsigned long long)s->next);
}

/* A partner that is gone is an error number here. */
int side_init(struct side *s, struct side_board *board,
	      enum mechanism_side which)
{
	const struct measure_options *o = &board->options;
	int r = 0;

	*s = (struct side){.board = board,
			   .which = which,
			   .mechanism = board->mechanism,
			   .channel = board->channel,
			   .bytes = o->message_bytes};
	signal(SIGPIPE, SIG_IGN);
	s->message = aligned_alloc(64, (s->bytes + 63) / 64 * 64);
	if (!s->message)
		return side_fail(s, -ENOMEM, "taking memory for a message");
	memset(s->message, 0, s->bytes);
	if (o->placement == MEASURE_TWO_CPUS)
		r = child_pin(o->cpus[which]);
	else if (o->placement == MEASURE_ONE_CPU)
		r = child_pin(o->cpus[0]);
	if (r < 0)
		return side_fail(s, r, "going to its CPU");
	r = s->mechanism->attach(s->channel, which);
	return r < 0 ? side_fail(s, r, "attaching") : 0;
}

void side_fini(struct side *s)
{
	free(s->message);
}

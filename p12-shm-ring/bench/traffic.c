#include "p12-shm-ring/bench/traffic.h"

#include <errno.h>

#include "lib/measure/rig.h"
#include "lib/tick.h"

/* A number with this bit ends the trips. */
#define LAST (UINT64_C(1) << 63)

/* At most, and of the time. */
enum { WARM_UP_TRIPS = 1000, WARM_UP_SHARE = 10 };

/* How long the survivor of a death has to notice, before it is killed too. */
#define NOTICE_NS (2 * TICK_S)

struct worker {
	const struct traffic_plan *plan;
	struct traffic_board *board;
	enum traffic_role role;
	struct lane there, back;
	int64_t deadline; /* see is_to_be_continued() */
};

static int64_t patience(const struct worker *w)
{
	return tick_after(w->plan->timeout_ns);
}

/* A look at the clock takes longer than a small message. So there is none
 * until one has to be waited for, and then the deadline is that of a message
 * before, or none: a new one is set, once. */
static bool is_to_be_continued(struct worker *w, int rc, bool *is_own)
{
	if (rc != -ETIMEDOUT)
		return rc == -EINTR;
	if (*is_own)
		return false;
	w->deadline = patience(w);
	*is_own = true;
	return true;
}

static int send_to(struct worker *w, struct lane *lane, uint64_t number)
{
	bool is_own = false;
	int rc;

	do
		rc = lane_send(lane, number, w->deadline);
	while (is_to_be_continued(w, rc, &is_own));
	return rc;
}

static int receive_from(struct worker *w, struct lane *lane, uint64_t *number)
{
	bool is_own = false;
	int rc;

	do
		rc = lane_receive(lane, number, w->deadline);
	while (is_to_be_continued(w, rc, &is_own));
	return rc;
}

static int expect(struct worker *w, struct lane *lane, uint64_t wanted)
{
	uint64_t number;
	int rc = receive_from(w, lane, &number);

	return rc ? rc : number == wanted ? 0 : -EBADMSG;
}

static bool may_drop(const struct worker *w)
{
	return w->plan->lane.options.overflow == RING_DROP_NEWEST;
}

/* ---- the producer --------------------------------------------------------------- */

/* Nothing is written into the board while messages run: it would be a cache
 * line between the processes that is not the ring's. */
static int stream(struct worker *w, uint64_t messages)
{
	uint64_t i, sent = 0;
	int rc = 0;

	for (i = 1; i <= messages; i++) {
		rc = send_to(w, &w->there, i);
		if (!rc)
			sent++;
		else if (rc != -ENOBUFS) /* dropped, and counted */
			break;
	}
	w->board->sent = sent;
	w->board->at[TRAFFIC_PRODUCER] = i;
	return rc == -ENOBUFS ? 0 : rc;
}

static int produce(struct worker *w)
{
	const uint64_t end = w->plan->messages + 1;
	int64_t start;
	int rc = expect(w, &w->back, 0); /* it is ready */

	start = tick_now();
	if (!rc)
		rc = stream(w, w->plan->messages);
	/* The end is not to be dropped. */
	if (!rc && may_drop(w))
		rc = lane_drain(&w->there, patience(w));
	if (!rc)
		rc = send_to(w, &w->there, end);
	if (!rc)
		rc = expect(w, &w->back, end);
	w->board->elapsed_ns = tick_now() - start;
	return rc;
}

static int make_trip(struct worker *w, uint64_t number, bool is_recorded)
{
	int64_t start = tick_now();
	int rc = send_to(w, &w->there, number);

	if (!rc)
		rc = expect(w, &w->back, number);
	if (!rc && is_recorded)
		stats_record(&w->board->trip, (uint64_t)(tick_now() - start));
	return rc;
}

static int ask(struct worker *w)
{
	const uint64_t last = WARM_UP_TRIPS + w->plan->trips - 1;
	int64_t end = tick_after(w->plan->trips_ns / WARM_UP_SHARE);
	uint64_t i = 0;
	int rc = 0;

	while (i < WARM_UP_TRIPS && !rc && !tick_is_over(end))
		rc = make_trip(w, i++, false);
	end = tick_after(w->plan->trips_ns);
	while (i < last && !rc && !tick_is_over(end))
		rc = make_trip(w, i++, true);
	return rc ? rc : make_trip(w, LAST | last, true);
}

/* ---- the consumer --------------------------------------------------------------- */

static int consume(struct worker *w)
{
	const uint64_t end = w->plan->messages + 1;
	const bool has_gaps = may_drop(w);
	uint64_t number = 0, wanted = 1, received = 0, bytes = 0;
	int rc = send_to(w, &w->back, 0);

	while (!rc) {
		rc = receive_from(w, &w->there, &number);
		if (!rc && (has_gaps ? number < wanted : number != wanted))
			rc = -EBADMSG;
		if (rc || number == end)
			break;
		received++;
		bytes += lane_length(&w->plan->lane, number);
		wanted = number + 1;
	}
	w->board->received = received;
	w->board->bytes = bytes;
	w->board->at[TRAFFIC_CONSUMER] = wanted;
	return rc ? rc : send_to(w, &w->back, end);
}

static int answer(struct worker *w)
{
	uint64_t number = 0;
	int rc = 0;

	while (!rc && !(number & LAST)) {
		rc = receive_from(w, &w->there, &number);
		if (!rc)
			rc = send_to(w, &w->back, number);
	}
	return rc;
}

/* ---- both ------------------------------------------------------------------------- */

static int open_lanes(struct worker *w)
{
	struct lane *lanes[] = {&w->there, &w->back};
	int rc = 0;

	for (unsigned int i = 0; i < 2 && !rc; i++) {
		const bool sends = (w->role == TRAFFIC_PRODUCER) == (i == 0);

		rc = lane_open(lanes[i], &w->plan->lane, w->plan->name[i],
			       sends ? RING_SENDER : RING_RECEIVER,
			       patience(w));
		if (!rc)
			w->board->opened[w->role]++;
	}
	return rc;
}

static int work(void *arg, struct rig_gate *gate)
{
	struct worker *w = arg;
	struct traffic_board *board = w->board;
	int rc = open_lanes(w);

	(void)gate;
	if (!rc)
		rc = w->role == TRAFFIC_PRODUCER ? produce(w) : consume(w);
	if (!rc) {
		board->calls[w->role] = lane_calls(&w->there);
		rc = w->role == TRAFFIC_PRODUCER ? ask(w) : answer(w);
	}
	if (w->there.plan) {
		board->dropped = lane_dropped(&w->there);
		lane_close(&w->there);
	}
	if (w->back.plan)
		lane_close(&w->back);
	return rc;
}

int traffic_run(const struct traffic_plan *plan, struct traffic_board *board,
		enum traffic_role *role)
{
	struct worker w[2];
	struct rig_side side[2];
	const struct rig rig = {.side = side,
				.sides = 2,
				.cpus = plan->is_pinned ? plan->cpus : NULL,
				.deadline = TICK_NEVER,
				.grace_ns = NOTICE_NS,
				.stop_fd = plan->stop_fd};
	struct rig_result result[2];
	int error;

	for (int i = 0; i < 2; i++) {
		w[i] = (struct worker){.plan = plan,
				       .board = board,
				       .role = (enum traffic_role)i};
		side[i] = (struct rig_side){.body = work, .arg = &w[i]};
	}
	error = rig_run(&rig, result);
	*role = result[TRAFFIC_CONSUMER].is_cause ? TRAFFIC_CONSUMER
						  : TRAFFIC_PRODUCER;
	/* A survivor that has noticed says more than the one that was killed. */
	if (error == -ECHILD && result[!*role].error == -EOWNERDEAD) {
		*role = (enum traffic_role) !*role;
		error = -EOWNERDEAD;
	}
	return error;
}

/* rpc_timer.c - as all of a list have the same span, the new one is the last
 * that is due, or nearly: its place is looked for from the end. */
#include "lib/rpc/rpc_timer.h"

#include <stddef.h>

void rpc_timer_stop(struct rpc_timer *timer)
{
	struct rpc_timer_list *in = timer->in;

	if (!in)
		return;
	if (timer->previous)
		timer->previous->next = timer->next;
	else
		in->first = timer->next;
	if (timer->next)
		timer->next->previous = timer->previous;
	else
		in->last = timer->previous;
	timer->in = NULL;
}

void rpc_timer_start(struct rpc_timer *timer, struct rpc_timer_list *in,
		     struct rpc_conn *conn, int64_t due)
{
	struct rpc_timer *before;

	rpc_timer_stop(timer);
	for (before = in->last; before && before->due > due;)
		before = before->previous;
	*timer = (struct rpc_timer){
		.in = in,
		.due = due,
		.conn = conn,
		.previous = before,
		.next = before ? before->next : in->first,
	};
	if (timer->next)
		timer->next->previous = timer;
	else
		in->last = timer;
	if (before)
		before->next = timer;
	else
		in->first = timer;
}

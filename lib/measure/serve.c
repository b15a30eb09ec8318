#include "lib/measure/serve.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "lib/measure/side.h"

/* Handle one message; *is_over when it was the last. */
static int serve_one(struct side *s, struct side_usage *mark, bool *is_over)
{
	uint64_t got;
	int r = side_receive(s, &got);

	if (r < 0)
		return r;
	if ((got & SIDE_NUMBER) != s->next)
		return side_fail_order(s, got);
	s->next++;
	if (!(got & (SIDE_ECHO | SIDE_END)))
		return 0;

	if (got & (SIDE_REPORT | SIDE_END))
		atomic_store_explicit(&s->board->involuntary,
				      side_usage_now().involuntary,
				      memory_order_release);
	if (got & SIDE_ECHO) {
		r = s->mechanism->send(s->channel, s->message);
		if (r < 0)
			return side_fail(
				s, r, "sending back message %llu",
				(unsigned long long)(got & SIDE_NUMBER));
	} else {
		s->board->served = side_usage_since(*mark);
		*mark = side_usage_now();
		*is_over = got & SIDE_BYE;
		s->next = 0;
		r = side_send(s, (got & SIDE_NUMBER) | SIDE_END);
	}
	return r == 0 && s->mechanism->flush ? side_flush(s) : r;
}

int serve_run(void *board, struct rig_gate *gate)
{
	bool is_over = false;
	struct side s;
	int r = side_init(&s, board, MECHANISM_B);
	struct side_usage mark = side_usage_now();

	(void)gate;
	while (r == 0 && !is_over)
		r = serve_one(&s, &mark, &is_over);
	side_fini(&s);
	return r;
}

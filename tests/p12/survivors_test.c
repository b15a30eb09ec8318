/* A sender or a receiver is struck wherever it is, here or in a PID namespace of
 * its own: the other's next message comes through within a second, with the
 * successor, who is let in when the victim is dead and not before. And who
 * scribbles over the ring and dies keeps nobody for longer.
 * timeout: 900 */
#include "p12-shm-ring/ring.h"

#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/measure/payload.h"
#include "lib/tick.h"
#include "tests/support/scribbler.h"
#include "tests/support/survivors.h"

#define NAME "/p12-survivors-test"

enum { SENDING, RECEIVING, SCRIBBLING };
enum { CAPACITY = 4096, LONGEST = 700, MANY = 1 << 20 };

/* Messages carry a number; what their senders and receivers have come to. */
struct stage {
	_Atomic uint64_t begun, committed, released;
	_Atomic uint64_t next_sender; /* begins with this one, if the last one
				       * of its predecessor may be lost */
	_Atomic bool has_left[2];     /* of a side: it did its part */
};

static const struct ring_options options = {.capacity = CAPACITY,
					    .wait = RING_ADAPTIVE};

static size_t length_of(uint64_t number)
{
	return PAYLOAD_MIN + (size_t)(number * 2654435761U >> 7) % LONGEST;
}

static int enter(struct survivors_actor *self)
{
	struct stage *stage = self->stage;
	struct ring *ring = NULL;
	int error =
		ring_open(&ring, NAME,
			  self->role == SENDING ? RING_SENDER : RING_RECEIVER,
			  &options, tick_after(TICK_S));

	self->own = ring;
	if (!error && self->is_successor && self->role == SENDING &&
	    atomic_load(&stage->committed) < atomic_load(&stage->begun))
		atomic_store(&stage->next_sender, atomic_load(&stage->begun));
	return error;
}

static void leave(struct survivors_actor *self)
{
	struct stage *stage = self->stage;

	atomic_store(&stage->has_left[self->role], true);
	ring_close(self->own);
}

/* The other side has left, and was not killed. */
static bool is_end(const struct survivors_actor *self, int64_t rc)
{
	const struct stage *stage = self->stage;

	return rc == -EPIPE &&
	       atomic_load(&stage->has_left[SENDING + RECEIVING - self->role]);
}

/* A message, which may be the first that a successor gets. */
static int send_one(struct survivors_actor *self)
{
	struct stage *stage = self->stage;
	const uint64_t number = atomic_load(&stage->begun);
	const int64_t deadline = tick_after(5 * TICK_S);
	const size_t len = length_of(number);
	void *message;
	int rc;

	do
		rc = ring_reserve(self->own, len, &message, deadline);
	while (rc == -EOWNERDEAD);
	if (rc)
		return is_end(self, rc) ? 0 : rc;
	payload_write(message, len, number);
	atomic_store(&stage->begun, number + 1);
	ring_commit(self->own, len);
	atomic_store(&stage->committed, number + 1);
	return 0;
}

/* Of what was sent, each number once and in order. One that was peeked at may
 * have been released before its receiver died; one that was begun may not have
 * been committed before its sender died. */
static bool is_due(const struct stage *stage, uint64_t number, bool is_first)
{
	const uint64_t due = atomic_load(&stage->released);

	if (number == due || (is_first && number == due + 1))
		return true;
	return number == due + 1 && number == atomic_load(&stage->next_sender);
}

static int receive_one(struct survivors_actor *self)
{
	struct stage *stage = self->stage;
	const int64_t deadline = tick_after(5 * TICK_S);
	const bool is_first = self->is_successor && self->steps == 0;
	uint64_t number;
	void *message;
	ssize_t len;

	do
		len = ring_peek(self->own, &message, deadline);
	while (len == -EOWNERDEAD);
	if (len < 0)
		return is_end(self, len) ? 0 : (int)len;
	if (payload_check(message, (size_t)len, &number) ||
	    (size_t)len != length_of(number))
		return -EILSEQ;
	if (!is_due(stage, number, is_first))
		return -EBADE;
	ring_release(self->own);
	atomic_store(&stage->released, number + 1);
	return 0;
}

static void clear(void *stage)
{
	(void)stage;
	assert_int_equal(ring_remove(NAME), 0);
}

static void one_message_gets_through_within_a_second_of_a_death(void **state)
{
	static const struct survivors_play play = {
		.name = "P12 ring",
		.role = {[SENDING] = {.name = "sender",
				      .count = 1,
				      .enter = enter,
				      .step = send_one,
				      .leave = leave,
				      .refusal = -EBUSY},
			 [RECEIVING] = {.name = "receiver",
					.count = 1,
					.enter = enter,
					.step = receive_one,
					.leave = leave,
					.refusal = -EBUSY}},
		.stage_bytes = sizeof(struct stage),
		.promise_ns = TICK_S,
		.calls = {SYS_futex},
		.more = 32, /* more than there is room for */
		.clear = clear,
	};

	(void)state;
	survivors_play(&play);
}

/* ---- a scribbler ------------------------------------------------------------------ */

/* It has the ring's memory, and no seat. */
static int enter_to_scribble(struct survivors_actor *self)
{
	return scribbler_enter(self, NAME);
}

/* Whatever it is told, it is told in time. */
static int send_anything(struct survivors_actor *self)
{
	char text[LONGEST] = "";

	ring_send(self->own, text, sizeof(text), tick_after(TICK_S / 2));
	return 0;
}

static int receive_anything(struct survivors_actor *self)
{
	char text[CAPACITY];

	ring_recv(self->own, text, sizeof(text), tick_after(TICK_S / 2));
	return 0;
}

static void remove_anything(void *stage)
{
	(void)stage;
	assert_int_equal(shm_unlink(NAME), 0);
}

static void who_scribbles_over_the_ring_keeps_nobody_for_a_second(void **state)
{
	static const struct survivors_play play = {
		.name = "P12 scribbler",
		.role = {[SENDING] = {.name = "sender",
				      .count = 1,
				      .enter = enter,
				      .step = send_anything,
				      .leave = leave,
				      .is_never_struck = true},
			 [RECEIVING] = {.name = "receiver",
					.count = 1,
					.enter = enter,
					.step = receive_anything,
					.leave = leave,
					.is_never_struck = true},
			 [SCRIBBLING] = {.name = "scribbler",
					 .count = 1,
					 .enter = enter_to_scribble,
					 .step = scribbler_step}},
		.stage_bytes = sizeof(struct stage),
		.promise_ns = TICK_S,
		.life_ns = 5 * TICK_MS,
		.clear = remove_anything,
	};

	(void)state;
	survivors_play(&play);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			who_scribbles_over_the_ring_keeps_nobody_for_a_second),
		cmocka_unit_test(
			one_message_gets_through_within_a_second_of_a_death),
	};

	return SUPPORT_MAIN(tests);
}

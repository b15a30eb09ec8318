/* Messages of one queue: p05-sysv-mq/letter.h. */
#include "p05-sysv-mq/letter.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/tick.h"
#include "tests/support/support.h"

enum { TEXT_MAX = 1024 };

static struct letter *letter;
static int queue;

static int set_up(void **state)
{
	(void)state;
	queue = msgget(IPC_PRIVATE, 0600);
	letter = letter_new(TEXT_MAX);
	letter->type = LETTER_REQUEST;
	letter->head = (struct letter_head){
		.magic = LETTER_MAGIC,
		.client = 4711,
		.units = letter_units(TEXT_MAX),
	};
	memset(letter->text, 'x', TEXT_MAX);
	return queue < 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(letter);
	msgctl(queue, IPC_RMID, NULL);
	return 0;
}

static void letter_arrives_as_it_was_sent(void **state)
{
	(void)state;
	letter->head.number = 42;
	memcpy(letter->text, "HELLO", 5);
	assert_int_equal(letter_send(queue, letter, 5), 0);
	memset(letter, 0, sizeof(*letter) + 5);
	assert_int_equal(
		letter_receive(queue, LETTER_REQUEST, letter, TEXT_MAX, 0), 5);
	assert_int_equal(letter->head.number, 42);
	assert_memory_equal(letter->text, "HELLO", 5);
	assert_int_equal(letter_receive(queue, LETTER_REQUEST, letter, TEXT_MAX,
					IPC_NOWAIT),
			 -ENOMSG);
}

static void types_keep_clients_apart(void **state)
{
	(void)state;
	for (int i = 100; i < 110; i++) {
		letter->head.client = i;
		letter->type = letter_type(&letter->head, 0);
		assert_int_equal(letter_send(queue, letter, 1), 0);
	}
	for (int i = 109; i >= 100; i--) {
		assert_int_equal(
			letter_receive(queue, i, letter, TEXT_MAX, IPC_NOWAIT),
			1);
		assert_int_equal(letter->head.client, i);
	}
}

static long type_of(pid_t client, uint32_t namespace, uint32_t server)
{
	const struct letter_head head = {
		.client = client, .place.pid = namespace, .nonce = UINT64_MAX};

	return letter_type(&head, server);
}

static void process_1_does_not_read_the_requests(void **state)
{
	(void)state;
	assert_int_equal(type_of(5001, 7, 7), 5001);
	assert_int_not_equal(type_of(1, 7, 7), LETTER_REQUEST);
	/* Nobody else has it: thread ids end at 4194304. */
	assert_true(type_of(1, 7, 7) > 4194304);
}

static void one_id_in_two_namespaces_is_two_types(void **state)
{
	(void)state;
	assert_int_equal(type_of(5001, 0, 0), 5001); /* nobody can tell */
	assert_int_not_equal(type_of(5001, 8, 7), 5001);
	assert_int_not_equal(type_of(5001, 8, 7), type_of(5001, 9, 7));
	assert_int_not_equal(type_of(5001, 8, 7), type_of(5002, 8, 7));
	assert_int_not_equal(type_of(5001, 0, 7), type_of(5001, 7, 7));
	assert_true(type_of(1, UINT32_MAX, 7) > 4194304 + 1);
	assert_true(type_of(5001, 0, 7) > 4194304 + 1);
	/* Who cannot tell its namespace is told apart by its nonce. */
	assert_int_not_equal(
		letter_type(&(struct letter_head){.client = 1, .nonce = 1}, 7),
		letter_type(&(struct letter_head){.client = 1, .nonce = 2}, 7));
}

/* 0 where the kernel has none of that kind. */
static uint32_t namespace_of(const char *path)
{
	struct stat status;

	return stat(path, &status) < 0 ? 0 : (uint32_t)status.st_ino;
}

static void place_is_of_this_process(void **state)
{
	const struct letter_place here = letter_place_here();

	(void)state;
	assert_int_equal(here.pid, namespace_of("/proc/self/ns/pid"));
	assert_int_equal(here.time, namespace_of("/proc/self/ns/time"));
}

/* A number of another namespace, or a moment of another clock, says nothing. */
static void client_is_judged_only_from_its_own_namespaces(void **state)
{
	const struct letter_place here = {.pid = 7, .time = 8},
				  elsewhere[] = {{.pid = 9, .time = 8},
						 {.pid = 7, .time = 9}};
	struct letter_head dead = {.client = gettid(),
				   .start = 1, /* an earlier thread */
				   .place = here,
				   .deadline = tick_after(0)};

	(void)state;
	assert_true(letter_client_is_dead(&dead, &here));
	assert_true(letter_is_over(&dead, &here));
	for (int i = 0; i < 2; i++) {
		dead.place = elsewhere[i];
		assert_false(letter_client_is_dead(&dead, &here));
	}
	assert_false(letter_is_over(&dead, &here));
	dead.place = (struct letter_place){.pid = 0, .time = 8};
	assert_false(letter_client_is_dead(&dead, &dead.place));
}

static void full_queue_is_eagain_but_takes_empty_messages(void **state)
{
	int sent = 0;

	(void)state;
	while (letter_send(queue, letter, TEXT_MAX) == 0)
		sent++;
	assert_true(sent > 1);
	assert_int_equal(letter_send(queue, letter, TEXT_MAX), -EAGAIN);
	assert_int_equal(letter_ring(queue, 77), 0);
	assert_int_equal(letter_receive(queue, 77, letter, TEXT_MAX, 0),
			 -ENODATA);
}

/* E2BIG would come again and again: nobody else reads that type. */
static void message_that_is_too_big_is_taken_out(void **state)
{
	(void)state;
	assert_int_equal(letter_send(queue, letter, TEXT_MAX), 0);
	assert_int_equal(letter_send(queue, letter, 10), 0);
	assert_int_equal(letter_receive(queue, LETTER_REQUEST, letter, 20, 0),
			 -EBADMSG);
	assert_int_equal(letter_receive(queue, LETTER_REQUEST, letter, 20, 0),
			 10);
}

static void what_is_no_letter_is_taken_out(void **state)
{
	(void)state;
	struct {
		long type;
		char bytes[200];
	} garbage = {.type = LETTER_REQUEST};

	for (size_t len = 1; len < sizeof(garbage.bytes); len++) {
		memset(garbage.bytes, (int)len, len);
		assert_int_equal(msgsnd(queue, &garbage, len, 0), 0);
		assert_int_equal(letter_receive(queue, LETTER_REQUEST, letter,
						TEXT_MAX, 0),
				 -EBADMSG);
	}
	/* All right but for one thing; and then for none. */
	letter->type = LETTER_REQUEST;
	letter->head = (struct letter_head){.magic = LETTER_MAGIC,
					    .units = letter_units(100)};
	for (int client = -1; client <= 0; client++) {
		letter->head.client = client;
		assert_int_equal(letter_send(queue, letter, 100), 0);
	}
	letter->head.client = 1;
	letter->head.units--;
	assert_int_equal(letter_send(queue, letter, 100), 0);
	letter->head.units++;
	assert_int_equal(letter_send(queue, letter, 100), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(letter_receive(queue, LETTER_REQUEST, letter,
						TEXT_MAX, 0),
				 -EBADMSG);
	assert_int_equal(
		letter_receive(queue, LETTER_REQUEST, letter, TEXT_MAX, 0),
		100);
}

static int receive_without_end(void *arg)
{
	(void)arg;
	return (int)-letter_receive(queue, LETTER_REQUEST, letter, TEXT_MAX, 0);
}

/* The process that msgrcv(2) put to sleep; there is none but in the case. */
static bool is_asleep(void *arg)
{
	char path[64], text[512] = "";
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", *(pid_t *)arg);
	file = fopen(path, "re");
	n = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
	if (file)
		fclose(file);
	return n && strrchr(text, ')') && strrchr(text, ')')[2] == 'S';
}

/* 0 for a letter of 10 bytes, 1 for one that was too big. */
static int receive_little(void *arg)
{
	ssize_t n = letter_receive(queue, LETTER_REQUEST, letter, 20, 0);

	(void)arg;
	return n == 10 ? 0 : n == -EBADMSG ? 1 : 2;
}

/* Each of those who wait sees that it is too big; one of them takes it out. */
static void message_that_is_too_big_takes_no_other_along(void **state)
{
	enum { RECEIVERS = 4 };
	int status, too_big = 0;
	pid_t pids[RECEIVERS];

	(void)state;
	for (int i = 0; i < RECEIVERS; i++) {
		assert_int_equal(child_fork(receive_little, NULL, &pids[i]), 0);
		assert_true(support_wait_until(is_asleep, &pids[i], 20000));
	}
	assert_int_equal(letter_send(queue, letter, TEXT_MAX), 0);
	for (int i = 1; i < RECEIVERS; i++)
		assert_int_equal(letter_send(queue, letter, 10), 0);
	for (int i = 0; i < RECEIVERS; i++) {
		assert_int_equal(
			child_wait(pids[i], tick_after(20 * TICK_S), &status),
			0);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
		too_big += WEXITSTATUS(status);
	}
	assert_int_equal(too_big, 1);
}

static void removal_ends_a_wait_with_eidrm(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(child_fork(receive_without_end, NULL, &pid), 0);
	assert_true(support_wait_until(is_asleep, &pid, 20000));
	msgctl(queue, IPC_RMID, NULL);
	assert_int_equal(child_wait(pid, tick_after(20 * TICK_S), &status), 0);
	assert_int_equal(child_exit_code(status), EIDRM);
	assert_int_equal(letter_send(queue, letter, 1), -EIDRM);
	assert_int_equal(letter_ring(queue, 1), -EIDRM);
	assert_int_equal(letter_text_max(queue), -EIDRM);
}

static void do_nothing(int number)
{
	(void)number;
}

static int receive_with_a_handler(void *arg)
{
	const struct sigaction action = {.sa_handler = do_nothing,
					 .sa_flags = SA_RESTART};

	sigaction(SIGUSR1, &action, NULL);
	return receive_without_end(arg);
}

/* msgrcv(2) is never restarted, whatever SA_RESTART says. */
static void handler_ends_a_wait_with_eintr(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(child_fork(receive_with_a_handler, NULL, &pid), 0);
	assert_true(support_wait_until(is_asleep, &pid, 20000));
	kill(pid, SIGUSR1);
	assert_int_equal(child_wait(pid, tick_after(20 * TICK_S), &status), 0);
	assert_int_equal(child_exit_code(status), EINTR);
}

static void longest_text_fits_twice(void **state)
{
	ssize_t longest = letter_text_max(queue);
	struct letter *big = letter_new((size_t)longest);

	(void)state;
	big->type = LETTER_REQUEST;
	memset(&big->head, 0, sizeof(big->head));
	memset(big->text, 0, (size_t)longest);
	assert_int_equal(letter_send(queue, big, (size_t)longest), 0);
	assert_int_equal(letter_send(queue, big, (size_t)longest), 0);
	free(big);
}

static void set_queue_bytes(unsigned long bytes)
{
	struct msqid_ds status;

	assert_int_equal(msgctl(queue, IPC_STAT, &status), 0);
	status.msg_qbytes = bytes;
	assert_int_equal(msgctl(queue, IPC_SET, &status), 0);
}

/* By half of the queue, where kernel.msgmax would let it be longer. */
static void longest_text_is_whole_units_of_half_the_queue(void **state)
{
	(void)state;
	set_queue_bytes(4100);
	assert_int_equal(letter_text_max(queue),
			 2048 - (int)sizeof(struct letter_head));
	set_queue_bytes(100); /* half of it is no letter */
	assert_int_equal(letter_text_max(queue), 0);
}

/* By that letter_receive() knows what is too long. What malloc(3) gives grows by
 * steps: for one of these lengths the last byte begins one. */
static void new_letter_has_room_for_one_byte_more(void **state)
{
	(void)state;
	for (size_t text_max = 0; text_max < 64; text_max++) {
		struct letter *one = letter_new(text_max);

		assert_non_null(one);
		assert_true(malloc_usable_size(one) >=
			    sizeof(*one) + text_max + 1);
		free(one);
	}
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(letter_arrives_as_it_was_sent),
		CASE(types_keep_clients_apart),
		CASE(process_1_does_not_read_the_requests),
		CASE(one_id_in_two_namespaces_is_two_types),
		CASE(place_is_of_this_process),
		CASE(client_is_judged_only_from_its_own_namespaces),
		CASE(full_queue_is_eagain_but_takes_empty_messages),
		CASE(message_that_is_too_big_is_taken_out),
		CASE(message_that_is_too_big_takes_no_other_along),
		CASE(what_is_no_letter_is_taken_out),
		CASE(removal_ends_a_wait_with_eidrm),
		CASE(handler_ends_a_wait_with_eintr),
		CASE(longest_text_fits_twice),
		CASE(longest_text_is_whole_units_of_half_the_queue),
		CASE(new_letter_has_room_for_one_byte_more),
	};

	return SUPPORT_MAIN(tests);
}

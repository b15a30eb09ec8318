/* The source itself: which of its forms runs depends on the processor, and
 * both are to be tested where both can run. */
#include "lib/measure/payload.c" /* NOLINT(bugprone-suspicious-include) */

#include "tests/support/support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 5000 };

static const size_t sizes[] = {16, 17, 24, 63, 64, 65, 128, 1000, 1024, 4097};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static void message_is_accepted_with_its_sequence_at_any_size(void **state)
{
	unsigned char message[ROOM];

	(void)state;
	for (size_t i = 0; i < SIZES; i++) {
		for (uint64_t sequence = 0; sequence < 100; sequence++) {
			uint64_t got = ~sequence;

			payload_write(message, sizes[i], sequence << 55);
			assert_int_equal(payload_check(message, sizes[i], &got),
					 0);
			assert_int_equal(got, sequence << 55);
		}
	}
}

static void nothing_is_written_beyond_the_message(void **state)
{
	unsigned char message[ROOM];

	(void)state;
	for (size_t i = 0; i < SIZES; i++) {
		memset(message, 0xa5, sizeof(message));
		payload_write(message, sizes[i], 7);
		for (size_t k = sizes[i]; k < sizeof(message); k++)
			assert_int_equal(message[k], 0xa5);
	}
}

static void every_flipped_bit_is_noticed(void **state)
{
	unsigned char message[200];
	uint64_t sequence;

	(void)state;
	payload_write(message, sizeof(message), 42);
	for (size_t bit = 0; bit < 8 * sizeof(message); bit++) {
		message[bit / 8] ^= (unsigned char)(1 << bit % 8);
		assert_int_equal(
			payload_check(message, sizeof(message), &sequence),
			-EBADMSG);
		message[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
	assert_int_equal(payload_check(message, sizeof(message), &sequence), 0);
}

static void any_two_swapped_words_are_noticed(void **state)
{
	uint64_t message[64], sequence;

	(void)state;
	payload_write(message, sizeof(message), 42);
	for (size_t i = 0; i < 64; i++) {
		for (size_t k = i + 1; k < 64; k++) {
			uint64_t word = message[i];

			message[i] = message[k];
			message[k] = word;
			assert_int_equal(payload_check(message, sizeof(message),
						       &sequence),
					 -EBADMSG);
			message[k] = message[i];
			message[i] = word;
		}
	}
}

static void missing_and_doubled_lines_are_noticed(void **state)
{
	unsigned char message[1024], damaged[1024];
	uint64_t sequence;

	(void)state;
	payload_write(message, sizeof(message), 42);
	for (size_t at = 64; at + 64 < sizeof(message); at += 64) {
		memcpy(damaged, message, sizeof(message));
		memmove(damaged + at, damaged + at + 64,
			sizeof(message) - at - 64);
		assert_int_equal(
			payload_check(damaged, sizeof(damaged), &sequence),
			-EBADMSG);
		memcpy(damaged, message, sizeof(message));
		memset(damaged + at, 0, 64);
		assert_int_equal(
			payload_check(damaged, sizeof(damaged), &sequence),
			-EBADMSG);
	}
}

/* What a mechanism leaves that copies too little: the end of the message that
 * lay there before. */
static void rest_of_the_message_before_is_noticed(void **state)
{
	unsigned char before[1024], message[1024];
	uint64_t sequence;

	(void)state;
	payload_write(before, sizeof(before), 41);
	for (size_t keep = 1; keep <= sizeof(message) - 16; keep++) {
		payload_write(message, sizeof(message), 42);
		memcpy(message + sizeof(message) - keep,
		       before + sizeof(before) - keep, keep);
		assert_int_equal(
			payload_check(message, sizeof(message), &sequence),
			-EBADMSG);
	}
}

static void zeros_are_no_message(void **state)
{
	const unsigned char zeros[1024] = {0};
	uint64_t sequence;

	(void)state;
	for (size_t i = 0; i < SIZES && sizes[i] <= sizeof(zeros); i++)
		assert_int_equal(payload_check(zeros, sizes[i], &sequence),
				 -EBADMSG);
}

static void message_of_another_length_is_noticed(void **state)
{
	unsigned char message[1024];
	uint64_t sequence;

	(void)state;
	payload_write(message, sizeof(message), 42);
	assert_int_equal(payload_check(message, 1023, &sequence), -EBADMSG);
	assert_int_equal(payload_check(message, 512, &sequence), -EBADMSG);
}

static void registers_of_any_width_make_the_same_message(void **state)
{
	unsigned char wide[ROOM] = {0}, narrow[ROOM] = {0};
	const struct header header = {7, 11};

	(void)state;
	if (!has_wide()) {
		print_message("no AVX-512: one form to test\n");
		return;
	}
	for (size_t bytes = PAYLOAD_MIN; bytes < 300; bytes++) {
		assert_true(write_wide(wide, bytes, bytes << 50) ==
			    write_narrow(narrow, bytes, bytes << 50));
		assert_memory_equal(wide, narrow, sizeof(wide));
		assert_true(check_of_wide(wide, bytes, &header) ==
			    check_of_narrow(wide, bytes, &header));
	}
	for (uint64_t sequence = 0; sequence < 100; sequence++) {
		write_block_wide(wide, sequence << 55);
		write_block(narrow, sequence << 55);
		assert_memory_equal(wide, narrow, sizeof(wide));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			message_is_accepted_with_its_sequence_at_any_size),
		cmocka_unit_test(nothing_is_written_beyond_the_message),
		cmocka_unit_test(every_flipped_bit_is_noticed),
		cmocka_unit_test(any_two_swapped_words_are_noticed),
		cmocka_unit_test(missing_and_doubled_lines_are_noticed),
		cmocka_unit_test(rest_of_the_message_before_is_noticed),
		cmocka_unit_test(zeros_are_no_message),
		cmocka_unit_test(message_of_another_length_is_noticed),
		cmocka_unit_test(registers_of_any_width_make_the_same_message),
	};

	return SUPPORT_MAIN(tests);
}

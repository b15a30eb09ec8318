/* p11-barrier/cmd/checker.h: what it prints, and what it does not let pass. */
#include "p11-barrier/cmd/checker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "p11-barrier/sysv_barrier.h"
#include "tests/support/support.h"

struct game {
	struct checker checker;
	char *text;
	size_t len;
	FILE *out;
};

static void begin(struct game *game, unsigned int participants)
{
	game->out = open_memstream(&game->text, &game->len);
	assert_non_null(game->out);
	assert_int_equal(checker_init(&game->checker, participants, game->out),
			 0);
}

static void end(struct game *game)
{
	fclose(game->out);
	free(game->text);
	checker_fini(&game->checker);
}

static void note(struct game *game, enum checker_kind kind,
		 unsigned int participant, unsigned int round)
{
	struct checker_record record = {
		.kind = kind, .participant = participant, .round = round};

	assert_int_equal(checker_take(&game->checker, &record), 0);
}

static void lines_of_a_round_come_before_those_of_the_next(void **state)
{
	struct game game;

	(void)state;
	begin(&game, 2);
	note(&game, CHECKER_REACHED, 2, 1);
	note(&game, CHECKER_REACHED, 1, 1);
	note(&game, CHECKER_SERIAL, 1, 1);
	note(&game, CHECKER_REACHED, 1, 2);
	note(&game, CHECKER_PASSED, 2, 1);
	note(&game, CHECKER_DYING, 2, 2);
	assert_string_equal(game.text,
			    "[P2] Reached barrier 1\n"
			    "[P1] Reached barrier 1\n"
			    "--- All processes passed barrier 1 ---\n"
			    "[P1] Reached barrier 2\n"
			    "[P2] Killed before barrier 2\n");
	assert_string_equal(game.checker.wrong, "");
	end(&game);
}

static void passing_before_all_have_reached_it_is_seen(void **state)
{
	struct game game;

	(void)state;
	begin(&game, 2);
	note(&game, CHECKER_REACHED, 1, 1);
	note(&game, CHECKER_PASSED, 1, 1);
	assert_string_equal(game.checker.wrong,
			    "P1 passed barrier 1 before P2 reached it");
	end(&game);
}

static void being_a_round_ahead_is_seen(void **state)
{
	struct game game;

	(void)state;
	begin(&game, 2);
	note(&game, CHECKER_REACHED, 1, 1);
	note(&game, CHECKER_REACHED, 1, 2);
	assert_string_equal(game.checker.wrong,
			    "P1 reached barrier 2 before P2 reached barrier 1");
	end(&game);
}

static void two_serial_participants_or_none_are_seen(void **state)
{
	static const enum checker_kind kinds[] = {CHECKER_PASSED,
						  CHECKER_SERIAL};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct game game;

		begin(&game, 2);
		note(&game, CHECKER_REACHED, 1, 1);
		note(&game, CHECKER_REACHED, 2, 1);
		note(&game, kinds[i], 1, 1);
		note(&game, kinds[i], 2, 1);
		assert_non_null(
			strstr(game.checker.wrong, "serial participants"));
		end(&game);
	}
}

static void records_that_cannot_be_are_refused(void **state)
{
	static const struct checker_record records[] = {
		{.kind = CHECKER_REACHED, .participant = 0, .round = 1},
		{.kind = CHECKER_REACHED, .participant = 3, .round = 1},
		{.kind = CHECKER_REACHED, .participant = 1, .round = 0},
		{.kind = 99, .participant = 1, .round = 1},
	};
	struct game game;

	(void)state;
	begin(&game, 2);
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++)
		assert_int_equal(checker_take(&game.checker, &records[i]),
				 -EBADMSG);
	end(&game);
}

static void who_waits_for_whom_is_described(void **state)
{
	struct game game;
	char buf[160], small[8];

	(void)state;
	begin(&game, 9);
	note(&game, CHECKER_REACHED, 2, 1);
	note(&game, CHECKER_REACHED, 7, 1);
	note(&game, CHECKER_FAILED, 2, 1);
	assert_false(checker_heard_all(&game.checker));
	note(&game, CHECKER_FAILED, 7, 1);
	assert_true(checker_heard_all(&game.checker));
	assert_string_equal(
		checker_describe(&game.checker, buf, sizeof(buf)),
		"P2, P7 waited at barrier 1 for P1, P3, P4, P5, P6 and 2 more");
	assert_true(strlen(checker_describe(&game.checker, small,
					    sizeof(small))) < sizeof(small));
	end(&game);
}

static void reaching_or_passing_one_twice_is_seen(void **state)
{
	struct game game;

	(void)state;
	begin(&game, 1);
	note(&game, CHECKER_REACHED, 1, 1);
	note(&game, CHECKER_REACHED, 1, 1);
	assert_string_equal(game.checker.wrong,
			    "P1 reached barrier 1 after barrier 1");
	end(&game);
	begin(&game, 1);
	note(&game, CHECKER_REACHED, 1, 1);
	note(&game, CHECKER_SERIAL, 1, 1);
	assert_string_equal(game.checker.wrong, "");
	note(&game, CHECKER_PASSED, 1, 1);
	assert_string_equal(game.checker.wrong,
			    "P1 passed barrier 1 during barrier 2");
	end(&game);
}

/* By it the command judges whether all were told in time. */
static void slowest_news_of_a_death_is_kept(void **state)
{
	struct checker_record record = {.kind = CHECKER_DYING,
					.participant = 1,
					.round = 1,
					.at_ns = 1000};
	const int64_t notified_ns[] = {0, 0, 1050, 1400, 1300};
	struct game game;

	(void)state;
	begin(&game, 4);
	assert_int_equal(checker_take(&game.checker, &record), 0);
	record.kind = CHECKER_FAILED;
	record.error = SYSV_BARRIER_BROKEN;
	for (record.participant = 2; record.participant <= 4;
	     record.participant++) {
		record.at_ns = notified_ns[record.participant];
		assert_int_equal(checker_take(&game.checker, &record), 0);
	}
	assert_int_equal(game.checker.slowest_ns, 400);
	assert_int_equal(game.checker.broken, 3);
	end(&game);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reaching_or_passing_one_twice_is_seen),
		cmocka_unit_test(slowest_news_of_a_death_is_kept),
		cmocka_unit_test(
			lines_of_a_round_come_before_those_of_the_next),
		cmocka_unit_test(passing_before_all_have_reached_it_is_seen),
		cmocka_unit_test(being_a_round_ahead_is_seen),
		cmocka_unit_test(two_serial_participants_or_none_are_seen),
		cmocka_unit_test(records_that_cannot_be_are_refused),
		cmocka_unit_test(who_waits_for_whom_is_described),
	};
	return SUPPORT_MAIN(tests);
}

/* Conversations of AUTH_DH without a network: what is taken, what is refused,
 * and with which answer. */
#include "tests/p17/fixture.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "tests/support/scratch.h"

static struct scratch scratch;
static struct people people;
static struct rpc_identity who;
static struct rpc_verifier verf;

static int open_server(void **state)
{
	(void)state;
	scratch_make(&scratch);
	people_init(&people);
	people.floors = scratch_path(&scratch, "floors");
	people_open_server(&people, 0);
	return 0;
}

static int close_server(void **state)
{
	(void)state;
	authdh_server_close(people.server);
	people.server = NULL;
	scratch_remove(&scratch);
	return 0;
}

static void open_next_server(void)
{
	authdh_server_close(people.server);
	people_open_server(&people, 0);
}

/* ---- what is taken ---- */

static void full_name_comes_once_and_then_the_nickname(void **state)
{
	AUTH *alice = people_client(&people, ALICE);

	(void)state;
	for (int i = 0; i < 5; i++) {
		assert_int_equal(people_call(&people, alice, &who), AUTH_OK);
		assert_true(who.has_uid && who.is_proved);
		assert_int_equal(who.uid, 1000);
		/* Of no group: not of root's either. */
		assert_int_equal(who.gid, UINT32_MAX);
		assert_int_equal(who.n_gids, 0);
		assert_string_equal(who.name, "unix.1000@test");
	}
	assert_int_equal(authdh_client_fullnames(alice), 1);
	assert_int_equal(authdh_server_count(people.server), 1);
	auth_destroy(alice);
}

static void host_has_a_name_and_no_uid(void **state)
{
	AUTH *host = people_client(&people, HOST);

	(void)state;
	assert_int_equal(people_call(&people, host, &who), AUTH_OK);
	assert_false(who.has_uid);
	assert_string_equal(who.name, "unix.relay@test");
	auth_destroy(host);
}

static void clock_that_stands_still_or_goes_back_does_no_harm(void **state)
{
	AUTH *alice = people_client(&people, ALICE);

	(void)state;
	assert_int_equal(people_call(&people, alice, &who), AUTH_OK);
	people.clocks.client -= 10 * SECOND;
	assert_int_equal(people_call(&people, alice, &who), AUTH_OK);
	assert_int_equal(people_call(&people, alice, &who), AUTH_OK);
	auth_destroy(alice);
}

/* ---- replays ---- */

static void replay_of_a_call_is_refused(void **state)
{
	AUTH *alice = people_client(&people, ALICE);
	struct message first, second;

	(void)state;
	message_make(&first, alice);
	assert_int_equal(message_ask(&people, &first, &who, &verf), AUTH_OK);
	assert_int_equal(message_ask(&people, &first, &who, &verf),
			 AUTH_REJECTEDVERF);
	message_make(&first, alice); /* has no nickname yet */
	assert_int_equal(message_ask(&people, &first, &who, &verf), AUTH_OK);
	assert_true(client_accepts(alice, &verf));
	message_make(&second, alice);
	assert_int_equal(message_ask(&people, &second, &who, &verf), AUTH_OK);
	assert_int_equal(message_ask(&people, &second, &who, &verf),
			 AUTH_REJECTEDVERF);
	assert_int_equal(message_ask(&people, &first, &who, &verf),
			 AUTH_REJECTEDVERF);
	auth_destroy(alice);
}

static void replay_is_refused_also_when_its_conversation_is_forgotten(
	void **state)
{
	enum { PLACES = 8 };
	AUTH *alice[PLACES + 1];
	struct message first;

	(void)state;
	authdh_server_close(people.server);
	people_open_server(&people, PLACES);
	for (int i = 0; i <= PLACES; i++) {
		struct message message;

		people.clocks.client++;
		alice[i] = people_client(&people, ALICE);
		message_make(&message, alice[i]);
		assert_int_equal(message_ask(&people, &message, &who, &verf),
				 AUTH_OK);
		assert_true(client_accepts(alice[i], &verf));
		if (i == 0)
			message_copy(&first, &message);
	}
	assert_true(authdh_server_count(people.server) <= PLACES);
	assert_int_equal(message_ask(&people, &first, &who, &verf),
			 AUTH_REJECTEDVERF);
	/* Its client begins anew. */
	assert_int_equal(people_call(&people, alice[0], &who),
			 AUTH_REJECTEDCRED);
	assert_true(AUTH_REFRESH(alice[0], NULL));
	assert_int_equal(people_call(&people, alice[0], &who), AUTH_OK);
	for (int i = 0; i <= PLACES; i++)
		auth_destroy(alice[i]);
}

/* The replay is within its window, as the next server sees it, each time. */
static void replay_is_refused_by_the_next_server_too(void **state)
{
	static const struct {
		int64_t client_ahead_s, server_set_s;
	} cases[] = {{0, 0},   {0, 5},   {0, -59}, {50, 0},    {50, 5},
		     {50, -9}, {-50, 0}, {-50, 5}, {-50, -100}};
	struct message replay;
	AUTH *alice;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		people.clocks.server += 1000 * SECOND;
		people.clocks.client =
			people.clocks.server + cases[i].client_ahead_s * SECOND;
		alice = people_client(&people, ALICE);
		message_make(&replay, alice);
		assert_int_equal(message_ask(&people, &replay, &who, &verf),
				 AUTH_OK);
		people.clocks.server += cases[i].server_set_s * SECOND;
		open_next_server();
		assert_int_equal(message_ask(&people, &replay, &who, &verf),
				 AUTH_REJECTEDVERF);
		assert_int_equal(people_call(&people, alice, &who), AUTH_OK);
		auth_destroy(alice);
	}
}

/* The same, once time has come that far again. */
static void replay_is_refused_when_a_clock_set_back_comes_there_again(
	void **state)
{
	AUTH *alice = people_client(&people, ALICE);
	struct message replay;

	(void)state;
	message_make(&replay, alice);
	assert_int_equal(message_ask(&people, &replay, &who, &verf), AUTH_OK);
	people.clocks.server -= 3600 * SECOND;
	open_next_server();
	people.clocks.server += 3600 * SECOND;
	assert_int_equal(message_ask(&people, &replay, &who, &verf),
			 AUTH_REJECTEDVERF);
	assert_int_equal(people_call(&people, alice, &who), AUTH_OK);
	auth_destroy(alice);
}

static void replay_is_refused_where_the_next_server_knows_more_users(
	void **state)
{
	AUTH *bob = people_client(&people, BOB);
	struct message replay;

	(void)state;
	people.publics.entries++; /* without Alice */
	people.publics.n--;
	open_next_server();
	message_make(&replay, bob);
	assert_int_equal(message_ask(&people, &replay, &who, &verf), AUTH_OK);
	people.publics = (struct keys){people.public_, PEOPLE};
	open_next_server();
	assert_int_equal(message_ask(&people, &replay, &who, &verf),
			 AUTH_REJECTEDVERF);
	auth_destroy(bob);
}

static void call_that_cannot_be_noted_is_not_served(void **state)
{
	const struct rlimit none = {.rlim_cur = 32, .rlim_max = RLIM_INFINITY};
	AUTH *alice = people_client(&people, ALICE);
	struct rlimit before;
	enum auth_stat why;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	why = people_call(&people, alice, &who);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(why, AUTH_FAILED);
	assert_int_equal(people_call(&people, alice, &who), AUTH_OK);
	auth_destroy(alice);
}

static void second_server_with_the_same_file_is_refused(void **state)
{
	const struct authdh_server_options options = {
		.publics = &people.publics,
		.secret = &people.secret[SERVER],
		.floors_path = people.floors,
	};
	struct authdh_server *second;

	(void)state;
	assert_int_equal(authdh_server_open(&second, &options), -EBUSY);
	assert_null(second);
}

/* ---- clocks that differ ---- */

static void clocks_may_differ_by_the_window(void **state)
{
	static const struct {
		int64_t ahead_us;
		enum auth_stat why;
	} cases[] = {
		{0, AUTH_OK},
		{60 * SECOND, AUTH_OK},
		{60 * SECOND + 1, AUTH_REJECTEDVERF},
		{-60 * SECOND, AUTH_OK},
		{-60 * SECOND - 1, AUTH_REJECTEDVERF},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTH *alice = people_client(&people, ALICE);

		/* A server that has just been started asks no more of it. */
		people.clocks.server += 1000 * SECOND;
		open_next_server();
		people.clocks.client = people.clocks.server + cases[i].ahead_us;
		assert_int_equal(people_call(&people, alice, &who),
				 cases[i].why);
		auth_destroy(alice);
	}
}

/* While it runs, its conversations go on as far as the window reaches. */
static void servers_clock_may_be_set_back_by_the_window(void **state)
{
	AUTH *alice = people_client(&people, ALICE);
	struct message replay;

	(void)state;
	assert_int_equal(people_call(&people, alice, &who), AUTH_OK);
	message_make(&replay, alice);
	assert_int_equal(message_ask(&people, &replay, &who, &verf), AUTH_OK);
	people.clocks.server -= 30 * SECOND;
	assert_int_equal(message_ask(&people, &replay, &who, &verf),
			 AUTH_REJECTEDVERF);
	assert_int_equal(people_call(&people, alice, &who), AUTH_OK);
	people.clocks.server -= 31 * SECOND;
	assert_int_equal(people_call(&people, alice, &who), AUTH_REJECTEDVERF);
	auth_destroy(alice);
}

/* A second machine of the same user, whose clock is behind the first's. */
static void second_machine_waits_for_its_clock_after_a_restart(void **state)
{
	AUTH *first = people_client(&people, ALICE);
	AUTH *second = people_client(&people, ALICE);

	(void)state;
	people.clocks.client += 10 * SECOND;
	assert_int_equal(people_call(&people, first, &who), AUTH_OK);
	people.clocks.client -= 10 * SECOND;
	assert_int_equal(people_call(&people, second, &who), AUTH_OK);
	open_next_server();
	assert_true(AUTH_REFRESH(second, NULL));
	assert_int_equal(people_call(&people, second, &who), AUTH_REJECTEDVERF);
	people.clocks.client += 11 * SECOND;
	assert_int_equal(people_call(&people, second, &who), AUTH_OK);
	auth_destroy(first);
	auth_destroy(second);
}

/* ---- windows ---- */

static void call_outside_its_window_is_refused(void **state)
{
	AUTH *alice = people_client(&people, ALICE);
	struct message late;

	(void)state;
	message_make(&late, alice);
	people.clocks.server += 61 * SECOND;
	assert_int_equal(message_ask(&people, &late, &who, &verf),
			 AUTH_REJECTEDVERF);
	people.clocks.client = people.clocks.server;
	assert_int_equal(people_call(&people, alice, &who), AUTH_OK);
	people.clocks.client += 61 * SECOND; /* from the future */
	assert_int_equal(people_call(&people, alice, &who), AUTH_REJECTEDVERF);
	people.clocks.server = people.clocks.client + 61 * SECOND;
	assert_int_equal(people_call(&people, alice, &who), AUTH_REJECTEDVERF);
	people.clocks.server = people.clocks.client + 59 * SECOND;
	assert_int_equal(people_call(&people, alice, &who), AUTH_OK);
	auth_destroy(alice);
}

static void window_of_a_client_is_cut_to_the_servers(void **state)
{
	static const uint32_t windows_s[] = {301, 1000000};
	struct authdh_client_options options = {
		.secret = &people.secret[ALICE],
		.server =
			keys_find(&people.publics, people.secret[SERVER].name),
		.now_us = client_clock,
		.arg = &people.clocks,
	};
	struct message late;
	AUTH *alice;

	(void)state;
	for (int i = 0; i < 2; i++) {
		options.window_s = windows_s[i];
		assert_int_equal(authdh_client_create(&alice, &options), 0);
		message_make(&late, alice);
		people.clocks.server = people.clocks.client + 301 * SECOND;
		assert_int_equal(message_ask(&people, &late, &who, &verf),
				 AUTH_REJECTEDVERF);
		people.clocks.server -= SECOND;
		assert_int_equal(message_ask(&people, &late, &who, &verf),
				 AUTH_OK);
		people.clocks.client += SECOND;
		auth_destroy(alice);
	}
}

/* ---- who is not who he says ---- */

static void name_without_a_key_is_refused(void **state)
{
	AUTH *alice;

	(void)state;
	strcpy(people.secret[ALICE].name, "unix.1002@test");
	alice = people_client(&people, ALICE);
	assert_int_equal(people_call(&people, alice, &who), AUTH_BADCRED);
	auth_destroy(alice);
}

static void name_of_another_is_refused(void **state)
{
	AUTH *bob;

	(void)state;
	memcpy(people.secret[BOB].name, people.secret[ALICE].name,
	       sizeof(people.secret[BOB].name));
	bob = people_client(&people, BOB);
	for (int i = 0; i < 100; i++) {
		enum auth_stat why = people_call(&people, bob, &who);

		assert_int_equal(why, AUTH_BADCRED);
	}
	auth_destroy(bob);
}

static void nickname_of_another_is_refused(void **state)
{
	AUTH *alice = people_client(&people, ALICE);
	AUTH *bob = people_client(&people, BOB);
	struct message hers, his;
	int taken = 0;

	(void)state;
	assert_int_equal(people_call(&people, alice, &who), AUTH_OK);
	assert_int_equal(people_call(&people, bob, &who), AUTH_OK);
	message_make(&hers, alice);
	for (int i = 0; i < 100; i++) {
		message_make(&his, bob);
		memcpy((uint8_t *)(uintptr_t)his.call.cred.body,
		       hers.call.cred.body, 8);
		taken += message_ask(&people, &his, &who, &verf) == AUTH_OK;
	}
	assert_int_equal(taken, 0);
	auth_destroy(alice);
	auth_destroy(bob);
}

static void nickname_of_nobody_begins_anew(void **state)
{
	AUTH *alice = people_client(&people, ALICE);

	(void)state;
	assert_int_equal(people_call(&people, alice, &who), AUTH_OK);
	authdh_server_close(people.server);
	people_open_server(&people, 0);
	assert_int_equal(people_call(&people, alice, &who), AUTH_REJECTEDCRED);
	assert_true(AUTH_REFRESH(alice, NULL));
	assert_int_equal(people_call(&people, alice, &who), AUTH_OK);
	assert_int_equal(authdh_client_fullnames(alice), 2);
	/* With a full name there is nothing else to try. */
	assert_true(AUTH_REFRESH(alice, NULL));
	assert_false(AUTH_REFRESH(alice, NULL));
	auth_destroy(alice);
}

static void nickname_of_the_server_before_is_nobodys_here(void **state)
{
	AUTH *alice = people_client(&people, ALICE);
	AUTH *bob = people_client(&people, BOB);

	(void)state;
	assert_int_equal(people_call(&people, alice, &who), AUTH_OK);
	open_next_server();
	assert_int_equal(people_call(&people, bob, &who), AUTH_OK);
	assert_int_equal(people_call(&people, alice, &who), AUTH_REJECTEDCRED);
	auth_destroy(alice);
	auth_destroy(bob);
}

static void silent_longest_is_forgotten(void **state)
{
	AUTH *auth[PEOPLE];

	(void)state;
	authdh_server_close(people.server);
	people_open_server(&people, PEOPLE - 1);
	for (int i = 0; i < PEOPLE; i++)
		auth[i] = people_client(&people, i);
	/* By full name, and by nickname; the host by its full name alone. */
	assert_int_equal(people_call(&people, auth[ALICE], &who), AUTH_OK);
	assert_int_equal(people_call(&people, auth[ALICE], &who), AUTH_OK);
	assert_int_equal(people_call(&people, auth[BOB], &who), AUTH_OK);
	assert_int_equal(people_call(&people, auth[BOB], &who), AUTH_OK);
	assert_int_equal(people_call(&people, auth[HOST], &who), AUTH_OK);
	assert_int_equal(people_call(&people, auth[SERVER], &who), AUTH_OK);
	assert_int_equal(people_call(&people, auth[ALICE], &who),
			 AUTH_REJECTEDCRED);
	assert_int_equal(people_call(&people, auth[BOB], &who), AUTH_OK);
	assert_int_equal(people_call(&people, auth[HOST], &who), AUTH_OK);
	assert_true(AUTH_REFRESH(auth[ALICE], NULL));
	assert_int_equal(people_call(&people, auth[ALICE], &who), AUTH_OK);
	assert_int_equal(people_call(&people, auth[SERVER], &who),
			 AUTH_REJECTEDCRED);
	assert_int_equal(people_call(&people, auth[BOB], &who), AUTH_OK);
	assert_int_equal(people_call(&people, auth[HOST], &who), AUTH_OK);
	for (int i = 0; i < PEOPLE; i++)
		auth_destroy(auth[i]);
}

static void one_user_cannot_drive_out_the_others(void **state)
{
	enum { PLACES = 16, MANY = 100 };
	AUTH *bob;

	(void)state;
	authdh_server_close(people.server);
	people_open_server(&people, PLACES);
	bob = people_client(&people, BOB);
	assert_int_equal(people_call(&people, bob, &who), AUTH_OK);
	for (int i = 0; i < MANY; i++) {
		AUTH *alice = people_client(&people, ALICE);

		people.clocks.client++;
		assert_int_equal(people_call(&people, alice, &who), AUTH_OK);
		auth_destroy(alice);
	}
	/* Bob's, and an eighth of the table and the latest one of hers. */
	assert_int_equal(authdh_server_count(people.server),
			 1 + PLACES / 8 + 1);
	assert_int_equal(people_call(&people, bob, &who), AUTH_OK);
	assert_int_equal(authdh_client_fullnames(bob), 1);
	auth_destroy(bob);
}

/* ---- bits ---- */

static void any_bit_that_is_changed_is_noticed(void **state)
{
	AUTH *alice = people_client(&people, ALICE);
	struct message message, changed;
	size_t bytes;

	(void)state;
	message_make(&message, alice);
	bytes = 24 + 8 + message.call.cred.bytes + 8 + AUTHDH_VERIFIER;
	/* From the credential's body on. */
	for (size_t bit = (24 + 8) * 8; bit < bytes * 8; bit++) {
		message_copy(&changed, &message);
		changed.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (rpc_message_decode_call(changed.bytes, bytes,
					    &changed.call))
			continue;
		if (message_ask(&people, &changed, &who, &verf) != AUTH_OK)
			continue;
		fail_msg("bit %zu of byte %zu", bit % 8, bit / 8);
	}
	/* And it was all about this one: */
	message_make(&message, alice);
	assert_int_equal(message_ask(&people, &message, &who, &verf), AUTH_OK);
	auth_destroy(alice);
}

static void reply_of_somebody_else_is_refused(void **state)
{
	AUTH *alice = people_client(&people, ALICE);
	struct rpc_verifier before, echo = {.flavor = AUTH_DH, .bytes = 12};
	struct message message;

	(void)state;
	message_make(&message, alice);
	assert_int_equal(message_ask(&people, &message, &who, &before),
			 AUTH_OK);
	/* What was sent, sent back. */
	memcpy(echo.body, message.call.verf.body, 12);
	assert_false(client_accepts(alice, &echo));
	/* No verifier at all, or of another length. */
	assert_false(client_accepts(alice, &(struct rpc_verifier){0}));
	verf = before;
	verf.bytes = 8;
	assert_false(client_accepts(alice, &verf));
	for (int bit = 0; bit < 8 * DH_DES; bit++) {
		verf = before;
		verf.body[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(client_accepts(alice, &verf));
	}
	assert_true(client_accepts(alice, &before));
	/* That of the call before. */
	message_make(&message, alice);
	assert_false(client_accepts(alice, &before));
	auth_destroy(alice);
}

static void credentials_are_of_one_form(void **state)
{
	struct authdh_cred cred = {.kind = AUTHDH_FULLNAME}, again;
	struct rpc_verifier credential, verifier;
	struct rpc_opaque opaque = {.flavor = AUTH_DH};

	(void)state;
	strcpy(cred.name, "unix.1@a");
	authdh_cred_encode(&cred, &credential, &verifier);
	assert_int_equal(credential.bytes, 4 + 4 + 8 + 8 + 4);
	opaque.body = credential.body;
	for (opaque.bytes = 0; opaque.bytes <= 40; opaque.bytes++)
		assert_int_equal(authdh_cred_decode(&again, &opaque),
				 opaque.bytes == credential.bytes ? 0
								  : -EBADMSG);
	opaque.bytes = credential.bytes;
	assert_int_equal(authdh_cred_decode(&again, &opaque), 0);
	assert_memory_equal(&cred, &again, sizeof(cred));
	credential.body[3] = 2; /* a kind that is none */
	assert_int_equal(authdh_cred_decode(&again, &opaque), -EBADMSG);
	credential.body[3] = 0;
	credential.body[4] = 0xff; /* a name of 4 GB */
	assert_int_equal(authdh_cred_decode(&again, &opaque), -EBADMSG);
}

static void microseconds_are_below_a_million(void **state)
{
	static const uint8_t key[DH_DES] = {1, 2, 4};
	struct authdh_cred cred;
	int64_t time_us;

	(void)state;
	for (uint32_t us = 999998; us < 1000003; us++) {
		rpc_message_put32(rpc_message_put32(cred.time, 7), us);
		dh_ecb_encrypt(key, cred.time, DH_DES);
		assert_int_equal(
			authdh_cred_open_nickname(&cred, key, &time_us),
			us < 1000000 ? 0 : -EBADMSG);
	}
}

#define CASE(name) \
	cmocka_unit_test_setup_teardown(name, open_server, close_server)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(full_name_comes_once_and_then_the_nickname),
		CASE(host_has_a_name_and_no_uid),
		CASE(clock_that_stands_still_or_goes_back_does_no_harm),
		CASE(replay_of_a_call_is_refused),
		CASE(replay_is_refused_also_when_its_conversation_is_forgotten),
		CASE(replay_is_refused_by_the_next_server_too),
		CASE(replay_is_refused_when_a_clock_set_back_comes_there_again),
		CASE(replay_is_refused_where_the_next_server_knows_more_users),
		CASE(call_that_cannot_be_noted_is_not_served),
		CASE(second_server_with_the_same_file_is_refused),
		CASE(clocks_may_differ_by_the_window),
		CASE(servers_clock_may_be_set_back_by_the_window),
		CASE(second_machine_waits_for_its_clock_after_a_restart),
		CASE(call_outside_its_window_is_refused),
		CASE(window_of_a_client_is_cut_to_the_servers),
		CASE(name_without_a_key_is_refused),
		CASE(name_of_another_is_refused),
		CASE(nickname_of_another_is_refused),
		CASE(nickname_of_nobody_begins_anew),
		CASE(nickname_of_the_server_before_is_nobodys_here),
		CASE(silent_longest_is_forgotten),
		CASE(one_user_cannot_drive_out_the_others),
		CASE(any_bit_that_is_changed_is_noticed),
		CASE(reply_of_somebody_else_is_refused),
		cmocka_unit_test(credentials_are_of_one_form),
		cmocka_unit_test(microseconds_are_below_a_million),
	};
	return SUPPORT_MAIN(tests);
}

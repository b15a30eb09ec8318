/* The table of faults: outcome, exit status and words of each, and what the
 * replies of a server become. */
#include <errno.h>
#include <string.h>

#include "lib/rpc/rpc_fault.h"
#include "tests/support/support.h"

#define NO RPC_OUTCOME_NOT_DONE
#define REFUSED RPC_OUTCOME_REFUSED

/* Of a call that was sent; of one that was not, it is always known. */
static const struct {
	enum rpc_fault_kind kind;
	enum rpc_outcome sent;
	int status;       /* if it is known that nothing was done */
	const char *word; /* that occurs in its sentence */
} table[] = {
	{RPC_FAULT_TIMED_OUT, RPC_OUTCOME_UNKNOWN, 3, "Timed out"},
	{RPC_FAULT_LOST, RPC_OUTCOME_UNKNOWN, 3, "lost"},
	{RPC_FAULT_HOST, NO, 4, "host"},
	{RPC_FAULT_UNREACHABLE, RPC_OUTCOME_UNKNOWN, 4, "unreachable"},
	{RPC_FAULT_NO_RPCBIND, NO, 5, "rpcbind"},
	{RPC_FAULT_NOT_REGISTERED, NO, 5, "registered"},
	{RPC_FAULT_RPC_VERSION, REFUSED, 6, "of RPC; low version = 4"},
	{RPC_FAULT_VERSION, REFUSED, 6, "high version = 9"},
	{RPC_FAULT_PROGRAM, REFUSED, 6, "Program unavailable"},
	{RPC_FAULT_PROCEDURE, REFUSED, 6, "Procedure unavailable"},
	{RPC_FAULT_AUTH, REFUSED, 7, "why = Client credential too weak"},
	{RPC_FAULT_VERIFIER, RPC_OUTCOME_UNKNOWN, 7, "not proved"},
	{RPC_FAULT_GARBAGE_ARGS, REFUSED, 8, "can't decode arguments"},
	{RPC_FAULT_SYSTEM, RPC_OUTCOME_UNKNOWN, 8, "failed in itself"},
	{RPC_FAULT_ARGS, NO, 8, "Can't encode arguments"},
	{RPC_FAULT_BAD_REPLY, RPC_OUTCOME_UNKNOWN, 8, "Can't decode the reply"},
	{RPC_FAULT_REPLY_STAT, RPC_OUTCOME_UNKNOWN, 8, "reply_stat = 4711"},
	{RPC_FAULT_ACCEPT_STAT, RPC_OUTCOME_UNKNOWN, 8, "accept_stat = 4711"},
	{RPC_FAULT_REJECT_STAT, REFUSED, 8, "reject_stat = 4711"},
	{RPC_FAULT_INTERRUPTED, RPC_OUTCOME_UNKNOWN, 1, "Interrupted"},
	{RPC_FAULT_LOCAL, RPC_OUTCOME_UNKNOWN, 1, "this side"},
};

static void outcome_status_and_words_are_those_of_the_table(void **state)
{
	size_t n = sizeof(table) / sizeof(table[0]);
	char text[256];

	(void)state;
	/* Every kind, but that of no fault. */
	assert_int_equal(n, RPC_FAULT_LOCAL);
	for (size_t i = 0; i < n; i++) {
		struct rpc_fault fault = {
			.kind = table[i].kind,
			.why = AUTH_TOOWEAK,
			.low = 4,
			.high = 9,
			.number = 4711,
			.was_sent = true,
		};
		bool is_unknown = table[i].sent == RPC_OUTCOME_UNKNOWN;

		assert_int_equal(table[i].kind, i + 1);
		assert_int_equal(rpc_fault_outcome(&fault), table[i].sent);
		assert_int_equal(rpc_fault_is_unknown(&fault), is_unknown);
		assert_int_equal(rpc_fault_status(&fault),
				 is_unknown ? 3 : table[i].status);
		rpc_fault_text(&fault, text, sizeof(text));
		assert_non_null(strstr(text, table[i].word));
		assert_int_equal(
			!!strstr(text, "whether it was done is unknown"),
			is_unknown);
		fault.was_sent = false;
		assert_false(rpc_fault_is_unknown(&fault));
		assert_int_equal(rpc_fault_status(&fault), table[i].status);
		rpc_fault_text(&fault, text, sizeof(text));
		assert_null(strstr(text, "whether it was done is unknown"));
		/* As much of it as there is room, and no more. */
		for (size_t size = 1; size < 40; size++) {
			memset(text, '#', sizeof(text));
			rpc_fault_text(&fault, text, size);
			assert_true(strlen(text) < size);
			assert_int_equal(text[size], '#');
		}
	}
}

static const struct {
	struct rpc_reply reply;
	enum rpc_fault_kind kind;
	uint32_t number;
} said[] = {
	{{.stat = MSG_ACCEPTED, .status = SUCCESS}, RPC_FAULT_NONE, 0},
	{{.stat = MSG_ACCEPTED, .status = PROG_UNAVAIL}, RPC_FAULT_PROGRAM, 1},
	{{.stat = MSG_ACCEPTED, .status = PROG_MISMATCH}, RPC_FAULT_VERSION, 2},
	{{.stat = MSG_ACCEPTED, .status = PROC_UNAVAIL},
	 RPC_FAULT_PROCEDURE,
	 3},
	{{.stat = MSG_ACCEPTED, .status = GARBAGE_ARGS},
	 RPC_FAULT_GARBAGE_ARGS,
	 4},
	{{.stat = MSG_ACCEPTED, .status = SYSTEM_ERR}, RPC_FAULT_SYSTEM, 5},
	{{.stat = MSG_ACCEPTED, .status = 6}, RPC_FAULT_ACCEPT_STAT, 6},
	{{.stat = MSG_DENIED, .status = RPC_MISMATCH},
	 RPC_FAULT_RPC_VERSION,
	 0},
	{{.stat = MSG_DENIED, .status = AUTH_ERROR}, RPC_FAULT_AUTH, 1},
	{{.stat = MSG_DENIED, .status = 2}, RPC_FAULT_REJECT_STAT, 2},
	{{.stat = 2, .status = 0}, RPC_FAULT_REPLY_STAT, 2},
};

static void each_reply_is_told_as_what_it_is(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		const struct rpc_fault fault =
			rpc_fault_of_reply(&said[i].reply);

		assert_int_equal(fault.kind, said[i].kind);
		assert_int_equal(fault.number, said[i].number);
		assert_true(fault.was_sent);
	}
}

static void unknown_reason_is_told_with_its_number(void **state)
{
	const struct rpc_fault fault = {.kind = RPC_FAULT_AUTH,
					.why = (enum auth_stat)77};
	char text[256];

	(void)state;
	assert_string_equal(rpc_fault_text(&fault, text, sizeof(text)),
			    "RPC: Authentication error; why = "
			    "Unknown reason 77");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			outcome_status_and_words_are_those_of_the_table),
		cmocka_unit_test(each_reply_is_told_as_what_it_is),
		cmocka_unit_test(unknown_reason_is_told_with_its_number),
	};

	return SUPPORT_MAIN(tests);
}

/* Messages as text. tests/p17/wire.bats compares it with tshark's reading. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rpc/rpc_message.h"
#include "lib/rpc/rpc_trace.h"
#include "tests/support/support.h"

static const uint8_t call[] = {
	0, 0, 0x12, 0x34, 0,   0, 0, 0, 0, 0, 0, 2, 0x31, 0x23, 0, 0, 0, 0, 0,
	2, 0, 0,    0,    6,   0, 0, 0, 1, 0, 0, 0, 28,   0,    0, 0, 5, 0, 0,
	0, 3, 'b',  'o',  'x', 0, 0, 0, 0, 7, 0, 0, 0,    8,    0, 0, 0, 1, 0,
	0, 0, 9,    0,    0,   0, 0, 0, 0, 0, 0, 0, 0,    0,    42};

static void each_word_of_a_call_has_its_meaning(void **state)
{
	char *text = rpc_trace_text(true, call, sizeof(call));

	(void)state;
	assert_non_null(text);
	assert_string_equal(text,
			    "--> 72 bytes\n"
			    "     0  00 00 12 34  xid = 4660\n"
			    "     4  00 00 00 00  mtype = 0 (CALL)\n"
			    "     8  00 00 00 02  rpcvers = 2\n"
			    "    12  31 23 00 00  prog = 824377344\n"
			    "    16  00 00 00 02  vers = 2\n"
			    "    20  00 00 00 06  proc = 6\n"
			    "    24  00 00 00 01  cred flavor = 1 (AUTH_SYS)\n"
			    "    28  00 00 00 1c  cred length = 28\n"
			    "    32  00 00 00 05  cred stamp = 5\n"
			    "    36  00 00 00 03  cred machinename length = 3\n"
			    "    40  62 6f 78 00  cred machinename box.\n"
			    "    44  00 00 00 07  cred uid = 7\n"
			    "    48  00 00 00 08  cred gid = 8\n"
			    "    52  00 00 00 01  cred gids length = 1\n"
			    "    56  00 00 00 09  cred gids = 9\n"
			    "    60  00 00 00 00  verf flavor = 0 (AUTH_NONE)\n"
			    "    64  00 00 00 00  verf length = 0\n"
			    "    68  00 00 00 2a  args ...*\n");
	free(text);
}

/* The words behind the xid, in the order in which they stand. */
static const struct {
	struct rpc_reply reply;
	const char *words;
} replies[] = {
	{{.stat = MSG_ACCEPTED, .status = PROG_MISMATCH, .low = 3, .high = 5},
	 "reply_stat = 0 (MSG_ACCEPTED)|verf flavor = 0 (AUTH_NONE)|"
	 "verf length = 0|accept_stat = 2 (PROG_MISMATCH)|low = 3|high = 5|"},
	{{.stat = MSG_ACCEPTED, .status = 77},
	 "reply_stat = 0 (MSG_ACCEPTED)|verf flavor = 0 (AUTH_NONE)|"
	 "verf length = 0|accept_stat = 77 (unknown)|"},
	{{.stat = MSG_DENIED, .status = RPC_MISMATCH, .low = 2, .high = 2},
	 "reply_stat = 1 (MSG_DENIED)|reject_stat = 0 (RPC_MISMATCH)|low = 2|"
	 "high = 2|"},
	{{.stat = MSG_DENIED, .status = AUTH_ERROR, .why = AUTH_TOOWEAK},
	 "reply_stat = 1 (MSG_DENIED)|reject_stat = 1 (AUTH_ERROR)|"
	 "auth_stat = 5 (Client credential too weak)|"},
	{{.stat = 77}, "reply_stat = 77 (unknown)|"},
};

static void each_word_of_a_reply_has_its_meaning(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		uint8_t bytes[RPC_MESSAGE_REPLY_MAX];
		ssize_t n = rpc_message_encode_reply(bytes, sizeof(bytes),
						     &replies[i].reply);
		char words[512] = "", *text, *line, *rest;
		int lines = 0;

		assert_true(n > 0);
		text = rpc_trace_text(false, bytes, (size_t)n);
		assert_non_null(text);
		assert_ptr_equal(strstr(text, "<-- "), text);
		for (line = strtok_r(text, "\n", &rest); line;
		     line = strtok_r(NULL, "\n", &rest))
			if (lines++ > 2)
				snprintf(words + strlen(words),
					 sizeof(words) - strlen(words), "%s|",
					 line + 21);
		assert_string_equal(words, replies[i].words);
		free(text);
	}
}

/* Every byte is shown once and in its place, however much is missing, and
 * whatever one of them says instead. */
static void assert_all_bytes_are_shown(const uint8_t *bytes, size_t n)
{
	char *text = rpc_trace_text(true, bytes, n), *line, *rest;
	size_t at = 0;

	assert_non_null(text);
	assert_non_null(strtok_r(text, "\n", &rest));
	while ((line = strtok_r(NULL, "\n", &rest))) {
		assert_int_equal(strtoul(line, NULL, 10), at);
		for (int i = 0; i < 4 && at < n; i++, at++)
			assert_int_equal(strtoul(line + 8 + 3 * i, NULL, 16),
					 bytes[at]);
	}
	assert_int_equal(at, n);
	free(text);
}

static void bytes_without_meaning_are_shown_all_the_same(void **state)
{
	(void)state;
	for (size_t n = 0; n <= sizeof(call); n++) {
		uint8_t *exact = malloc(n ? n : 1);

		assert_non_null(exact);
		memcpy(exact, call, n);
		assert_all_bytes_are_shown(exact, n);
		for (size_t i = 0; i < n; i++) {
			exact[i] ^= 0xff;
			assert_all_bytes_are_shown(exact, n);
			exact[i] ^= 0xff;
		}
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_word_of_a_call_has_its_meaning),
		cmocka_unit_test(each_word_of_a_reply_has_its_meaning),
		cmocka_unit_test(bytes_without_meaning_are_shown_all_the_same),
	};

	return SUPPORT_MAIN(tests);
}

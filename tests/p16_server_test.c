/* The server as a whole, asked by the client of the same core. */
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "tests/p16_rpc_fixture.h"

static void every_transport_answers(void **state)
{
	int32_t sum;
	struct rpc_fault fault;

	for (int t = 0; t < RPC_TRANSPORTS; t++) {
		struct rpc_client *client =
			open_client(*state, (enum rpc_transport)t);

		assert_int_equal(call_null(client, &fault), 0);
		for (int i = 0; i < 20; i++) {
			assert_int_equal(call_add(client, i, -50, &sum, &fault),
					 0);
			assert_int_equal(sum, i - 50);
		}
		rpc_client_close(client);
	}
	assert_int_equal(counts_of(*state).calls, 3 * 21);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_transport_answers, set_up,
						tear_down),
	};
	return SUPPORT_MAIN(tests);
}

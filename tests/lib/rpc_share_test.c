/* lib/rpc/rpc_share: whose entries are counted as whose. */
#include "lib/rpc/rpc_share.h"

#include "tests/support/support.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static uint64_t owner_of(const char *address)
{
	struct rpc_peer peer = {.transport = RPC_TCP};
	struct sockaddr_in *in = (void *)&peer.address;

	in->sin_family = AF_INET;
	assert_int_equal(inet_pton(AF_INET, address, &in->sin_addr), 1);
	return rpc_share_owner(&peer);
}

static void what_is_added_is_there_until_it_is_taken_off(void **state)
{
	const uint64_t owner = owner_of("192.0.2.1");
	struct rpc_share share;

	(void)state;
	rpc_share_init(&share);
	assert_int_equal(rpc_share_get(&share, owner), 0);
	rpc_share_add(&share, owner, 1);
	rpc_share_add(&share, owner, INT64_C(1) << 31);
	assert_int_equal(rpc_share_get(&share, owner), (1U << 31) + 1);
	rpc_share_add(&share, owner, -(INT64_C(1) << 31));
	rpc_share_add(&share, owner, -1);
	assert_int_equal(rpc_share_get(&share, owner), 0);
}

/* By a secret under which these two have one bucket. One server in a thousand has
 * such a row, and took for the second one's what the first one had. */
static void who_meets_another_in_one_row_has_a_share_of_its_own(void **state)
{
	const uint64_t bad = 0xbefbea9bec4978c1, good = 0x9e3779b97f4a7c15;
	const uint64_t many = owner_of("127.0.0.2"),
		       few = owner_of("127.0.0.1");
	struct rpc_share share;

	(void)state;
	for (int row = 0; row < RPC_SHARE_ROWS; row++) {
		rpc_share_init(&share);
		for (int i = 0; i < RPC_SHARE_ROWS; i++)
			share.seeds[i] = i == row ? bad : good;
		rpc_share_add(&share, many, 9);
		rpc_share_add(&share, few, 1);
		assert_int_equal(rpc_share_get(&share, many), 9);
		assert_int_equal(rpc_share_get(&share, few), 1);
	}
	for (int i = 0; i < RPC_SHARE_ROWS; i++)
		share.seeds[i] = bad;
	rpc_share_add(&share, many, 9);
	assert_true(rpc_share_get(&share, few) >= 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_added_is_there_until_it_is_taken_off),
		cmocka_unit_test(
			who_meets_another_in_one_row_has_a_share_of_its_own),
	};

	return SUPPORT_MAIN(tests);
}

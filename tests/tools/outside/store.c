/* store PORT: a put and a get of the store's server there, a look into its shared
 * memory, and a Raft core of one, all by what is installed. In C, and in C++. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/tick.h"
#include "p18-rpc-kv/cache.h"
#include "p18-rpc-kv/kvclient.h"
#include "p18-rpc-kv/raft/raft.h"

static char key[] = "key", value[] = "value";

static int put_and_get(struct kvclient *kv)
{
	kv_change change = {};
	kv_get_args args = {};
	kv_write_result written;
	kv_get_result got;
	struct kvclient_report report;

	change.operation = KV_PUT;
	change.key.kv_key_len = args.key.kv_key_len = sizeof(key);
	change.key.kv_key_val = args.key.kv_key_val = key;
	change.value.kv_value_len = sizeof(value);
	change.value.kv_value_val = value;
	if (kvclient_write(kv, &change, &written, &report) == KVCLIENT_DONE &&
	    kvclient_get(kv, &args, &got, &report) == KVCLIENT_DONE) {
		printf("get %s\n", got.value.kv_value_val);
		xdr_free((xdrproc_t)xdr_kv_get_result, (char *)&got);
	}
	xdr_free((xdrproc_t)xdr_kv_write_result, (char *)&written);
	return report.outcome;
}

static int look(uint16_t port)
{
	const struct cache_promise any = {-1, 0};
	struct cache_reader *reader;
	struct cache_value found;
	int error = cache_open(&reader, getuid(), port, tick_after(TICK_S));

	if (error)
		return error;
	error = cache_get(reader, key, sizeof(key), &any, &found);
	if (!error)
		printf("cache %s\n", (char *)found.bytes);
	cache_close(reader);
	return error;
}

/* One server elects itself, and applies what it has been given. */
static int agree_with_myself(void)
{
	struct raft_options options = {};
	struct raft_stored stored = {};
	struct raft_output output;
	struct raft *raft;
	uint64_t index, term;

	options.id = options.seed = options.window = 1;
	options.election_ns = 10;
	options.heartbeat_ns = 1;
	if (members_add(&stored.members, 1, "here") ||
	    raft_open(&options, &stored, &raft))
		return -1;
	for (int64_t now = 20;
	     raft_propose(raft, key, sizeof(key), &index, &term); now += 20) {
		raft_tick(raft, now);
		raft_output(raft, &output);
		if (output.write)
			raft_persisted(raft, output.write->number);
	}
	for (;;) {
		raft_output(raft, &output);
		if (output.write)
			raft_persisted(raft, output.write->number);
		for (size_t i = 0; i < output.n_apply; i++)
			if (output.apply_first + i == index) {
				printf("raft %s\n",
				       (const char *)output.apply[i].command);
				raft_close(raft);
				return 0;
			}
	}
}

int main(int argc, char **argv)
{
	struct parse_endpoint server = {};
	struct kvclient_options options = {};
	struct kvclient *kv;
	int error;

	if (argc < 2)
		return 2;
	server.port = (uint16_t)atoi(argv[1]);
	options.servers = &server;
	options.n_servers = 1;
	options.timeout_ns = TICK_S;
	if (kvclient_open(&kv, &options))
		return 1;
	error = put_and_get(kv);
	kvclient_close(kv);
	return error || look(server.port) || agree_with_myself();
}
